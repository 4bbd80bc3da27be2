#include "core/dialplan/text_pattern.hpp"
#include <cctype>

namespace strowger::dialplan {
namespace {

using characters = std::bitset<256>;

template <class Test> characters all_that(Test is) {
    characters out;
    for (int c = 0; c < 256; ++c)
        if (is(c) != 0) out.set(static_cast<std::size_t>(c));
    return out;
}
characters class_named(char name) {
    const auto letter = static_cast<unsigned char>(name);
    characters set;
    switch (std::tolower(letter)) {
    case 'a': set = all_that([](int c) { return std::isalpha(c); }); break;
    case 'c': set = all_that([](int c) { return std::iscntrl(c); }); break;
    case 'd': set = all_that([](int c) { return std::isdigit(c); }); break;
    case 'g': set = all_that([](int c) { return std::isgraph(c); }); break;
    case 'l': set = all_that([](int c) { return std::islower(c); }); break;
    case 'p': set = all_that([](int c) { return std::ispunct(c); }); break;
    case 's': set = all_that([](int c) { return std::isspace(c); }); break;
    case 'u': set = all_that([](int c) { return std::isupper(c); }); break;
    case 'w': set = all_that([](int c) { return std::isalnum(c); }); break;
    case 'x': set = all_that([](int c) { return std::isxdigit(c); }); break;
    default: set.set(letter); return set;
    }
    return std::isupper(letter) != 0 ? ~set : set;
}

} // namespace

text_pattern::characters text_pattern::read_set(std::string_view text, std::size_t& at) const {
    bool inverted = false;
    characters out;
    if (at < text.size() && text[at] == '^') {
        inverted = true;
        ++at;
    }
    for (bool first = true;; first = false) {
        if (at >= text.size()) throw text_pattern_error("malformed pattern (missing `]`)");
        const char c = text[at++];
        if (c == ']' && !first) break;
        if (c == '%') {
            if (at >= text.size()) throw text_pattern_error("malformed pattern (missing `]`)");
            out |= class_named(text[at++]);
        } else if (at + 1 < text.size() && text[at] == '-' && text[at + 1] != ']') {
            for (int i = static_cast<unsigned char>(c); i <= static_cast<unsigned char>(text[at + 1]); ++i)
                out.set(static_cast<std::size_t>(i));
            at += 2;
        } else {
            out.set(static_cast<unsigned char>(c));
        }
    }
    return inverted ? ~out : out;
}

text_pattern::characters text_pattern::read_class(std::string_view text, std::size_t& at) const {
    const char c = text[at++];
    if (c == '.') return characters().set();
    if (c == '[') return read_set(text, at);
    if (c == '%') {
        if (at >= text.size()) throw text_pattern_error("malformed pattern (ends with `%`)");
        return class_named(text[at++]);
    }
    return characters().set(static_cast<unsigned char>(c));
}

text_pattern::text_pattern(std::string_view text, bool anchors) {
    if (text.size() > longest) throw text_pattern_error("a pattern may have at most 500 characters");
    std::size_t at = 0;
    if (anchors && !text.empty() && text[0] == '^') {
        anchored_ = true;
        at = 1;
    }
    std::vector<unsigned char> open;
    unsigned char captures = 0;
    while (at < text.size()) {
        item next;
        const char c = text[at];
        const char after = at + 1 < text.size() ? text[at + 1] : '\0';
        if (c == '(') {
            if (captures == most_captures) throw text_pattern_error("too many captures");
            next.first = captures++;
            next.what = after == ')' ? kind::position : kind::open;
            if (after == ')') ++at;
            else open.push_back(next.first);
            ++at;
        } else if (c == ')') {
            if (open.empty()) throw text_pattern_error("invalid pattern capture: `)` without `(`");
            next.what = kind::close;
            next.first = open.back();
            open.pop_back();
            ++at;
        } else if (c == '$' && at + 1 == text.size()) {
            next.what = kind::end;
            ++at;
        } else if (c == '%' && after == 'b') {
            if (at + 3 >= text.size()) throw text_pattern_error("malformed pattern (missing arguments to `%b`)");
            next.what = kind::balance;
            next.first = static_cast<unsigned char>(text[at + 2]);
            next.last = static_cast<unsigned char>(text[at + 3]);
            at += 4;
        } else if (c == '%' && after == 'f') {
            at += 2;
            if (at >= text.size() || text[at] != '[') throw text_pattern_error("missing `[` after `%f` in pattern");
            ++at;
            next.what = kind::frontier;
            next.set = read_set(text, at);
        } else if (c == '%' && after >= '0' && after <= '9') {
            const int number = after - '1';
            bool is_open = false;
            for (const auto o : open) is_open = is_open || o == number;
            if (number < 0 || number >= captures || is_open)
                throw text_pattern_error(std::string("invalid capture index %") + after + " in pattern");
            next.what = kind::repeat_capture;
            next.first = static_cast<unsigned char>(number);
            at += 2;
        } else {
            next.set = read_class(text, at);
            switch (at < text.size() ? text[at] : '\0') {
            case '?': next.how_often = times::maybe; ++at; break;
            case '*': next.how_often = times::greedy; ++at; break;
            case '+': next.how_often = times::greedy_one; ++at; break;
            case '-': next.how_often = times::lazy; ++at; break;
            default: break;
            }
        }
        items_.push_back(next);
    }
    if (!open.empty()) throw text_pattern_error("unfinished capture: `(` without `)`");
}

// One try to match from one place. It calls itself at most once for each item of the pattern, so the stack is bounded.
struct text_pattern::attempt {
    const std::vector<item>& items;
    std::string_view subject;
    match& out;
    std::uint64_t& steps;
    bool (*interrupted)();
    static constexpr std::size_t no = SIZE_MAX;

