// The one file that includes toml++, for its header costs seconds: it turns TOML into a section.
#include "core/config/document.hpp"
#include <sstream>
#include <toml++/toml.h>

namespace strowger::config {
namespace {

constexpr std::size_t largest_file = 16u << 20;
constexpr unsigned deepest_key = 200;

/// The line of a key such as a.b.c with more parts than anybody writes, or 0. toml++ 3.3 bounds the depth of lists and inline
/// tables, but runs out of stack in such a key.
unsigned line_of_endless_key(std::string_view text) {
    unsigned dots = 0, line = 1;
    for (const char c : text) {
        if (c == '.' && ++dots > deepest_key) return line;
        if (c == '\n') ++line;
        if (c == '\n' || c == '=' || c == ',' || c == '[' || c == '{') dots = 0;
    }
    return 0;
}

position begin_of(const toml::source_region& region) { return {region.begin.line, region.begin.column}; }

value content_of(const toml::node& node) {
    if (const auto* table = node.as_table()) {
        value::table out;
        for (const auto& [key, below] : *table) out.emplace(std::string(key.str()), content_of(below));
        return out;
    }
    if (const auto* list = node.as_array()) {
        value::list out;
        out.reserve(list->size());
        for (const auto& below : *list) out.push_back(content_of(below));
        return out;
    }
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* integer = node.as_integer()) return integer->get();
    if (const auto* real = node.as_floating_point()) return real->get();
    if (const auto* boolean = node.as_boolean()) return boolean->get();
    std::ostringstream out;
    if (const auto* date = node.as_date()) out << date->get();
    if (const auto* time = node.as_time()) out << time->get();
    if (const auto* moment = node.as_date_time()) out << moment->get();
    return out.str();
}

/// Walks both trees side by side and notes where each value stands.
void note_positions(const toml::node& node, const value& content, position key, section::document& out) {
    out.positions[&content] = {key, begin_of(node.source())};
    if (const auto* table = node.as_table())
        for (const auto& [name, below] : *table) note_positions(below, content[name.str()], begin_of(name.source()), out);
    if (const auto* list = node.as_array())
        for (std::size_t i = 0; i < list->size(); ++i)
            note_positions(*list->get(i), (*content.items())[i], begin_of(list->get(i)->source()), out);
}

} // namespace

tl::expected<section, problems> parse_toml(std::string_view text, std::string file) {
    problems wrong;
    if (text.size() > largest_file) {
        wrong.add({std::move(file), {}, fmt::format("larger than {} MiB, so it is no configuration", largest_file >> 20)});
        return tl::unexpected(std::move(wrong));
    }
    if (const auto line = line_of_endless_key(text); line != 0) {
        wrong.add({std::move(file), {line, 1}, fmt::format("a key with more than {} dots; write fewer levels", deepest_key)});
        return tl::unexpected(std::move(wrong));
    }
    try {
        const toml::table parsed = toml::parse(text, std::string_view(file));
        auto made = std::make_shared<section::document>();
        made->file = std::move(file);
        made->root = content_of(parsed);
        note_positions(parsed, made->root, {1, 1}, *made);
        const value* root = &made->root;
        return section(std::move(made), root, {});
    } catch (const toml::parse_error& e) {
        wrong.add({std::move(file), begin_of(e.source()), fmt::format("not TOML: {}", e.description())});
        return tl::unexpected(std::move(wrong));
    }
}

} // namespace strowger::config
