// What the ledger says of the sound of each leg.
#include "tests/support/office.hpp"
#include <catch2/catch.hpp>

using namespace strowger;
using namespace strowger::test;

namespace {

const char* const plan = R"(
context "internal" {
  ["100"] = function(call) call:answer(); call:wait(3600) end,
  ["_2XX"] = function(call) call:dial({"ext/201", "ext/202"}) end,
}
)";

std::int64_t counted(const value& leg, const char* what) { return leg["media"][what].integer_or(-1); }

/// The legs of that peer, over all records.
std::vector<value> legs_of(office& o, const std::string& peer) {
    std::vector<value> out;
    for (const auto& record : o.core().ledger().newest(10))
        for (const auto& leg : *record["legs"].items())
            if (leg["peer"].text_or("").find(peer) != std::string::npos) out.push_back(leg);
    return out;
}

} // namespace

TEST_CASE("a record has the figures of every leg, of the caller's, of the one that talked, and none of one that had no sound") {
    office o(plan);
    o.alice().speak(440);
    o.bob().speak(880);
    o.alice().dial("201");
    o.pass(1s);
    o.bob().answer();
    o.pass(2s);
    SECTION("the callee hangs up") { o.bob().hang_up(); }
    SECTION("the caller hangs up") { o.alice().hang_up(); }
    SECTION("an operator hangs up") { o.core().calls().end_all(hangup_cause::normal, "operator"); }
    o.pass(100ms);
    for (const std::string name : {"alice", "bob"}) {
        const auto legs = legs_of(o, name);
        REQUIRE(legs.size() == 1);
        CHECK(counted(legs[0], "packets_received") >= 95); // 2 s of 20 ms at least: a tone in memory fills what it finds
        CHECK(counted(legs[0], "packets_sent") >= 95);
        CHECK(counted(legs[0], "packets_lost") == 0);
        CHECK(counted(legs[0], "packets_late") == 0);
    }
    CHECK(legs_of(o, "carol").at(0)["media"].is_null());
    REQUIRE(o.core().calls().count() == 0);
}

TEST_CASE("a leg that is given away has its figures until then in the first call's record, and all of them in the second's") {
    office_options two;
    two.workers = 2;
    office o(R"(context "internal" {["100"] = function(call) call:answer(); call:wait(3600) end,
                                    ["201"] = function(call) call:dial("ext/201") end})", two);
    o.bob().speak(880);
    o.alice().dial("201");
    o.pass(1s);
    o.bob().answer();
    o.pass(2s);
    o.alice().transfer("100");
    o.pass(1s);
    o.alice().hang_up();
    o.pass(3s);
    o.bob().hang_up();
    o.pass(1s);
    const auto legs = legs_of(o, "bob"); // the newest first
    REQUIRE(legs.size() == 2);
    const auto then = counted(legs[1], "packets_received");
    CHECK(then >= 95);
    CHECK(counted(legs[0], "packets_received") > 2 * then);
}
