#include "core/dialplan/lua.hpp"
#include "core/dialplan/api.hpp"
#include "core/dialplan/script.hpp"
#include "core/dialplan/state.hpp"
#include <algorithm>
#include <cmath>
#include <cstring>

namespace strowger::dialplan {

void push_place(lua_State* L) {
    lua_Debug at;
    for (int level = 0; lua_getstack(L, level, &at) != 0; ++level) {
        lua_getinfo(L, "Sl", &at);
        if (at.currentline > 0 && std::strcmp(at.short_src, prelude_name) != 0) {
            lua_pushfstring(L, "%s:%d: ", at.short_src, at.currentline);
            return;
        }
    }
    lua_pushliteral(L, "");
}

void raise_text(lua_State* L, const std::string& text) {
    push_place(L);
    push(L, text);
    lua_concat(L, 2);
    lua_error(L);
    std::abort();
}

script* script_of(lua_State* L) noexcept { return *static_cast<script**>(lua_getextraspace(L)); }

void push(lua_State* L, const value& v) {
    luaL_checkstack(L, 4, "a value is too deep");
    if (const auto* b = v.boolean()) lua_pushboolean(L, *b);
    else if (const auto* i = v.integer()) lua_pushinteger(L, *i);
    else if (const auto* d = v.real()) lua_pushnumber(L, *d);
    else if (const auto* s = v.text()) push(L, *s);
    else if (const auto* l = v.items()) {
        lua_createtable(L, static_cast<int>(l->size()), 0);
        lua_Integer n = 0;
        for (const auto& item : *l) {
            push(L, item);
            lua_rawseti(L, -2, ++n);
        }
    } else if (const auto* t = v.fields()) {
        lua_createtable(L, 0, static_cast<int>(t->size()));
        for (const auto& [key, item] : *t) {
            push(L, key);
            push(L, item);
            lua_rawset(L, -3);
        }
    } else {
        lua_pushnil(L);
    }
}

namespace {

value to_value(lua_State* L, int index, int depth) {
    index = lua_absindex(L, index);
    switch (lua_type(L, index)) {
    case LUA_TNONE:
    case LUA_TNIL: return {};
    case LUA_TBOOLEAN: return lua_toboolean(L, index) != 0;
    case LUA_TNUMBER:
        if (lua_isinteger(L, index) != 0) return static_cast<std::int64_t>(lua_tointeger(L, index));
        return static_cast<double>(lua_tonumber(L, index));
    case LUA_TSTRING: {
        std::size_t length = 0;
        const char* text = lua_tolstring(L, index, &length);
        return std::string(text, length);
    }
    case LUA_TTABLE: break;
    default:
        throw script_error(kind_of(L, index) +
                           " cannot be kept or passed on: only strings, numbers, booleans and tables of them");
    }
    if (depth == 32) throw script_error("a table that is passed on may be 32 deep, and must not contain itself");
    luaL_checkstack(L, 4, "a table is too deep");
    const auto length = static_cast<lua_Integer>(lua_rawlen(L, index));
    value::list list;
    value::table fields;
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        if (lua_isinteger(L, -2) != 0 && lua_tointeger(L, -2) >= 1 && lua_tointeger(L, -2) <= length) {
            list.resize(static_cast<std::size_t>(length));
            list[static_cast<std::size_t>(lua_tointeger(L, -2) - 1)] = to_value(L, -1, depth + 1);
        } else if (lua_type(L, -2) == LUA_TSTRING) {
            std::size_t size = 0;
            const char* key = lua_tolstring(L, -2, &size);
            fields.insert_or_assign(std::string(key, size), to_value(L, -1, depth + 1));
        } else {
            throw script_error("a table that is passed on has keys 1, 2, 3 … or strings, not " + kind_of(L, -2));
        }
        if (!list.empty() && !fields.empty())
            throw script_error("a table that is passed on is either a list or has names, not both");
        lua_pop(L, 1);
    }
    if (!list.empty()) return list;
    return fields;
}

} // namespace

value to_value(lua_State* L, int index) { return to_value(L, index, 0); }

std::string kind_of(lua_State* L, int index) {
    switch (lua_type(L, index)) {
    case LUA_TNONE:
    case LUA_TNIL: return "nil";
    case LUA_TSTRING: return "\"" + std::string(lua_tostring(L, index)).substr(0, 40) + "\"";
    case LUA_TNUMBER: return fmt::format("the number {}", lua_tonumber(L, index));
    default: return std::string("a ") + luaL_typename(L, index);
    }
}

std::string suggestion(std::string_view wrong, std::span<const char* const> right) {
    std::size_t best = 1 + wrong.size() / 3;
    const char* found = nullptr;
    for (const char* const candidate : right) {
        const std::string_view c = candidate;
        std::vector<std::size_t> row(c.size() + 1);
        for (std::size_t j = 0; j <= c.size(); ++j) row[j] = j;
        for (std::size_t i = 1; i <= wrong.size(); ++i) {
            auto diagonal = row[0];
            row[0] = i;
            for (std::size_t j = 1; j <= c.size(); ++j) {
                const auto above = row[j];
                row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (wrong[i - 1] != c[j - 1])});
                diagonal = above;
            }
        }
        if (row[c.size()] <= best) {
            if (found == nullptr || row[c.size()] < best) found = candidate;
            best = row[c.size()];
        }
    }
    return found != nullptr ? fmt::format("; did you mean `{}`?", found) : "";
}

