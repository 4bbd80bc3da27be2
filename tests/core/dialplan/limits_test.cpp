// A script that goes wild: it is stopped, and nobody else notices.
#include "state_fixture.hpp"
#include "tests/support/signals.hpp"

using namespace strowger;
using namespace strowger::dialplan;

namespace {
bool contains(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }
} // namespace

TEST_CASE("an endless loop is stopped, with its place, whatever it hides in") {
    if (!signals_work) return;
    loaded l(R"(context "test" {
  loop = function() while true do end end,
  protected = function() while true do pcall(function() while true do end end) end end,
  handled = function() while true do xpcall(function() while true do end end, function() while true do end end) end end,
  nested = function() pcall(pcall, pcall, function() while true do end end) return "went on" end,
  closing = function() local c <close> = setmetatable({}, {__close = function() while true do end end}) while true do end end,
  sorted = function() local t = {} for i = 1, 60000 do t[i] = i end while true do table.sort(t) end end,
  deep = function() local function f() return f() end return f() end,
  meta = function() local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end})
                    while true do pcall(function() return t[1] end) end end,
  fine = function() local n = 0 for i = 1, 1000 do n = n + i end return tostring(n) end,
})");
    for (const char* name : {"loop", "protected", "handled", "nested", "closing", "sorted", "deep", "meta"}) {
        INFO(name);
        const auto failed = l.call_of(name);
        INFO(failed);
        CHECK(contains(failed, "computed for more than 30 ms without waiting"));
        CHECK(contains(failed, "main.lua:"));
        CHECK(contains(failed, "stack traceback"));
        CHECK(l.call_of("fine").empty());
        CHECK(l.text == "500500");
    }
}
TEST_CASE("an endless loop while the files are loaded is an error of the load") {
    if (!signals_work) return;
    CHECK(contains(load_error("while true do end"), "main.lua:1: loading computes too long"));
}
TEST_CASE("a pattern that would backtrack for hours ends in an error") {
    const std::vector<std::string> bodies{
        "return (string.find(string.rep('a', 5000), string.rep('a?', 100) .. string.rep('a', 100) .. 'b'))",
        "return (string.rep('a', 20000):match('.-.-.-.-b'))", "return (string.rep('a', 20000):gsub('.*.*.*.*b', ''))",
        "for w in string.rep('a', 20000):gmatch('.-.-.-b') do end",
        "local ok, why = pcall(string.match, string.rep('a', 20000), '.-.-.-.-b') error(why, 0)"};
    for (const auto& body : bodies) {
        INFO(body);
        auto patient = small_limits();
        patient.cpu_budget = 60s;
        CHECK(contains(run(body, patient), "the pattern is too much work for this text: 5,000,000 steps"));
        if (signals_work) CHECK_FALSE(run(body).empty()); // whichever bound is met first
    }
}
TEST_CASE("memory: the call that wants too much gets an error, the next one does not") {
    auto patient = small_limits();
    patient.cpu_budget = 60s; // under a sanitizer all this takes longer than a script may compute
    loaded l(R"(context "test" {
  rep = function() return #string.rep("x", 1 << 40) end,
  doubling = function() local s = "x" while true do s = s .. s end end,
  tables = function() local t = {} while true do t[#t + 1] = {} end end,
  pairs = function() local t = {} for i = 1, 1e9 do t["k" .. i] = i end end,
  fine = function() local t = {} for i = 1, 1000 do t[i] = {} end return #t .. "" end,
})", patient);
    for (const char* name : {"rep", "doubling", "tables", "pairs"}) {
        INFO(name);
        const auto failed = l.call_of(name);
        INFO(failed);
        CHECK((contains(failed, "not enough memory") || contains(failed, "too large")));
        CHECK(contains(failed, "main.lua:"));
        CHECK(contains(failed, "stack traceback"));
        CHECK(l.call_of("fine").empty());
        CHECK(l.text == "1000");
    }
}
TEST_CASE("memory: what ended calls used is given back, and the books are even") {
    loaded l(R"(context "test" {
  big = function() local t = {} for i = 1, 5000 do t[i] = {tostring(i)} end return #t .. "" end,
})");
    lua_gc(l.in->lua(), LUA_GCCOLLECT);
    const auto before = l.in->heap().used();
    for (int i = 0; i < 300; ++i) REQUIRE(l.call_of("big").empty());
    CHECK(l.in->heap().used() < l.in->limits().memory / 2);
    lua_gc(l.in->lua(), LUA_GCCOLLECT);
    CHECK(l.in->heap().used() < before + (64u << 10));
}
TEST_CASE("memory: garbage of the running call is collected before it gets an error") {
    auto patient = small_limits();
    patient.cpu_budget = 60s;
    CHECK(run("local n = 0 for i = 1, 3000 do local s = string.rep('x', 20000) .. i n = n + #s end return tostring(n > 0)",
              patient) == "true");
}
