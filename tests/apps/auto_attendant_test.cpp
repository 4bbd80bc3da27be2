// The auto-attendant, from the caller's side.
#include "tests/support/office.hpp"
#include <algorithm>
#include <catch2/catch.hpp>
#include <fmt/format.h>

using namespace strowger;
using namespace strowger::test;
using phone_state = virtual_phone::state;

namespace {

const char* const plan = R"(
context "internal" {
  ["100"] = function(call)
    local result = call:run("auto_attendant", {
      greeting = "welcome", menu = "vm-options",
      keys = {["1"] = "ext/201", ["2"] = "user/carol"}, extensions = "_2XX", operator = "ext/202",
      timeout = 4, tries = 2, rounds = 2, ring_for = 10})
    call.vars.chosen = result.chosen
    call.vars.status = result.status
  end,
  ["101"] = function(call)
    call:run("auto_attendant", {keys = {["1"] = "ext/201"}, tries = 2})
  end,
  ["102"] = function(call) call:run("auto_attendant", {kees = {}}) end,
  ["600"] = function(call) call:run("echo", {timeout = 5}) end,
}
)";

} // namespace

TEST_CASE("a menu in TOML is the same as one in Lua, for call:menu and for the auto-attendant") {
    const std::string in_lua = R"(
local front = menu{prompt = {"welcome", "vm-options"}, extensions = "_2XX", tries = 2, timeout = 4,
  keys = {["1"] = "ext/201", ["2"] = {prompt = "vm-instructions", keys = {["1"] = "ext/202"}, otherwise = "ext/201"}},
  otherwise = "ext/202"}
local attendant = {greeting = "welcome", menu = "vm-options", keys = {["1"] = "ext/201"}, operator = "ext/202", tries = 1}
)";
    const std::string in_toml = "local front = menu(require 'front')\nlocal attendant = require 'attendant'\n";
    const std::string calls = R"(context "internal" {
  ["100"] = function(call) call:menu(front) end,
  ["101"] = function(call) call:run("auto_attendant", attendant) end})";
    const std::vector<std::pair<std::string, std::string>> walks{{"100", "1"}, {"100", "21"}, {"100", "2"}, {"100", "201"},
                                                                 {"100", ""},  {"101", "1"},  {"101", "9"}, {"101", ""}};
    std::vector<std::string> stories[2];
    for (int toml = 0; toml < 2; ++toml) {
        office o("context 'internal' {}");
        o.files().write("dialplan/front.toml", R"(
prompt = ["welcome", "vm-options"]
extensions = "_2XX"
tries = 2
timeout = 4
otherwise = "ext/202"

[keys]
1 = "ext/201"

[keys.2]
prompt = "vm-instructions"
keys = {1 = "ext/202"}
otherwise = "ext/201"
)");
        o.files().write("dialplan/attendant.toml", "greeting = 'welcome'\nmenu = 'vm-options'\noperator = 'ext/202'\ntries = 1\n"
                                                   "[keys]\n1 = 'ext/201'\n");
        o.write_dialplan((toml ? in_toml : in_lua) + calls);
        const auto loaded = o.core().dialplan().load();
        INFO((loaded ? "" : loaded.error().text));
        REQUIRE(loaded);
        for (const auto& [extension, keys] : walks) {
            o.alice().dial(extension);
            o.pass(200ms);
            if (!keys.empty()) o.alice().press(keys);
            o.pass(60s);
            auto story = fmt::format("{} {}: ", extension, keys);
            for (const char* prompt : {"welcome", "vm-options", "vm-instructions", "invalid"})
                story += fmt::format("{} {}, ", prompt, heard(o.alice(), prompt));
            for (const char* user : {"bob", "carol"})
                story += fmt::format("{} {}, ", user, o.phone(user).now() == phone_state::ringing_here ? "rings" : "is quiet");
            stories[toml].push_back(story);
            o.alice().hang_up();
            o.pass(5s);
        }
    }
    CHECK(stories[0] == stories[1]);
    CHECK(stories[0].front().find("welcome 1") != std::string::npos);
}

TEST_CASE("a mistake in a menu's TOML is told with its file and line") {
    office o("context 'internal' {}");
    o.files().write("dialplan/front.toml", "prompt = 'welcome'\nkeys = 5 5\n");
    o.write_dialplan("local front = menu(require 'front')\ncontext 'internal' {}");
    const auto loaded = o.core().dialplan().load();
    REQUIRE_FALSE(loaded);
    INFO(loaded.error().text);
    CHECK(loaded.error().text.find("front.toml:2:") != std::string::npos);
}

