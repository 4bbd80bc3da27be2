// Console commands: each gives data, from which the console makes a table or JSON.
#pragma once
#include "core/async/task.hpp"
#include "core/base/result.hpp"
#include "core/base/value.hpp"
#include <functional>
#include <string>
#include <vector>

namespace strowger {

/// What a command answers. Without `text` the console makes one from `data`: a list of tables becomes a table for people.
struct command_reply {
    value data;
    std::string text;
    std::vector<std::string> columns; ///< order of the table's columns; empty: alphabetic
};

class console_stream;

/// A command of the console. Handlers run as flows on the control thread; they may wait, others go on meanwhile.
struct command {
    std::string name;     ///< one or more words: "module load"
    std::string usage;    ///< of the arguments: "NAME [--now]"
    std::string summary;  ///< one line
    std::string help;     ///< what it does, in a few sentences, with an example
    std::function<task<result<command_reply>>(std::vector<std::string> arguments)> run;
    /// All that may stand in the place of the argument being typed, given the ones before it; may be empty.
    std::function<task<std::vector<std::string>>(std::vector<std::string> before)> complete = {};
    /// In place of `run` for a command that talks with its console while it runs; see core/control/console_stream.hpp.
    std::function<task<result<command_reply>>(std::vector<std::string> arguments, console_stream& with)> stream = {};
};

} // namespace strowger
