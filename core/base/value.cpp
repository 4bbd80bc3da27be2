#include "core/base/value.hpp"
#include <algorithm>
#include <boost/json.hpp>

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

boost::json::value to_boost(const value& v, const boost::json::storage_ptr& in) {
    if (const auto* b = v.boolean()) return *b;
    if (const auto* i = v.integer()) return *i;
    if (const auto* d = v.real()) return *d;
    if (const auto* s = v.text()) return boost::json::value(boost::json::string(*s, in));
    if (const auto* l = v.items()) {
        boost::json::array out(in);
        out.reserve(l->size());
        for (const auto& item : *l) out.push_back(to_boost(item, in));
        return out;
    }
    if (const auto* t = v.fields()) {
        boost::json::object out(in);
        out.reserve(t->size());
        for (const auto& [key, item] : *t) out.emplace(key, to_boost(item, in));
        return out;
    }
    return nullptr;
}

/// The copy that the library writes from lives in one piece of memory, on the stack if it is small.
std::string in_one_line(const value& v) {
    unsigned char room[4096];
    boost::json::monotonic_resource copies(room);
    return boost::json::serialize(to_boost(v, &copies));
}

value from_boost(const boost::json::value& v) {
    switch (v.kind()) {
    case boost::json::kind::null: return {};
    case boost::json::kind::bool_: return v.get_bool();
    case boost::json::kind::int64: return v.get_int64();
    case boost::json::kind::uint64: return static_cast<double>(v.get_uint64());
    case boost::json::kind::double_: return v.get_double();
    case boost::json::kind::string: return std::string(v.get_string());
    case boost::json::kind::array: {
        value::list out;
        for (const auto& item : v.get_array()) out.push_back(from_boost(item));
        return out;
    }
    case boost::json::kind::object: {
        value::table out;
        for (const auto& [key, item] : v.get_object()) out.emplace(std::string(key), from_boost(item));
        return out;
    }
    }
    return {};
}

void write_indented(const value& v, std::string& out, std::size_t depth) {
    const auto line = [&](std::size_t d) { out.append(1, '\n').append(2 * d, ' '); };
    if (const auto* l = v.items(); l != nullptr && !l->empty()) {
        out += '[';
        for (std::size_t i = 0; i < l->size(); ++i) {
            if (i != 0) out += ',';
            line(depth + 1);
            write_indented((*l)[i], out, depth + 1);
        }
        line(depth);
        out += ']';
    } else if (const auto* t = v.fields(); t != nullptr && !t->empty()) {
        out += '{';
        bool first = true;
        for (const auto& [key, item] : *t) {
            if (!std::exchange(first, false)) out += ',';
            line(depth + 1);
            out += boost::json::serialize(boost::json::string(key)) + ": ";
            write_indented(item, out, depth + 1);
        }
        line(depth);
        out += '}';
    } else {
        out += in_one_line(v);
    }
}

} // namespace

std::string to_json(const value& v, bool indent) {
    if (!indent) return in_one_line(v);
    std::string out;
    write_indented(v, out, 0);
    return out;
}

result<value> from_json(std::string_view text) {
    boost::json::parse_options options;
    options.max_depth = 64;
    boost::json::stream_parser parser({}, options);
    boost::json::error_code failed;
    const auto used = parser.write_some(text.data(), text.size(), failed);
    if (!failed && used == text.size()) parser.finish(failed);
    if (!failed && parser.done() && used == text.size()) return from_boost(parser.release());
    const auto before = text.substr(0, used);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const auto column = used - (before.rfind('\n') == before.npos ? 0 : before.rfind('\n') + 1) + 1;
    return fail("line {} column {}: {}", line, column, failed ? failed.message() : "text after the end of the JSON value");
}

} // namespace strowger
