// Data as people read it on a terminal: aligned tables, key and value lines.
#pragma once
#include "core/base/value.hpp"
#include <string>
#include <vector>

namespace strowger::control {

/// Text that is safe to print: no control characters but line feeds, nothing that a terminal would obey.
std::string printable(const std::string& text);

/// A list of tables becomes a table with a head, no wider than `width` where it can be cut; a table becomes lines of "key:
/// value". `columns` come first and in this order; when empty all fields do, alphabetically. Ends with a line feed unless empty.
std::string to_table(const value& data, const std::vector<std::string>& columns, std::size_t width, bool bold_head = false);

} // namespace strowger::control
