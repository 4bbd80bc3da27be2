// Calls from beginning to end, in virtual time.
#include "tests/support/office.hpp"
#include <algorithm>
#include <catch2/catch.hpp>

using namespace strowger;
using namespace strowger::test;
using phone_state = virtual_phone::state;

namespace {

const char* const plan = R"(
context "internal" {
  ["_2XX"] = function(call)
    local result = call:dial("ext/" .. call.extension, {ring_for = 20})
    call.vars.status = result.status
    if result.status == "busy" then call:hang_up("busy") end
    if result.status ~= "answered" and result.status ~= "transferred" then
      call:answer()
      call:play("vm-nobodyavail")
    end
  end,
  ["100"] = function(call)
    call:answer()
    call:play("welcome")
    local digit = call:read_digit{timeout = 5}
    call.vars.digit = digit or "none"
  end,
  ["101"] = function(call)
    call:on_end(function(info) call:note("ended " .. info.cause .. " by " .. info.left_by) end)
    call:answer()
    call:wait(3600)
  end,
  ["102"] = function(call) call:dial({"user/bob", "user/carol"}, {ring_for = 20}) end,
  ["103"] = function(call) call:hang_up(call:dial("user/bob", {ring_for = 1000}).cause) end,
}
)";

} // namespace

TEST_CASE("a caller to a number that does not exist is told so") {
    office o(plan);
    o.alice().dial("999");
    o.pass(1s);
    REQUIRE(o.alice().now() == phone_state::ended);
    REQUIRE(o.alice().cause() == hangup_cause::unallocated);
}

TEST_CASE("a caller hears the welcome and his key is read") {
    office o(plan);
    o.alice().dial("100");
    o.pass(500ms);
    REQUIRE(o.alice().now() == phone_state::talking);
    REQUIRE(heard(o.alice(), "welcome"));
    o.pass(20s);
    o.settle();
    REQUIRE(o.alice().now() == phone_state::ended);
    REQUIRE(o.last_record()["vars"]["digit"] == value("none"));

    o.alice().dial("100");
    o.pass(500ms);
    o.alice().press("7");
    o.pass(1s);
    REQUIRE(o.alice().now() == phone_state::ended);
    REQUIRE(o.last_record()["vars"]["digit"] == value("7"));
}

TEST_CASE("two phones talk until one of them hangs up, and the ledger has it") {
    office o(plan);
    o.alice().speak(440);
    o.bob().speak(880);
    o.alice().dial("201");
    o.pass(1s);
    REQUIRE(o.alice().now() == phone_state::ringing_there);
    REQUIRE(o.bob().now() == phone_state::ringing_here);
    REQUIRE(o.bob().display() == "200");
    o.bob().answer();
    o.pass(2s);
    REQUIRE(o.alice().now() == phone_state::talking);
    REQUIRE(std::abs(o.alice().hears_hertz() - 880) <= 5);
    REQUIRE(std::abs(o.bob().hears_hertz() - 440) <= 5);
    o.bob().hang_up();
    o.pass(1s);
    REQUIRE(o.alice().now() == phone_state::ended);
    const auto record = o.last_record();
    REQUIRE(record["vars"]["status"] == value("answered"));
    REQUIRE(record["legs"].items()->size() == 2);
    REQUIRE(record["talks"].items()->size() == 1);
    REQUIRE(record["talk_seconds"].number_or(0) == Approx(2).margin(0.2));
    REQUIRE(o.core().calls().count() == 0);
}

TEST_CASE("a busy phone gives busy, one that nobody answers gives no answer, one that refuses is rejected") {
    office o(plan);
    o.bob().dial("101");
    o.pass(1s);
    o.alice().dial("201");
    o.pass(1s);
    REQUIRE(o.alice().cause() == hangup_cause::busy);

    o.alice().dial("202");
    o.pass(21s);
    REQUIRE(o.carol().now() == phone_state::ended);
    REQUIRE(heard(o.alice(), "vm-nobodyavail"));
    o.alice().hang_up();
    o.pass(1s);
    REQUIRE(o.last_record()["vars"]["status"] == value("no_answer"));

    o.alice().dial("202");
    o.pass(1s);
    o.carol().hang_up(hangup_cause::rejected);
    o.pass(30s);
    REQUIRE(o.last_record()["vars"]["status"] == value("rejected"));
}

