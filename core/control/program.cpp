#include "core/control/program.hpp"
#include "core/dialplan/runtime.hpp"
#include <cstdio>
#include <fmt/core.h>

namespace strowger::control {
namespace fs = std::filesystem;
namespace {

/// "192.0.2.1" → "192.0.2.1:5060"; "[2001:db8::1]" likewise.
std::string with_port(std::string address) {
    if (address.find(':') == std::string::npos || address.ends_with(']')) address += ":5060";
    return address;
}

/// Beside the program in a build tree, in the library folder of an installed one.
fs::path find_modules() {
    std::error_code ec;
    const auto program = fs::read_symlink("/proc/self/exe", ec).parent_path();
    for (const auto& folder : {program / "modules", program / ".." / "lib" / "strowger" / "modules"})
        if (fs::is_directory(folder, ec)) return fs::weakly_canonical(folder, ec);
    return program / "modules";
}

} // namespace

result<config::settings> load_settings(const program_options& o) {
    auto loaded = config::load(config::find_configuration(o.configuration));
    if (!loaded) return fail("{}", loaded.error().text);
    if (o.state) loaded->engine.state_directory = fs::absolute(*o.state);
    if (loaded->engine.module_directory.empty()) loaded->engine.module_directory = find_modules();
    if (o.listen) loaded->modules["sip"] = loaded->module("sip").with("listen", value::list{with_port(*o.listen)});
    return std::move(*loaded);
}

fs::path socket_of(const config::settings& s, const program_options& o) {
    return o.socket ? *o.socket : s.engine.state_directory / "strowger.sock";
}

int run_check(const program_options& o) {
    const auto settings = load_settings(o);
    if (!settings) {
        fmt::print(stderr, "{}\n", settings.error().text);
        return 1;
    }
    const auto wrong = dialplan_runtime::check(settings->dialplan.directory);
    for (const auto& line : wrong) fmt::print(stderr, "{}\n", line);
    if (!wrong.empty()) return 1;
    fmt::print("{} and {} are in order\n", settings->file.string(), (settings->dialplan.directory / "main.lua").string());
    return 0;
}

} // namespace strowger::control
