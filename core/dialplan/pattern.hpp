// Extensions and their patterns: what a context matches dialled digits against.
#pragma once
#include "core/base/result.hpp"
#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace strowger::dialplan {

constexpr std::size_t longest_extension = 80;

/// One extension as it is written in a dialplan. Without `_` at its beginning every character stands for itself. After `_`:
/// `X` is 0-9, `Z` 1-9, `N` 2-9, `[1-57*]` one of those, and at the end `.` is one or more of anything, `!` none or more.
class pattern {
public:
    enum class tail { none, one_or_more, any };
    using characters = std::bitset<128>;

    /// Fails with the position (from 1) of what is wrong.
    static result<pattern> parse(std::string_view text);
    bool matches(std::string_view digits) const noexcept;

    const std::vector<characters>& elements() const noexcept { return elements_; }
    tail end() const noexcept { return tail_; }

private:
    std::vector<characters> elements_;
    tail tail_ = tail::none;
};

/// The extensions of one context, as a tree: finding one does not take longer when there are more of them.
///
/// When several match, they are compared from the left, character by character: a character that stands for itself comes before a
/// set, a smaller set before a larger one, a set before the end `.`, and that before `!`. Of two different sets of one size, the
/// one added first.
class extension_table {
public:
    /// `entry` is given back by match(). Fails on a bad pattern, and when the very same pattern is there already.
    result<> add(std::string_view text, std::int32_t entry);

    struct found {
        std::int32_t entry;
        const std::string* pattern; ///< as it was written; lives as long as the table
    };
    std::optional<found> match(std::string_view digits) const;
    /// True when some longer number beginning with these digits would match: then it is worth waiting for another key.
    bool could_match_more(std::string_view digits) const;

    std::size_t size() const noexcept { return texts_.size(); }
    /// As written, in the order in which they were added.
    const std::vector<std::string>& patterns() const noexcept { return texts_; }

private:
    static constexpr std::uint32_t none = UINT32_MAX;
    struct branch {
        pattern::characters one_of;
        std::size_t count;
        std::uint32_t to;
    };
    struct node {
        std::vector<branch> branches; // the most specific first; those for one character sorted by it
        std::size_t single = 0;       // how many branches are for one character
        std::uint32_t end = none, dot = none, bang = none; // indices of texts_
    };
    const branch* single_branch(const node& n, unsigned char c) const;
    std::uint32_t child(std::uint32_t of, const pattern::characters& one_of);
    std::uint32_t find(std::uint32_t at, std::string_view rest) const;
    bool longer(std::uint32_t at, std::string_view rest) const;

    std::vector<node> nodes_{1};
    std::vector<std::string> texts_;
    std::vector<std::int32_t> entries_;
};

/// Patterns without entries: what may be dialled in a menu.
class pattern_set {
public:
    result<> add(std::string_view text) { return table_.add(text, 0); }
    bool matches(std::string_view digits) const { return table_.match(digits).has_value(); }
    bool could_continue(std::string_view digits) const { return table_.could_match_more(digits); }

private:
    extension_table table_;
};

} // namespace strowger::dialplan
