// The rules of counting, one function per language.
#include "core/media/say.hpp"
#include <array>
#include <fmt/format.h>

namespace strowger::media {
namespace {

using keys = std::vector<std::string>;

constexpr std::uint64_t million = 1'000'000, thousand_million = 1000 * million, past_words = 1000 * thousand_million;

std::string digit_key(std::uint64_t n) { return fmt::format("digits/{}", n); }
std::string digit_key(std::string_view word) { return fmt::format("digits/{}", word); }

void english(keys& out, std::uint64_t n) {
    if (n >= 1000) {
        const auto [unit, word] = n >= thousand_million ? std::pair(thousand_million, "billion")
                                  : n >= million        ? std::pair(million, "million")
                                                        : std::pair(std::uint64_t{1000}, "thousand");
        english(out, n / unit);
        out.push_back(digit_key(word));
        if (n % unit != 0) english(out, n % unit);
    } else if (n >= 100) {
        out.push_back(digit_key(n / 100));
        out.push_back(digit_key("hundred"));
        if (n % 100 != 0) english(out, n % 100);
    } else if (n > 20 && n % 10 != 0) {
        out.push_back(digit_key(n - n % 10));
        out.push_back(digit_key(n % 10));
    } else {
        out.push_back(digit_key(n));
    }
}

// One is "eins" alone or at the end, "ein" before Hundert and Tausend, "eine" before Million and Milliarde.
void german(keys& out, std::uint64_t n, std::string_view one = "1") {
    if (n >= million) {
        const bool milliard = n >= thousand_million;
        const auto unit = milliard ? thousand_million : million;
        german(out, n / unit, "1F");
        out.push_back(digit_key(n / unit == 1 ? (milliard ? "milliard" : "million") : (milliard ? "milliards" : "millions")));
        if (n % unit != 0) german(out, n % unit);
    } else if (n >= 1000) {
        german(out, n / 1000, "1N");
        out.push_back(digit_key("thousand"));
        if (n % 1000 != 0) german(out, n % 1000);
    } else if (n >= 100) {
        german(out, n / 100, "1N");
        out.push_back(digit_key("hundred"));
        if (n % 100 != 0) german(out, n % 100, one);
    } else if (n > 20 && n % 10 != 0) {
        out.push_back(fmt::format("digits/{}-and", n % 10));
        out.push_back(digit_key(n - n % 10));
    } else {
        out.push_back(n == 1 ? digit_key(one) : digit_key(n));
    }
}

bool is_german(std::string_view language) {
    return language == "de" || language.starts_with("de_") || language.starts_with("de-");
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// The signs that have a recording, with the recording's own spelling.
constexpr std::array<std::pair<char, std::string_view>, 11> signs{{{'.', "letters/dot"},
                                                                   {'-', "letters/dash"},
                                                                   {'/', "letters/slash"},
                                                                   {'+', "letters/plus"},
                                                                   {'@', "letters/at"},
                                                                   {'=', "letters/equals"},
                                                                   {'!', "letters/exclaimation-point"},
                                                                   {'$', "letters/dollar"},
                                                                   {' ', "letters/space"},
                                                                   {'*', "digits/star"},
                                                                   {'#', "digits/pound"}}};

std::string_view sign_key(char c) {
    for (const auto& [sign, key] : signs)
        if (sign == c) return key;
    return {};
}

} // namespace

keys say_number(std::int64_t number, std::string_view language) {
    keys out;
    if (number < 0) out.push_back(digit_key("minus"));
    const auto magnitude = number < 0 ? 0 - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number);
    if (magnitude >= past_words) {
        for (auto& key : say_digits(fmt::format("{}", magnitude), language)) out.push_back(std::move(key));
    } else if (is_german(language)) {
        german(out, magnitude);
    } else {
        english(out, magnitude);
    }
    return out;
}

keys say_digits(std::string_view digits, std::string_view) {
    keys out;
    for (const char c : digits) {
        if (c >= '0' && c <= '9')
            out.push_back(digit_key(std::string_view(&c, 1)));
        else if (lower(c) >= 'a' && lower(c) <= 'd')
            out.push_back(fmt::format("letters/{}", lower(c)));
        else if (c == '*' || c == '#' || c == '+')
            out.emplace_back(sign_key(c));
    }
    return out;
}

keys say_spelled(std::string_view text, std::string_view) {
    keys out;
    for (const char c : text) {
        if (c >= '0' && c <= '9')
            out.push_back(digit_key(std::string_view(&c, 1)));
        else if (is_letter(c))
            out.push_back(fmt::format("letters/{}", lower(c)));
        else if (const auto key = sign_key(c); !key.empty())
            out.emplace_back(key);
    }
    return out;
}

} // namespace strowger::media
