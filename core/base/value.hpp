// A plain tree of data: arguments of applications, settings of modules, results of console commands, ledger records.
#pragma once
#include "core/base/result.hpp"
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace strowger {

/// Nothing, a boolean, an integer, a number, a text, a list or a table. A copy is deep.
class value {
public:
    using list = std::vector<value>;
    using table = std::map<std::string, value, std::less<>>;

    value() = default;
    value(bool b) : data_(b) {}
    value(int i) : data_(static_cast<std::int64_t>(i)) {}
    value(unsigned i) : data_(static_cast<std::int64_t>(i)) {}
    value(std::int64_t i) : data_(i) {}
    value(std::uint64_t i) : data_(static_cast<std::int64_t>(i)) {}
    value(double d) : data_(d) {}
    value(const char* s) : data_(std::string(s)) {}
    value(std::string s) : data_(std::move(s)) {}
    value(std::string_view s) : data_(std::string(s)) {}
    value(list l) : data_(std::move(l)) {}
    value(table t) : data_(std::move(t)) {}

    bool is_null() const noexcept { return data_.index() == 0; }
    /// The content when it is of that kind, else null.
    const bool* boolean() const noexcept { return std::get_if<bool>(&data_); }
    const std::int64_t* integer() const noexcept { return std::get_if<std::int64_t>(&data_); }
    const double* real() const noexcept { return std::get_if<double>(&data_); }
    const std::string* text() const noexcept { return std::get_if<std::string>(&data_); }
    const list* items() const noexcept { return std::get_if<list>(&data_); }
    const table* fields() const noexcept { return std::get_if<table>(&data_); }
    list* items() noexcept { return std::get_if<list>(&data_); }
    table* fields() noexcept { return std::get_if<table>(&data_); }

    /// The field of a table, or a null value: `settings["listen"]`.
    const value& operator[](std::string_view key) const noexcept;
    /// The field of a table, made when missing; a null value becomes a table first.
    value& operator[](std::string_view key);

    /// The content, or `otherwise` when it is of another kind. A number is given from an integer too.
    bool boolean_or(bool otherwise) const noexcept;
    std::int64_t integer_or(std::int64_t otherwise) const noexcept;
    double number_or(double otherwise) const noexcept;
    std::string text_or(std::string otherwise) const;

    bool operator==(const value& other) const = default;

private:
    std::variant<std::monostate, bool, std::int64_t, double, std::string, list, table> data_;
};

/// JSON (RFC 8259). `indent` writes one field a line.
std::string to_json(const value& v, bool indent = false);
/// Fails with line and column; at most 64 levels deep, and no number beyond what a double holds.
result<value> from_json(std::string_view text);

} // namespace strowger