    void step() {
        if (++steps % 4096 != 0) return;
        if (steps > most_steps) throw text_pattern_error("the pattern is too much work for this text: 5,000,000 steps");
        if (interrupted()) throw text_pattern_error("the pattern took too long");
    }
    bool is(const item& i, std::size_t at) {
        step();
        return at < subject.size() && i.set.test(static_cast<unsigned char>(subject[at]));
    }
    std::size_t balanced(const item& i, std::size_t at) {
        if (at >= subject.size() || static_cast<unsigned char>(subject[at]) != i.first) return no;
        for (std::size_t depth = 1, p = at + 1; p < subject.size(); ++p) {
            step();
            const auto c = static_cast<unsigned char>(subject[p]);
            if (c == i.last) {
                if (--depth == 0) return p + 1;
            } else if (c == i.first) {
                ++depth;
            }
        }
        return no;
    }
    std::size_t repeated(const item& i, std::size_t at, std::size_t next) {
        const std::size_t least = i.how_often == times::greedy_one ? 1 : 0;
        std::size_t count = 0;
        while (is(i, at + count)) ++count;
        for (;; --count) {
            if (count < least) return no;
            if (const auto end = go(next, at + count); end != no) return end;
            if (count == 0) return no;
        }
    }
    std::size_t go(std::size_t index, std::size_t at) {
        for (; index < items.size(); ++index) {
            const auto& i = items[index];
            step();
            switch (i.what) {
            case kind::one:
                switch (i.how_often) {
                case times::once:
                    if (!is(i, at)) return no;
                    ++at;
                    break;
                case times::maybe:
                    if (is(i, at))
                        if (const auto end = go(index + 1, at + 1); end != no) return end;
                    break;
                case times::greedy:
                case times::greedy_one: return repeated(i, at, index + 1);
                case times::lazy:
                    for (;; ++at) {
                        if (const auto end = go(index + 1, at); end != no) return end;
                        if (!is(i, at)) return no;
                    }
                }
                break;
            case kind::position: out.capture_at[i.first] = {at, capture::position}; break;
            case kind::open: out.capture_at[i.first] = {at, capture::open}; break;
            case kind::close: {
                // A later try may have moved the beginning; this close belongs to the beginning that is set now.
                auto& c = out.capture_at[i.first];
                const auto before = c;
                c.length = at - c.begin;
                const auto end = go(index + 1, at);
                if (end == no) c = before;
                return end;
            }
            case kind::repeat_capture: {
                const auto& c = out.capture_at[i.first];
                if (c.length >= capture::open) throw text_pattern_error("a position cannot be repeated in a pattern");
                const auto text = subject.substr(c.begin, c.length);
                steps += text.size() / 64;
                if (subject.substr(at, text.size()) != text) return no;
                at += text.size();
                break;
            }
            case kind::balance:
                at = balanced(i, at);
                if (at == no) return no;
                break;
            case kind::frontier: {
                const auto before = at == 0 ? '\0' : subject[at - 1];
                const auto here = at < subject.size() ? subject[at] : '\0';
                if (i.set.test(static_cast<unsigned char>(before)) || !i.set.test(static_cast<unsigned char>(here))) return no;
                break;
            }
            case kind::end:
                if (at != subject.size()) return no;
                break;
            }
        }
        return at;
    }
};

bool text_pattern::search(std::string_view subject, std::size_t from, match& out, std::uint64_t& steps,
                          bool (*interrupted)()) const {
    out.captures = 0;
    for (const auto& i : items_) out.captures += i.what == kind::open || i.what == kind::position;
    attempt here{items_, subject, out, steps, interrupted};
    for (; from <= subject.size(); ++from) {
        if (const auto end = here.go(0, from); end != attempt::no) {
            out.begin = from;
            out.end = end;
            return true;
        }
        if (anchored_) return false;
    }
    return false;
}

} // namespace strowger::dialplan
