// What scripts can and cannot reach.
#include "core/dialplan/api.hpp"
#include "core/dialplan/lint.hpp"
#include "state_fixture.hpp"
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

using namespace strowger;
using namespace strowger::dialplan;

namespace {
bool contains(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }
std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }
} // namespace

TEST_CASE("sandbox: what reaches the machine is absent") {
    for (const char* name : {"io", "debug", "coroutine", "package", "load", "loadfile", "loadstring", "dofile", "collectgarbage",
                             "string.dump", "os.execute", "os.getenv", "os.exit", "os.remove", "math.randomseed"}) {
        INFO(name);
        CHECK(run(std::string("return tostring(") + name + ")") == "nil");
    }
    CHECK(run("return type(os.time()) .. type(os.date()) .. type(time.now())") == "numberstringnumber");
    CHECK(run("return tostring(getmetatable('')) .. tostring(getmetatable(_G)) .. tostring(getmetatable(string))") ==
          "falsefalsefalse");
}
TEST_CASE("sandbox: globals and libraries cannot be changed in a call") {
    CHECK(first_line(run("count = 1")) == "main.lua:1: assigning the global 'count' in a call: use a local, call.vars, or db");
    CHECK(contains(run("_G.count = 1"), "assigning the global 'count'"));
    CHECK(contains(run("rawset(_G, 'count', 1)"), "rawset: this table is protected"));
    CHECK(contains(run("setmetatable(_G, {})"), "this metatable is protected"));
    CHECK(contains(run("string.find = nil"), "the library's field 'find' cannot be changed"));
    CHECK(contains(run("log.info = nil"), "the library's field 'info' cannot be changed"));
    CHECK(contains(run("setmetatable({}, {__gc = print})"), "no __gc here"));
    loaded l("limit = 5\ncontext 'test' { x = function() return limit .. '' end }");
    CHECK(l.call_of("x").empty());
    CHECK(l.text == "5");
}
TEST_CASE("sandbox: require loads the author's files once and their tables are shared for reading") {
    std::map<std::string, std::string> files{
        {"main.lua",
         "local office = require 'office'\nassert(office == require 'office')\n"
         "context 'test' { read = function() return office.name .. #office end, write = function() office.name = 'x' end,\n"
         "late = function() require 'other' end, all = function() local n = 0 for k in pairs(office) do n = n + 1 end return n "
         ".. '' end }"},
        {"lib/office.lua", "local M = {name = 'front', 1, 2}\nM.more = true\nreturn M"},
        {"other.lua", "return 1"}};
    loaded l(files);
    CHECK(l.call_of("read").empty());
    CHECK(l.text == "front2");
    CHECK(contains(l.call_of("write"), "changing 'name' of a required table in a call"));
    CHECK(contains(l.call_of("late"), "put it at the top of the file"));
    CHECK(l.call_of("all").empty());
    CHECK(l.text == "4");
    CHECK(load_error("require 'nope'") ==
          "main.lua:1: require \"nope\": there is neither lib/nope.lua nor nope.lua in the dialplan, nor nope.toml");
    CHECK(contains(load_error("require '../../etc/passwd'"), "a name has letters"));
    CHECK(contains(load_error({{"main.lua", "require 'a'"}, {"a.lua", "require 'b'"}, {"b.lua", "require 'a'"}}),
                   "require each other"));
    CHECK(contains(load_error({{"main.lua", "require 'a'"}, {"a.lua", "\x1bLua"}}), "attempt to load a binary chunk"));
    CHECK(contains(load_error({{"main.lua", "require 'a'"}, {"a.lua", "local x =\n= 1"}}), "a.lua:2:"));
}
TEST_CASE("sandbox: mistakes in a file name their line") {
    CHECK(contains(load_error("\nlocal x = = 1"), "main.lua:2: unexpected symbol"));
    CHECK(load_error("\ncontext 'a' {\n  ['_2['] = function() end }") == "main.lua:2: pattern `_2[`: position 3: `[` has no `]`");
    CHECK(contains(load_error("context 'a' { [100] = function() end }"), "an extension is a string: [\"100\"]"));
    CHECK(contains(load_error("context 'a' { ['100'] = 'user/anna' }"), "extension \"100\" must be a function"));
    CHECK(contains(load_error("context 'a' {}\ncontext 'a' {}"), "main.lua:2: context \"a\" exists already, at main.lua:1"));
    CHECK(load_error("context 'a' { include = {'b'} }") == "main.lua:1: context \"a\" includes \"b\", which does not exist");
    CHECK(contains(load_error("context 'a' { include = {'b'} } context 'b' { include = {'a'} }"), "in a circle: a → b → a"));
    CHECK(contains(load_error("local m = menu{ prompts = 'x' }"), "menu: no option `prompts`; did you mean `prompt`?"));
    CHECK(contains(load_error("local m = menu{ keys = {[1] = 'user/anna'} }"), "keys are strings: write [\"1\"]"));
    CHECK(contains(load_error("db.get('x')"), "db waits: it is only possible in a call"));
    CHECK(contains(load_error("tone('nonsense')"), "main.lua:1:"));
}
TEST_CASE("included contexts are searched after a context's own extensions") {
    loaded l(R"(context "test" { ["_2XX"] = function() return "own" end, include = {"more"} }
context "more" { ["200"] = function() return "included" end, ["300"] = function() return "300" end,
  invalid = function() return "invalid" end })");
    CHECK(l.call_of("200").empty());
    CHECK(l.text == "own");
    CHECK(l.call_of("300").empty());
    CHECK(l.in->contexts.find("test", "300")->context == "more");
    CHECK(l.in->contexts.invalid("test").has_value());
    CHECK_FALSE(l.in->contexts.fallback("test").has_value());
    CHECK(l.in->contexts.could_match_more("test", "30"));
}
TEST_CASE("errors carry file, line and traceback; tables and nil as errors are survived") {
    const auto failed = run("local function inner() error('oh') end\ninner()");
    CHECK(contains(failed, "main.lua:1: oh"));
    CHECK(contains(failed, "in upvalue 'inner'") + contains(failed, "in local 'inner'") == 1);
    CHECK_FALSE(run("error({})").empty());
    CHECK(contains(run("error()"), "nil"));
    CHECK(contains(run("error(setmetatable({}, {__tostring = function() return 'mine' end}))"), "mine"));
    CHECK(run("local ok, e = pcall(error, 'x', 0) return tostring(ok) .. e") == "falsex");
    CHECK(run("local ok, e = xpcall(function() error('x', 0) end, function(m) return m .. 'y' end) return tostring(ok) .. e") ==
          "falsexy");
    CHECK(run("local t = table.pack(pcall(function(...) return ... end, 1, nil, 3)) return t.n .. tostring(t[2]) .. t[4]") ==
          "413");
}
TEST_CASE("text functions do what Lua's own do") {
    // The same expressions in a plain Lua are the reference.
    const std::vector<std::string> expressions{"('hello world'):find('wor')",
                                               "('hello'):find('l', -2)",
                                               "('a.b'):find('.', 1, true)",
                                               "('abc'):find('b()')",
                                               "('x'):find('')",
                                               "('x'):find('', 10)",
                                               "('key = value'):match('^(%w+)%s*=%s*(%w+)$')",
                                               "('  trim '):match('^%s*(.-)%s*$')",
                                               "('f(a(b)c)d'):match('%b()')",
                                               "('THE (quick) fox'):find('%((%a+)%)')",
                                               "('hello'):gsub('', '-')",
                                               "('hello world'):gsub('o', '0', 1)",
                                               "('abc'):gsub('%w', '%0%0')",
                                               "('abc def'):gsub('(%w+) (%w+)', '%2 %1')",
                                               "('$name is $age'):gsub('%$(%w+)', {name = 'Bob'})",
                                               "('abc'):gsub('.', function(c) if c == 'b' then return 'X' end end)",
                                               "('THE (quick) fox'):gsub('%f[%a]%a+', 'W')",
                                               "('aaa'):match('a-b')",
                                               "('aaab'):match('a-b')",
                                               "('[[x]]'):match('[]]+')",
                                               "('a-z'):match('[a%-]+')",
                                               "('x^y'):match('[%^]')",
                                               "('abab'):match('(ab)%1')",
                                               "('0x1F'):match('%x+$')",
                                               "('äö'):gsub('[\\128-\\255]', '?')",
                                               "('abc'):gsub('b*', '-')",
                                               "(''):gsub('^', 'x')",
                                               "('aXb'):gsub('%u', string.lower)",
                                               "('one two'):match('()two()')",
                                               "('a,b,,c'):gsub(',', ';')",
                                               "('x=1, y=2'):gsub('(%w)=(%w)', '%2=%1')"};
    const std::unique_ptr<lua_State, void (*)(lua_State*)> plain(luaL_newstate(), lua_close);
    luaL_openlibs(plain.get());
    for (const auto& e : expressions) {
        INFO(e);
        const auto body =
            "local t = table.pack(" + e + ") for i = 1, t.n do t[i] = tostring(t[i]) end return table.concat(t, '|')";
        REQUIRE(luaL_dostring(plain.get(), body.c_str()) == LUA_OK);
        CHECK(run(body) == lua_tostring(plain.get(), -1));
        lua_settop(plain.get(), 0);
    }
    CHECK(run("local t = {} for k, v in ('a=1, b=2'):gmatch('(%w+)=(%w+)') do t[#t + 1] = k .. v end return table.concat(t)") ==
          "a1b2");
    CHECK(run("local n = 0 for w in ('abc'):gmatch('') do n = n + 1 end return n .. ''") == "4");
    for (const char* bad : {"('x'):find('[')", "('x'):find('%')", "('x'):find('(')", "('x'):find('.)')", "('x'):find('%1')",
                            "('x'):gsub('x', '%2')", "('x'):find('%b')", "('x'):find('%f')"}) {
        INFO(bad);
        CHECK(contains(run(std::string("return ") + bad), "main.lua:1: "));
    }
}
TEST_CASE("json, time and random") {
    CHECK(run("return json.encode({a = {1, 2.5, 'x', true}})") == R"({"a":[1,2.5,"x",true]})");
    CHECK(run("return json.decode('{\"n\": [1, 2]}').n[2] .. ''") == "2");
    CHECK(contains(run("local v, why = json.decode('{') return tostring(v) .. why"), "nil"));
    CHECK(contains(run("json.encode({print})"), "a function cannot be kept or passed on"));
    CHECK(contains(run("local t = {} t.t = t json.encode(t)"), "must not contain itself"));
    CHECK(run("return time.format('%Y', 0) .. os.date('!%H:%M', 3600)") == "197001:00");
    CHECK(contains(run("time.format('%Q')"), "is not a format of a time"));
    CHECK(run("local n = random(3, 5) return tostring(n >= 3 and n <= 5 and random() < 1)") == "true");
    CHECK(run("return math.floor(time.now()) .. ''") == "1800000000");
}
TEST_CASE("lint finds what would go wrong in a call") {
    const auto findings = [](const std::string& text) {
        std::string out;
        for (const auto& f : lint("main.lua", text)) out += f + "\n";
        return out;
    };
    CHECK(findings("local x = {}\nlocal function f(call, ...)\n  local y = 1\n  y = 2\n  for i = 1, 2 do i = 3 end\n  local t = "
                   "{a = 1}\n  t.a = 2\nend\nx.f = f") == "");
    CHECK(contains(findings("local function f()\n  count = 1\nend"), "main.lua:2: assigning the global 'count' in a call"));
    CHECK(contains(findings("local n = {}\nlocal function f()\n  n.x = 1\nend"), "main.lua:3: changing 'n' of the file"));
    CHECK(contains(findings("local n = 0\ncontext 'a' {\n  ['1'] = function(call) n = n + 1 end }"),
                   "main.lua:3: changing 'n' of the file"));
    CHECK(contains(findings("local function f(call) call:plai('x') end"), "a call has no `plai`; did you mean `play`?"));
    CHECK(contains(findings("local function f(call)\n call:play('x', {interupt = 'any'}) end"),
                   "main.lua:2: call:play: no option `interupt`; did you mean `interrupt`?"));
    CHECK(contains(findings("local function f(call) call:gather{time_out = 3} end"),
                   "call:gather: no option `time_out`; did you mean `timeout`?"));
    CHECK(findings("local function f(call) call:play({en = 'a', de = 'b'}, {times = 2}) call:dial({'user/a', {'user/b', delay = "
                   "1}}) end") == "");
    CHECK(contains(findings("local function f(call) return call.numbr end"), "a call has no `numbr`"));
    CHECK(contains(findings("x = = 1"), "main.lua:1:"));
    CHECK(findings("-- comment\n--[[ x = 1 ]] local s = [[ y = 1 ]] if s then elseif s then else end repeat until true while "
                   "false do end") == "");
}
TEST_CASE("the stubs in dialplan/meta and the bindings name the same things") {
    std::ifstream in(STROWGER_SOURCE_DIR "/dialplan/meta/strowger.lua");
    std::ostringstream text;
    text << in.rdbuf();
    std::set<std::string> documented;
    std::string line, type;
    const std::regex function(R"(^function ([\w.:]+)\()"), field(R"(^---@field (\w+))"), begins(R"(^---@class (\w+))");
    for (std::istringstream lines(text.str()); std::getline(lines, line);) {
        std::smatch m;
        if (std::regex_search(line, m, begins)) type = m[1];
        else if (std::regex_search(line, m, function)) documented.insert(m[1]);
        else if (std::regex_search(line, m, field) && type == "call") documented.insert("call." + m[1].str());
    }
    const auto names = api_names();
    for (const auto& name : names) {
        INFO(name << " is not in dialplan/meta/strowger.lua");
        CHECK(documented.contains(name));
    }
    const std::set<std::string> real(names.begin(), names.end());
    for (const auto& name : documented) {
        INFO(name << " is in dialplan/meta/strowger.lua, but not in the engine");
        CHECK(real.contains(name));
    }
}
