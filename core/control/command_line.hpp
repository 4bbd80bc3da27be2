// What people type at the console: words, options, and which command they mean.
#pragma once
#include "core/base/result.hpp"
#include "core/control/command.hpp"
#include "core/modules/registry.hpp"
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace strowger::control {

/// Splits at blanks; quotes, single or double, keep blanks, and a backslash takes the next character as it is.
result<std::vector<std::string>> split_words(std::string_view line);

/// Arguments sorted out: `--now`, `--hang-up-after 30` and the plain words in their order.
struct command_arguments {
    std::vector<std::string> words;
    std::map<std::string, std::string, std::less<>> options; ///< value is empty for a flag
    bool has(std::string_view option) const { return options.contains(option); }
};
/// `usage` names what is known: "NAME [--now] [--hang-up-after SECONDS]". Fails for an unknown option, a missing value, and a
/// wrong number of words: capitals in `usage` are words, those in brackets may be left out.
result<command_arguments> sort_arguments(std::vector<std::string> arguments, const std::string& name, const std::string& usage);
/// A number of seconds that an option gives.
result<duration> to_seconds(const std::string& text);

struct meant_command {
    lease use; // declared before what it protects
    command what;
    std::vector<std::string> arguments;
};
/// The command whose name covers most of the words. The error suggests the nearest.
result<meant_command> find_command(const registry<command>& in, std::vector<std::string> words, const std::string& user);

/// What may be typed in place of the last word of the line.
task<std::vector<std::string>> complete_line(const registry<command>& in, std::string line);

} // namespace strowger::control
