// Turns numbers, digits and letters into the prompts that speak them, named as in Asterisk's core sounds.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace strowger::media {

/// "minus forty-two" as keys: digits/minus, digits/40, digits/2. German (`de`, `de_AT` …) has its own rules and keys
/// (digits/1N "ein", digits/1F "eine", digits/4-and "vierund", digits/millions, digits/milliard, digits/milliards); other
/// languages count as English does. From a million million on, where recorded words end, the digits are spoken one by one.
std::vector<std::string> say_number(std::int64_t number, std::string_view language);

/// Each digit by itself; `*`, `#` and `+` are spoken, A-D as letters; what only sets digits apart (space - . / and brackets) is
/// not. Other characters are left out.
std::vector<std::string> say_digits(std::string_view digits, std::string_view language);

/// Letter by letter: A-Z and digits, and the signs . - / + @ * # = ! $ and space by their names. Other characters are left out.
std::vector<std::string> say_spelled(std::string_view text, std::string_view language);

} // namespace strowger::media