std::string text_argument(lua_State* L, int index, const std::string& what) {
    if (lua_type(L, index) == LUA_TNUMBER)
        throw script_error(fmt::format("{} must be a string: write \"{}\"", what, lua_tonumber(L, index)));
    if (lua_type(L, index) != LUA_TSTRING)
        throw script_error(fmt::format("{} must be a string, not {}", what, kind_of(L, index)));
    std::size_t size = 0;
    const char* text = lua_tolstring(L, index, &size);
    return {text, size};
}

duration seconds_argument(lua_State* L, int index, const std::string& what) {
    if (lua_type(L, index) != LUA_TNUMBER)
        throw script_error(fmt::format("{} must be a number of seconds, not {}", what, kind_of(L, index)));
    const double s = lua_tonumber(L, index);
    if (!(s >= 0 && s <= 1e8)) throw script_error(fmt::format("{} must be between 0 and 100,000,000 seconds, not {}", what, s));
    return std::chrono::duration_cast<duration>(std::chrono::duration<double>(s));
}

void function_argument(lua_State* L, int index, const std::string& what) {
    if (lua_type(L, index) != LUA_TFUNCTION)
        throw script_error(fmt::format("{} must be a function, not {}", what, kind_of(L, index)));
}

options::options(lua_State* L, int index, std::string verb, int list_length) : L_(L), verb_(std::move(verb)) {
    if (lua_isnoneornil(L, index)) return;
    index_ = lua_absindex(L, index);
    if (lua_type(L, index) != LUA_TTABLE)
        throw script_error(fmt::format("{}: the options are a table, {{name = …}}, not {}", verb_, kind_of(L, index)));
    const auto known = option_names(verb_);
    lua_pushnil(L);
    while (lua_next(L, index_) != 0) {
        if (lua_isinteger(L, -2) != 0 && lua_tointeger(L, -2) >= 1 && lua_tointeger(L, -2) <= list_length) {
            lua_pop(L, 1);
            continue;
        }
        const std::string name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : kind_of(L, -2);
        if (std::none_of(known.begin(), known.end(), [&](const char* k) { return name == k; }))
            throw script_error(fmt::format("{}: no option `{}`{}", verb_, name, suggestion(name, known)));
        lua_pop(L, 1);
    }
}
bool options::push(const char* name) const {
    if (index_ == 0) return false;
    lua_pushstring(L_, name);
    if (lua_rawget(L_, index_) != LUA_TNIL) return true;
    lua_pop(L_, 1);
    return false;
}
bool options::has(const char* name) const {
    if (!push(name)) return false;
    lua_pop(L_, 1);
    return true;
}
duration options::seconds(const char* name, duration otherwise) const {
    if (!push(name)) return otherwise;
    otherwise = seconds_argument(L_, -1, what(name));
    lua_pop(L_, 1);
    return otherwise;
}
int options::whole(const char* name, int otherwise, int least, int most) const {
    if (!push(name)) return otherwise;
    int exact = 0;
    const auto n = lua_tointegerx(L_, -1, &exact);
    if (lua_type(L_, -1) != LUA_TNUMBER || exact == 0 || n < least || n > most)
        throw script_error(
            fmt::format("{} must be a whole number from {} to {}, not {}", what(name), least, most, kind_of(L_, -1)));
    lua_pop(L_, 1);
    return static_cast<int>(n);
}
bool options::flag(const char* name, bool otherwise) const {
    if (!push(name)) return otherwise;
    if (lua_type(L_, -1) != LUA_TBOOLEAN)
        throw script_error(fmt::format("{} must be true or false, not {}", what(name), kind_of(L_, -1)));
    otherwise = lua_toboolean(L_, -1) != 0;
    lua_pop(L_, 1);
    return otherwise;
}
std::string options::text(const char* name, std::string otherwise) const {
    if (!push(name)) return otherwise;
    otherwise = text_argument(L_, -1, what(name));
    lua_pop(L_, 1);
    return otherwise;
}
std::string options::word(const char* name, std::string otherwise, std::initializer_list<const char*> allowed) const {
    auto word = text(name, std::move(otherwise));
    std::string list;
    for (const char* a : allowed) {
        if (word == a) return word;
        list += fmt::format("{}\"{}\"", list.empty() ? "" : ", ", a);
    }
    throw script_error(fmt::format("{} is one of {}, not \"{}\"", what(name), list, word));
}
prompt_list options::prompts(const char* name, prompt_list otherwise, const std::string& language) const {
    if (!push(name)) return otherwise;
    otherwise = to_prompts(L_, -1, what(name), language);
    lua_pop(L_, 1);
    return otherwise;
}

std::shared_ptr<reference> reference::to(lua_State* L, int index) {
    lua_pushvalue(L, index);
    return std::make_shared<reference>(state_of(L).shared_from_this(), luaL_ref(L, LUA_REGISTRYINDEX));
}
reference::~reference() { luaL_unref(of_->lua(), LUA_REGISTRYINDEX, key_); }

} // namespace strowger::dialplan
