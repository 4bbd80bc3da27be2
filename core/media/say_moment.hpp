// Turns dates, times and amounts of money into the prompts that speak them, named as in Asterisk's core sounds. The words come in
// English order; what a language has no recordings of is spoken by the fallback voice.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace strowger::media {

/// A moment as the clock on the wall shows it.
struct wall_moment {
    int year = 0, month = 0, day = 0; ///< all zero: a time without a date
    int hour = 0, minute = 0;
};
/// Reads "2026-12-25 10:00", "2026-12-25" and "10:00". Nothing when that is no date from 1000 to 9999, or no time.
std::optional<wall_moment> parse_moment(std::string_view text);

/// "Friday December twenty-fifth twenty twenty-six".
std::vector<std::string> say_date(const wall_moment& when, std::string_view language);

/// "three forty-five P M", "ten o'clock A M", "twelve oh five P M".
std::vector<std::string> say_time(const wall_moment& when, std::string_view language);

/// "twelve dollars and fifty cents" of 1250 hundredths of a USD; USD, EUR and GBP have names, others are spelled: "twelve C H F
/// fifty". Parts that are zero are left out, but for "zero dollars".
std::vector<std::string> say_money(std::int64_t hundredths, std::string_view currency, std::string_view language);

} // namespace strowger::media
