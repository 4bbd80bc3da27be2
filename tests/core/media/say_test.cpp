// Numbers and digits as they are spoken, and that every prompt they ask for has its words in the catalogue.
#include "core/media/prompt_catalogue.hpp"
#include "core/media/say.hpp"
#include <catch2/catch.hpp>
#include <limits>

using namespace strowger::media;

namespace {

std::string joined(const std::vector<std::string>& keys) {
    std::string out;
    for (const auto& key : keys) out += (out.empty() ? "" : " ") + key.substr(key.find('/') + 1);
    return out;
}
std::string en(std::int64_t n) { return joined(say_number(n, "en")); }
std::string de(std::int64_t n) { return joined(say_number(n, "de")); }

std::vector<std::int64_t> sample_numbers() {
    std::vector<std::int64_t> out;
    for (std::int64_t n = -130; n <= 1300; ++n) out.push_back(n);
    for (std::int64_t unit = 1; unit < 1'000'000'000'000'000'000; unit *= 10)
        for (const std::int64_t n : {1, 2, 7})
            for (const std::int64_t more : {-1, 0, 1}) out.push_back(n * unit + more);
    out.push_back(std::numeric_limits<std::int64_t>::max());
    out.push_back(std::numeric_limits<std::int64_t>::min());
    return out;
}

} // namespace

TEST_CASE("English numbers", "[say]") {
    CHECK(en(0) == "0");
    CHECK(en(13) == "13");
    CHECK(en(20) == "20");
    CHECK(en(21) == "20 1");
    CHECK(en(90) == "90");
    CHECK(en(100) == "1 hundred");
    CHECK(en(999) == "9 hundred 90 9");
    CHECK(en(1000) == "1 thousand");
    CHECK(en(1'000'005) == "1 million 5");
    CHECK(en(12'345'678) == "12 million 3 hundred 40 5 thousand 6 hundred 70 8");
    CHECK(en(2'000'000'000) == "2 billion");
    CHECK(en(999'999'999'999).starts_with("9 hundred 90 9 billion 9 hundred"));
    CHECK(en(-42) == "minus 40 2");
    CHECK(say_number(7, "en") == std::vector<std::string>{"digits/7"});
}

TEST_CASE("German numbers put the ones first and know ein, eine and eins", "[say]") {
    CHECK(de(1) == "1");
    CHECK(de(21) == "1-and 20");
    CHECK(de(30) == "30");
    CHECK(de(100) == "1N hundred");
    CHECK(de(101) == "1N hundred 1");
    CHECK(de(1001) == "1N thousand 1");
    CHECK(de(101'000) == "1N hundred 1N thousand");
    CHECK(de(1'000'000) == "1F million");
    CHECK(de(2'000'001) == "2 millions 1");
    CHECK(de(101'000'000) == "1N hundred 1F millions");
    CHECK(de(1'000'000'000) == "1F milliard");
    CHECK(de(3'000'000'071) == "3 milliards 1-and 70");
    CHECK(joined(say_number(21, "de_AT")) == "1-and 20");
    CHECK(joined(say_number(21, "den")) == "20 1");
}

TEST_CASE("numbers past the recorded words are spoken digit by digit", "[say]") {
    CHECK(en(1'000'000'000'000) == "1 0 0 0 0 0 0 0 0 0 0 0 0");
    CHECK(en(std::numeric_limits<std::int64_t>::min()) == "minus 9 2 2 3 3 7 2 0 3 6 8 5 4 7 7 5 8 0 8");
    CHECK(de(std::numeric_limits<std::int64_t>::max()) == "9 2 2 3 3 7 2 0 3 6 8 5 4 7 7 5 8 0 7");
}

TEST_CASE("digits and spelling say what has a name and leave out the rest", "[say]") {
    CHECK(say_digits("+49 (30) 12-3", "en") == std::vector<std::string>{"letters/plus", "digits/4", "digits/9", "digits/3",
                                                                        "digits/0", "digits/1", "digits/2", "digits/3"});
    CHECK(say_digits("*1#Dx\n", "en") == std::vector<std::string>{"digits/star", "digits/1", "digits/pound", "letters/d"});
    CHECK(say_digits("", "en").empty());
    CHECK(say_spelled("aB-9\xc3\xa4", "en") == std::vector<std::string>{"letters/a", "letters/b", "letters/dash", "digits/9"});
}

TEST_CASE("the catalogue has the words of everything that can be said", "[say]") {
    const auto catalogue = load_catalogue(STROWGER_SOURCE_DIR "/sounds/catalogue").value();
    for (const std::string language : {"en", "de"}) {
        std::string missing;
        const auto check = [&](const std::vector<std::string>& keys) {
            for (const auto& key : keys)
                if (!catalogue.text(key, language)) missing += key + " ";
        };
        for (const auto number : sample_numbers()) check(say_number(number, language));
        check(say_digits("0123456789*#+ABCD", language));
        check(say_spelled("abcdefghijklmnopqrstuvwxyz0123456789.-/+@*#=!$ ", language));
        CAPTURE(language);
        CHECK(missing == "");
    }
}
