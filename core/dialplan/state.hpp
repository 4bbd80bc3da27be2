// One Lua state: a version of the scripts, loaded for one worker.
#pragma once
#include "core/dialplan/contexts.hpp"
#include "core/dialplan/lua.hpp"
#include "core/dialplan/memory.hpp"
#include "core/dialplan/sources.hpp"
#include "core/store/store.hpp"
#include <atomic>
#include <memory>
#include <optional>


namespace strowger::dialplan {

struct limits {
    duration cpu_budget = 50ms;           ///< of a slice, between two waits
    duration load_budget = 10s;           ///< of loading all files
    std::size_t memory_per_call = 8u << 20;
    std::size_t memory = 256u << 20;
};

/// What the scripts' world consists of. Without an engine (for `check` and for tests of the sandbox) db cannot be used.
struct surroundings {
    const clock* time = nullptr;
    engine* core = nullptr;
    std::optional<store::table> kept; ///< for db
};

/// Built on any one thread, used on its worker's, and destroyed there.
class state : public std::enable_shared_from_this<state> {
public:
    /// Loads main.lua and what it requires; the error says "main.lua:12: …". `home`: where it is destroyed; null: wherever.
    static result<std::shared_ptr<state>> build(const sources& files, const dialplan::limits& l, surroundings around,
                                                worker* home);
    state(const state&) = delete;
    state& operator=(const state&) = delete;
    ~state();

    lua_State* lua() const noexcept { return L_; }
    memory& heap() noexcept { return heap_; }
    const dialplan::limits& limits() const noexcept { return limits_; }
    const surroundings& around() const noexcept { return around_; }
    const std::string& version() const noexcept { return version_; }
    context_set contexts;
    bool loading() const noexcept { return files_ != nullptr; }
    const sources* files() const noexcept { return files_; }
    /// A turn of the collector, after a script has ended.
    void collect_a_little();

    /// Calls that run in it; read on any thread.
    std::atomic<int> users{0};
    /// Where the script that computed too long stood.
    std::string overrun_at, overrun_place;

private:
    state(const dialplan::limits& l, surroundings around, std::string version);
    result<> load(const sources& files);

    dialplan::limits limits_;
    surroundings around_;
    std::string version_;
    memory heap_;
    lua_State* L_ = nullptr;
    const sources* files_ = nullptr; // while loading
};

/// Counts a call as long as it lives.
class pinned {
public:
    explicit pinned(std::shared_ptr<state> s) : state_(std::move(s)) { ++state_->users; }
    pinned(const pinned&) = delete;
    pinned& operator=(const pinned&) = delete;
    ~pinned() { --state_->users; }

private:
    std::shared_ptr<state> state_;
};

/// Makes the globals of a state: what of Lua's own library is left, and everything of api.hpp.
void install_sandbox(lua_State* L);
/// Compiles text with the sandbox's globals, under its name ("main.lua"); pushes the function. On failure pushes the message,
/// false.
bool compile(lua_State* L, const std::string& text, const std::string& name);
/// Pushes the object that stands for a call in Lua.
void push_call_object(lua_State* L, call* c);

} // namespace strowger::dialplan
