// A table of the configuration file that knows where each of its values stands, so that every complaint can point at its line.
#pragma once
#include "core/base/result.hpp"
#include "core/base/value.hpp"
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace strowger::config {

/// Line and column, both from 1; 0 where there is no place to point at.
struct position {
    unsigned line = 0;
    unsigned column = 0;
};

/// One thing that is wrong with a file.
struct problem {
    std::string file;
    position at;
    std::string text;
};
/// "strowger.toml:12:5: …"
std::string to_text(const problem& p);

/// Everything that is wrong with a file, in the order of its lines. It is an `error` too, whose text has one line for each. To
/// hand it on, write `fail("{}", parsed.error().text)`: tl::expected 1.0 leaks when an expected of one error type is converted to
/// another.
struct problems : error {
    std::vector<problem> list;
    void add(problem p);
};

/// A cheap copy: it shares the parsed file, which stays as it was read.
class section {
public:
    /// An empty table that stands nowhere.
    section();

    /// The name of the file as it was given to the parser.
    const std::string& file() const noexcept;
    /// How people write the name of this table: "users.alice"; empty for the whole file.
    const std::string& name() const noexcept { return name_; }
    /// The table itself, for those who need no positions.
    const value& content() const noexcept { return *table_; }
    const value::table& fields() const noexcept { return *table_->fields(); }
    const value& operator[](std::string_view key) const noexcept { return (*table_)[key]; }

    /// Where a value reached from this section stands. Of any other value (a missing one, a copy): where the section begins.
    position where(const value& v) const noexcept;
    /// Where the key of such a value stands.
    position where_key(const value& v) const noexcept;
    /// "strowger.toml:12:5" of such a value.
    std::string place(const value& v) const;

    /// The table below `key`; empty, and standing where this one begins, when there is none.
    section table(std::string_view key) const;

    /// The same table with one field set otherwise, as by an option of the command line.
    section with(std::string_view key, value v) const;

    struct document;

private:
    friend tl::expected<section, problems> parse_toml(std::string_view, std::string);
    section(std::shared_ptr<const document> from, const value* table, std::string name);

    std::shared_ptr<const document> document_;
    const value* table_; // inside *document_
    std::string name_;
};

/// Reads TOML 1.0. Dates and times become text. `file` is only used in complaints; the text may be anything.
tl::expected<section, problems> parse_toml(std::string_view text, std::string file);

} // namespace strowger::config
