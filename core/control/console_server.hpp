// The engine's side of the console: a Unix socket with requests and answers in JSON, one a line.
//
//   {"command": "module list"}  →  {"ok": true, "data": …, "text": "…", "columns": […]}  or  {"ok": false, "error": "…"}
//   {"complete": "module lo"}   →  {"ok": true, "completions": ["load"]}
// A command that streams ("event follow") sends parts before its answer, {"part": …}, and takes {"input": …} meanwhile.
#pragma once
#include "core/async/worker.hpp"
#include "core/base/result.hpp"
#include "core/control/command.hpp"
#include "core/modules/registry.hpp"
#include <filesystem>
#include <memory>

namespace strowger::control {

/// On the control thread, all of it. Several consoles may be connected; each gets its answers in the order of its requests, and
/// one that does not read them is dropped, not waited for.
class console_server {
public:
    struct limits {
        std::size_t line = 64u << 10;       ///< of a request, in bytes
        std::size_t unread = 16u << 20;     ///< answers that wait for one console, in bytes
        duration stalled = std::chrono::seconds(10);
        std::size_t consoles = 32;
    };
    console_server(worker& control, const registry<command>& commands, std::filesystem::path socket);
    console_server(worker& control, const registry<command>& commands, std::filesystem::path socket, limits l);
    /// Disconnects all; commands that still run are unwound.
    ~console_server();

    /// Opens the socket for this user and its group. A socket file of an engine that has ended is replaced.
    result<> listen();
    const std::filesystem::path& socket() const noexcept { return socket_; }
    std::size_t consoles() const noexcept;

private:
    struct session;
    struct state;
    const std::filesystem::path socket_;
    std::shared_ptr<state> state_;
};

} // namespace strowger::control
