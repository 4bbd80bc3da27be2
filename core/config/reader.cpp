#include "core/config/reader.hpp"
#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

namespace strowger::config {
namespace {

/// Edits (a letter more, less, another, or two swapped) that turn one word into the other.
std::size_t edits_between(std::string_view a, std::string_view b) {
    std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
    for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i)
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t differs = a[i - 1] == b[j - 1] ? 0 : 1;
            cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + differs});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
        }
    return cost[a.size()][b.size()];
}

std::string kind_of(const value& v) {
    if (v.boolean()) return "true or false";
    if (v.integer() || v.real()) return "a number";
    if (v.text()) return "text";
    if (v.items()) return "a list";
    if (v.fields()) return "a table";
    return "nothing";
}

/// False when it is not `number unit` or does not fit.
bool parse_bytes(std::string_view text, std::uint64_t& out) {
    std::uint64_t count = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (failed != std::errc()) return false;
    std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
    while (unit.starts_with(' ')) unit.remove_prefix(1);
    const std::string_view units[] = {"B", "KiB", "MiB", "GiB"};
    for (unsigned i = 0; i < std::size(units); ++i)
        if (unit == units[i]) {
            if (count > (std::uint64_t(INT64_MAX) >> (10 * i))) return false;
            out = count << (10 * i);
            return true;
        }
    return false;
}

std::string size_text(std::uint64_t bytes) {
    if (bytes >= (1u << 20) && bytes % (1u << 20) == 0) return fmt::format("{} MiB", bytes >> 20);
    if (bytes >= (1u << 10) && bytes % (1u << 10) == 0) return fmt::format("{} KiB", bytes >> 10);
    return fmt::format("{} B", bytes);
}

} // namespace

std::string nearest(std::string_view word, std::span<const std::string> candidates) {
    if (word.size() > 64) return {};
    std::string best;
    auto fewest = std::max<std::size_t>(1, word.size() / 3) + 1;
    for (const auto& candidate : candidates) {
        // A word cut short ("exten") counts as one slip.
        const auto edits = word.size() >= 3 && candidate.starts_with(word) ? 1 : edits_between(word, candidate);
        if (edits < fewest && edits < candidate.size()) {
            fewest = edits;
            best = candidate;
        }
    }
    return best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string> candidates) {
    const auto meant = nearest(word, candidates);
    return meant.empty() ? std::string() : fmt::format("; did you mean \"{}\"?", meant);
}

const value* reader::find(std::string_view key) {
    known_.emplace_back(key);
    const auto at = from_.fields().find(key);
    return at == from_.fields().end() ? nullptr : &at->second;
}

bool reader::has(std::string_view key) { return find(key) != nullptr; }

void reader::note(const value& at, std::string what) { wrong_.add({from_.file(), from_.where(at), std::move(what)}); }

void reader::complain(std::string_view key, std::string what) { note(from_[key], fmt::format("{}: {}", key, what)); }

void reader::wrong_kind(std::string_view key, const value& found, std::string_view wanted) {
    note(found, fmt::format("{} must be {}, not {}", key, wanted, kind_of(found)));
}

void reader::flag(std::string_view key, bool& out) {
    const auto* v = find(key);
    if (!v) return;
    if (v->boolean())
        out = *v->boolean();
    else
        wrong_kind(key, *v, "true or false");
}

void reader::take_integer(std::string_view key, std::int64_t& out, std::int64_t least, std::int64_t most) {
    const auto* v = find(key);
    if (!v) return;
    if (v->real()) return note(*v, fmt::format("{} must be a whole number, not {}", key, *v->real()));
    if (!v->integer()) return wrong_kind(key, *v, "a number");
    if (*v->integer() < least || *v->integer() > most)
        return note(*v, fmt::format("{} must be between {} and {}, not {}", key, least, most, *v->integer()));
    out = *v->integer();
}

