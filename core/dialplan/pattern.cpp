#include "core/dialplan/pattern.hpp"
#include <algorithm>

namespace strowger::dialplan {
namespace {

pattern::characters range(char first, char last) {
    pattern::characters out;
    for (int c = first; c <= last; ++c) out.set(static_cast<std::size_t>(c));
    return out;
}
pattern::characters one(char c) { return range(c, c); }
bool printable(char c) { return c > ' ' && c < 127; }

// Reads what stands between the brackets; `at` is behind the '[' and is left behind the ']'.
result<pattern::characters> read_set(std::string_view text, std::size_t& at) {
    const auto begin = at;
    pattern::characters out;
    for (;; ++at) {
        if (at == text.size()) return fail("pattern `{}`: position {}: `[` has no `]`", text, begin);
        const char c = text[at];
        if (c == ']') break;
        if (!printable(c)) return fail("pattern `{}`: position {}: not a character that can be dialled", text, at + 1);
        if (at + 2 < text.size() && text[at + 1] == '-' && text[at + 2] != ']') {
            const char last = text[at + 2];
            if (!printable(last) || last < c)
                return fail("pattern `{}`: position {}: the range {}-{} is empty", text, at + 1, c, last);
            out |= range(c, last);
            at += 2;
        } else {
            out.set(static_cast<std::size_t>(c));
        }
    }
    ++at;
    if (out.none()) return fail("pattern `{}`: position {}: `[]` matches nothing", text, begin);
    return out;
}

} // namespace

result<pattern> pattern::parse(std::string_view text) {
    pattern p;
    if (text.empty()) return fail("an extension cannot be empty");
    if (text.size() > longest_extension) return fail("extension `{:.20}…`: longer than {} characters", text, longest_extension);
    const bool plain = text[0] != '_';
    for (std::size_t at = plain ? 0 : 1; at < text.size();) {
        const char c = text[at];
        if (!printable(c)) return fail("extension `{}`: position {}: not a character that can be dialled", text, at + 1);
        if (p.tail_ != tail::none) return fail("pattern `{}`: position {}: `{}` must be the last", text, at, text[at - 1]);
        ++at;
        if (plain && (c == '[' || c == ']'))
            return fail("extension `{}`: position {}: `{}` is nothing that can be dialled; sets of digits need a pattern: `_{}`",
                        text, at, c, text);
        if (plain) {
            p.elements_.push_back(one(c));
            continue;
        }
        switch (c) {
        case 'X': p.elements_.push_back(range('0', '9')); break;
        case 'Z': p.elements_.push_back(range('1', '9')); break;
        case 'N': p.elements_.push_back(range('2', '9')); break;
        case '.': p.tail_ = tail::one_or_more; break;
        case '!': p.tail_ = tail::any; break;
        case ']': return fail("pattern `{}`: position {}: `]` without `[`", text, at);
        case '[': {
            auto set = read_set(text, at);
            if (!set) return fail(set);
            p.elements_.push_back(*set);
            break;
        }
        default: p.elements_.push_back(one(c));
        }
    }
    if (p.elements_.empty() && p.tail_ == tail::none) return fail("pattern `{}`: position 2: nothing after `_`", text);
    return p;
}

bool pattern::matches(std::string_view digits) const noexcept {
    if (digits.size() < elements_.size()) return false;
    for (std::size_t i = 0; i < elements_.size(); ++i) {
        const auto c = static_cast<unsigned char>(digits[i]);
        if (c >= 128 || !elements_[i].test(c)) return false;
    }
    const auto rest = digits.size() - elements_.size();
    return tail_ == tail::any || (tail_ == tail::one_or_more ? rest > 0 : rest == 0);
}

const extension_table::branch* extension_table::single_branch(const node& n, unsigned char c) const {
    // The branches for one character are sorted by it, so that the first set bit can be compared.
    const auto last = n.branches.begin() + static_cast<std::ptrdiff_t>(n.single);
    const auto it = std::lower_bound(n.branches.begin(), last, c,
                                     [](const branch& b, unsigned char wanted) { return b.one_of._Find_first() < wanted; });
    return it != last && it->one_of.test(c) ? &*it : nullptr;
}

std::uint32_t extension_table::child(std::uint32_t of, const pattern::characters& one_of) {
    const auto count = one_of.count();
    auto& branches = nodes_[of].branches;
    const auto same = std::find_if(branches.begin(), branches.end(), [&](const branch& b) { return b.one_of == one_of; });
    if (same != branches.end()) return same->to;
    const auto to = static_cast<std::uint32_t>(nodes_.size());
    const auto before = std::find_if(branches.begin(), branches.end(), [&](const branch& b) {
        return b.count > count || (count == 1 && b.count == 1 && b.one_of._Find_first() > one_of._Find_first());
    });
    branches.insert(before, branch{one_of, count, to});
    if (count == 1) ++nodes_[of].single;
    nodes_.emplace_back();
    return to;
}

result<> extension_table::add(std::string_view text, std::int32_t entry) {
    const auto parsed = pattern::parse(text);
    if (!parsed) return fail(parsed);
    std::uint32_t at = 0;
    for (const auto& element : parsed->elements()) at = child(at, element);
    auto& place = parsed->end() == pattern::tail::none          ? nodes_[at].end
                  : parsed->end() == pattern::tail::one_or_more ? nodes_[at].dot
                                                                : nodes_[at].bang;
    if (place != none) return fail("extension `{}` is the same as `{}`", text, texts_[place]);
    place = static_cast<std::uint32_t>(texts_.size());
    texts_.emplace_back(text);
    entries_.push_back(entry);
    return {};
}

std::uint32_t extension_table::find(std::uint32_t at, std::string_view rest) const {
    const auto& n = nodes_[at];
    if (rest.empty()) return n.end != none ? n.end : n.bang;
    const auto c = static_cast<unsigned char>(rest[0]);
    if (c < 128) {
        if (const auto* b = single_branch(n, c))
            if (const auto best = find(b->to, rest.substr(1)); best != none) return best;
        for (auto i = n.single; i < n.branches.size(); ++i)
            if (n.branches[i].one_of.test(c))
                if (const auto best = find(n.branches[i].to, rest.substr(1)); best != none) return best;
    }
    return n.dot != none ? n.dot : n.bang;
}

bool extension_table::longer(std::uint32_t at, std::string_view rest) const {
    const auto& n = nodes_[at];
    if (n.dot != none || n.bang != none) return true;
    if (rest.empty()) return !n.branches.empty();
    const auto c = static_cast<unsigned char>(rest[0]);
    if (c >= 128) return false;
    if (const auto* b = single_branch(n, c); b != nullptr && longer(b->to, rest.substr(1))) return true;
    for (auto i = n.single; i < n.branches.size(); ++i)
        if (n.branches[i].one_of.test(c) && longer(n.branches[i].to, rest.substr(1))) return true;
    return false;
}

std::optional<extension_table::found> extension_table::match(std::string_view digits) const {
    if (digits.empty() || digits.size() > longest_extension) return std::nullopt;
    const auto index = find(0, digits);
    if (index == none) return std::nullopt;
    return found{entries_[index], &texts_[index]};
}

bool extension_table::could_match_more(std::string_view digits) const {
    return digits.size() < longest_extension && longer(0, digits);
}

} // namespace strowger::dialplan
