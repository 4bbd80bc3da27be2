// Dates, times and money as prompts.
#include "core/media/prompt_catalogue.hpp"
#include "core/media/say_moment.hpp"
#include <catch2/catch.hpp>

using namespace strowger::media;

namespace {

std::string joined(const std::vector<std::string>& keys) {
    std::string out;
    for (const auto& key : keys) {
        const auto word = key.starts_with("digits/") ? key.substr(7) : key;
        out += (out.empty() ? "" : " ") + word;
    }
    return out;
}
std::string date(const char* text) { return joined(say_date(parse_moment(text).value(), "en")); }
std::string time_of(const char* text) { return joined(say_time(parse_moment(text).value(), "en")); }
std::string money(std::int64_t hundredths, const char* currency = "USD") { return joined(say_money(hundredths, currency, "en")); }

} // namespace

TEST_CASE("a date is a weekday, a month, an ordinal and a year", "[say]") {
    CHECK(date("2026-12-25") == "day-5 mon-11 20 h-5 20 20 6");
    CHECK(date("2026-12-25 23:59") == "day-5 mon-11 20 h-5 20 20 6");
    CHECK(date("2024-02-29") == "day-4 mon-1 20 h-9 20 20 4");
    CHECK(date("2001-01-01") == "day-1 mon-0 h-1 2 thousand 1");
    CHECK(date("2000-05-20") == "day-6 mon-4 h-20 2 thousand");
    CHECK(date("1999-07-30") == "day-5 mon-6 h-30 19 90 9");
    CHECK(date("1905-03-13") == "day-1 mon-2 h-13 19 oh 5");
    CHECK(date("1900-03-31") == "day-6 mon-2 30 h-1 19 hundred");
    CHECK(date("2110-10-12") == "day-0 mon-9 h-12 20 1 10");
}

TEST_CASE("a time has twelve hours twice", "[say]") {
    CHECK(time_of("15:45") == "3 40 5 p-m");
    CHECK(time_of("10:00") == "10 oclock a-m");
    CHECK(time_of("12:05") == "12 oh 5 p-m");
    CHECK(time_of("00:30") == "12 30 a-m");
    CHECK(time_of("2026-12-25 23:59") == "11 50 9 p-m");
}

TEST_CASE("money has a currency's words, one or many, and no parts that are nothing", "[say]") {
    CHECK(money(1250) == "12 dollars vm-and 50 cents");
    CHECK(money(100) == "1 letters/dollar");
    CHECK(money(101, "EUR") == "1 euro vm-and 1 cent");
    CHECK(money(4200, "EUR") == "40 2 euros");
    CHECK(money(99, "GBP") == "90 9 pence");
    CHECK(money(0) == "0 dollars");
    CHECK(money(-350) == "minus 3 dollars vm-and 50 cents");
    CHECK(money(1250, "CHF") == "12 letters/c letters/h letters/f 50");
    CHECK(money(50, "CHF") == "0 letters/c letters/h letters/f 50");
}

TEST_CASE("what is no moment is not read", "[say]") {
    for (const char* wrong : {"", "soon", "2026-13-01", "2026-02-29", "0999-01-01", "2026-12-25 24:00", "2026-12-25T10:00",
                              "2026-12-25 10:00:00", "10:60", "1:00", "-1:00", "10:-1", "2026-12-2x", "2026-12-25 "}) {
        CAPTURE(wrong);
        CHECK_FALSE(parse_moment(wrong));
    }
}

TEST_CASE("the English catalogue has the words of every date, time and amount", "[say]") {
    const auto catalogue = load_catalogue(STROWGER_SOURCE_DIR "/sounds/catalogue").value();
    std::string missing;
    const auto check = [&](const std::vector<std::string>& keys) {
        for (const auto& key : keys)
            if (!catalogue.text(key, "en")) missing += key + " ";
    };
    for (int n = 0; n < 365; ++n) {
        wall_moment m{1890 + n, 1 + n % 12, 1 + n % 28, n % 24, n % 60};
        check(say_date(m, "en"));
        check(say_time(m, "en"));
        m.month = 1;
        m.day = 29 + n % 3;
        check(say_date(m, "en"));
    }
    for (const char* currency : {"USD", "EUR", "GBP", "CHF"})
        for (const std::int64_t amount : {0, 1, 2, 100, 101, 202, -350, 1'000'000'000}) check(say_money(amount, currency, "en"));
    CHECK(missing == "");
}
