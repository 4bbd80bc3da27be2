#include "core/dialplan/state.hpp"
#include "core/async/worker.hpp"
#include "core/dialplan/budget.hpp"
#include "core/dialplan/script.hpp"

namespace strowger::dialplan {
namespace {

const char state_key = 0;

void too_long(lua_State* L) { luaL_error(L, "loading computes too long"); }

int load_all(lua_State* L) {
    lua_settop(L, 0);
    install_sandbox(L);
    const auto& main = state_of(L).files()->files.at("main.lua");
    if (!compile(L, main, "main.lua")) return lua_error(L);
    lua_call(L, 0, 0);
    return 0;
}

} // namespace

state& state_of(lua_State* L) noexcept {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key);
    auto* s = static_cast<state*>(lua_touserdata(L, -1));
    lua_pop(L, 1);
    return *s;
}

state::state(const dialplan::limits& l, surroundings around, std::string version)
    : limits_(l), around_(around), version_(std::move(version)), heap_(l.memory) {
    L_ = lua_newstate(memory::allocate, &heap_);
    if (L_ == nullptr) throw std::bad_alloc();
    *static_cast<script**>(lua_getextraspace(L_)) = nullptr; // new threads copy it
    lua_pushlightuserdata(L_, this);
    lua_rawsetp(L_, LUA_REGISTRYINDEX, &state_key);
    // Incremental, because its pauses are shorter than those of the generational collector with many live calls.
    lua_gc(L_, LUA_GCINC, 150, 200, 0);
}

state::~state() { lua_close(L_); }

result<std::shared_ptr<state>> state::build(const sources& files, const dialplan::limits& l, surroundings around, worker* home) {
    auto* const made = new state(l, around, files.version);
    // The last reference may go anywhere; Lua's objects go where they lived.
    std::shared_ptr<state> out(made, [home](state* s) {
        std::unique_ptr<state> owned(s);
        if (home != nullptr && !home->is_current()) home->post([owned = std::move(owned)] {});
    });
    if (auto loaded = made->load(files); !loaded) return fail(loaded);
    return out;
}

result<> state::load(const sources& files) {
    files_ = &files;
    // The load pays from an account of its own, so that its limit is met in a place where Lua can tell.
    auto* const loading = heap_.open_account(limits_.memory);
    lua_pushcfunction(L_, add_traceback);
    lua_pushcfunction(L_, load_all);
    auto* const before = heap_.charge(loading);
    int status = LUA_OK;
    {
        const slice watched(L_, limits_.load_budget, too_long);
        status = lua_pcall(L_, 0, 0, 1);
    }
    heap_.charge(before);
    heap_.close(loading);
    files_ = nullptr;
    if (status != LUA_OK) {
        const std::string text = lua_isstring(L_, -1) != 0 ? lua_tostring(L_, -1) : "an error without text";
        return fail("{}", text.substr(0, text.find("\nstack traceback")));
    }
    lua_settop(L_, 0);
    if (auto checked = contexts.check(); !checked) return checked;
    lua_gc(L_, LUA_GCCOLLECT);
    return {};
}

void state::collect_a_little() { lua_gc(L_, LUA_GCSTEP, 0); }

} // namespace strowger::dialplan
