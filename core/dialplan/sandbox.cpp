// The globals of a script: the harmless part of Lua's library, `require` for the author's own files, and the engine's API.
#include "core/config/section.hpp"
#include "core/dialplan/api.hpp"
#include "core/dialplan/bindings.hpp"
#include "core/dialplan/script.hpp"
#include "core/dialplan/state.hpp"
#include "core/dialplan/text_pattern.hpp"
#include <cstring>

namespace strowger::dialplan {
namespace {

const char globals_key = 0, loaded_key = 0;
constexpr const char* kept_of_base[] = {"assert", "error",  "getmetatable", "ipairs", "next", "pairs",    "rawequal",
                                        "rawget", "rawlen", "rawset",       "select", "type", "tostring", "tonumber"};

// The author's tables and Lua's libraries are seen through an empty table that passes reading on: then a write can be noticed.
int refuse_global(lua_State* L) {
    const char* name = luaL_tolstring(L, 2, nullptr);
    if (script_of(L) == nullptr) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &globals_key);
        lua_pushvalue(L, 2);
        lua_pushvalue(L, 3);
        lua_rawset(L, -3);
        return 0;
    }
    throw script_error(fmt::format("assigning the global '{}' in a call: use a local, call.vars, or db", name));
}
int refuse_library(lua_State* L) {
    throw script_error(fmt::format("the library's field '{}' cannot be changed", luaL_tolstring(L, 2, nullptr)));
}
int refuse_shared(lua_State* L) {
    if (script_of(L) != nullptr)
        throw script_error(
            fmt::format("changing '{}' of a required table in a call: all calls of a worker share it; use call.vars or db",
                        luaL_tolstring(L, 2, nullptr)));
    lua_rawset(L, lua_upvalueindex(1));
    return 0;
}
int next_of_original(lua_State* L) {
    lua_settop(L, 2);
    if (lua_next(L, 1) != 0) return 2;
    lua_pushnil(L);
    return 1;
}
int pairs_of_original(lua_State* L) {
    lua_pushcfunction(L, next_of_original);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushnil(L);
    return 3;
}
int length_of_original(lua_State* L) {
    lua_pushinteger(L, luaL_len(L, lua_upvalueindex(1)));
    return 1;
}
// Replaces the table on top by one that can only be read through it.
void protect(lua_State* L, lua_CFunction on_write) {
    const int original = lua_gettop(L);
    lua_newtable(L);
    lua_createtable(L, 0, 5);
    lua_pushvalue(L, original);
    lua_setfield(L, -2, "__index");
    const std::pair<const char*, lua_CFunction> closures[] = {
        {"__newindex", on_write}, {"__pairs", guarded<pairs_of_original>}, {"__len", guarded<length_of_original>}};
    for (const auto& [name, code] : closures) {
        lua_pushvalue(L, original);
        lua_pushcclosure(L, code, 1);
        lua_setfield(L, -2, name);
    }
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_remove(L, original);
}

int set_metatable(lua_State* L) {
    if (lua_type(L, 1) != LUA_TTABLE)
        throw script_error("setmetatable: the first argument must be a table, not " + kind_of(L, 1));
    if (lua_type(L, 2) != LUA_TTABLE && lua_type(L, 2) != LUA_TNIL)
        throw script_error("setmetatable: the second argument must be a table or nil, not " + kind_of(L, 2));
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL) throw script_error("setmetatable: this metatable is protected");
    if (lua_type(L, 2) == LUA_TTABLE) {
        lua_pushliteral(L, "__gc");
        if (lua_rawget(L, 2) != LUA_TNIL)
            throw script_error("setmetatable: no __gc here, nobody knows when it would run; use <close>");
    }
    lua_settop(L, 2);
    lua_setmetatable(L, 1);
    return 1;
}
int raw_set(lua_State* L) {
    if (lua_type(L, 1) != LUA_TTABLE) throw script_error("rawset: the first argument must be a table, not " + kind_of(L, 1));
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL) throw script_error("rawset: this table is protected");
    lua_settop(L, 3);
    lua_rawset(L, 1);
    return 1;
}
int print(lua_State* L) {
    std::string line;
    for (int i = 1; i <= lua_gettop(L); ++i) {
        std::size_t size = 0;
        const char* text = luaL_tolstring(L, i, &size);
        line.append(i > 1 ? " " : "").append(text, size);
        lua_pop(L, 1);
    }
    if (const auto* s = script_of(L)) log::info(*s->call(), "{}", line);
    else log::info("dialplan", "{}", line);
    return 0;
}

