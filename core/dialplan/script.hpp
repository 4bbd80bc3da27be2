// One flow of a script: a Lua thread, hosted by a C++ coroutine that waits for it.
#pragma once
#include "core/dialplan/lua.hpp"
#include "core/dialplan/memory.hpp"

namespace strowger::dialplan {

/// A Lua thread that runs one function for a call. Lives on the state's worker; its destructor closes what the script left open.
class script {
public:
    enum class kind {
        flow,   ///< an extension
        ending, ///< on_end: there is no caller any more
        aside,  ///< a check of digits: cannot wait
    };
    script(std::shared_ptr<state> in, strowger::call* c, kind k);
    script(const script&) = delete;
    script& operator=(const script&) = delete;
    ~script();

    strowger::call* call() const noexcept { return call_; }
    kind what() const noexcept { return kind_; }
    state& in() const noexcept { return *state_; }
    lua_State* lua() const noexcept { return thread_; }

    /// Pushes the function, then the arguments, onto lua() and then calls one of these with the number of arguments.
    /// Runs to the end. What it returned is on the stack then, from index 1. An error comes back as its text, with traceback.
    /// Throws what ended it: call_ended, call_redirected.
    task<result<>> run(int arguments);
    /// The same for what cannot wait.
    result<> run_now(int arguments);
    /// Pushes the object that stands for the call in Lua.
    void push_call();

    // For the bindings.
    std::unique_ptr<wait> waiting, done;
    std::exception_ptr stop; ///< set: the script ends, and pcall passes it on
    bool overrun = false;    ///< it computed too long: ends in the same way
    bool stopping() const noexcept { return stop != nullptr || overrun; }

private:
    int resume(int arguments);
    result<> finish(int status);

    std::shared_ptr<state> state_;
    strowger::call* call_;
    kind kind_;
    account* account_;
    lua_State* thread_ = nullptr;
    int anchor_ = LUA_NOREF;
    bool started_ = false;
};

/// Registers pcall and xpcall in the table on top: they do not catch the end of a call.
void install_protected_calls(lua_State* L);
/// For lua_pcallk: replaces an error by its text and a traceback of the author's functions.
int add_traceback(lua_State* L);

} // namespace strowger::dialplan
