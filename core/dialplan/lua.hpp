// How C++ and Lua meet here: errors, arguments, options, and operations that a script waits for.
//
// The core links lua5.4-c++, whose errors and yields are C++ exceptions, so destructors in bindings run. That build swallows
// exceptions that are not its own, though: every function given to Lua goes through guarded<>.
#pragma once
#include "core/async/task.hpp"
#include "core/base/value.hpp"
#include "core/call/call.hpp"
#include <functional>
#include <lua.hpp>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace strowger::dialplan {

class script;
class state;

/// A mistake of the script's author: raised at the line that made the call.
struct script_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// "main.lua:12: " of the innermost line that the author wrote, as luaL_where does; pushes it.
void push_place(lua_State* L);
/// Raises what pcall cannot catch; the script ends with `why`.
[[noreturn]] void raise_stop(lua_State* L, std::exception_ptr why);
[[noreturn]] void raise_text(lua_State* L, const std::string& text);

template <lua_CFunction F> int guarded(lua_State* L) {
    std::exception_ptr stop;
    std::string text;
    try {
        return F(L);
    } catch (const call_ended&) {
        stop = std::current_exception();
    } catch (const call_redirected&) {
        stop = std::current_exception();
    } catch (const std::exception& e) {
        text = e.what();
    }
    if (stop) raise_stop(L, std::move(stop));
    raise_text(L, text);
}

/// The flow that runs on this Lua thread; null while files are loaded.
script* script_of(lua_State* L) noexcept;
state& state_of(lua_State* L) noexcept;

// Values.
void push(lua_State* L, const value& v);
inline void push(lua_State* L, const std::string& s) { lua_pushlstring(L, s.data(), s.size()); }
inline void push(lua_State* L, duration d) { lua_pushnumber(L, std::chrono::duration<double>(d).count()); }
/// Tables with keys 1..n become lists, all others tables (the empty one too). Throws script_error for functions, cycles and the
/// like.
value to_value(lua_State* L, int index);
/// "a number", "nil", "a table": for messages.
std::string kind_of(lua_State* L, int index);
/// `, did you mean "timeout"?` or nothing.
std::string suggestion(std::string_view wrong, std::span<const char* const> right);

// Arguments; throw script_error. `what` names them: "call:play: the prompt".
std::string text_argument(lua_State* L, int index, const std::string& what);
duration seconds_argument(lua_State* L, int index, const std::string& what);
void function_argument(lua_State* L, int index, const std::string& what);
prompt_list to_prompts(lua_State* L, int index, const std::string& what, const std::string& language);

/// The table of options of a verb. Reads what is there, refuses what is not known.
class options {
public:
    /// `index` may hold nothing or nil. The known names come from option_names(verb).
    options(lua_State* L, int index, std::string verb, int list_length = 0);
    /// Pushes the option and returns true, or pushes nothing.
    bool push(const char* name) const;
    duration seconds(const char* name, duration otherwise) const;
    int whole(const char* name, int otherwise, int least, int most) const;
    bool flag(const char* name, bool otherwise) const;
    std::string text(const char* name, std::string otherwise) const;
    std::string word(const char* name, std::string otherwise, std::initializer_list<const char*> allowed) const;
    prompt_list prompts(const char* name, prompt_list otherwise, const std::string& language) const;
    bool has(const char* name) const;
    std::string what(const char* name) const { return verb_ + ": `" + name + "`"; }

private:
    lua_State* L_;
    int index_ = 0;
    std::string verb_;
};

/// Keeps a Lua value as long as it lives; copied into C++ closures. Used on the state's worker only.
class reference {
public:
    /// Takes the value at `index`.
    static std::shared_ptr<reference> to(lua_State* L, int index);
    reference(std::shared_ptr<state> of, int key) : of_(std::move(of)), key_(key) {}
    reference(const reference&) = delete;
    reference& operator=(const reference&) = delete;
    ~reference();
    void push(lua_State* L) const { lua_rawgeti(L, LUA_REGISTRYINDEX, key_); }
    const std::shared_ptr<state>& owner() const noexcept { return of_; }

private:
    std::shared_ptr<state> of_;
    int key_;
};

/// An operation that a script waits for: run() waits outside Lua, finish() gives the results to Lua.
class wait {
public:
    virtual ~wait() = default;
    virtual task<void> run() = 0;
    virtual int finish(lua_State* L) = 0;
    std::exception_ptr error;
};
/// Yields; the binding returns what this returns. Throws script_error where waiting is not possible.
int wait_in_lua(lua_State* L, std::unique_ptr<wait> w);

template <class T> class wait_for_value final : public wait {
public:
    wait_for_value(task<T> op, std::function<int(lua_State*, T&)> push_results)
        : op_(std::move(op)), push_(std::move(push_results)) {}
    task<void> run() override {
        try {
            value_.emplace(co_await op_);
        } catch (...) { error = std::current_exception(); }
    }
    int finish(lua_State* L) override { return push_(L, *value_); }

private:
    task<T> op_;
    std::function<int(lua_State*, T&)> push_;
    std::optional<T> value_;
};
class wait_for_end final : public wait {
public:
    explicit wait_for_end(task<void> op) : op_(std::move(op)) {}
    task<void> run() override {
        try {
            co_await op_;
        } catch (...) { error = std::current_exception(); }
    }
    int finish(lua_State*) override { return 0; }

private:
    task<void> op_;
};
template <class T, class F> int waits(lua_State* L, task<T> op, F push_results) {
    return wait_in_lua(L, std::make_unique<wait_for_value<T>>(std::move(op), std::move(push_results)));
}
inline int waits(lua_State* L, task<void> op) { return wait_in_lua(L, std::make_unique<wait_for_end>(std::move(op))); }

} // namespace strowger::dialplan
