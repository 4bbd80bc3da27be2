// Dialplans at run time: the scripts' versions, and running a call through them.
#pragma once
#include "core/async/task.hpp"
#include "core/base/result.hpp"
#include "core/base/value.hpp"
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace strowger {

class call;
class engine;

/// One Lua state per worker and version of the scripts. See contrib/docs/decisions/0004.
class dialplan_runtime {
public:
    struct options {
        std::filesystem::path directory;   ///< with main.lua
        duration cpu_budget = 50ms;        ///< of one slice, between two waits
        std::size_t memory_per_call = 8u << 20;
        std::size_t memory_limit = 256u << 20; ///< of one state
        std::string fallback_context = "fallback",
                    fallback_extension = "s"; ///< where a call goes whose script and context failed it
        std::string default_context = "internal";
    };
    dialplan_runtime(engine& core, options o);
    ~dialplan_runtime();

    /// Builds a state for every worker from the files, on the calling thread (never a call worker), and swaps all of them.
    /// On an error, with file and line, the version that runs goes on. Calls in progress keep theirs.
    result<> load();
    /// The whole story of a call after its arrival: finds the extension, runs its script, follows go_to and transfer, takes a
    /// failed script to the fallback. Returns when the dialplan is through with the call, which then ends.
    task<void> run(call& c);

    /// Checks the files without an engine: errors and lint warnings, each as "file:line: …". Empty: all is well.
    static std::vector<std::string> check(const std::filesystem::path& directory);

    std::string version() const;       ///< of what new calls get; a short hash of the files
    /// Whose state each extension of a context shows, as the newest version says.
    struct hint { std::string context, extension, target; };
    std::vector<hint> hints() const;
    /// Contexts, extensions and how many calls each version still has, for `dialplan show`.
    value show() const;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace strowger
