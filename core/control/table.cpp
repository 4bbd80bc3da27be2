#include "core/control/table.hpp"
#include <algorithm>
#include <fmt/core.h>
#include <set>

namespace strowger::control {
namespace {

constexpr std::size_t gap = 2;
constexpr std::size_t narrowest = 6;

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }
std::size_t width_of(const std::string& text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !continues(c); }));
}
std::string cut(const std::string& text, std::size_t width) {
    if (width_of(text) <= width) return text;
    std::size_t at = 0;
    for (std::size_t seen = 0; at < text.size(); ++at)
        if (!continues(text[at]) && seen++ == width - 1) break;
    return text.substr(0, at) + "…";
}

std::string cell(const value& v) {
    if (v.is_null()) return "";
    if (const auto* t = v.text()) return printable(*t);
    if (const auto* b = v.boolean()) return *b ? "yes" : "no";
    if (const auto* d = v.real()) return fmt::format("{:.1f}", *d);
    if (const auto* list = v.items()) {
        std::string out;
        for (const auto& item : *list) out += (out.empty() ? "" : ", ") + cell(item);
        return out;
    }
    if (v.fields() != nullptr) return printable(to_json(v));
    return to_json(v);
}

bool is_table_list(const value& v) {
    const auto* list = v.items();
    return list != nullptr && !list->empty() &&
           std::all_of(list->begin(), list->end(), [](const value& i) { return i.fields() != nullptr; });
}

std::string rows(const value::list& list, std::vector<std::string> columns, std::size_t width, bool bold_head) {
    if (columns.empty()) {
        std::set<std::string> names;
        for (const auto& row : list)
            for (const auto& [name, v] : *row.fields()) names.insert(name);
        columns.assign(names.begin(), names.end());
    }
    std::vector<std::vector<std::string>> cells;
    std::vector<std::size_t> widths;
    for (const auto& name : columns) widths.push_back(width_of(name));
    for (const auto& row : list) {
        auto& line = cells.emplace_back();
        for (std::size_t c = 0; c < columns.size(); ++c) {
            line.push_back(cell(row[columns[c]]));
            std::replace(line.back().begin(), line.back().end(), '\n', ' ');
            widths[c] = std::max(widths[c], width_of(line.back()));
        }
    }
    const auto total = [&widths] {
        std::size_t sum = gap * (widths.size() - 1);
        for (const auto w : widths) sum += w;
        return sum;
    };
    while (!widths.empty() && total() > width) {
        auto widest = std::max_element(widths.begin(), widths.end());
        if (*widest <= narrowest) break;
        --*widest;
    }
    const auto write = [&](const std::vector<std::string>& line) {
        std::string out;
        for (std::size_t c = 0; c < line.size(); ++c) {
            const auto text = cut(line[c], widths[c]);
            out += text;
            if (c + 1 < line.size()) out.append(widths[c] - width_of(text) + gap, ' ');
        }
        out.erase(out.find_last_not_of(' ') + 1);
        return out;
    };
    std::string out = bold_head ? "\x1b[1m" + write(columns) + "\x1b[0m\n" : write(columns) + "\n";
    for (const auto& line : cells) out += write(line) + "\n";
    return out;
}

void lines(const value& v, const std::string& indent, std::size_t width, bool bold_head, std::string& out) {
    std::size_t longest = 0;
    for (const auto& [name, field] : *v.fields()) longest = std::max(longest, width_of(name));
    for (const auto& [name, field] : *v.fields()) {
        const bool has_fields = field.fields() != nullptr && !field.fields()->empty();
        out += indent + name + ":";
        if (has_fields) {
            out += "\n";
            lines(field, indent + "  ", width, bold_head, out);
        } else if (is_table_list(field)) {
            out += "\n";
            const auto inner =
                rows(*field.items(), {}, std::max<std::size_t>(width, indent.size() + 22) - indent.size() - 2, bold_head);
            for (std::size_t at = 0; at < inner.size();) {
                const auto end = inner.find('\n', at);
                out += indent + "  " + inner.substr(at, end - at) + "\n";
                at = end + 1;
            }
        } else {
            const auto text = cell(field);
            if (!text.empty()) out += std::string(longest - width_of(name) + 1, ' ') + text;
            out += "\n";
        }
    }
}

} // namespace

std::string printable(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        // C1 controls are U+0080 to U+009F: c2 80 to c2 9f in UTF-8.
        const bool c1 = c == 0xc2 && i + 1 < text.size() && (static_cast<unsigned char>(text[i + 1]) & 0xe0) == 0x80;
        if (c1) ++i;
        out += (c < 0x20 && c != '\n') || c == 0x7f || c1 ? '?' : text[i];
    }
    return out;
}

std::string to_table(const value& data, const std::vector<std::string>& columns, std::size_t width, bool bold_head) {
    if (is_table_list(data)) return rows(*data.items(), columns, width, bold_head);
    std::string out;
    if (data.fields() != nullptr) {
        lines(data, "", width, bold_head, out);
    } else if (const auto* list = data.items()) {
        for (const auto& item : *list) out += cell(item) + "\n";
    } else if (!data.is_null()) {
        out = cell(data) + "\n";
    }
    return out;
}

} // namespace strowger::control