TEST_CASE("nothing rings for as long as proxies take to lose patience") {
    office o(plan);
    o.alice().dial("103");
    o.pass(165s);
    REQUIRE(o.bob().now() == phone_state::ringing_here);
    o.pass(10s);
    REQUIRE(o.bob().now() == phone_state::ended);
    REQUIRE(o.alice().cause() == hangup_cause::no_answer);
}

TEST_CASE("a caller who hangs up while it rings leaves nothing behind") {
    office o(plan);
    o.alice().dial("201");
    o.pass(1s);
    o.alice().hang_up();
    o.pass(1s);
    REQUIRE(o.bob().now() == phone_state::ended);
    REQUIRE(o.core().calls().count() == 0);
}

TEST_CASE("of several phones the first that answers has the call, the others stop ringing") {
    office o(plan);
    o.alice().dial("102");
    o.pass(1s);
    REQUIRE(o.bob().now() == phone_state::ringing_here);
    REQUIRE(o.carol().now() == phone_state::ringing_here);
    o.carol().answer();
    o.pass(1s);
    REQUIRE(o.bob().now() == phone_state::ended);
    REQUIRE(o.bob().cause() == hangup_cause::answered_elsewhere);
    REQUIRE(o.carol().now() == phone_state::talking);
}

TEST_CASE("a script's on_end handler runs after a hang-up in the middle of a wait") {
    office o(plan);
    o.alice().dial("101");
    o.pass(1s);
    o.alice().hang_up();
    o.pass(1s);
    const auto record = o.last_record();
    REQUIRE(record["notes"].items() != nullptr);
    REQUIRE((*record["notes"].items())[0]["text"] == value("ended normal by caller"));
}

TEST_CASE("a callee transfers the caller: it hears how that went, and only then its call ends") {
    office_options two;
    two.workers = 2;
    office o(plan, two);
    o.alice().speak(440);
    o.carol().speak(660);
    o.alice().dial("201");
    o.pass(1s);
    o.bob().answer();
    o.pass(1s);
    o.bob().transfer("202");
    o.pass(1s);
    REQUIRE(o.carol().now() == phone_state::ringing_here);
    REQUIRE(o.bob().transfer_state() == "pending");
    REQUIRE(o.bob().now() == phone_state::talking);
    o.carol().answer();
    o.pass(1s);
    REQUIRE(o.bob().transfer_state() == "done");
    REQUIRE(o.bob().now() == phone_state::ended);
    REQUIRE(o.alice().now() == phone_state::talking);
    REQUIRE(std::abs(o.alice().hears_hertz() - 660) <= 5);
    REQUIRE(std::abs(o.carol().hears_hertz() - 440) <= 5);
    REQUIRE(o.core().calls().count() == 1);
    o.alice().hang_up();
    o.pass(1s);
    REQUIRE(o.carol().now() == phone_state::ended);
    REQUIRE(o.core().calls().count() == 0);
}

TEST_CASE("a callee's transfer that reaches nobody connects both again") {
    office_options two;
    two.workers = 2;
    office o(plan, two);
    o.alice().speak(440);
    o.bob().speak(880);
    o.alice().dial("201");
    o.pass(1s);
    o.bob().answer();
    o.pass(1s);
    for (const auto* nowhere : {"999", "user/carol"}) { // what a phone sends is an extension, never a target
        o.bob().transfer(nowhere);
        o.pass(1s);
        REQUIRE(o.bob().transfer_state() == "unallocated");
        REQUIRE(o.carol().now() == phone_state::idle);
        REQUIRE(std::abs(o.bob().hears_hertz() - 440) <= 5);
        REQUIRE(std::abs(o.alice().hears_hertz() - 880) <= 5);
    }
    o.bob().hang_up();
    o.pass(1s);
    REQUIRE(o.alice().now() == phone_state::ended);
    REQUIRE(o.core().calls().count() == 0);
}

TEST_CASE("who hangs up while his transfer is undecided leaves it to itself; a caller who does ends it") {
    office_options two;
    two.workers = 2;
    office o(plan, two);
    for (const bool the_callee_leaves : {true, false}) {
        o.alice().dial("201");
        o.pass(1s);
        o.bob().answer();
        o.pass(1s);
        o.bob().transfer("202");
        o.pass(1s);
        REQUIRE(o.carol().now() == phone_state::ringing_here);
        (the_callee_leaves ? o.bob() : o.alice()).hang_up();
        o.pass(1s);
        REQUIRE(o.bob().now() == phone_state::ended);
        if (the_callee_leaves) {
            o.carol().answer();
            o.pass(1s);
            REQUIRE(o.alice().now() == phone_state::talking);
            o.alice().hang_up();
            o.pass(1s);
        }
        REQUIRE(o.alice().now() == phone_state::ended);
        REQUIRE(o.carol().now() == phone_state::ended);
        REQUIRE(o.core().calls().count() == 0);
    }
}

