// The call as scripts see it: its verbs.
#include "core/dialplan/api.hpp"
#include "core/dialplan/bindings.hpp"
#include "core/dialplan/pattern.hpp"
#include "core/dialplan/script.hpp"
#include "core/dialplan/state.hpp"
#include <algorithm>

namespace strowger::dialplan {
namespace {

int push_digit(lua_State* L, std::optional<char>& d) {
    if (d) lua_pushlstring(L, &*d, 1);
    else lua_pushnil(L);
    return 1;
}
hangup_cause cause_argument(lua_State* L, int index, const std::string& what) {
    if (lua_isnoneornil(L, index)) return hangup_cause::normal;
    const auto text = lua_type(L, index) == LUA_TNUMBER ? std::to_string(lua_tointeger(L, index)) : text_argument(L, index, what);
    if (const auto cause = parse_hangup_cause(text)) return *cause;
    throw script_error(fmt::format(
        "{} is \"normal\", \"busy\", \"rejected\", \"congestion\", \"unallocated\" or a Q.850 number, not \"{}\"", what, text));
}

int ring(lua_State* L) {
    caller_of(L, "ring").ring();
    return 0;
}
int progress(lua_State* L) { return waits(L, caller_of(L, "progress").progress()); }
int answer(lua_State* L) { return waits(L, caller_of(L, "answer").answer()); }
int hang_up(lua_State* L) {
    auto& c = caller_of(L, "hang_up");
    c.hang_up(cause_argument(L, 2, "call:hang_up: the cause"));
}
int wait_(lua_State* L) {
    auto& c = caller_of(L, "wait");
    return waits(L, c.wait(seconds_argument(L, 2, "call:wait: the time")));
}
int play(lua_State* L) {
    auto& c = caller_of(L, "play");
    auto what = to_prompts(L, 2, "call:play: the prompt", c.language);
    const options given(L, 3, "call:play");
    play_options o;
    o.interrupt = given.text("interrupt", o.interrupt);
    o.times = given.whole("times", 1, 1, 1000);
    return waits(L, c.play(std::move(what), std::move(o)), push_digit);
}

// `valid` of gather: a pattern, a list of them, or a function that must not wait.
std::function<bool(const std::string&)> validity(lua_State* L, const options& given, call& c) {
    if (!given.push("valid")) return {};
    if (lua_type(L, -1) == LUA_TFUNCTION) {
        auto function = reference::to(L, -1);
        lua_pop(L, 1);
        return [function, &c](const std::string& digits) {
            script check(function->owner(), &c, script::kind::aside);
            function->push(check.lua());
            push(check.lua(), digits);
            if (auto ran = check.run_now(1); !ran) throw script_error(ran.error().text);
            return lua_toboolean(check.lua(), 1) != 0;
        };
    }
    auto patterns = std::make_shared<std::vector<pattern>>();
    const auto add = [&] {
        auto p = pattern::parse(text_argument(L, -1, given.what("valid")));
        if (!p) throw script_error(p.error().text);
        patterns->push_back(std::move(*p));
        lua_pop(L, 1);
    };
    if (lua_type(L, -1) == LUA_TTABLE) {
        const int list = lua_gettop(L);
        for (lua_Integer i = 1; lua_rawgeti(L, list, i) != LUA_TNIL; ++i) add();
        lua_settop(L, list - 1);
    } else {
        add();
    }
    return [patterns](const std::string& digits) {
        return std::any_of(patterns->begin(), patterns->end(), [&](const pattern& p) { return p.matches(digits); });
    };
}
int gather(lua_State* L) {
    auto& c = caller_of(L, "gather");
    const options given(L, 2, "call:gather");
    gather_options o;
    o.prompt = given.prompts("prompt", {}, c.language);
    o.min = given.whole("min", 1, 0, 100);
    o.max = given.whole("max", std::max(1, o.min), 1, 100);
    if (o.min > o.max) throw script_error("call:gather: `min` is larger than `max`");
    o.terminator = given.text("terminator", o.terminator);
    o.timeout = given.seconds("timeout", o.timeout);
    o.between = given.seconds("between", o.between);
    o.tries = given.whole("tries", o.tries, 1, 100);
    o.valid = validity(L, given, c);
    o.on_no_input = given.prompts("on_no_input", {}, c.language);
    o.on_invalid = given.prompts("on_invalid", {}, c.language);
    o.secret = given.flag("secret", false);
    return waits(L, c.gather(std::move(o)), [](lua_State* T, gather_result& r) {
        if (r.how == gather_result::status::ok) {
            push(T, r.digits);
            return 1;
        }
        lua_pushnil(T);
        lua_pushstring(T, r.how == gather_result::status::no_input ? "no_input" : "invalid");
        return 2;
    });
}
int read_digit(lua_State* L) {
    auto& c = caller_of(L, "read_digit");
    return waits(L, c.read_digit(options(L, 2, "call:read_digit").seconds("timeout", 5s)), push_digit);
}
int flush_digits(lua_State* L) {
    caller_of(L, "flush_digits").flush_digits();
    return 0;
}
int send_digits(lua_State* L) {
    auto& c = caller_of(L, "send_digits");
    auto keys = text_argument(L, 2, "call:send_digits: the keys");
    if (const auto bad = keys.find_first_not_of("0123456789*#ABCDabcdw"); bad != keys.npos)
        throw script_error(fmt::format("call:send_digits: \"{}\" is not a key: 0-9 * # A-D, and w for a pause", keys[bad]));
    return waits(L, c.send_digits(std::move(keys)));
}

// Dialling.
dial_target target_from(lua_State* L, int index) {
    if (lua_type(L, index) != LUA_TTABLE) return text_argument(L, index, "call:dial: the target");
    index = lua_absindex(L, index);
    lua_rawgeti(L, index, 1);
    dial_target t(text_argument(L, -1, "call:dial: the target"));
    lua_pop(L, 1);
    const options given(L, index, "a target", 1);
    t.delay = given.seconds("delay", {});
    if (given.has("ring_for")) t.ring_for = given.seconds("ring_for", {});
    if (given.has("caller_id")) t.caller_id = given.text("caller_id", {});
    return t;
}
task<void> run_key(std::shared_ptr<reference> function, call& c) {
    script flow(function->owner(), &c, script::kind::flow);
    function->push(flow.lua());
    flow.push_call();
    auto work = flow.run(1);
    if (auto ran = co_await work; !ran) log::error(c, "a key's function failed: {}", ran.error().text);
}
void read_keys(lua_State* L, const options& given, dial_options& o) {
    if (!given.push("keys")) return;
    if (lua_type(L, -1) != LUA_TTABLE) throw script_error("call:dial: `keys` is a table, {[\"*1\"] = function(call) … end}");
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        const auto keys = lua_type(L, -2) == LUA_TSTRING ? std::string(lua_tostring(L, -2)) : "";
        if (keys.empty() || keys.find_first_not_of("0123456789*#ABCD") != keys.npos)
            throw script_error(fmt::format("call:dial: `keys` has strings of keys, [\"*1\"], not {}", kind_of(L, -2)));
        function_argument(L, -1, fmt::format("call:dial: `keys[\"{}\"]`", keys));
        o.keys[keys] = [function = reference::to(L, -1)](call& c) { return run_key(function, c); };
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}
int push_dial_result(lua_State* L, dial_result& r) {
    lua_createtable(L, 0, 7);
    if (!r.forwarded_to.empty()) {
        push(L, r.forwarded_to);
        lua_setfield(L, -2, "forwarded_to");
    }
    push(L, std::string(to_string(r.status)));
    lua_setfield(L, -2, "status");
    push(L, to_string(r.cause));
    lua_setfield(L, -2, "cause");
    push(L, r.by);
    lua_setfield(L, -2, "by");
    push(L, r.ring_time);
    lua_setfield(L, -2, "ring_seconds");
    push(L, r.talk_time);
    lua_setfield(L, -2, "talk_seconds");
    push(L, r.left_by);
    lua_setfield(L, -2, "left_by");
    return 1;
}
int dial(lua_State* L) {
    auto& c = caller_of(L, "dial");
    dial_options o;
    bool list = false;
    if (lua_type(L, 2) == LUA_TTABLE) {
        // {"user/anna", delay = 10} is one target, {"user/anna", {"user/ben", delay = 10}} are two.
        lua_pushnil(L);
        bool named = false;
        while (lua_next(L, 2) != 0) {
            named = named || lua_type(L, -2) == LUA_TSTRING;
            lua_pop(L, 1);
        }
        list = !named;
    }
    if (list) {
        for (lua_Integer i = 1; lua_rawgeti(L, 2, i) != LUA_TNIL; ++i) {
            o.add(target_from(L, -1));
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    } else {
        o.add(target_from(L, 2));
    }
    if (o.targets.empty()) throw script_error("call:dial: there is no target in the list");
    const options given(L, 3, "call:dial");
    o.ring_for = given.seconds("ring_for", o.ring_for);
    const auto order = given.word("strategy", "all", {"all", "in_order", "random", "longest_idle"});
    o.strategy = order == "all"            ? dial_options::order::all
                 : order == "random"       ? dial_options::order::random
                 : order == "longest_idle" ? dial_options::order::longest_idle
                                           : dial_options::order::in_order;
    if (given.has("caller_id")) o.caller_id = given.text("caller_id", {});
    o.ringback = given.text("ringback", o.ringback);
    if (given.has("max_talk")) o.max_talk = given.seconds("max_talk", {});
    if (given.has("warn_at")) o.warn_at = given.seconds("warn_at", {});
    if (o.warn_at && (!o.max_talk || *o.warn_at >= *o.max_talk))
        throw script_error("call:dial: `warn_at` is so many seconds before the end by `max_talk`, which must be longer");
    o.confirm = given.prompts("confirm", {}, c.language);
    o.announce = given.prompts("announce", {}, c.language);
    o.allow_transfer = given.word("transfer", o.allow_transfer, {"none", "callee", "both"});
    o.follow_forwarding = given.flag("follow_forwarding", o.follow_forwarding);
    if (given.push("headers")) {
        const auto headers = to_value(L, -1);
        lua_pop(L, 1);
        if (headers.fields() == nullptr) throw script_error("call:dial: `headers` is a table, {[\"X-Name\"] = \"text\"}");
        for (const auto& [name, content] : *headers.fields()) {
            if (content.text() == nullptr || content.text()->find_first_of("\r\n") != std::string::npos ||
                !name.starts_with("X-"))
                throw script_error(
                    fmt::format("call:dial: `headers`: \"{}\" must begin with X- and hold one line of text", name));
            o.headers[name] = *content.text();
        }
    }
    read_keys(L, given, o);
    return waits(L, c.dial(std::move(o)), push_dial_result);
}

int transfer(lua_State* L) {
    auto& c = caller_of(L, "transfer");
    c.transfer(text_argument(L, 2, "call:transfer: the target"));
}
int go_to(lua_State* L) {
    auto& c = caller_of(L, "go_to");
    auto extension = text_argument(L, 2, "call:go_to: the extension");
    auto in = lua_isnoneornil(L, 3) ? std::string() : text_argument(L, 3, "call:go_to: the context");
    if (extension.find('/') != extension.npos)
        throw script_error(fmt::format("call:go_to: \"{}\" is a target; use call:transfer(\"{}\")", extension, extension));
    if (!in.empty() && !state_of(L).contexts.contains(in))
        throw script_error(fmt::format("call:go_to: there is no context \"{}\"", in));
    c.go_to(std::move(extension), std::move(in));
}
int run(lua_State* L) {
    auto& c = caller_of(L, "run");
    auto name = text_argument(L, 2, "call:run: the application");
    auto arguments = to_value(L, 3);
    return waits(L, c.run(std::move(name), std::move(arguments)), [](lua_State* T, value& v) {
        push(T, v);
        return 1;
    });
}

task<void> run_on_end(std::shared_ptr<reference> function, call& c, end_info info) {
    script ending(function->owner(), &c, script::kind::ending);
    auto* const L = ending.lua();
    function->push(L);
    lua_createtable(L, 0, 3);
    push(L, to_string(info.cause));
    lua_setfield(L, -2, "cause");
    push(L, info.left_by);
    lua_setfield(L, -2, "left_by");
    push(L, info.talk_time);
    lua_setfield(L, -2, "talk_seconds");
    auto work = ending.run(1);
    if (auto ran = co_await work; !ran) log::error(c, "an on_end function failed: {}", ran.error().text);
}
int on_end(lua_State* L) {
    auto& c = caller_of(L, "on_end");
    function_argument(L, 2, "call:on_end: the handler");
    c.on_end([function = reference::to(L, 2)](call& it, end_info info) { return run_on_end(function, it, std::move(info)); });
    return 0;
}
int log_(lua_State* L) {
    auto& c = call_of(L, "log");
    auto line = text_argument(L, 2, "call:log: the text");
    if (!lua_isnoneornil(L, 3)) line += " " + to_json(to_value(L, 3));
    log::info(c, "{}", line);
    return 0;
}
int note(lua_State* L) {
    call_of(L, "note").note(text_argument(L, 2, "call:note: the text"));
    return 0;
}

// The waiting part of call:menu: gives how, digits, reason. The prelude does what was chosen.
int choose(lua_State* L) {
    auto& c = caller_of(L, "menu");
    const options given(L, 2, "menu");
    menu_options o;
    o.prompt = given.prompts("prompt", {}, c.language);
    o.timeout = given.seconds("timeout", o.timeout);
    o.between = given.seconds("between", o.between);
    o.tries = given.whole("tries", o.tries, 1, 100);
    o.on_no_input = given.prompts("on_no_input", o.on_no_input, c.language);
    o.on_invalid = given.prompts("on_invalid", o.on_invalid, c.language);
    if (given.push("keys")) {
        lua_pushnil(L);
        while (lua_next(L, -2) != 0) {
            o.keys.emplace_back(lua_tostring(L, -2));
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
    if (given.push("extensions")) {
        if (lua_type(L, -1) == LUA_TSTRING) o.extensions.emplace_back(lua_tostring(L, -1));
        else
            for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; ++i) {
                o.extensions.emplace_back(lua_tostring(L, -1));
                lua_pop(L, 1);
            }
    }
    return waits(L, c.menu(std::move(o)), [](lua_State* T, menu_choice& chosen) {
        using kind = menu_choice::kind;
        lua_pushstring(T, chosen.how == kind::key ? "key" : chosen.how == kind::extension ? "extension" : "otherwise");
        push(T, chosen.digits);
        push(T, chosen.reason);
        return 3;
    });
}

constexpr api_function verbs[] = {
    {"ring", guarded<ring>}, {"progress", guarded<progress>}, {"answer", guarded<answer>}, {"hang_up", guarded<hang_up>},
    {"wait", guarded<wait_>}, {"play", guarded<play>}, {"gather", guarded<gather>}, {"read_digit", guarded<read_digit>},
    {"flush_digits", guarded<flush_digits>}, {"send_digits", guarded<send_digits>}, {"dial", guarded<dial>},
    {"transfer", guarded<transfer>}, {"go_to", guarded<go_to>}, {"run", guarded<run>}, {"on_end", guarded<on_end>},
    {"log", guarded<log_>}, {"note", guarded<note>}};

} // namespace

std::span<const api_function> call_verbs() { return verbs; }
lua_CFunction menu_primitive() { return guarded<choose>; }

} // namespace strowger::dialplan
