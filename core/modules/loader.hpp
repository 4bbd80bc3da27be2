// Loads modules and takes them out again, with calls in progress.
#pragma once
#include "core/async/task.hpp"
#include "core/base/clock.hpp"
#include "core/base/result.hpp"
#include "core/base/value.hpp"
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace strowger {

class engine;
struct module_host;

/// One use of a module: who and since when.
struct lease_line {
    std::string user;
    duration since{};
};

/// A generation of a module as `module list` shows it.
struct module_line {
    std::string name, version, summary, maturity, state; ///< state: running, draining, stopped, kept mapped
    unsigned generation = 0;
    std::filesystem::path file;  ///< where it was loaded from
    std::size_t leases = 0;
    duration in_state{};
};

/// On the control thread, all of it. found → loaded → running → draining → stopped → gone; there is no way to tear code away from
/// its users: a deadline ends the users instead.
class module_loader {
public:
    struct options {
        std::filesystem::path directory;      ///< where names are looked up
        std::filesystem::path run_directory;  ///< private copies of the files
        bool keep_mapped = false;             ///< never unmap, so that leak reports can name module lines
    };
    module_loader(engine& core, options o);
    /// For an engine of another make, or none: see host.hpp.
    module_loader(module_host host, options o);
    /// All modules must have been unloaded.
    ~module_loader();

    /// Loads `<directory>/<name>.so`, or a path. The error says why in the linker's or the module's words and leaves nothing
    /// behind.
    result<> load(const std::string& name_or_path);

    struct unload_options {
        std::optional<duration> hang_up_after; ///< ends the users' calls then; 0 at once
        bool with_users = false;               ///< modules that need it go first
    };
    /// Withdraws it and begins to drain. Returns who uses it now; it goes when they have.
    result<std::vector<lease_line>> unload(const std::string& name, unload_options o);
    /// Loads the file anew beside the running generation, which then drains; an exclusive module drains first. On failure the
    /// running generation stays. Ends the users' calls of the old one after `hang_up_after`.
    task<result<>> reload(std::string name, std::optional<duration> hang_up_after = std::nullopt);
    /// Waits until no generation of it is left; false at the deadline.
    task<bool> wait_gone(std::string name, duration at_most);
    /// Unloads all, users first, ending calls after `limit`.
    task<void> unload_all(duration limit);

    std::vector<module_line> list() const;
    result<std::vector<lease_line>> leases(const std::string& name) const;
    bool running(std::string_view name) const;
    /// Names of files in the directory, for completion.
    std::vector<std::string> available() const;

private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

} // namespace strowger
