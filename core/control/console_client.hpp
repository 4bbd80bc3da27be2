// The console's side of the console: line editing, completion, tables.
#pragma once
#include "core/base/result.hpp"
#include "core/base/value.hpp"
#include "core/control/unix_socket.hpp"
#include <filesystem>
#include <string>
#include <vector>

namespace strowger::control {

/// A connection to a running engine.
class console_client {
public:
    static result<console_client> connect(const std::filesystem::path& socket);
    /// The engine's answer, a table with "ok"; fails when the engine has gone.
    result<value> ask(const value& request);
    result<> send(const value& request);
    /// The next line from the engine; waits for it.
    result<value> receive();
    enum class came { line, other, nothing };
    /// Waits until the engine has sent something, `other` (a descriptor, or -1) can be read, the time is over (-1: never), or a
    /// signal came.
    came wait_also_for(int other, int milliseconds = -1) const;
    std::vector<std::string> complete(const std::string& line);

private:
    explicit console_client(descriptor fd) : fd_(std::move(fd)) {}
    descriptor fd_;
    std::string in_;
};

struct console_options {
    std::filesystem::path socket;
    std::vector<std::string> commands; ///< run these and end, instead of asking for some
    bool json = false;
};
/// The program's exit status: 0, or 1 when a command failed or no engine answers.
int run_console(const console_options& o);

} // namespace strowger::control
