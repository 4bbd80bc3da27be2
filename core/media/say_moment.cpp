#include "core/media/say_moment.hpp"
#include "core/media/say.hpp"
#include <array>
#include <charconv>
#include <chrono>
#include <fmt/format.h>

namespace strowger::media {
namespace {

using keys = std::vector<std::string>;

void add(keys& out, keys more) {
    for (auto& key : more) out.push_back(std::move(key));
}

/// Exactly so many digits at `at`, which moves on.
std::optional<int> take_number(std::string_view text, std::size_t& at, std::size_t digits) {
    if (at + digits > text.size()) return std::nullopt;
    int out = 0;
    const auto* end = text.data() + at + digits;
    const auto [stopped, wrong] = std::from_chars(text.data() + at, end, out);
    if (wrong != std::errc() || stopped != end || out < 0) return std::nullopt;
    at += digits;
    return out;
}

bool take_sign(std::string_view text, std::size_t& at, char sign) {
    if (at >= text.size() || text[at] != sign) return false;
    ++at;
    return true;
}

std::chrono::year_month_day date_of(const wall_moment& m) {
    return std::chrono::year(m.year) / std::chrono::month(static_cast<unsigned>(m.month)) /
           std::chrono::day(static_cast<unsigned>(m.day));
}

/// "twenty-first" is digits/20 and digits/h-1.
void ordinal(keys& out, int n) {
    if (n > 20 && n % 10 != 0) {
        out.push_back(fmt::format("digits/{}", n - n % 10));
        n %= 10;
    }
    out.push_back(fmt::format("digits/h-{}", n));
}

/// Years are two pairs of digits, but for those that nobody says so: "two thousand five", "nineteen hundred", "nineteen oh five".
void year(keys& out, int n, std::string_view language) {
    const int century = n / 100, rest = n % 100;
    if (n % 1000 < 10) return add(out, say_number(n, language));
    add(out, say_number(century, language));
    if (rest == 0) return out.emplace_back("digits/hundred"), void();
    if (rest < 10) out.emplace_back("digits/oh");
    add(out, say_number(rest, language));
}

struct currency_words {
    std::string_view code, one, many, hundredth, hundredths;
};
constexpr std::array<currency_words, 3> currencies{
    {{"USD", "letters/dollar", "digits/dollars", "digits/cent", "digits/cents"},
     {"EUR", "digits/euro", "digits/euros", "digits/cent", "digits/cents"},
     {"GBP", "digits/pound-sterling", "digits/pounds-sterling", "digits/penny", "digits/pence"}}};

} // namespace

std::optional<wall_moment> parse_moment(std::string_view text) {
    wall_moment out;
    std::size_t at = 0;
    if (text.size() >= 10) {
        const auto y = take_number(text, at, 4);
        const auto m = take_sign(text, at, '-') ? take_number(text, at, 2) : std::nullopt;
        const auto d = take_sign(text, at, '-') ? take_number(text, at, 2) : std::nullopt;
        if (!y || !m || !d) return std::nullopt;
        out.year = *y;
        out.month = *m;
        out.day = *d;
        if (out.year < 1000 || !date_of(out).ok()) return std::nullopt;
        if (at == text.size()) return out;
        if (!take_sign(text, at, ' ')) return std::nullopt;
    }
    const auto hour = take_number(text, at, 2);
    const auto minute = take_sign(text, at, ':') ? take_number(text, at, 2) : std::nullopt;
    if (!hour || !minute || *hour > 23 || *minute > 59 || at != text.size()) return std::nullopt;
    out.hour = *hour;
    out.minute = *minute;
    return out;
}

keys say_date(const wall_moment& when, std::string_view language) {
    keys out;
    const auto day = std::chrono::weekday(std::chrono::sys_days(date_of(when)));
    out.push_back(fmt::format("digits/day-{}", day.c_encoding()));
    out.push_back(fmt::format("digits/mon-{}", when.month - 1));
    ordinal(out, when.day);
    year(out, when.year, language);
    return out;
}

keys say_time(const wall_moment& when, std::string_view language) {
    keys out = say_number(when.hour % 12 == 0 ? 12 : when.hour % 12, language);
    if (when.minute == 0) out.emplace_back("digits/oclock");
    else if (when.minute < 10) out.emplace_back("digits/oh");
    if (when.minute != 0) add(out, say_number(when.minute, language));
    out.emplace_back(when.hour < 12 ? "digits/a-m" : "digits/p-m");
    return out;
}

keys say_money(std::int64_t hundredths, std::string_view currency, std::string_view language) {
    keys out;
    if (hundredths < 0) out.emplace_back("digits/minus");
    const auto whole = hundredths < 0 ? -(hundredths / 100) : hundredths / 100;
    const auto rest = hundredths < 0 ? -(hundredths % 100) : hundredths % 100;
    const currency_words* words = nullptr;
    for (const auto& c : currencies)
        if (c.code == currency) words = &c;
    if (whole != 0 || rest == 0 || words == nullptr) {
        add(out, say_number(whole, language));
        if (words == nullptr) add(out, say_spelled(currency, language));
        else out.emplace_back(whole == 1 ? words->one : words->many);
    }
    if (rest == 0) return out;
    if (whole != 0 && words != nullptr) out.emplace_back("vm-and");
    add(out, say_number(rest, language));
    if (words != nullptr) out.emplace_back(rest == 1 ? words->hundredth : words->hundredths);
    return out;
}

} // namespace strowger::media
