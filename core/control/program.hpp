// What the program `strowger` does, one function for each of its sub-commands; they return the exit status.
#pragma once
#include "core/base/result.hpp"
#include "core/config/settings.hpp"
#include <filesystem>
#include <optional>
#include <string>

namespace strowger::control {

struct program_options {
    std::optional<std::filesystem::path> configuration; ///< else the installed one, else the source tree's
    std::optional<std::filesystem::path> state;         ///< in place of the configured state directory
    std::optional<std::filesystem::path> socket;        ///< in place of `<state>/strowger.sock`
    std::optional<std::string> listen;                  ///< in place of the SIP driver's configured addresses
    bool keep_mapped = false;
};

/// The settings with the options applied, and defaults that depend on where the program is.
result<config::settings> load_settings(const program_options& o);
std::filesystem::path socket_of(const config::settings& s, const program_options& o);

/// Runs the engine until SIGTERM, SIGINT or `core stop`.
int run_engine(const program_options& o);
/// Checks configuration and dialplan.
int run_check(const program_options& o);

} // namespace strowger::control
