// The ledger on disk: found again, and never more than what is to be kept.
#include "tests/support/office.hpp"
#include <catch2/catch.hpp>

using namespace strowger;
using namespace strowger::test;

namespace {

const char* const plan = R"(context "internal" {["100"] = function(call) call:answer() end})";

/// A record as it would be of a call that ended so long ago.
void add_old(office& o, const std::string& id, duration ago) {
    o.core().ledger().add(value::table{{"id", id}, {"ended", to_text(o.core().time().wall() - ago)}});
}

std::size_t kept(office& o) {
    o.settle();
    return o.core().ledger().newest(100'000).size();
}

} // namespace

TEST_CASE("records are found by their call, the newest ends first, before and after they are on the disk") {
    office o(plan);
    add_old(o, "older", 1h);
    add_old(o, "newer", 1min);
    for (int i = 0; i < 2; ++i) {
        const auto all = o.core().ledger().newest(10);
        REQUIRE(all.size() == 2);
        CHECK(all[0]["id"] == value("newer"));
        CHECK(o.core().ledger().newest(1).size() == 1);
        CHECK(o.core().ledger().find("older"));
        CHECK_FALSE(o.core().ledger().find("old"));
        o.pass(1s); // now the disk has them
    }
}

TEST_CASE("records older than ledger.keep_days go, in small batches, and the others stay") {
    office_options few_days;
    few_days.adjust = [](config::settings& s) { s.ledger.keep_days = std::chrono::days(7); };
    office o(plan, few_days);
    for (int i = 0; i < 1000; ++i) add_old(o, "old" + std::to_string(i), std::chrono::days(8));
    for (int i = 0; i < 300; ++i) add_old(o, "new" + std::to_string(i), std::chrono::days(6));
    REQUIRE(kept(o) == 1300);
    o.pass(60s);
    CHECK(kept(o) == 1100); // one batch
    o.pass(2s);
    CHECK(kept(o) == 300);
    CHECK_FALSE(o.core().ledger().find("old7"));
    CHECK(o.core().ledger().find("new7"));
    o.pass(std::chrono::hours(25));
    CHECK(kept(o) == 0);
}

TEST_CASE("of more records than ledger.keep_records the oldest go") {
    office_options few;
    few.adjust = [](config::settings& s) { s.ledger.keep_records = 50; };
    office o(plan, few);
    for (int i = 0; i < 500; ++i) add_old(o, std::to_string(i), std::chrono::hours(1000 - i));
    o.pass(70s);
    CHECK(kept(o) == 50);
    CHECK_FALSE(o.core().ledger().find("449"));
    CHECK(o.core().ledger().find("450"));
    o.alice().dial("100");
    o.pass(70s);
    CHECK(kept(o) == 50);
    CHECK(o.last_record()["from"] == value("200"));
}
