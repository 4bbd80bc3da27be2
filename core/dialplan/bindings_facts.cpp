// The call as scripts see it: its fields.
#include "core/dialplan/api.hpp"
#include "core/dialplan/bindings.hpp"
#include "core/dialplan/script.hpp"
#include "core/dialplan/state.hpp"

namespace strowger::dialplan {
namespace {

call*& object(lua_State* L, int index) { return *static_cast<call**>(lua_touserdata(L, index)); }

call& running(lua_State* L, call* held, const std::string& what) {
    auto* s = script_of(L);
    if (s == nullptr) throw script_error(what + " is only possible in a call, not while the file is loaded");
    if (s->call() != held) throw script_error(what + ": this is another call; do not keep `call` in a file's variables");
    return *held;
}
call& call_at_one(lua_State* L) { return running(L, object(L, 1), "reading a call"); }
double seconds_of(wall_time t) { return std::chrono::duration<double>(t.time_since_epoch()).count(); }
void set(lua_State* L, const char* name, const std::string& text) {
    push(L, text);
    lua_setfield(L, -2, name);
}

// Facts. The call is argument 1; those that can be set find the new value at 3.
int id(lua_State* L) { push(L, call_at_one(L).id()); return 1; }
int from(lua_State* L) {
    const auto& facts = call_at_one(L).facts();
    lua_createtable(L, 0, 4);
    set(L, "number", facts.from.number);
    set(L, "name", facts.from.name);
    lua_pushboolean(L, facts.from.withheld);
    lua_setfield(L, -2, "withheld");
    lua_pushboolean(L, !facts.user.empty());
    lua_setfield(L, -2, "trusted");
    luaL_setmetatable(L, party_type);
    return 1;
}
int to(lua_State* L) {
    const auto& facts = call_at_one(L).facts();
    lua_createtable(L, 0, 2);
    set(L, "number", facts.to_number);
    set(L, "name", facts.to_name);
    luaL_setmetatable(L, party_type);
    return 1;
}
int extension(lua_State* L) { push(L, call_at_one(L).extension()); return 1; }
int pattern_(lua_State* L) { push(L, call_at_one(L).pattern()); return 1; }
int source(lua_State* L) {
    const auto& facts = call_at_one(L).facts();
    lua_createtable(L, 0, 2);
    set(L, "kind", std::string(to_string(facts.source)));
    set(L, "name", facts.source_name);
    return 1;
}
int user(lua_State* L) {
    const auto& name = call_at_one(L).facts().user;
    if (name.empty()) lua_pushnil(L);
    else push(L, name);
    return 1;
}
int diversions(lua_State* L) {
    lua_newtable(L);
    lua_Integer n = 0;
    for (const auto& d : call_at_one(L).facts().diversions) {
        lua_createtable(L, 0, 2);
        set(L, "number", d.number);
        set(L, "reason", d.reason);
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}
int headers(lua_State* L) {
    lua_newtable(L);
    for (const auto& [name, text] : call_at_one(L).facts().headers) set(L, name.c_str(), text);
    return 1;
}
int answered(lua_State* L) { lua_pushboolean(L, call_at_one(L).answered()); return 1; }
int emergency(lua_State* L) { lua_pushboolean(L, call_at_one(L).emergency()); return 1; }
int started(lua_State* L) { lua_pushnumber(L, seconds_of(call_at_one(L).started())); return 1; }
int duration_(lua_State* L) { push(L, call_at_one(L).age()); return 1; }
int language(lua_State* L) { push(L, call_at_one(L).language); return 1; }
int set_language(lua_State* L) { call_at_one(L).language = text_argument(L, 3, "call.language"); return 0; }
int music(lua_State* L) { push(L, call_at_one(L).music); return 1; }
int set_music(lua_State* L) { call_at_one(L).music = text_argument(L, 3, "call.music"); return 0; }
int caller_id(lua_State* L) {
    const auto& shown = call_at_one(L).caller_id;
    if (shown) push(L, *shown);
    else lua_pushnil(L);
    return 1;
}
int set_caller_id(lua_State* L) {
    auto& shown = call_at_one(L).caller_id;
    if (lua_isnil(L, 3)) shown.reset();
    else shown = text_argument(L, 3, "call.caller_id");
    return 0;
}

// call.vars and call.data.
struct variables {
    call* of;
    bool any_value;
};
int push_variables(lua_State* L, bool any_value) {
    auto& c = call_at_one(L);
    *static_cast<variables*>(lua_newuserdatauv(L, sizeof(variables), 0)) = {&c, any_value};
    luaL_setmetatable(L, variables_type);
    return 1;
}
int vars(lua_State* L) { return push_variables(L, false); }
int data(lua_State* L) { return push_variables(L, true); }
value::table& fields_of(lua_State* L) {
    const auto& v = *static_cast<variables*>(luaL_checkudata(L, 1, variables_type));
    auto& c = running(L, v.of, v.any_value ? "call.data" : "call.vars");
    if (!v.any_value) return c.vars;
    if (c.data.fields() == nullptr) c.data = value::table();
    return *c.data.fields();
}
int read_variable(lua_State* L) {
    const auto& fields = fields_of(L);
    const auto it = fields.find(text_argument(L, 2, "a variable's name"));
    push(L, it == fields.end() ? value() : it->second);
    return 1;
}
int write_variable(lua_State* L) {
    auto& fields = fields_of(L);
    const bool any_value = static_cast<variables*>(lua_touserdata(L, 1))->any_value;
    const auto name = text_argument(L, 2, "a variable's name");
    auto v = to_value(L, 3);
    if (!any_value && (v.items() != nullptr || v.fields() != nullptr))
        throw script_error(
            fmt::format("call.vars.{} must be a string, a number or a boolean, not a table; call.data takes tables", name));
    if (v.is_null()) fields.erase(name);
    else fields.insert_or_assign(name, std::move(v));
    return 0;
}
int all_variables(lua_State* L) {
    lua_getglobal(L, "next");
    push(L, value(fields_of(L)));
    lua_pushnil(L);
    return 3;
}

constexpr api_fact facts[] = {{"id", guarded<id>},
                              {"from", guarded<from>},
                              {"to", guarded<to>},
                              {"extension", guarded<extension>},
                              {"pattern", guarded<pattern_>},
                              {"source", guarded<source>},
                              {"user", guarded<user>},
                              {"diversions", guarded<diversions>},
                              {"headers", guarded<headers>},
                              {"answered", guarded<answered>},
                              {"emergency", guarded<emergency>},
                              {"started", guarded<started>},
                              {"duration", guarded<duration_>},
                              {"language", guarded<language>, guarded<set_language>},
                              {"vars", guarded<vars>},
                              {"data", guarded<data>},
                              {"caller_id", guarded<caller_id>, guarded<set_caller_id>},
                              {"music", guarded<music>, guarded<set_music>}};

std::vector<const char*> names_of_call() {
    std::vector<const char*> out{"menu"};
    for (const auto& f : facts) out.push_back(f.name);
    for (const auto& v : call_verbs()) out.push_back(v.name);
    return out;
}

// __index: upvalue 1 has the verbs, upvalue 2 the functions of the facts.
int read_field(lua_State* L) {
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL) return lua_tocfunction(L, -1)(L);
    const auto name = text_argument(L, 2, "a field's name");
    throw script_error(fmt::format("a call has no `{}`{}", name, suggestion(name, names_of_call())));
}
int write_field(lua_State* L) {
    const auto name = text_argument(L, 2, "a field's name");
    for (const auto& f : facts)
        if (f.set != nullptr && name == f.name) return f.set(L);
    throw script_error(fmt::format("call.{} cannot be set; your own values go into call.vars.{}", name, name));
}
int call_text(lua_State* L) {
    push(L, "call " + call_at_one(L).id());
    return 1;
}
int party_text(lua_State* L) {
    lua_getfield(L, 1, "number");
    return 1;
}
int party_concat(lua_State* L) {
    for (int i = 1; i <= 2; ++i) {
        if (lua_type(L, i) != LUA_TTABLE) continue;
        lua_getfield(L, i, "number");
        lua_replace(L, i);
    }
    lua_settop(L, 2);
    lua_concat(L, 2);
    return 1;
}

void make_type(lua_State* L, const char* name, std::initializer_list<api_function> methods) {
    luaL_newmetatable(L, name);
    for (const auto& m : methods) {
        lua_pushcfunction(L, m.code);
        lua_setfield(L, -2, m.name);
    }
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
}

} // namespace

std::span<const api_fact> call_facts() { return facts; }

call& call_of(lua_State* L, const char* verb) {
    auto* held = static_cast<call**>(luaL_testudata(L, 1, call_type));
    if (held == nullptr) throw script_error(fmt::format("write call:{}(…), with a colon", verb));
    return running(L, *held, fmt::format("call:{}()", verb));
}
call& caller_of(lua_State* L, const char* verb) {
    auto& c = call_of(L, verb);
    if (script_of(L)->what() == script::kind::ending)
        throw script_error(fmt::format("call:{}() needs the caller, who is gone in an on_end function", verb));
    return c;
}

void push_call_object(lua_State* L, call* c) {
    object(L, (lua_newuserdatauv(L, sizeof(call*), 0), -1)) = c;
    luaL_setmetatable(L, call_type);
}

void install_types(lua_State* L) {
    make_type(L, call_type, {{"__newindex", guarded<write_field>}, {"__tostring", guarded<call_text>}});
    lua_newtable(L); // the prelude adds menu here
    for (const auto& v : call_verbs()) {
        lua_pushcfunction(L, v.code);
        lua_setfield(L, -2, v.name);
    }
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "verbs");
    lua_newtable(L);
    for (const auto& f : facts) {
        lua_pushcfunction(L, f.get);
        lua_setfield(L, -2, f.name);
    }
    lua_pushcclosure(L, guarded<read_field>, 2);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    make_type(
        L, variables_type,
        {{"__index", guarded<read_variable>}, {"__newindex", guarded<write_variable>}, {"__pairs", guarded<all_variables>}});
    make_type(L, party_type, {{"__tostring", guarded<party_text>}, {"__concat", guarded<party_concat>}});
    make_type(L, prompt_type, {});
    make_type(L, menu_type, {});
    lua_pop(L, 4);
}

} // namespace strowger::dialplan