/// What a TOML file says, as a table: for menu{} and for the options of applications. It is not protected as what a script
/// returns is, since the functions that take it look into the table itself.
void push_data(lua_State* L, const std::string& text, const std::string& file) {
    const auto parsed = config::parse_toml(text, file);
    if (!parsed) throw script_error(parsed.error().text);
    push(L, parsed->content());
}

int require(lua_State* L) {
    const auto name = text_argument(L, 1, "require: the name");
    lua_rawgetp(L, LUA_REGISTRYINDEX, &loaded_key);
    lua_pushlstring(L, name.data(), name.size());
    if (lua_rawget(L, -2) != LUA_TNIL) {
        if (lua_type(L, -1) == LUA_TLIGHTUSERDATA)
            throw script_error(fmt::format("require \"{}\": the files require each other", name));
        return 1;
    }
    lua_pop(L, 1);
    if (!valid_module_name(name))
        throw script_error(fmt::format("require \"{}\": a name has letters, digits, `_`, `-` and dots between folders", name));
    const auto* files = state_of(L).files();
    if (files == nullptr) throw script_error(fmt::format("require \"{}\" in a call: put it at the top of the file", name));
    std::string path;
    const auto* text = files->find(name, path);
    if (text == nullptr)
        throw script_error(fmt::format("require \"{}\": there is neither lib/{}.lua nor {}.lua in the dialplan, nor {}.toml",
                                       name, name, name, name));
    const int loaded = lua_gettop(L);
    lua_pushlstring(L, name.data(), name.size());
    lua_pushlightuserdata(L, nullptr);
    lua_rawset(L, loaded);
    if (path.ends_with(".toml")) {
        push_data(L, *text, path);
        lua_pushlstring(L, name.data(), name.size());
        lua_pushvalue(L, -2);
        lua_rawset(L, loaded);
        return 1;
    }
    if (!compile(L, *text, path)) return lua_error(L);
    lua_call(L, 0, 1);
    if (lua_type(L, -1) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_pushboolean(L, 1);
    }
    if (lua_type(L, -1) == LUA_TTABLE && luaL_getmetafield(L, -1, "__metatable") == LUA_TNIL) protect(L, guarded<refuse_shared>);
    lua_pushlstring(L, name.data(), name.size());
    lua_pushvalue(L, -2);
    lua_rawset(L, loaded);
    return 1;
}

// A comparison that the time budget can interrupt: Lua's own runs to its end without a look at the hook.
int less(lua_State* L) {
    lua_pushboolean(L, lua_compare(L, 1, 2, LUA_OPLT));
    return 1;
}
int sort(lua_State* L) {
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        lua_pushcfunction(L, less);
        lua_replace(L, 2);
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 2, 0);
    return 0;
}
int move(lua_State* L) {
    const auto first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3);
    if (last >= first && static_cast<lua_Unsigned>(last) - static_cast<lua_Unsigned>(first) > 1'000'000)
        throw script_error("table.move: at most a million elements");
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

void add_all(lua_State* L, std::span<const api_function> functions) {
    for (const auto& f : functions) {
        lua_pushcfunction(L, f.code);
        lua_setfield(L, -2, f.name);
    }
}
void wrap(lua_State* L, const char* name, lua_CFunction code) {
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, code, 1);
    lua_setfield(L, -2, name);
}
void drop(lua_State* L, std::initializer_list<const char*> names) {
    for (const char* name : names) {
        lua_pushnil(L);
        lua_setfield(L, -2, name);
    }
}
// Opens one of Lua's libraries and leaves its table on the stack.
void open(lua_State* L, const char* name, lua_CFunction opener) {
    luaL_requiref(L, name, opener, 0);
}
void add_library(lua_State* L, int globals, const char* name, std::span<const api_function> functions) {
    lua_newtable(L);
    add_all(L, functions);
    lua_setfield(L, globals, name);
}

} // namespace