void reader::number(std::string_view key, double& out, double least, double most) {
    const auto* v = find(key);
    if (!v) return;
    if (!v->integer() && !v->real()) return wrong_kind(key, *v, "a number");
    const double found = v->number_or(0);
    if (!(found >= least && found <= most)) // written so that "nan" is wrong too
        return note(*v, fmt::format("{} must be between {} and {}, not {}", key, least, most, found));
    out = found;
}

void reader::bytes(std::string_view key, std::uint64_t& out, std::uint64_t least, std::uint64_t most) {
    const auto* v = find(key);
    if (!v) return;
    std::uint64_t found = 0;
    if (v->integer() && *v->integer() >= 0)
        found = static_cast<std::uint64_t>(*v->integer());
    else if (!v->text() || !parse_bytes(*v->text(), found))
        return note(*v, fmt::format("{} must be a number of bytes, or text such as \"16 MiB\" (B, KiB, MiB, GiB)", key));
    if (found < least || found > most)
        return note(
            *v, fmt::format("{} must be between {} and {}, not {}", key, size_text(least), size_text(most), size_text(found)));
    out = found;
}

void reader::text(std::string_view key, std::string& out, const text_check& check) {
    const auto* v = find(key);
    if (!v) return;
    if (!v->text()) {
        if (v->integer()) return note(*v, fmt::format("{} must be text: write {} = \"{}\"", key, key, *v->integer()));
        return wrong_kind(key, *v, "text in quotes");
    }
    if (check)
        if (const auto complaint = check(*v->text()); !complaint.empty()) return note(*v, fmt::format("{}: {}", key, complaint));
    out = *v->text();
}

void reader::texts(std::string_view key, std::vector<std::string>& out, const text_check& check) {
    const auto* v = find(key);
    if (!v) return;
    if (!v->items()) {
        if (v->text()) return note(*v, fmt::format("{} must be a list: write {} = [\"{}\"]", key, key, *v->text()));
        return wrong_kind(key, *v, "a list of texts");
    }
    std::vector<std::string> found;
    std::set<std::string_view> seen;
    bool good = true;
    const auto refuse = [&](const value& item, std::string what) {
        note(item, std::move(what));
        good = false;
    };
    for (const auto& item : *v->items()) {
        if (!item.text()) {
            refuse(item, fmt::format("{} must be a list of texts in quotes; this item is {}", key, kind_of(item)));
            continue;
        }
        if (!seen.insert(*item.text()).second)
            refuse(item, fmt::format("{}: \"{}\" stands here twice; remove one", key, *item.text()));
        const auto complaint = check ? check(*item.text()) : std::string();
        if (!complaint.empty()) refuse(item, fmt::format("{}: {}", key, complaint));
        found.push_back(*item.text());
    }
    if (good) out = std::move(found);
}

namespace {
std::string check_path(const std::string& text) {
    if (text.empty()) return "a path must not be empty; remove the setting to have the default";
    if (text.find('\0') != std::string::npos) return "a path must not contain the character zero";
    return {};
}
} // namespace

void reader::path(std::string_view key, std::filesystem::path& out, const std::filesystem::path& base) {
    std::string found;
    text(key, found, check_path);
    if (!found.empty()) out = (base / found).lexically_normal();
}

void reader::paths(std::string_view key, std::vector<std::filesystem::path>& out, const std::filesystem::path& base) {
    std::vector<std::string> found;
    texts(key, found, check_path);
    if (found.empty()) return;
    out.clear();
    for (const auto& each : found) out.push_back((base / each).lexically_normal());
}

void reader::finish() {
    for (const auto& [key, content] : from_.fields()) {
        if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
        const auto in = from_.name().empty() ? std::string("here") : fmt::format("in [{}]", from_.name());
        wrong_.add({from_.file(), from_.where_key(content),
                    fmt::format("there is no setting \"{}\" {}{}", key, in, did_you_mean(key, known_))});
    }
}

} // namespace strowger::config