TEST_CASE("a caller transfers the callee: its leg is given to a call of its own, on another worker") {
    office_options two;
    two.workers = 2;
    office o(plan, two);
    o.bob().speak(880);
    o.carol().speak(660);
    o.alice().dial("201");
    o.pass(1s);
    o.bob().answer();
    o.pass(1s);
    o.alice().transfer("202");
    o.pass(1s);
    REQUIRE(o.alice().transfer_state() != "done"); // carol only rings yet
    REQUIRE(o.bob().now() == phone_state::talking); // nothing was hung up
    o.carol().answer();
    o.pass(1s);
    REQUIRE(o.alice().transfer_state() == "done");
    REQUIRE(std::abs(o.bob().hears_hertz() - 660) <= 5);
    REQUIRE(std::abs(o.carol().hears_hertz() - 880) <= 5);
    o.alice().hang_up();
    o.pass(1s);
    REQUIRE(o.bob().now() == phone_state::talking);
    o.carol().hang_up();
    o.pass(1s);
    REQUIRE(o.bob().now() == phone_state::ended);
    REQUIRE(o.core().calls().count() == 0);
}

TEST_CASE("a transfer to a number that is not there comes back, over two workers") {
    office_options two;
    two.workers = 2;
    office o(plan, two);
    o.alice().speak(440);
    o.bob().speak(880);
    o.alice().dial("201");
    o.pass(1s);
    o.bob().answer();
    o.pass(1s);
    o.alice().transfer("999");
    o.pass(1s);
    REQUIRE(o.alice().transfer_state() == "unallocated");
    REQUIRE(o.alice().now() == phone_state::talking);
    REQUIRE(std::abs(o.bob().hears_hertz() - 440) <= 5);
    REQUIRE(std::abs(o.alice().hears_hertz() - 880) <= 5);
    o.alice().transfer("999");
    o.alice().hang_up();
    o.pass(1s);
    REQUIRE(o.bob().now() == phone_state::ended); // there is nobody to come back to
    REQUIRE(o.core().calls().count() == 0);
}

TEST_CASE("whoever is put on hold hears music, and the voice again afterwards") {
    office o(plan);
    o.alice().speak(440);
    o.alice().dial("201");
    o.pass(1s);
    o.bob().answer();
    o.pass(1s);
    o.alice().hold();
    o.pass(2s);
    REQUIRE(heard(o.bob(), "music"));
    o.alice().resume();
    o.pass(1s);
    REQUIRE(std::abs(o.bob().hears_hertz() - 440) <= 5);
}

TEST_CASE("a call that lasts too long is ended") {
    office_options short_calls;
    short_calls.adjust = [](config::settings& s) { s.limits.max_call_seconds = 60s; };
    office o(plan, short_calls);
    o.alice().dial("101");
    o.pass(59s);
    REQUIRE(o.alice().now() == phone_state::talking);
    o.pass(2s);
    REQUIRE(o.alice().now() == phone_state::ended);
    REQUIRE(o.last_record()["ended_by"] == value("limit"));
}

TEST_CASE("an emergency call passes limits, drain and a broken dialplan, and somebody is told") {
    office_options help;
    help.adjust = [](config::settings& s) {
        s.limits.calls = 0;
        s.emergency.country = "DE";
        s.emergency.route = {"loop/police"};
        s.emergency.notify = "202";
    };
    office o("this is not Lua", help);
    auto& police = o.phone("police");
    o.alice().dial("201");
    o.pass(1s);
    REQUIRE(o.alice().now() == phone_state::ended); // no room for others
    o.core().calls().drain(true);
    for (const std::string number : {"110", "112", "0110", "9112"}) {
        o.alice().dial(number);
        o.pass(1s);
        INFO(number);
        REQUIRE(police.now() == phone_state::ringing_here);
        REQUIRE(o.carol().now() == phone_state::ringing_here);
        REQUIRE(o.carol().display() == "200");
        police.answer();
        o.carol().answer();
        o.pass(1s);
        REQUIRE(o.alice().now() == phone_state::talking);
        REQUIRE(o.carol().heard().back().find("Emergency") != std::string::npos);
        o.alice().hang_up();
        o.carol().hang_up();
        o.pass(1s);
    }
}