bool compile(lua_State* L, const std::string& text, const std::string& name) {
    return luaL_loadbufferx(L, text.data(), text.size(), ("@" + name).c_str(), "t") == LUA_OK;
}

void install_sandbox(lua_State* L) {
    open(L, "_G", luaopen_base);
    lua_newtable(L);
    const int globals = lua_gettop(L);
    for (const char* name : kept_of_base) {
        lua_getfield(L, globals - 1, name);
        lua_setfield(L, globals, name);
    }
    const api_function replaced[] = {{"setmetatable", guarded<set_metatable>},
                                     {"rawset", guarded<raw_set>},
                                     {"print", guarded<print>},
                                     {"require", guarded<require>}};
    add_all(L, replaced);
    install_protected_calls(L);
    add_all(L, global_functions());
    add_library(L, globals, "say", prompt_functions());
    add_library(L, globals, "json", json_functions());
    add_library(L, globals, "time", time_functions());
    add_library(L, globals, "log", log_functions());
    add_library(L, globals, "db", {});

    open(L, "string", luaopen_string);
    install_text_functions(L);
    drop(L, {"dump"});
    lua_setfield(L, globals, "string");
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);

    open(L, "table", luaopen_table);
    wrap(L, "sort", guarded<sort>);
    wrap(L, "move", guarded<move>);
    lua_setfield(L, globals, "table");
    open(L, "math", luaopen_math);
    drop(L, {"randomseed"});
    lua_getfield(L, globals, "random");
    lua_setfield(L, -2, "random");
    lua_setfield(L, globals, "math");
    open(L, "utf8", luaopen_utf8);
    lua_setfield(L, globals, "utf8");

    lua_newtable(L); // os: what of it tells the time
    lua_getfield(L, globals, "time");
    for (const char* name : {"time", "date"}) {
        lua_getfield(L, -1, std::strcmp(name, "time") == 0 ? "os_time" : "os_date");
        lua_setfield(L, -3, name);
    }
    drop(L, {"os_time", "os_date"});
    lua_pop(L, 1);
    lua_setfield(L, globals, "os");

    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &loaded_key);
    install_types(L);

    // The prelude works on the plain tables; afterwards nobody can change them.
    if (luaL_loadbufferx(L, prelude_text, std::strlen(prelude_text), (std::string("=") + prelude_name).c_str(), "t") != LUA_OK)
        lua_error(L);
    lua_pushvalue(L, globals);
    lua_newtable(L);
    add_all(L, inner_functions());
    lua_call(L, 2, 1);
    luaL_getmetatable(L, call_type);
    lua_getfield(L, -1, "verbs");
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "menu"); // the one verb that is written in Lua
    lua_pop(L, 3);
    for (const char* name : {"say", "json", "time", "log", "db", "string", "table", "math", "utf8", "os"}) {
        lua_getfield(L, globals, name);
        // `log` can be called, too: its metatable keeps that.
        const bool callable = luaL_getmetafield(L, -1, "__call") != LUA_TNIL;
        if (callable) lua_pop(L, 1);
        if (!callable) protect(L, guarded<refuse_library>);
        lua_setfield(L, globals, name);
    }
    lua_pushvalue(L, globals);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &globals_key);
    lua_pushliteral(L, LUA_VERSION);
    lua_setfield(L, globals, "_VERSION");
    lua_pushvalue(L, globals);
    protect(L, guarded<refuse_global>);
    lua_pushvalue(L, -1);
    lua_setfield(L, globals, "_G");
    lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS); // what compile() gives to each file
    lua_settop(L, globals - 2);
}

} // namespace strowger::dialplan
