// What a dial does besides ringing: warns before its end, rings who was idle for longest, lets the caller do something aside.
#include "core/control/commands.hpp"
#include "tests/support/office.hpp"
#include <algorithm>
#include <catch2/catch.hpp>

using namespace strowger;
using namespace strowger::test;
using phone_state = virtual_phone::state;

namespace {

std::string plan(const std::string& body) {
    return R"(context "internal" { ["100"] = function(call) )" + body + R"( end,
        ["101"] = function(call) call:answer() call:play("welcome") call:wait(3600) end,
        ["_2XX"] = function(call) call:dial("ext/" .. call.extension) end })";
}
const std::string with_key = R"(call.vars.left_by = call:dial("user/bob", {max_talk = 60, keys = {["*1"] = function(c)
    c.vars.begun = true
    KEY
    c.vars.done = true
  end}}).left_by)";
std::string with_key_that(const std::string& does) {
    auto body = with_key;
    return plan(body.replace(body.find("KEY"), 3, does));
}

void talk(office& o) {
    o.alice().speak(440);
    o.bob().speak(880);
    o.alice().dial("100");
    o.pass(1s);
    o.bob().answer();
    o.pass(1s);
    REQUIRE(o.alice().now() == phone_state::talking);
}
bool hear_each_other(office& o) {
    return std::abs(o.alice().hears_hertz() - 880) <= 5 && std::abs(o.bob().hears_hertz() - 440) <= 5;
}
/// Who of the three rings now.
std::string ringing(office& o) {
    std::string out;
    for (const std::string name : {"alice", "bob", "carol"})
        if (o.phone(name).now() == phone_state::ringing_here) out += name;
    return out;
}

} // namespace

TEST_CASE("both hear a beep so long before max_talk as warn_at says, once, and go on talking until the end") {
    office o(plan("call.vars.left_by = call:dial('user/bob', {max_talk = 30, warn_at = 10}).left_by"));
    talk(o);
    o.pass(18s);
    CHECK(heard(o.alice(), "tone:beep") == 0);
    o.pass(2s);
    CHECK(heard(o.alice(), "tone:beep") == 1);
    CHECK(heard(o.bob(), "tone:beep") == 1);
    CHECK(hear_each_other(o));
    o.pass(8s);
    CHECK(o.bob().now() == phone_state::talking);
    o.pass(2s);
    CHECK(o.bob().now() == phone_state::ended);
    CHECK(heard(o.bob(), "tone:beep") == 1);
    o.settle();
    CHECK(o.last_record()["vars"]["left_by"] == value("max_talk"));
}

TEST_CASE("a warning that comes while somebody is on hold waits until he is back") {
    office o(plan("call:dial('user/bob', {max_talk = 30, warn_at = 10})"));
    talk(o);
    o.bob().hold();
    o.pass(23s);
    CHECK(heard(o.alice(), "tone:beep") == 0);
    CHECK(heard(o.alice(), "music") >= 1);
    o.bob().resume();
    o.pass(2s);
    CHECK(heard(o.alice(), "tone:beep") == 1);
    CHECK(heard(o.bob(), "tone:beep") == 1);
    CHECK(hear_each_other(o));
}

TEST_CASE("warn_at without a longer max_talk is the author's mistake") {
    for (const std::string wrong : {"{warn_at = 5}", "{warn_at = 5, max_talk = 5}"}) {
        office o(plan("call:dial('user/bob', " + wrong + ")"));
        heard_log said;
        o.alice().dial("100");
        o.pass(1s);
        CHECK(said.contains("`warn_at` is so many seconds before the end by `max_talk`"));
    }
}

TEST_CASE("longest_idle rings first who has not talked for longest, and then the next") {
    office o(plan("call:dial({'loop/door', 'user/bob', 'ext/202'}, {strategy = 'longest_idle', ring_for = 10})"));
    o.phone("door");
    const auto first_rung = [&] {
        o.alice().dial("100");
        o.pass(1s);
        auto first = ringing(o);
        o.pass(10s);
        const auto second = ringing(o);
        CHECK(second != first);
        o.pass(10s);
        CHECK(o.phone("door").now() == phone_state::ringing_here); // nobody's phone comes last
        o.alice().hang_up();
        o.pass(1s);
        return first;
    };
    const auto calls = [&](virtual_phone& who) {
        who.dial("101");
        o.pass(5s);
        who.hang_up();
        o.pass(1s);
    };
    CHECK(first_rung() == "bob"); // nobody has talked: as they stand
    calls(o.bob());
    CHECK(first_rung() == "carol");
    calls(o.carol());
    CHECK(first_rung() == "bob");
    // To be called counts as well, but only when it was answered.
    o.carol().dial("201");
    o.pass(1s);
    o.carol().hang_up();
    o.pass(1s);
    CHECK(first_rung() == "bob");
    o.carol().dial("201");
    o.pass(1s);
    o.bob().answer();
    o.pass(1s);
    o.bob().hang_up();
    o.pass(1s);
    o.carol().hang_up();
    o.pass(1s);
    calls(o.bob());
    CHECK(first_rung() == "carol");
}

