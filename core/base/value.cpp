#include "core/base/value.hpp"
#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <fmt/format.h>
#include <iterator>
#include <optional>

namespace strowger {

const value& value::operator[](std::string_view key) const noexcept {
    static const value nothing;
    const auto* t = fields();
    if (t == nullptr) return nothing;
    const auto it = t->find(key);
    return it == t->end() ? nothing : it->second;
}

value& value::operator[](std::string_view key) {
    if (is_null()) data_ = table();
    auto& t = std::get<table>(data_);
    const auto it = t.find(key);
    return it != t.end() ? it->second : t.emplace(std::string(key), value()).first->second;
}

bool value::boolean_or(bool otherwise) const noexcept { return boolean() != nullptr ? *boolean() : otherwise; }
std::int64_t value::integer_or(std::int64_t otherwise) const noexcept { return integer() != nullptr ? *integer() : otherwise; }
double value::number_or(double otherwise) const noexcept {
    if (real() != nullptr) return *real();
    return integer() != nullptr ? static_cast<double>(*integer()) : otherwise;
}
std::string value::text_or(std::string otherwise) const { return text() != nullptr ? *text() : std::move(otherwise); }

namespace {

/// Bytes of the UTF-8 character (RFC 3629) that a text begins with; 0 when it begins with none.
std::size_t character_length(std::string_view s) {
    const auto byte = [&](std::size_t i) { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0u; };
    const auto first = byte(0), second = byte(1);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xc2 && first < 0xe0   ? 2
                               : first >= 0xe0 && first < 0xf0 ? 3
                               : first >= 0xf0 && first < 0xf5 ? 4
                                                               : 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xc0u) != 0x80) return 0;
    const bool too_long = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    const bool no_character = (first == 0xed && second > 0x9f) || (first == 0xf4 && second > 0x8f);
    return too_long || no_character ? 0 : length;
}

/// Names and texts of peers are in here: what is no UTF-8 becomes U+FFFD, so that the JSON is JSON whatever they send.
void write_text(std::string_view s, std::string& out) {
    out += '"';
    while (!s.empty()) {
        const auto length = character_length(s);
        const char c = s.front();
        if (length == 0) out += "\xef\xbf\xbd";
        else if (c == '"' || c == '\\') (out += '\\') += c;
        else if (c == '\n') out += "\\n";
        else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<int>(c));
        else out += s.substr(0, length);
        s.remove_prefix(std::max<std::size_t>(length, 1));
    }
    out += '"';
}

void write_number(double d, std::string& out) {
    const auto begin = out.size();
    if (!std::isfinite(d)) {
        out += "null";
        return;
    }
    fmt::format_to(std::back_inserter(out), "{}", d);
    if (out.find_first_of(".e", begin) == out.npos) out += ".0"; // that it is read as what it is
}

/// `depth`: how far lines are indented; nothing for one line.
void write(const value& v, std::string& out, std::optional<std::size_t> depth) {
    const auto line = [&](std::size_t more) {
        if (depth) out.append(1, '\n').append(2 * (*depth + more), ' ');
    };
    const auto inner = depth ? std::optional(*depth + 1) : std::nullopt;
    bool first = true;
    const auto next = [&] {
        if (!std::exchange(first, false)) out += ',';
        line(1);
    };
    if (const auto* b = v.boolean()) out += *b ? "true" : "false";
    else if (const auto* i = v.integer()) fmt::format_to(std::back_inserter(out), "{}", *i);
    else if (const auto* d = v.real()) write_number(*d, out);
    else if (const auto* s = v.text()) write_text(*s, out);
    else if (const auto* l = v.items()) {
        out += '[';
        for (const auto& item : *l) {
            next();
            write(item, out, inner);
        }
        if (!first) line(0);
        out += ']';
    } else if (const auto* t = v.fields()) {
        out += '{';
        for (const auto& [key, item] : *t) {
            next();
            write_text(key, out);
            out += depth ? ": " : ":";
            write(item, out, inner);
        }
        if (!first) line(0);
        out += '}';
    } else {
        out += "null";
    }
}

/// Notes in `finite` when a number was too large for a double: the library makes it infinite.
value from_boost(const boost::json::value& v, bool& finite) {
    switch (v.kind()) {
    case boost::json::kind::null: return {};
    case boost::json::kind::bool_: return v.get_bool();
    case boost::json::kind::int64: return v.get_int64();
    case boost::json::kind::uint64: return static_cast<double>(v.get_uint64());
    case boost::json::kind::double_:
        finite = finite && std::isfinite(v.get_double());
        return v.get_double();
    case boost::json::kind::string: return std::string(v.get_string());
    case boost::json::kind::array: {
        value::list out;
        for (const auto& item : v.get_array()) out.push_back(from_boost(item, finite));
        return out;
    }
    case boost::json::kind::object: {
        value::table out;
        for (const auto& [key, item] : v.get_object()) out.emplace(std::string(key), from_boost(item, finite));
        return out;
    }
    }
    return {};
}

} // namespace

std::string to_json(const value& v, bool indent) {
    std::string out;
    write(v, out, indent ? std::optional<std::size_t>(0) : std::nullopt);
    return out;
}

result<value> from_json(std::string_view text) {
    boost::json::parse_options options;
    options.max_depth = 64;
    boost::json::stream_parser parser({}, options);
    boost::json::error_code failed;
    const auto used = parser.write_some(text.data(), text.size(), failed);
    if (!failed && used == text.size()) parser.finish(failed);
    if (!failed && parser.done() && used == text.size()) {
        bool finite = true;
        auto out = from_boost(parser.release(), finite);
        if (!finite) return fail("a number is larger than any that can be held");
        return out;
    }
    const auto before = text.substr(0, used);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const auto column = used - (before.rfind('\n') == before.npos ? 0 : before.rfind('\n') + 1) + 1;
    return fail("line {} column {}: {}", line, column, failed ? failed.message() : "text after the end of the JSON value");
}

} // namespace strowger