TEST_CASE("a key during the greeting stops it and connects at once") {
    office o(plan);
    o.alice().dial("100");
    o.pass(300ms);
    REQUIRE(heard(o.alice(), "welcome"));
    o.alice().press("1");
    o.pass(100ms);
    REQUIRE(o.bob().now() == phone_state::ringing_here);
    REQUIRE_FALSE(heard(o.alice(), "vm-options"));
    o.bob().answer();
    o.pass(1s);
    REQUIRE(o.alice().now() == phone_state::talking);
    o.bob().hang_up();
    o.pass(1s);
    REQUIRE(o.last_record()["vars"]["chosen"] == value("1"));
    REQUIRE(o.last_record()["vars"]["status"] == value("answered"));
}

TEST_CASE("an extension is dialled digit by digit, and rung as soon as it can grow no further") {
    office o(plan);
    o.alice().dial("100");
    o.pass(300ms);
    o.alice().press("2");
    o.pass(1s); // 2 alone is a key, but 2XX may follow
    REQUIRE(o.carol().now() == phone_state::idle);
    o.alice().press("0");
    o.pass(1s);
    o.alice().press("1");
    o.pass(100ms);
    REQUIRE(o.bob().now() == phone_state::ringing_here);
}

TEST_CASE("a key that begins an extension is taken when nothing follows in time") {
    office o(plan);
    o.alice().dial("100");
    o.pass(300ms);
    o.alice().press("2");
    o.pass(3500ms);
    REQUIRE(o.carol().now() == phone_state::ringing_here);
}

TEST_CASE("a caller who presses nothing reaches the operator in the end") {
    office o(plan);
    o.alice().dial("100");
    for (int second = 0; second < 120 && o.carol().now() != phone_state::ringing_here; ++second) o.pass(1s);
    REQUIRE(o.carol().now() == phone_state::ringing_here);
}

TEST_CASE("a wrong key is told and the caller may try again") {
    office o(plan);
    o.alice().dial("100");
    o.pass(300ms);
    o.alice().press("9");
    o.pass(1s);
    REQUIRE(heard(o.alice(), "invalid"));
    o.alice().press("1");
    o.pass(500ms);
    REQUIRE(o.bob().now() == phone_state::ringing_here);
}

TEST_CASE("when nobody answers the caller is told and may choose again") {
    office o(plan);
    o.alice().dial("100");
    o.pass(300ms);
    o.alice().press("1");
    o.pass(11s);
    REQUIRE(o.bob().now() == phone_state::ended);
    REQUIRE(heard(o.alice(), "vm-nobodyavail"));
    o.alice().press("202");
    o.pass(1s);
    REQUIRE(o.carol().now() == phone_state::ringing_here);
}

TEST_CASE("without an operator a silent caller hears goodbye and is hung up") {
    office o(plan);
    o.alice().dial("101");
    o.pass(60s);
    REQUIRE(heard(o.alice(), "goodbye"));
    REQUIRE(o.alice().now() == phone_state::ended);
}

TEST_CASE("a wrong option is the author's mistake and says so") {
    office o(plan);
    heard_log said;
    o.alice().dial("102");
    o.pass(1s);
    REQUIRE(said.contains("auto_attendant has no option 'kees'"));
    REQUIRE(said.contains("main.lua:"));
}

TEST_CASE("a caller may hang up at any moment of any application, and nothing is left") {
    office o(plan);
    struct story {
        const char* number;
        const char* keys; // one every second
    };
    for (const auto& s : {story{"100", "9201"}, story{"100", "1"}, story{"101", ""}, story{"600", "12#"}}) {
        for (auto hangs_up = 0ms; hangs_up < 16s; hangs_up += 130ms) {
            o.alice().dial(s.number);
            auto now = 0ms;
            for (const char* key = s.keys; now < hangs_up;) {
                const auto step = std::min<std::chrono::milliseconds>(1000ms, hangs_up - now);
                o.pass(step);
                now += step;
                if (*key != '\0') o.alice().press(std::string(1, *key++));
                if (now == 6s && o.bob().now() == phone_state::ringing_here) o.bob().answer();
            }
            o.alice().hang_up();
            o.bob().hang_up();
            o.carol().hang_up();
            o.settle();
            o.pass(20ms);
            INFO(s.number << " after " << hangs_up.count() << " ms");
            REQUIRE(o.core().calls().count() == 0);
            REQUIRE(o.alice().now() == phone_state::ended);
        }
    }
}
