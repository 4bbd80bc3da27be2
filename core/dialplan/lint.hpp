// What can be seen to be wrong in a script without running it.
#pragma once
#include <string>
#include <vector>

namespace strowger::dialplan {

/// Reads one file; each finding is "main.lua:12: …". Finds syntax errors, unknown verbs and fields of `call`, unknown options
/// written out in a call, and assignments to globals and to a file's variables inside functions.
std::vector<std::string> lint(const std::string& name, const std::string& text);

} // namespace strowger::dialplan
