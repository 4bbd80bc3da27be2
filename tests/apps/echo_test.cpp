// The echo application.
#include "tests/support/office.hpp"
#include <algorithm>
#include <catch2/catch.hpp>

using namespace strowger;
using namespace strowger::test;

TEST_CASE("echo lets a caller hear himself and says back his keys until he presses the pound key") {
    office o(R"(context "internal" {["600"] = function(call) call.vars.keys = call:run("echo", {}).keys end})");
    o.alice().speak(700);
    o.alice().dial("600");
    o.pass(60s);
    REQUIRE(std::abs(o.alice().hears_hertz() - 700) <= 5);
    o.alice().press("4");
    o.pass(3s);
    const auto said = o.alice().heard();
    REQUIRE(std::find(said.begin(), said.end(), "digits/4") != said.end());
    o.alice().press("#");
    o.pass(30s);
    REQUIRE(o.alice().now() == virtual_phone::state::ended);
    REQUIRE(o.last_record()["vars"]["keys"] == value(1));
}
