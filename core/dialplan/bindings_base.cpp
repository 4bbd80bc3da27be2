// What scripts can use outside a call: contexts and menus, json, time, log, random.
#include "core/base/ids.hpp"
#include "core/dialplan/api.hpp"
#include "core/dialplan/bindings.hpp"
#include "core/dialplan/script.hpp"
#include "core/dialplan/state.hpp"
#include <algorithm>
#include <cmath>
#include <ctime>

namespace strowger::dialplan {

lua_CFunction tone_function();
lua_CFunction silence_function();

namespace {

// hint = {["200"] = "user/anna"}, the table on top
void read_hints(lua_State* L, context& c) {
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        if (lua_type(L, -2) != LUA_TSTRING) throw script_error("`hint`: an extension is a string: [\"200\"] = \"user/anna\"");
        const std::string extension = lua_tostring(L, -2);
        if (auto p = pattern::parse(extension); !p) throw script_error("`hint`: " + p.error().text);
        if (extension[0] == '_') throw script_error(fmt::format("`hint`: \"{}\" is a pattern; name one extension", extension));
        auto target = text_argument(L, -1, fmt::format("`hint`: the target of \"{}\"", extension));
        if (const auto slash = target.find('/'); slash == 0 || slash >= target.size() - 1)
            throw script_error(fmt::format("`hint`: \"{}\" is no target such as \"user/anna\"", target));
        c.hints[extension] = std::move(target);
        lua_pop(L, 1);
    }
}

// context "name" {…}
void read_context(lua_State* L, context& c) {
    lua_pushnil(L);
    while (lua_next(L, 2) != 0) {
        if (lua_type(L, -2) == LUA_TNUMBER)
            throw script_error(fmt::format("an extension is a string: [\"{}\"] = function(call) … end", lua_tonumber(L, -2)));
        if (lua_type(L, -2) != LUA_TSTRING) throw script_error("an extension is a string, not " + kind_of(L, -2));
        const std::string name = lua_tostring(L, -2);
        if (name == "include" || name == "hint") {
            if (lua_type(L, -1) != LUA_TTABLE) throw script_error(fmt::format("`{}` is a table, not {}", name, kind_of(L, -1)));
            if (name == "hint") read_hints(L, c);
            else
                for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL || (lua_pop(L, 1), false); ++i) {
                    c.includes.push_back(text_argument(L, -1, "`include`: a context"));
                    lua_pop(L, 1);
                }
        } else {
            function_argument(L, -1, fmt::format("extension \"{}\"", name));
            lua_pushvalue(L, -1);
            const int function = luaL_ref(L, LUA_REGISTRYINDEX);
            if (name == "invalid") c.invalid = function;
            else if (name == "fallback") c.fallback = function;
            else if (auto added = c.extensions.add(name, function); !added) throw script_error(added.error().text);
        }
        lua_pop(L, 1);
    }
}
int declare_context(lua_State* L) {
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    const auto name = text_argument(L, 1, "context: the name");
    if (lua_type(L, 2) != LUA_TTABLE)
        throw script_error(fmt::format("context \"{}\" needs a table of extensions, not {}", name, kind_of(L, 2)));
    context c;
    push_place(L);
    c.place = lua_tostring(L, -1);
    lua_pop(L, 1);
    c.place = c.place.substr(0, c.place.rfind(':'));
    read_context(L, c);
    if (auto added = state_of(L).contexts.add(name, std::move(c)); !added) throw script_error(added.error().text);
    return 0;
}
int context_(lua_State* L) {
    if (script_of(L) != nullptr) throw script_error("context is declared while the file is loaded, not in a call");
    const auto name = text_argument(L, 1, "context: the name");
    if (name.empty()) throw script_error("context: the name is empty");
    lua_settop(L, 1);
    lua_pushcclosure(L, guarded<declare_context>, 1);
    return 1;
}

