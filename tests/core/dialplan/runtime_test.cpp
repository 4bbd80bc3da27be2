// Scripts and calls: what a script's mistake, a hang-up and a reload do to them.
#include "tests/support/office.hpp"
#include "tests/support/signals.hpp"
#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

using namespace strowger;
using namespace strowger::test;
using phone_state = virtual_phone::state;

namespace {

std::string plan(const std::string& body, const std::string& more = {}) {
    return "context 'internal' { ['100'] = function(call) " + body + " end, " + more + " }";
}
value vars_after(office& o, const std::string& number = "100", duration time = 5s) {
    o.alice().dial(number);
    o.pass(time);
    return o.last_record()["vars"];
}

} // namespace

TEST_CASE("a script sees the facts of its call and keeps variables") {
    heard_log log;
    office o(
        plan("local v = call.vars v.id = #call.id v.from = call.from .. '!' v.text = tostring(call.from) v.to = call.to.number "
             "v.extension = call.extension v.pattern = call.pattern v.user = call.user or 'none' v.kind = call.source.kind "
             "v.answered = call.answered call:answer() v.now = call.answered v.language = call.language "
             "call.data.list = {1, 2} v.n = #call.data.list v.d = #call.diversions v.e = call.emergency "
             "local n = 0 for k in pairs(call.vars) do n = n + 1 end v.count = n"));
    const auto v = vars_after(o);
    INFO(log.all());
    CHECK(v["id"] == value(12));
    CHECK(v["from"] == value("200!"));
    CHECK(v["text"] == value("200"));
    CHECK(v["to"] == value("100"));
    CHECK(v["pattern"] == value("100"));
    CHECK(v["answered"] == value(false));
    CHECK(v["now"] == value(true));
    CHECK(v["n"] == value(2));
    CHECK(v["count"] == value(14));
}
TEST_CASE("mistakes of an author are errors at their line, and the call goes to the context's fallback") {
    for (const auto& [body, message] : std::vector<std::pair<std::string, std::string>>{
             {"call:plai('x')", "main.lua:1: a call has no `plai`; did you mean `play`?"},
             {"call.play('x')", "main.lua:1: write call:play(…), with a colon"},
             {"call:play(5)", "main.lua:1: call:play: the prompt must be a prompt's name"},
             {"call:play('welcome', {interupt = 'any'})",
              "main.lua:1: call:play: no option `interupt`; did you mean `interrupt`?"},
             {"call:gather{time_out = 3}", "main.lua:1: call:gather: no option `time_out`; did you mean `timeout`?"},
             {"call:gather{timeout = '3'}", "main.lua:1: call:gather: `timeout` must be a number of seconds, not \"3\""},
             {"call:dial(200)", "main.lua:1: call:dial: the target must be a string: write \"200\""},
             {"call:dial('user/bob', {strategy = 'some'})",
              "`strategy` is one of \"all\", \"in_order\", \"random\", \"longest_idle\", not \"some\""},
             {"call:hang_up('nicely')", "main.lua:1: call:hang_up: the cause is"},
             {"call.vars.t = {}", "main.lua:1: call.vars.t must be a string, a number or a boolean"},
             {"call.extension = '1'", "main.lua:1: call.extension cannot be set"},
             {"call:go_to('1', 'nowhere')", "main.lua:1: call:go_to: there is no context \"nowhere\""},
             {"call:run('nonsense')", "main.lua:1: there is no application 'nonsense'"},
             {"table.sort({2, 1}, function() call:wait(1) end)", "main.lua:1: this waits: not possible inside table.sort"},
             {"local x <close> = setmetatable({}, {__close = function() call.vars.closed = true end}) error('oh')",
              "main.lua:1: oh"}}) {
        heard_log log;
        office o(plan(body, "fallback = function(call) call.vars.saved = true call:hang_up('congestion') end"));
        const auto v = vars_after(o);
        INFO(body << "\n" << log.all());
        CHECK(log.contains(message));
        CHECK(log.contains("stack traceback"));
        CHECK(v["saved"] == value(true));
        CHECK(o.alice().cause() == hangup_cause::congestion);
    }
}
TEST_CASE("without a fallback the caller hears of the problem and the call ends; the next call is served") {
    heard_log log;
    office o(plan("error('oh')", "['101'] = function(call) call.vars.fine = true end"));
    o.alice().dial("100");
    o.pass(30s);
    CHECK(heard(o.alice(), "technical-problem") == 1);
    CHECK(o.alice().cause() == hangup_cause::temporary_failure);
    CHECK(vars_after(o, "101")["fine"] == value(true));
}
TEST_CASE("a script that computes for ever loses its call, and only its own") {
    if (!signals_work) return;
    heard_log log;
    office o(plan("while true do pcall(function() while true do end end) end",
                  "['101'] = function(call) call:answer() call:wait(10) call.vars.lived = true end, fallback = function(call) "
                  "call:hang_up(41) end"));
    o.bob().dial("101");
    o.pass(1s);
    o.alice().dial("100");
    o.pass(1s);
    CHECK(log.contains("main.lua:1: computed for more than"));
    CHECK(o.alice().cause() == hangup_cause::temporary_failure);
    CHECK(o.bob().now() == phone_state::talking);
    o.pass(20s);
    CHECK(o.last_record()["vars"]["lived"] == value(true));
}
TEST_CASE("a hang-up ends a script that would not let go, closes its variables and runs on_end") {
    heard_log log;
    office o(plan("call:on_end(function(info) call.vars.cause = info.cause call.vars.by = info.left_by db.set('ended', 1) "
                  "local ok, why = pcall(call.play, call, 'welcome') call.vars.why = why end) "
                  "local x <close> = setmetatable({}, {__close = function() call.vars.closed = true end}) "
                  "call:answer() while true do pcall(function() call:wait(1) end) xpcall(call.wait, print, call, 1) end",
                  "['101'] = function(call) call.vars.ended = db.get('ended') end"));
    o.alice().dial("100");
    o.pass(10s);
    REQUIRE(o.alice().now() == phone_state::talking);
    o.alice().hang_up();
    o.pass(2s);
    INFO(log.all());
    CHECK(o.core().calls().count() == 0);
    const auto v = o.last_record()["vars"];
    CHECK(v["closed"] == value(true));
    CHECK(v["cause"] == value("normal"));
    CHECK(v["by"] == value("caller"));
    CHECK(v["why"].text_or("").find("needs the caller, who is gone in an on_end function") != std::string::npos);
    CHECK(vars_after(o, "101")["ended"] == value(1));
}
TEST_CASE("go_to and transfer leave the script; a circle of them ends") {
    heard_log log;
    office o(plan("pcall(call.go_to, call, '101') call.vars.back = true", R"(
        ['101'] = function(call) call.vars.there = call.extension call:go_to('7', 'other') end,
        ['102'] = function(call) call:go_to('102') end,
        ['103'] = function(call) call:transfer('user/bob') end, include = {'more'} }
        context 'more' { ['_8X'] = function(call) call.vars.included = call.pattern end }
        context 'other' { ['_X'] = function(call) call.vars.other = true end,
          invalid = function(call) call.vars.invalid = call.extension end)"));
    auto v = vars_after(o);
    INFO(log.all());
    CHECK(v["there"] == value("101"));
    CHECK(v["other"] == value(true));
    CHECK(v["back"].is_null());
    vars_after(o, "102");
    CHECK(o.alice().cause() == hangup_cause::temporary_failure);
    CHECK(log.contains("the dialplan sent the call on 50 times"));
    CHECK(vars_after(o, "85")["included"] == value("_8X"));
    o.alice().dial("103");
    o.pass(1s);
    CHECK(o.bob().now() == phone_state::ringing_here);
    o.bob().answer();
    o.pass(1s);
    CHECK(o.alice().now() == phone_state::talking);
    o.bob().hang_up();
    o.pass(1s);
    CHECK(o.alice().now() == phone_state::ended);
}
TEST_CASE("gather takes digits by pattern, list and function; a menu does what was chosen") {
    heard_log log;
    office o(plan("call.vars.a = call:gather{max = 3, valid = '_2XX', tries = 1, timeout = 2} or 'bad' "
                  "call.vars.b = call:gather{max = 2, valid = {'12', '34'}, tries = 1, timeout = 2} or 'bad' "
                  "local d, why = call:gather{max = 1, valid = function(d) return d == '9' end, tries = 1, timeout = 2} "
                  "call.vars.c = d or why "
                  "d, why = call:gather{tries = 1, timeout = 2} call.vars.d = d or why",
                  R"(['101'] = function(call)
        local inner = menu{keys = {["5"] = function(c, d) return "inner" .. d end}, tries = 1, timeout = 2}
        call.vars.r = call:menu{keys = {["1"] = inner, ["2"] = "102"}, extensions = "_7X", tries = 1, timeout = 2,
          otherwise = function() return "none" end}
      end, ['102'] = function(call) call.vars.r = "gone to 102" end,
      ["_7X"] = function(call) call.vars.r = call.extension end)"));
    o.alice().dial("100");
    o.pass(100ms);
    o.alice().press("245");
    o.pass(1s);
    o.alice().press("56");
    o.pass(1s);
    o.alice().press("9");
    o.pass(10s);
    auto v = o.last_record()["vars"];
    INFO(log.all());
    CHECK(v["a"] == value("245"));
    CHECK(v["b"] == value("bad"));
    CHECK(v["c"] == value("9"));
    CHECK(v["d"] == value("no_input"));
    for (const auto& [keys, expected] : std::vector<std::pair<std::string, std::string>>{
             {"15", "inner5"}, {"2", "gone to 102"}, {"77", "77"}, {"", "none"}}) {
        o.alice().dial("101");
        o.pass(100ms);
        if (!keys.empty()) o.alice().press(keys);
        o.pass(10s);
        INFO(keys);
        CHECK(o.last_record()["vars"]["r"] == value(expected));
    }
}
TEST_CASE("keys pressed in a talk run a function while both stay connected") {
    heard_log log;
    office o(plan("call:dial('user/bob', {keys = {['*1'] = function(c) c.vars.pressed = (c.vars.pressed or 0) + 1 end}})"));
    o.alice().dial("100");
    o.pass(1s);
    o.bob().answer();
    o.pass(1s);
    o.alice().press("*1");
    o.pass(2s);
    CHECK(o.bob().now() == phone_state::talking);
    o.alice().hang_up();
    o.pass(2s);
    INFO(log.all());
    CHECK(o.last_record()["vars"]["pressed"] == value(1));
}
TEST_CASE("db keeps values; update gives back what its function returns and loses nothing between calls") {
    heard_log log;
    office_options two;
    two.workers = 2;
    office o(plan("call:answer() for i = 1, 20 do db.update('count', function(n) return (n or 0) + 1 end) end "
                  "call.vars.n = db.update('last', function(old) return {at = 1}, 'given' end) "
                  "call.vars.at = db.get('last').at local keys = '' for k in db.each('') do keys = keys .. k .. ' ' end "
                  "call.vars.keys = keys "
                  "db.delete('last') call.vars.gone = db.get('last') == nil",
                  "['101'] = function(call) call.vars.count = db.get('count') end"),
             two);
    o.alice().dial("100");
    o.bob().dial("100");
    o.pass(5s);
    INFO(log.all());
    const auto v = o.last_record()["vars"];
    CHECK(v["n"] == value("given"));
    CHECK(v["keys"] == value("count last "));
    CHECK(v["gone"] == value(true));
    CHECK(vars_after(o, "101")["count"] == value(40));
}
TEST_CASE("a reload serves new calls; calls in progress keep their version, and a broken file changes nothing") {
    heard_log log;
    office o(plan("call:answer() call:wait(5) call.vars.version = 1 call:go_to('101')",
                  "['101'] = function(call) call.vars.there = 1 end"));
    const auto first = o.core().dialplan().version();
    o.alice().dial("100");
    o.pass(1s);
    o.write_dialplan(plan("call.vars.version = = 2"));
    const auto broken = o.core().dialplan().load();
    REQUIRE_FALSE(broken);
    CHECK(broken.error().text.find("main.lua:1: unexpected symbol") != std::string::npos);
    CHECK(o.core().dialplan().version() == first);

    o.write_dialplan(plan("call.vars.version = 2"));
    REQUIRE(o.core().dialplan().load());
    CHECK(o.core().dialplan().version() != first);
    CHECK(o.core().dialplan().show()["versions"].items()->size() == 2);
    o.bob().dial("100");
    o.pass(1s);
    CHECK(o.last_record()["vars"]["version"] == value(2));
    o.pass(10s);
    CHECK(o.last_record()["vars"]["version"] == value(1));
    CHECK(o.last_record()["vars"]["there"] == value(1));
    o.settle();
    CHECK(o.core().dialplan().show()["versions"].items()->size() == 1);
}
TEST_CASE("check reads a directory without running it") {
    scratch s;
    CHECK(dialplan_runtime::check(s.path() / "none").front().find("no such directory") != std::string::npos);
    CHECK(dialplan_runtime::check(s.path()).front().find("there is no main.lua") != std::string::npos);
    s.write("main.lua", "context 'a' { ['1'] = function(call) call:plai('x') end }");
    s.write("unused.lua", "x = = 1");
    const auto found = dialplan_runtime::check(s.path());
    REQUIRE(found.size() == 2);
    CHECK(found[0] == "main.lua:1: a call has no `plai`; did you mean `play`?");
    CHECK(found[1].find("unused.lua:1:") == 0);
    std::filesystem::create_directories(s.path() / "lib" / "odd.lua");
    CHECK(dialplan_runtime::check(s.path()).front().find("is a directory in the place of a script") != std::string::npos);
}
TEST_CASE("the dialplan that ships and the examples are without findings") {
    const std::filesystem::path shipped = STROWGER_SOURCE_DIR "/dialplan";
    for (const auto& finding : dialplan_runtime::check(shipped)) {
        INFO(finding);
        CHECK(false);
    }
    for (const auto& example : std::filesystem::directory_iterator(shipped / "examples")) {
        std::ifstream in(example.path());
        std::ostringstream text;
        text << in.rdbuf();
        scratch s;
        s.write("main.lua", text.str());
        const auto found = dialplan_runtime::check(s.path());
        INFO(example.path().string() << (found.empty() ? "" : ": " + found.front()));
        CHECK(found.empty());
    }
}
TEST_CASE("the dialplan that ships speaks back what is dialled") {
    std::ifstream in(STROWGER_SOURCE_DIR "/dialplan/main.lua"), office_file(STROWGER_SOURCE_DIR "/dialplan/lib/office.lua");
    std::ostringstream main, lib;
    main << in.rdbuf();
    lib << office_file.rdbuf();
    heard_log log;
    office o("context 'internal' {}");
    o.files().write("dialplan/lib/office.lua", lib.str());
    o.write_dialplan(main.str());
    REQUIRE(o.core().dialplan().load());
    o.alice().dial("602");
    o.pass(2s);
    o.alice().press("47#");
    o.pass(5s);
    INFO(log.all());
    CHECK(heard(o.alice(), "you-entered") == 1);
    CHECK(heard(o.alice(), "digits/4") == 1);
    CHECK(heard(o.alice(), "digits/7") == 1);
    o.pass(60s);
    CHECK(o.alice().now() == phone_state::ended);
    o.alice().dial("201");
    o.pass(1s);
    CHECK(o.bob().now() == phone_state::ringing_here);
    o.alice().hang_up();
    o.pass(1s);
    o.alice().dial("999");
    o.pass(20s);
    CHECK(o.alice().cause() == hangup_cause::unallocated);
}