TEST_CASE("while a key's function waits the other one is on hold with music, and both are back when it is through") {
    office o(with_key_that("c.vars.digits = c:gather{prompt = 'welcome', max = 2, timeout = 5} or 'none'; c:wait(2)"));
    talk(o);
    REQUIRE(hear_each_other(o));
    o.alice().press("*1");
    o.pass(1s);
    CHECK(heard(o.alice(), "welcome") == 1);
    CHECK(heard(o.bob(), "music") >= 1);
    CHECK(std::abs(o.bob().hears_hertz() - 440) > 5);
    const auto keys = o.bob().keys();
    o.pass(2s);
    o.alice().press("42");
    o.pass(1s);
    CHECK(o.bob().keys() == keys); // they were for the script
    o.pass(3s);
    CHECK(hear_each_other(o));
    o.alice().hang_up();
    o.pass(1s);
    CHECK(o.last_record()["vars"]["digits"] == value("42"));
    CHECK(o.last_record()["talks"].items()->size() == 1);
}

TEST_CASE("a key's function that does not wait disturbs nobody") {
    office o(with_key_that("c:note('pressed')"));
    talk(o);
    o.alice().press("*1");
    o.pass(1s);
    CHECK(heard(o.bob(), "music") == 0);
    CHECK(hear_each_other(o));
    o.bob().hang_up();
    o.pass(1s);
    CHECK(o.last_record()["vars"]["done"] == value(true));
}

TEST_CASE("whoever hangs up while a key's function waits ends what there is to end") {
    office o(with_key_that("c:wait(20)"));
    talk(o);
    o.alice().press("*1");
    o.pass(1s);
    SECTION("the caller: the function is left") {
        o.alice().hang_up();
        o.pass(1s);
        CHECK(o.bob().now() == phone_state::ended);
        CHECK(o.last_record()["vars"]["done"].is_null());
    }
    SECTION("the other one: the function goes on to its end, then the dial ends") {
        o.bob().hang_up();
        o.pass(10s);
        CHECK(o.alice().now() == phone_state::talking);
        o.pass(12s);
        CHECK(o.alice().now() == phone_state::ended);
        CHECK(o.last_record()["vars"]["done"] == value(true));
        CHECK(o.last_record()["vars"]["left_by"] == value("callee"));
    }
    CHECK(o.core().calls().count() == 0);
    CHECK(o.last_record()["vars"]["begun"] == value(true));
}

TEST_CASE("max_talk ends a talk although a key's function still waits") {
    office o(with_key_that("c:wait(3600)"));
    talk(o);
    o.alice().press("*1");
    o.pass(50s);
    CHECK(o.alice().now() == phone_state::talking);
    o.pass(11s);
    CHECK(o.alice().now() == phone_state::ended);
    CHECK(o.bob().now() == phone_state::ended);
    CHECK(o.last_record()["vars"]["left_by"] == value("max_talk"));
    CHECK(o.last_record()["vars"]["done"].is_null());
}

TEST_CASE("a key's function may ask somebody else in between, and go back") {
    office o(with_key_that("c.vars.asked = c:dial('user/carol').status"));
    o.carol().speak(660);
    talk(o);
    o.alice().press("*1");
    o.pass(1s);
    o.carol().answer();
    o.pass(1s);
    CHECK(std::abs(o.alice().hears_hertz() - 660) <= 5);
    CHECK(std::abs(o.carol().hears_hertz() - 440) <= 5);
    o.carol().hang_up();
    o.pass(1s);
    CHECK(hear_each_other(o));
    o.alice().hang_up();
    o.pass(1s);
    CHECK(o.last_record()["vars"]["asked"] == value("answered"));
    CHECK(o.last_record()["talks"].items()->size() == 2);
}

TEST_CASE("hints say whether whom they name can be reached, and talks") {
    office o(R"(context "internal" { ["101"] = function(call) call:answer() call:wait(3600) end,
      hint = {["201"] = "user/bob", ["202"] = "ext/202", ["300"] = "loop/door", ["301"] = "user/nobody"} })");
    control::add_call_commands(o.core());
    const auto state = [&](const std::string& extension) {
        const auto rows = o.command("dialplan hints");
        for (const auto& row : *rows.items())
            if (row["extension"] == value(extension)) return row["state"].text_or("");
        return std::string("missing");
    };
    CHECK(state("201") == "idle");
    CHECK(state("300") == "unknown");
    CHECK(state("301") == "unknown");
    o.bob().dial("101");
    o.pass(1s);
    CHECK(state("201") == "talking");
    CHECK(state("202") == "idle");
    o.bob().hang_up();
    o.pass(1s);
    CHECK(state("201") == "idle");
}

TEST_CASE("a hint that can mean nothing is refused when the dialplan is loaded") {
    office o(plan(""));
    for (const auto& [text, why] : std::vector<std::pair<std::string, std::string>>{
             {"{[\"_2XX\"] = 'user/bob'}", "is a pattern; name one extension"},
             {"{[\"200\"] = 'bob'}", "is no target such as"},
             {"{'user/bob'}", "an extension is a string"}}) {
        o.write_dialplan("context 'internal' { hint = " + text + " }");
        const auto loaded = o.core().dialplan().load();
        REQUIRE_FALSE(loaded);
        CHECK(loaded.error().text.find(why) != std::string::npos);
    }
}
