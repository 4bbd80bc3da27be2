// Small readers of text for the SDP code: words, numbers, comparison without case.
#pragma once
#include <charconv>
#include <optional>
#include <string_view>

namespace strowger::sdp {

/// ASCII only, independent of the locale.
bool equal_without_case(std::string_view a, std::string_view b);

/// Takes the next word off the front of `text`, separated by spaces or tabs; empty at the end.
std::string_view next_word(std::string_view& text);

std::string_view trimmed(std::string_view text);

/// A decimal number that is the whole of `text` and fits; no sign but for signed types, no spaces.
template <class Number> std::optional<Number> number(std::string_view text) {
    Number n{};
    const auto* end = text.data() + text.size();
    const auto [stop, problem] = std::from_chars(text.data(), end, n);
    if (text.empty() || problem != std::errc{} || stop != end) return std::nullopt;
    return n;
}

} // namespace strowger::sdp
