// A telephone in the terminal (`strowger phone`), connected to an extension of a running engine.
#pragma once
#include "core/base/result.hpp"
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace strowger::control {

struct phone_options {
    std::filesystem::path socket;
    std::string extension;
    std::string from, context; ///< empty: not given
    bool emergency = false;    ///< an emergency number may be called
    std::string script;
    std::optional<std::filesystem::path> transcript;
    unsigned limit = 0;        ///< hang up after so many seconds; 0: never
};

/// A step of a script.
namespace phone_step {
struct keys { std::string keys; };
struct wait { std::chrono::milliseconds length; };
struct hear { std::string text; }; ///< until a line with that text has come, in whatever case
struct hang_up {};
} // namespace phone_step
using phone_steps = std::vector<std::variant<phone_step::keys, phone_step::wait, phone_step::hear, phone_step::hang_up>>;

/// "1, wait 2, hear goodbye, h": steps between commas or on lines of their own.
result<phone_steps> parse_phone_script(const std::string& text);

/// What the program returns for a call that ended with this Q.850 cause: 0 well, 10 busy, 11 no answer, 12 refused, 13 no such
/// number, 14 another failure.
int phone_status(int q850) noexcept;

/// The program's exit status: that of the call, 1 when there was none, 15 when a `hear` of the script waited in vain.
int run_phone(const phone_options& o);

} // namespace strowger::control
