// string.find, match, gmatch and gsub over the bounded matcher.
#include "core/dialplan/budget.hpp"
#include "core/dialplan/lua.hpp"
#include "core/dialplan/text_pattern.hpp"
#include <cstring>

namespace strowger::dialplan {
namespace {

std::string_view view(lua_State* L, int index) {
    std::size_t size = 0;
    const char* text = luaL_checklstring(L, index, &size);
    return {text, size};
}
void push_capture(lua_State* L, const text_pattern::match& m, std::size_t index, std::string_view subject) {
    if (index == 0 && m.captures == 0) {
        lua_pushlstring(L, subject.data() + m.begin, m.end - m.begin);
        return;
    }
    const auto& c = m.capture_at[index];
    if (c.length == text_pattern::capture::position) lua_pushinteger(L, static_cast<lua_Integer>(c.begin) + 1);
    else lua_pushlstring(L, subject.data() + c.begin, c.length);
}
int push_captures(lua_State* L, const text_pattern::match& m, std::string_view subject, bool whole_if_none) {
    const auto count = m.captures == 0 && whole_if_none ? 1 : m.captures;
    luaL_checkstack(L, static_cast<int>(count), "too many captures");
    for (std::size_t i = 0; i < count; ++i) push_capture(L, m, i, subject);
    return static_cast<int>(count);
}
int find_or_match(lua_State* L, bool find) {
    const auto subject = view(L, 1), text = view(L, 2);
    auto init = luaL_optinteger(L, 3, 1);
    const auto size = static_cast<lua_Integer>(subject.size());
    if (init < 0) init = std::max<lua_Integer>(1, size + init + 1);
    if (init == 0) init = 1;
    if (init > size + 1) {
        lua_pushnil(L);
        return 1;
    }
    const auto from = static_cast<std::size_t>(init - 1);
    if (find && (lua_toboolean(L, 4) != 0 || text.find_first_of("^$*+?.([%-") == text.npos)) {
        const void* at = text.empty() ? subject.data() + from
                                      : ::memmem(subject.data() + from, subject.size() - from, text.data(), text.size());
        if (at == nullptr) {
            lua_pushnil(L);
            return 1;
        }
        const auto begin = static_cast<const char*>(at) - subject.data() + 1;
        lua_pushinteger(L, begin);
        lua_pushinteger(L, begin + static_cast<lua_Integer>(text.size()) - 1);
        return 2;
    }
    const text_pattern p(text, true);
    text_pattern::match m;
    std::uint64_t steps = 0;
    if (!p.search(subject, from, m, steps, slice::over)) {
        lua_pushnil(L);
        return 1;
    }
    if (!find) return push_captures(L, m, subject, true);
    lua_pushinteger(L, static_cast<lua_Integer>(m.begin) + 1);
    lua_pushinteger(L, static_cast<lua_Integer>(m.end));
    return 2 + push_captures(L, m, subject, false);
}
int find(lua_State* L) { return find_or_match(L, true); }
int match(lua_State* L) { return find_or_match(L, false); }

// gmatch: the upvalues are subject, pattern, where to go on, where the last match ended (-1: none yet) and the steps so far.
int next_match(lua_State* L) {
    const auto subject = view(L, lua_upvalueindex(1));
    const text_pattern p(view(L, lua_upvalueindex(2)), false);
    auto steps = static_cast<std::uint64_t>(lua_tointeger(L, lua_upvalueindex(5)));
    auto from = static_cast<std::size_t>(lua_tointeger(L, lua_upvalueindex(3)));
    const auto last = lua_tointeger(L, lua_upvalueindex(4));
    text_pattern::match m;
    while (from <= subject.size() && p.search(subject, from, m, steps, slice::over)) {
        if (m.begin == m.end && static_cast<lua_Integer>(m.end) == last) {
            from = m.end + 1; // nothing, where the last match ended
            continue;
        }
        const std::pair<int, lua_Integer> kept[] = {{3, static_cast<lua_Integer>(m.end)}, {4, static_cast<lua_Integer>(m.end)},
                                                    {5, static_cast<lua_Integer>(steps)}};
        for (const auto& [index, number] : kept) {
            lua_pushinteger(L, number);
            lua_replace(L, lua_upvalueindex(index));
        }
        return push_captures(L, m, subject, true);
    }
    return 0;
}
int gmatch(lua_State* L) {
    view(L, 1);
    view(L, 2);
    lua_settop(L, 2);
    lua_pushinteger(L, 0);
    lua_pushinteger(L, -1);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, guarded<next_match>, 5);
    return 1;
}

// Pushes what replaces a match; the match itself for nil and false.
void push_replacement(lua_State* L, const text_pattern::match& m, std::string_view subject) {
    const auto whole = [&] { lua_pushlstring(L, subject.data() + m.begin, m.end - m.begin); };
    switch (lua_type(L, 3)) {
    case LUA_TFUNCTION: {
        lua_pushvalue(L, 3);
        const int count = push_captures(L, m, subject, true);
        lua_call(L, count, 1);
        break;
    }
    case LUA_TTABLE:
        push_capture(L, m, 0, subject);
        lua_gettable(L, 3);
        break;
    default: {
        const auto with = view(L, 3);
        std::string out;
        for (std::size_t i = 0; i < with.size(); ++i) {
            if (with[i] != '%') {
                out += with[i];
                continue;
            }
            const char c = ++i < with.size() ? with[i] : '\0';
            if (c == '%') out += c;
            else if (c == '0') out += subject.substr(m.begin, m.end - m.begin);
            else if (c >= '1' && c <= '9') {
                const auto index = static_cast<std::size_t>(c - '1');
                if (index >= std::max<std::size_t>(1, m.captures))
                    throw text_pattern_error(fmt::format("invalid capture index %{} in replacement string", c));
                push_capture(L, m, index, subject);
                out += lua_tostring(L, -1);
                lua_pop(L, 1);
            } else throw text_pattern_error("invalid use of `%` in replacement string");
        }
        push(L, out);
        return;
    }
    }
    if (lua_toboolean(L, -1) == 0) {
        lua_pop(L, 1);
        whole();
    } else if (lua_isstring(L, -1) == 0) {
        throw text_pattern_error("invalid replacement value (" + kind_of(L, -1) + ")");
    }
}
int gsub(lua_State* L) {
    const auto subject = view(L, 1), text = view(L, 2);
    const auto kind = lua_type(L, 3);
    if (kind != LUA_TSTRING && kind != LUA_TNUMBER && kind != LUA_TTABLE && kind != LUA_TFUNCTION)
        throw text_pattern_error("string.gsub: the replacement must be a string, a table or a function, not " + kind_of(L, 3));
    const auto most = luaL_optinteger(L, 4, static_cast<lua_Integer>(subject.size()) + 1);
    const bool anchored = text.starts_with('^');
    const text_pattern p(text, true);
    lua_settop(L, 4);
    luaL_Buffer out; // below it nothing may be left on the stack
    luaL_buffinit(L, &out);
    std::uint64_t steps = 0;
    lua_Integer count = 0;
    std::size_t at = 0, last = SIZE_MAX;
    text_pattern::match m;
    while (count < most && p.search(subject, at, m, steps, slice::over)) {
        if (m.begin == m.end && m.end == last) { // nothing, where the last match ended
            if (at >= subject.size()) break;
            luaL_addchar(&out, subject[at]);
            ++at;
            last = SIZE_MAX;
            continue;
        }
        luaL_addlstring(&out, subject.data() + at, m.begin - at);
        push_replacement(L, m, subject);
        luaL_addvalue(&out);
        ++count;
        at = last = m.end;
        if (anchored) break;
        if (at > subject.size()) break;
    }
    if (at < subject.size()) luaL_addlstring(&out, subject.data() + at, subject.size() - at);
    luaL_pushresult(&out);
    lua_pushinteger(L, count);
    return 2;
}

} // namespace

void install_text_functions(lua_State* L) {
    const std::pair<const char*, lua_CFunction> all[] = {
        {"find", guarded<find>}, {"match", guarded<match>}, {"gmatch", guarded<gmatch>}, {"gsub", guarded<gsub>}};
    for (const auto& [name, code] : all) {
        lua_pushcfunction(L, code);
        lua_setfield(L, -2, name);
    }
}

} // namespace strowger::dialplan
