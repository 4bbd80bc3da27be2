// What scripts can have played: say.*, tone, silence, and the reading of prompts wherever one is wanted.
#include "core/dialplan/api.hpp"
#include "core/dialplan/bindings.hpp"
#include "core/dialplan/state.hpp"
#include "core/media/say.hpp"
#include "core/media/say_moment.hpp"
#include "core/media/tone.hpp"
#include <cmath>
#include <cstdlib>
#include <ctime>

namespace strowger::dialplan {
namespace {

// A prompt that is worked out when it is played, for the language is known only then: {kind, content}.
int make(lua_State* L, const char* kind) {
    lua_createtable(L, 2, 0);
    lua_pushstring(L, kind);
    lua_rawseti(L, -2, 1);
    lua_insert(L, -2);
    lua_rawseti(L, -2, 2);
    luaL_setmetatable(L, prompt_type);
    return 1;
}
int say_digits(lua_State* L) {
    push(L, text_argument(L, 1, "say.digits: the digits"));
    return make(L, "digits");
}
int say_number(lua_State* L) {
    int exact = 0;
    const auto n = lua_tointegerx(L, 1, &exact);
    if (lua_type(L, 1) != LUA_TNUMBER || exact == 0) throw script_error("say.number: a whole number, not " + kind_of(L, 1));
    lua_pushinteger(L, n);
    return make(L, "number");
}
int say_spell(lua_State* L) {
    push(L, text_argument(L, 1, "say.spell: the text"));
    return make(L, "spell");
}
// A moment as text, "2026-12-25 10:00": what was given as seconds since 1970, or left out for now, in the zone of this machine.
int say_moment(lua_State* L, const std::string& verb, bool needs_date) {
    std::string text;
    if (lua_type(L, 1) == LUA_TSTRING) {
        text = text_argument(L, 1, verb);
        const auto read = media::parse_moment(text);
        if (!read || (needs_date && read->year == 0))
            throw script_error(fmt::format("{}: \"{}\" is no moment; write \"2026-12-25 10:00\"", verb, text));
    } else {
        const auto* clock = state_of(L).around().time;
        const auto now = clock != nullptr ? clock->wall() : std::chrono::system_clock::now();
        auto moment = std::chrono::system_clock::to_time_t(now);
        if (!lua_isnoneornil(L, 1)) {
            const double seconds = lua_type(L, 1) == LUA_TNUMBER ? lua_tonumber(L, 1) : NAN;
            if (!(std::abs(seconds) < 2e11))
                throw script_error(fmt::format("{}: seconds since 1970 or \"2026-12-25 10:00\", not {}", verb, kind_of(L, 1)));
            moment = static_cast<std::time_t>(seconds);
        }
        std::tm local{};
        ::localtime_r(&moment, &local);
        text = fmt::format("{:04}-{:02}-{:02} {:02}:{:02}", local.tm_year + 1900, local.tm_mon + 1, local.tm_mday, local.tm_hour,
                           local.tm_min);
        if (!media::parse_moment(text)) throw script_error(fmt::format("{}: this moment is too far away", verb));
    }
    push(L, text);
    return make(L, needs_date ? "date" : "time");
}
int say_date(lua_State* L) { return say_moment(L, "say.date", true); }
int say_time(lua_State* L) { return say_moment(L, "say.time", false); }
int say_money(lua_State* L) {
    const double amount = lua_type(L, 1) == LUA_TNUMBER ? lua_tonumber(L, 1) : NAN;
    if (!(std::abs(amount) < 1e12)) throw script_error("say.money: an amount, such as 12.5, not " + kind_of(L, 1));
    const auto currency = text_argument(L, 2, "say.money: the currency");
    if (currency.size() != 3 || currency.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") != currency.npos)
        throw script_error(fmt::format("say.money: a currency has three capital letters, as \"EUR\", not \"{}\"", currency));
    push(L, fmt::format("{} {}", currency, std::llround(amount * 100)));
    return make(L, "money");
}
int say_text(lua_State* L) {
    push(L, text_argument(L, 1, "say.text: the text"));
    return make(L, "text");
}
int tone(lua_State* L) {
    const auto name = text_argument(L, 1, "tone: the name");
    if (auto found = media::find_tone(name); !found) throw script_error(found.error().text);
    push(L, name);
    return make(L, "tone");
}
int silence(lua_State* L) {
    lua_pushnumber(L, std::chrono::duration<double>(seconds_argument(L, 1, "silence: the length")).count());
    return make(L, "silence");
}

void add_made(lua_State* L, int index, const std::string& language, prompt_list& out) {
    lua_rawgeti(L, index, 1);
    lua_rawgeti(L, index, 2);
    const std::string kind = lua_tostring(L, -2);
    std::vector<std::string> keys;
    if (kind == "tone") out.add(prompt_ref::tone{lua_tostring(L, -1)});
    else if (kind == "text") out.add(prompt_ref::speech{lua_tostring(L, -1)});
    else if (kind == "silence")
        out.add(prompt_ref::silence{std::chrono::duration_cast<duration>(std::chrono::duration<double>(lua_tonumber(L, -1)))});
    else if (kind == "number") keys = media::say_number(lua_tointeger(L, -1), language);
    else if (kind == "digits") keys = media::say_digits(lua_tostring(L, -1), language);
    else if (kind == "date") keys = media::say_date(*media::parse_moment(lua_tostring(L, -1)), language);
    else if (kind == "time") keys = media::say_time(*media::parse_moment(lua_tostring(L, -1)), language);
    else if (kind == "money") {
        const std::string_view money = lua_tostring(L, -1);
        keys = media::say_money(std::strtoll(money.data() + 4, nullptr, 10), money.substr(0, 3), language);
    } else keys = media::say_spelled(lua_tostring(L, -1), language);
    for (auto& key : keys) out.add(std::move(key));
    lua_pop(L, 2);
}

void add(lua_State* L, int index, const std::string& what, const std::string& language, prompt_list& out, int depth) {
    index = lua_absindex(L, index);
    if (lua_type(L, index) == LUA_TSTRING) {
        auto key = text_argument(L, index, what);
        if (key.empty()) throw script_error(what + " is an empty string");
        out.add(std::move(key));
        return;
    }
    if (lua_type(L, index) != LUA_TTABLE || depth > 3)
        throw script_error(
            fmt::format("{} must be a prompt's name, say.…, tone(…), silence(…), {{en = …}} or a list of them, not {}", what,
                        kind_of(L, index)));
    if (lua_getmetatable(L, index) != 0) {
        luaL_getmetatable(L, prompt_type);
        const bool made = lua_rawequal(L, -1, -2) != 0;
        lua_pop(L, 2);
        if (made) return add_made(L, index, language, out);
    }
    luaL_checkstack(L, 8, "prompts");
    if (lua_rawlen(L, index) > 0) {
        for (lua_Integer i = 1; lua_rawgeti(L, index, i) != LUA_TNIL; ++i) {
            add(L, -1, what, language, out, depth + 1);
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
        return;
    }
    // {en = "…", de = "…"}: the call's language, without its region, or English, or any.
    std::string best;
    int rank = 0;
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        const auto name = text_argument(L, -2, what + ": a language");
        const int here = name == language ? 4 : name == language.substr(0, 2) ? 3 : name == "en" ? 2 : 1;
        if (here > rank) {
            rank = here;
            best = name;
        }
        lua_pop(L, 1);
    }
    if (rank == 0) throw script_error(what + " is an empty table");
    push(L, best);
    lua_rawget(L, index);
    add(L, -1, what, language, out, depth + 1);
    lua_pop(L, 1);
}

constexpr api_function functions[] = {
    {"digits", guarded<say_digits>}, {"number", guarded<say_number>}, {"spell", guarded<say_spell>}, {"text", guarded<say_text>},
    {"date", guarded<say_date>},     {"time", guarded<say_time>},     {"money", guarded<say_money>}};

} // namespace

prompt_list to_prompts(lua_State* L, int index, const std::string& what, const std::string& language) {
    prompt_list out;
    add(L, index, what, language, out, 0);
    return out;
}

std::span<const api_function> prompt_functions() { return functions; }
lua_CFunction tone_function() { return guarded<tone>; }
lua_CFunction silence_function() { return guarded<silence>; }

} // namespace strowger::dialplan