// menu{…}
void check_menu(lua_State* L, int index, int depth) {
    index = lua_absindex(L, index);
    if (depth > 16) throw script_error("menu: menus are nested more than 16 deep, or contain themselves");
    if (lua_type(L, index) != LUA_TTABLE)
        throw script_error("menu: needs a table, {prompt = …, keys = {…}}, not " + kind_of(L, index));
    luaL_checkstack(L, 8, "menu");
    const options given(L, index, "menu");
    const auto check_action = [&](const std::string& what) {
        if (lua_type(L, -1) == LUA_TTABLE) check_menu(L, -1, depth + 1);
        else if (lua_type(L, -1) != LUA_TFUNCTION && lua_type(L, -1) != LUA_TSTRING)
            throw script_error(fmt::format("{} must be a function, a target or a menu, not {}", what, kind_of(L, -1)));
    };
    if (given.push("keys")) {
        if (lua_type(L, -1) != LUA_TTABLE) throw script_error("menu: `keys` is a table, {[\"1\"] = …}");
        lua_pushnil(L);
        while (lua_next(L, -2) != 0) {
            if (lua_type(L, -2) == LUA_TNUMBER)
                throw script_error(fmt::format("menu: keys are strings: write [\"{}\"]", lua_tonumber(L, -2)));
            const auto key = text_argument(L, -2, "menu: a key");
            if (key.empty() || key.find_first_not_of("0123456789*#ABCD") != key.npos)
                throw script_error(fmt::format("menu: \"{}\" is not a key of a telephone", key));
            check_action(fmt::format("menu: key \"{}\"", key));
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
    if (given.push("extensions")) {
        const auto check_pattern = [&] {
            if (auto p = pattern::parse(text_argument(L, -1, "menu: `extensions`")); !p) throw script_error(p.error().text);
        };
        if (lua_type(L, -1) == LUA_TTABLE)
            for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL || (lua_pop(L, 1), false); ++i) {
                check_pattern();
                lua_pop(L, 1);
            }
        else check_pattern();
        lua_pop(L, 1);
    }
    if (given.push("otherwise")) {
        check_action("menu: `otherwise`");
        lua_pop(L, 1);
    }
    (void)given.seconds("timeout", {});
    (void)given.seconds("between", {});
    (void)given.whole("tries", 3, 1, 100);
}
int menu(lua_State* L) {
    check_menu(L, 1, 0);
    lua_settop(L, 1);
    return 1;
}

// json
int encode(lua_State* L) {
    push(L, to_json(to_value(L, 1)));
    return 1;
}
int decode(lua_State* L) {
    auto v = from_json(text_argument(L, 1, "json.decode: the text"));
    if (!v) {
        lua_pushnil(L);
        push(L, v.error().text);
        return 2;
    }
    push(L, *v);
    return 1;
}

// time, by the engine's clock
wall_time wall(lua_State* L) {
    const auto* time = state_of(L).around().time;
    return time != nullptr ? time->wall() : std::chrono::system_clock::now();
}
std::time_t moment(lua_State* L, int index) {
    if (lua_isnoneornil(L, index)) return std::chrono::system_clock::to_time_t(wall(L));
    if (lua_type(L, index) != LUA_TNUMBER)
        throw script_error("a moment is a number of seconds since 1970, not " + kind_of(L, index));
    const double t = lua_tonumber(L, index);
    if (!(std::abs(t) < 1e11)) throw script_error("this moment is too far away");
    return static_cast<std::time_t>(t);
}
std::tm broken_down(std::time_t t, bool utc) {
    std::tm out{};
    if (utc) ::gmtime_r(&t, &out);
    else ::localtime_r(&t, &out);
    return out;
}
int now(lua_State* L) {
    lua_pushnumber(L, std::chrono::duration<double>(wall(L).time_since_epoch()).count());
    return 1;
}
int push_date(lua_State* L, const std::tm& t) {
    const std::pair<const char*, int> fields[] = {{"year", t.tm_year + 1900}, {"month", t.tm_mon + 1}, {"day", t.tm_mday},
                                                  {"hour", t.tm_hour},        {"min", t.tm_min},       {"sec", t.tm_sec},
                                                  {"wday", t.tm_wday + 1},    {"yday", t.tm_yday + 1}};
    lua_createtable(L, 0, 9);
    for (const auto& [name, number] : fields) {
        lua_pushinteger(L, number);
        lua_setfield(L, -2, name);
    }
    lua_pushboolean(L, t.tm_isdst > 0);
    lua_setfield(L, -2, "isdst");
    return 1;
}
int push_formatted(lua_State* L, const std::string& format, const std::tm& t) {
    if (format.size() > 200) throw script_error("a time's format may have 200 characters");
    for (std::size_t i = 0; i < format.size(); ++i)
        if (format[i] == '%' && (++i == format.size() ||
                                 std::string_view("aAbBcdDFHIjmMnpRStTuUVwWxXyYzZ%").find(format[i]) == std::string_view::npos))
            throw script_error(fmt::format("\"{}\" is not a format of a time", format));
    char text[4000];
    const auto size = std::strftime(text, sizeof text, format.c_str(), &t);
    lua_pushlstring(L, text, size);
    return 1;
}
int date(lua_State* L) { return push_date(L, broken_down(moment(L, 1), false)); }
int format(lua_State* L) {
    return push_formatted(L, text_argument(L, 1, "time.format: the format"), broken_down(moment(L, 2), false));
}
int os_date(lua_State* L) {
    auto text = lua_isnoneornil(L, 1) ? std::string("%c") : text_argument(L, 1, "os.date: the format");
    const bool utc = text.starts_with('!');
    if (utc) text.erase(0, 1);
    const auto t = broken_down(moment(L, 2), utc);
    return text.starts_with("*t") ? push_date(L, t) : push_formatted(L, text, t);
}
int os_time(lua_State* L) {
    if (lua_isnoneornil(L, 1)) {
        lua_pushinteger(L, moment(L, 1));
        return 1;
    }
    const auto v = to_value(L, 1);
    const auto field = [&](const char* name, std::int64_t otherwise) {
        const auto n = v[name].integer_or(otherwise);
        if (n < -100'000 || n > 100'000) throw script_error(fmt::format("os.time: `{}` is missing or out of range", name));
        return static_cast<int>(n);
    };
    std::tm t{};
    t.tm_year = field("year", INT32_MAX) - 1900;
    t.tm_mon = field("month", INT32_MAX) - 1;
    t.tm_mday = field("day", INT32_MAX);
    t.tm_hour = field("hour", 12);
    t.tm_min = field("min", 0);
    t.tm_sec = field("sec", 0);
    t.tm_isdst = -1;
    lua_pushinteger(L, std::mktime(&t));
    return 1;
}

int random(lua_State* L) {
    if (lua_isnoneornil(L, 1)) {
        lua_pushnumber(L, static_cast<double>(random_u64() >> 11) * 0x1p-53);
        return 1;
    }
    const bool both = !lua_isnoneornil(L, 2);
    const auto low = both ? luaL_checkinteger(L, 1) : 1, high = luaL_checkinteger(L, both ? 2 : 1);
    if (low > high) throw script_error("random: the interval is empty");
    const auto size = static_cast<lua_Unsigned>(high) - static_cast<lua_Unsigned>(low) + 1;
    lua_pushinteger(L,
                    static_cast<lua_Integer>(static_cast<lua_Unsigned>(low) + (size == 0 ? random_u64() : random_u64() % size)));
    return 1;
}

// log, log.warn …: the text and what is filled into it
int write(lua_State* L, log::level level) {
    const int count = lua_gettop(L);
    lua_getglobal(L, "string");
    lua_getfield(L, -1, "format");
    lua_insert(L, 1);
    lua_pop(L, 1);
    if (count == 0) throw script_error("log needs a text");
    lua_call(L, count, 1);
    const std::string line = lua_tostring(L, -1);
    if (const auto* s = script_of(L)) log::write(level, *s->call(), line);
    else log::write(level, "dialplan", line);
    return 0;
}
int log_debug(lua_State* L) { return write(L, log::level::debug); }
int log_info(lua_State* L) { return write(L, log::level::info); }
int log_warn(lua_State* L) { return write(L, log::level::warning); }
int log_error(lua_State* L) { return write(L, log::level::error); }

constexpr api_function json_table[] = {{"encode", guarded<encode>}, {"decode", guarded<decode>}};
constexpr api_function time_table[] = {{"now", guarded<now>},
                                       {"date", guarded<date>},
                                       {"format", guarded<format>},
                                       {"os_time", guarded<os_time>},
                                       {"os_date", guarded<os_date>}};
constexpr api_function log_table[] = {
    {"debug", guarded<log_debug>}, {"info", guarded<log_info>}, {"warn", guarded<log_warn>}, {"error", guarded<log_error>}};

} // namespace

std::span<const api_function> json_functions() { return json_table; }
std::span<const api_function> time_functions() { return time_table; }
std::span<const api_function> log_functions() { return log_table; }
std::span<const api_function> global_functions() {
    static const api_function all[] = {{"context", guarded<context_>},
                                       {"menu", guarded<menu>},
                                       {"random", guarded<random>},
                                       {"tone", tone_function()},
                                       {"silence", silence_function()}};
    return all;
}
std::span<const api_function> inner_functions() {
    static const api_function all[] = {
        {"choose", menu_primitive()}, {"read", store_read()}, {"swap", store_swap()}, {"page", store_page()}};
    return all;
}

} // namespace strowger::dialplan
