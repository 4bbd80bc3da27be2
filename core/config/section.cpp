#include "core/config/section.hpp"
#include "core/config/document.hpp"
#include <algorithm>
#include <tuple>

namespace strowger::config {

std::string to_text(const problem& p) {
    if (p.at.line == 0) return fmt::format("{}: {}", p.file, p.text);
    return fmt::format("{}:{}:{}: {}", p.file, p.at.line, p.at.column, p.text);
}

void problems::add(problem p) {
    const auto later = [](const problem& a, const problem& b) {
        return std::tie(a.at.line, a.at.column) < std::tie(b.at.line, b.at.column);
    };
    list.insert(std::upper_bound(list.begin(), list.end(), p, later), std::move(p));
    text.clear();
    for (const auto& each : list) {
        if (!text.empty()) text += '\n';
        text += to_text(each);
    }
}

section::section() : document_(std::make_shared<document>()), table_(&document_->root) {}

section::section(std::shared_ptr<const document> from, const value* table, std::string name)
    : document_(std::move(from)), table_(table), name_(std::move(name)) {}

const std::string& section::file() const noexcept { return document_->file; }

position section::where(const value& v) const noexcept {
    auto at = document_->positions.find(&v);
    if (at == document_->positions.end()) at = document_->positions.find(table_);
    return at == document_->positions.end() ? position() : at->second.content;
}

position section::where_key(const value& v) const noexcept {
    const auto at = document_->positions.find(&v);
    return at == document_->positions.end() ? where(v) : at->second.key;
}

std::string section::place(const value& v) const {
    const auto at = where(v);
    return at.line == 0 ? file() : fmt::format("{}:{}:{}", file(), at.line, at.column);
}

section section::table(std::string_view key) const {
    const value& below = (*this)[key];
    const auto name = name_.empty() ? std::string(key) : fmt::format("{}.{}", name_, key);
    if (below.fields()) return section(document_, &below, name);
    auto nothing = std::make_shared<document>();
    nothing->file = file();
    nothing->positions[&nothing->root] = {where(*table_), where(*table_)};
    const value* root = &nothing->root;
    return section(std::move(nothing), root, name);
}

namespace {

/// Positions of the values of one tree for those of its copy.
void copy_positions(const value& from, const value& to, const section::document& have, section::document& out) {
    if (const auto it = have.positions.find(&from); it != have.positions.end()) out.positions[&to] = it->second;
    if (from.fields() != nullptr) {
        for (const auto& [key, field] : *from.fields()) copy_positions(field, to[key], have, out);
    } else if (from.items() != nullptr) {
        for (std::size_t i = 0; i < from.items()->size(); ++i) copy_positions((*from.items())[i], (*to.items())[i], have, out);
    }
}

} // namespace

section section::with(std::string_view key, value v) const {
    auto made = std::make_shared<document>();
    made->file = document_->file;
    made->root = *table_;
    copy_positions(*table_, made->root, *document_, *made);
    made->root[key] = std::move(v);
    const value* root = &made->root;
    return section(std::move(made), root, name_);
}

} // namespace strowger::config
