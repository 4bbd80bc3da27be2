// Lua's text patterns (reference manual 6.4.1) with a bound on the work: the library's own matcher can backtrack for hours in one
// call that no hook interrupts.
#pragma once
#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string_view>
#include <vector>

struct lua_State;

namespace strowger::dialplan {

/// The pattern is malformed or too much work; the text is for the author of the script.
struct text_pattern_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// A compiled pattern.
class text_pattern {
public:
    static constexpr std::size_t longest = 500;    ///< characters of a pattern
    static constexpr std::size_t most_captures = 32;
    static constexpr std::uint64_t most_steps = 5'000'000; ///< of one find, match or gsub, or of a gmatch's whole life

    /// Throws text_pattern_error. `anchors`: whether `^` at the beginning anchors it (not so in gmatch).
    text_pattern(std::string_view text, bool anchors);

    struct capture {
        std::size_t begin;
        std::size_t length;
        static constexpr std::size_t position = SIZE_MAX; ///< as length: `()` captured where it stood
        static constexpr std::size_t open = SIZE_MAX - 1;
    };
    struct match {
        std::size_t begin, end;
        std::size_t captures;
        std::array<capture, most_captures> capture_at;
    };
    /// Searches from `from` on; false when there is no match. `steps` counts the work over several searches and `interrupted` is
    /// asked now and then; throws text_pattern_error when either says that it is enough.
    bool search(std::string_view subject, std::size_t from, match& out, std::uint64_t& steps, bool (*interrupted)()) const;

private:
    enum class kind : std::uint8_t { one, open, position, close, repeat_capture, balance, frontier, end };
    enum class times : std::uint8_t { once, maybe, greedy, greedy_one, lazy };
    using characters = std::bitset<256>;
    struct item {
        kind what = kind::one;
        times how_often = times::once;
        unsigned char first = 0, last = 0; // balance; number of a capture
        characters set;
    };
    struct attempt;
    characters read_class(std::string_view text, std::size_t& at) const;
    characters read_set(std::string_view text, std::size_t& at) const;

    std::vector<item> items_;
    bool anchored_ = false;
};

/// Replaces find, match, gmatch and gsub in the table on top of the stack.
void install_text_functions(lua_State* L);

} // namespace strowger::dialplan
