#include "core/dialplan/script.hpp"
#include "core/dialplan/budget.hpp"
#include "core/dialplan/state.hpp"

namespace strowger::dialplan {
namespace {

const char stop_key = 0;

void push_stop(lua_State* L) { lua_pushlightuserdata(L, const_cast<char*>(&stop_key)); }
bool stopping(lua_State* L) {
    const auto* s = script_of(L);
    return s != nullptr && s->stopping();
}
[[noreturn]] void pass_on(lua_State* L) {
    push_stop(L);
    lua_error(L);
    std::abort();
}

void stop_overrun(lua_State* L) {
    if (auto* s = script_of(L)) {
        s->overrun = true;
        // The message is wanted even if the author's handlers change what flies.
        luaL_traceback(L, L, nullptr, 0);
        state_of(L).overrun_at = lua_tostring(L, -1);
        push_place(L);
        state_of(L).overrun_place = lua_tostring(L, -1);
        lua_pop(L, 2);
        pass_on(L);
    }
    luaL_error(L, "computes too long");
}

// pcall and xpcall. Both keep at index 1 a place for the status, so that continuations find the results behind it.
int after_protected(lua_State* L, int status, lua_KContext first) {
    if (status != LUA_OK && status != LUA_YIELD) {
        if (stopping(L)) pass_on(L); // the end of a call is not an error to handle
        lua_pushboolean(L, 0);
        lua_insert(L, -2);
        return 2;
    }
    const auto begin = static_cast<int>(first);
    lua_pushboolean(L, 1);
    lua_replace(L, begin);
    return lua_gettop(L) - begin + 1;
}
int protected_call(lua_State* L) {
    luaL_checkany(L, 1);
    lua_pushnil(L);
    lua_insert(L, 1);
    return after_protected(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 1, after_protected), 1);
}
int handle_unless_stopping(lua_State* L) {
    if (stopping(L)) return 1;
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 1, 1);
    return 1;
}
int protected_call_with_handler(lua_State* L) {
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, handle_unless_stopping, 1);
    lua_replace(L, 2);
    lua_pushvalue(L, 1); // function, handler, arguments… becomes function, handler, status, function, arguments…
    lua_insert(L, 3);
    lua_pushnil(L);
    lua_insert(L, 3);
    return after_protected(L, lua_pcallk(L, lua_gettop(L) - 4, LUA_MULTRET, 2, 3, after_protected), 3);
}

// The bottom of each script: function and arguments are on the stack. Running below lua_pcallk, <close> handlers may wait.
int after_body(lua_State* L, int status, lua_KContext) {
    lua_pushboolean(L, status == LUA_OK || status == LUA_YIELD);
    lua_replace(L, 1);
    return lua_gettop(L);
}
int body(lua_State* L) {
    lua_pushcfunction(L, add_traceback);
    lua_insert(L, 1);
    return after_body(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, 0, after_body), 0);
}
int finish_wait(lua_State* L) {
    const auto w = std::move(script_of(L)->done);
    if (w->error) std::rethrow_exception(w->error);
    return w->finish(L);
}
int after_wait(lua_State* L, int, lua_KContext) { return guarded<finish_wait>(L); }

} // namespace

int add_traceback(lua_State* L) {
    if (stopping(L)) return 1;
    const char* text = luaL_tolstring(L, 1, nullptr);
    luaL_traceback(L, L, text, 1);
    return 1;
}

void install_protected_calls(lua_State* L) {
    lua_pushcfunction(L, protected_call);
    lua_setfield(L, -2, "pcall");
    lua_pushcfunction(L, protected_call_with_handler);
    lua_setfield(L, -2, "xpcall");
}

void raise_stop(lua_State* L, std::exception_ptr why) {
    if (auto* s = script_of(L); s != nullptr && !s->stop) s->stop = std::move(why);
    why = nullptr;
    pass_on(L);
}

int wait_in_lua(lua_State* L, std::unique_ptr<wait> w) {
    auto* s = script_of(L);
    if (s == nullptr) throw script_error("this waits: it is only possible in a call, not while the file is loaded");
    if (s->what() == script::kind::aside) throw script_error("this waits: a check of digits cannot");
    if (lua_isyieldable(L) == 0)
        throw script_error(
            "this waits: not possible inside table.sort, string.gsub or a metamethod; do it before and keep the result");
    s->waiting = std::move(w);
    return lua_yieldk(L, 0, 0, after_wait);
}

script::script(std::shared_ptr<state> in, strowger::call* c, kind k) : state_(std::move(in)), call_(c), kind_(k) {
    account_ = state_->heap().open_account(state_->limits().memory_per_call);
    lua_State* const L = state_->lua();
    thread_ = lua_newthread(L);
    anchor_ = luaL_ref(L, LUA_REGISTRYINDEX);
    *static_cast<script**>(lua_getextraspace(thread_)) = this;
    account_->runs = thread_;
    lua_pushcfunction(thread_, body);
}

script::~script() {
    if (started_) {
        // Only a flow that was torn down comes here with anything open; its <close> handlers run, but cannot wait.
        kind_ = kind::aside;
        auto* const before = state_->heap().charge(account_);
        {
            const slice watched(thread_, state_->limits().cpu_budget, stop_overrun);
            lua_resetthread(thread_);
        }
        state_->heap().charge(before);
    }
    *static_cast<script**>(lua_getextraspace(thread_)) = nullptr;
    account_->runs = nullptr;
    luaL_unref(state_->lua(), LUA_REGISTRYINDEX, anchor_);
    state_->heap().close(account_);
    state_->collect_a_little();
}

void script::push_call() { push_call_object(thread_, call_); }

int script::resume(int arguments) {
    int results = 0;
    auto* const before = state_->heap().charge(account_);
    int status = LUA_OK;
    {
        const slice watched(thread_, state_->limits().cpu_budget, stop_overrun);
        status = lua_resume(thread_, nullptr, arguments, &results);
    }
    state_->heap().charge(before);
    return status;
}

result<> script::finish(int status) {
    started_ = false;
    if (stop) std::rethrow_exception(stop);
    if (overrun) {
        const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(state_->limits().cpu_budget).count();
        return fail("{}computed for more than {} ms without waiting\n{}", state_->overrun_place, ms, state_->overrun_at);
    }
    if (status == LUA_OK && lua_toboolean(thread_, 1) != 0) {
        lua_remove(thread_, 1);
        return {};
    }
    std::string text = lua_isstring(thread_, -1) != 0 ? lua_tostring(thread_, -1) : "an error without text";
    if (account_->refused && text.find("not enough memory") != text.npos)
        return fail("{}{}not enough memory: a call may use {} MB, all calls of a worker {} MB\nstack traceback:{}",
                    account_->place.data(), account_->place[0] == '\0' ? "" : ": ", state_->limits().memory_per_call >> 20,
                    state_->limits().memory >> 20, account_->places.data());
    return fail("{}", text);
}

task<result<>> script::run(int arguments) {
    started_ = true;
    auto status = resume(arguments + 1);
    while (status == LUA_YIELD) {
        auto working = std::move(waiting);
        auto work = working->run();
        co_await work;
        done = std::move(working);
        status = resume(0);
    }
    co_return finish(status);
}

result<> script::run_now(int arguments) {
    started_ = true;
    return finish(resume(arguments + 1));
}

} // namespace strowger::dialplan
