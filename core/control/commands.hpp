// The console commands of the core.
#pragma once
#include "core/control/command.hpp"
#include "core/control/command_line.hpp"
#include "core/control/console_stream.hpp"
#include <functional>
#include <optional>
#include <utility>

namespace strowger {
class engine;
}

namespace strowger::control {

/// Registers all of them; `stop` ends the engine after that time, or after the configured one. The engine has been started.
void add_commands(engine& core, std::function<void(std::optional<duration> limit)> stop);

// Each file's part.
void add_module_commands(engine& core);
void add_call_commands(engine& core);
void add_core_commands(engine& core, std::function<void(std::optional<duration> limit)> stop);
void add_event_commands(engine& core);
void add_phone_command(engine& core);
void add_help_command(engine& core);

/// A command that answers at once: a plain function on the sorted arguments.
using plain_command = std::function<result<command_reply>(command_arguments)>;
/// A command that waits.
using waiting_command = std::function<task<result<command_reply>>(command_arguments)>;
/// `head` has the texts; `run` and the check of arguments by the usage are added.
void add_plain(engine& core, command head, plain_command run);
void add_waiting(engine& core, command head, waiting_command run);
/// A command that talks with its console while it runs.
using streaming_command = std::function<task<result<command_reply>>(command_arguments, console_stream&)>;
void add_streaming(engine& core, command head, streaming_command run);

inline command_reply text_reply(std::string text, value data = {}) { return {std::move(data), std::move(text), {}}; }
inline double to_number(duration d) { return std::chrono::duration<double>(d).count(); }

} // namespace strowger::control
