// The location table: registrations in order, all or none, kept over a restart, never immortal.
#include "core/base/ids.hpp"
#include "core/location/location_table.hpp"
#include <catch2/catch.hpp>
#include <filesystem>
#include <limits>

using namespace strowger;
using cause = registration_error::cause;
namespace fs = std::filesystem;

namespace {

struct fixture {
    fs::path home = fs::temp_directory_path() / ("strowger-location-" + random_hex(8));
    virtual_clock time;
    worker writer{"storage", time};
    location_limits limits;
    std::unique_ptr<store::store> kept;
    std::unique_ptr<location_table> table;

    fixture() { restart(); }
    ~fixture() {
        table.reset();
        kept.reset();
        std::error_code ignored;
        fs::remove_all(home, ignored);
    }
    void restart() {
        table.reset();
        kept.reset();
        auto opened = store::store::open(home, writer);
        if (!opened) FAIL(opened.error().text);
        kept = std::move(*opened);
        auto made = location_table::open(*kept, time, limits);
        if (!made) FAIL(made.error().text);
        table = std::move(*made);
        settle();
    }
    void settle() {
        while (writer.run_ready()) {}
    }
    void pass(duration d) { time.move_to(time.now() + d); }

    using answer = tl::expected<std::vector<binding>, registration_error>;
    answer apply(const std::string& user, std::vector<binding_change> changes, const std::string& driver = "sip") {
        answer out = tl::unexpected(registration_error{{"no completion"}, cause::invalid});
        table->apply(user, driver, std::move(changes), [&out](answer a) { out = std::move(a); });
        settle();
        return out;
    }
    answer remove_all(const std::string& user, const std::string& call_id = {}, std::uint32_t cseq = 0) {
        answer out = tl::unexpected(registration_error{{"no completion"}, cause::invalid});
        table->remove_all(user, "sip", call_id, cseq, [&out](answer a) { out = std::move(a); });
        settle();
        return out;
    }
    std::vector<std::string> addresses(const std::string& user) const {
        std::vector<std::string> out;
        for (const auto& b : table->bindings_of(user)) out.push_back(b.address);
        return out;
    }
};

binding_change at(std::string address, std::chrono::seconds lasts = 60s, std::uint32_t cseq = 1, std::string call_id = "call-1") {
    binding_change c;
    c.address = std::move(address);
    c.lasts = lasts;
    c.cseq = cseq;
    c.call_id = std::move(call_id);
    return c;
}

using names = std::vector<std::string>;

} // namespace

TEST_CASE("a registration older than the kept one is refused and changes nothing", "[location]") {
    fixture f;
    REQUIRE(f.apply("alice", {at("sip:a", 60s, 5)}));
    for (const std::uint32_t old : {4u, 5u}) {
        const auto answer = f.apply("alice", {at("sip:b", 60s, old), at("sip:a", 0s, old)});
        REQUIRE_FALSE(answer);
        CHECK(answer.error().why == cause::out_of_order);
        CHECK(f.addresses("alice") == names{"sip:a"});
    }
    CHECK(f.apply("alice", {at("sip:a", 60s, 1, "call-2")})); // the phone was started again
    CHECK(f.apply("alice", {at("sip:a", 0s, 2, "call-2")}));
    CHECK(f.addresses("alice").empty());
}

TEST_CASE("removing all is refused when one binding is newer", "[location]") {
    fixture f;
    REQUIRE(f.apply("alice", {at("sip:a", 60s, 3)}));
    REQUIRE(f.apply("alice", {at("sip:b", 60s, 9)}));
    const auto answer = f.remove_all("alice", "call-1", 5);
    REQUIRE_FALSE(answer);
    CHECK(answer.error().why == cause::out_of_order);
    CHECK(f.addresses("alice").size() == 2);
    CHECK(f.remove_all("alice", "call-1", 10));
    CHECK(f.addresses("alice").empty());
    f.restart();
    CHECK(f.addresses("alice").empty());
}

TEST_CASE("what cannot be is refused: no address, a bad q, a negative duration, endless text", "[location]") {
    fixture f;
    auto loud = at("sip:a");
    loud.q = 1.5;
    auto not_a_number = at("sip:a");
    not_a_number.q = std::numeric_limits<double>::quiet_NaN();
    auto talkative = at("sip:a");
    talkative.user_agent = std::string(5000, 'x');
    for (const auto& bad : std::vector{at(""), loud, not_a_number, talkative, at("sip:a", -1s)}) {
        const auto answer = f.apply("alice", {at("sip:good"), bad});
        REQUIRE_FALSE(answer);
        CHECK(answer.error().why == cause::invalid);
    }
    CHECK(f.table->all().empty());
    CHECK(f.apply("", {at("sip:a")}).error().why == cause::not_kept);
}

TEST_CASE("a user has ten bindings over all drivers and no eleventh", "[location]") {
    fixture f;
    for (int i = 0; i < 9; ++i) REQUIRE(f.apply("alice", {at(fmt::format("sip:{}", i))}));
    const auto answer = f.apply("alice", {at("ws:1"), at("ws:2")}, "browser");
    REQUIRE_FALSE(answer);
    CHECK(answer.error().why == cause::too_many);
    CHECK(f.apply("alice", {at("ws:1")}, "browser"));
    CHECK_FALSE(f.apply("alice", {at("sip:9")}));
    CHECK(f.apply("alice", {at("sip:0", 60s, 2)}));                     // refreshing is no new one
    CHECK(f.apply("alice", {at("sip:0", 0s, 3), at("sip:9", 60s, 3)})); // nor is taking another's place
    f.pass(61s);
    CHECK(f.apply("alice", {at("sip:10")})); // those that ended do not count
    CHECK(f.addresses("alice") == names{"sip:10"});
}

TEST_CASE("nothing is acknowledged or seen before it is on the disk", "[location]") {
    fixture f;
    bool acknowledged = false;
    f.table->apply("alice", "sip", {at("sip:a")}, [&](const auto& answer) { acknowledged = answer.has_value(); });
    CHECK_FALSE(acknowledged);
    CHECK(f.addresses("alice").empty());
    f.settle();
    CHECK(acknowledged);
    CHECK(f.addresses("alice") == names{"sip:a"});
}

TEST_CASE("changes that are committed together see each other", "[location]") {
    fixture f;
    names verdicts;
    const auto note = [&verdicts](const auto& a) { verdicts.push_back(a ? fmt::format("{} kept", a->size()) : "refused"); };
    f.table->apply("alice", "sip", {at("sip:a", 60s, 2)}, note);
    f.table->apply("alice", "sip", {at("sip:a", 60s, 1)}, note);
    f.table->apply("alice", "sip", {at("sip:b", 60s, 3)}, note);
    f.settle();
    CHECK(verdicts == names{"1 kept", "refused", "2 kept"});
}

TEST_CASE("bindings end on the monotonic clock, whatever happens to the wall clock", "[location]") {
    fixture f;
    REQUIRE(f.apply("alice", {at("sip:a", 60s)}));
    f.time.step_wall(-24h);
    f.pass(59s);
    CHECK(f.addresses("alice") == names{"sip:a"});
    f.time.step_wall(48h);
    CHECK(f.addresses("alice") == names{"sip:a"});
    f.pass(1s);
    CHECK(f.addresses("alice").empty());
    CHECK(f.table->all().empty());
    const auto ended = f.table->expire(f.time.now());
    REQUIRE(ended.size() == 1);
    CHECK(ended[0].user == "alice");
    f.settle();
    CHECK(f.kept->scan(f.kept->open_table("location").value(), "", 10).empty());
    CHECK(f.table->expire(f.time.now()).empty());
}

TEST_CASE("a refresh that is on its way survives the expiry of what it refreshes", "[location]") {
    fixture f;
    REQUIRE(f.apply("alice", {at("sip:a", 60s)}));
    f.pass(60s);
    f.table->apply("alice", "sip", {at("sip:a", 60s, 2)}, [](const auto& answer) { CHECK(answer); });
    f.table->expire(f.time.now());
    f.settle();
    CHECK(f.addresses("alice") == names{"sip:a"});
}

TEST_CASE("a restart keeps what has time left, and a clock set back grants no more than was granted", "[location]") {
    fixture f;
    REQUIRE(f.apply("alice", {at("sip:short", 60s), at("sip:long", 600s)}));
    f.pass(61s);
    f.restart();
    CHECK(f.addresses("alice") == names{"sip:long"});
    f.pass(538s);
    CHECK(f.addresses("alice") == names{"sip:long"});
    f.pass(1s);
    CHECK(f.addresses("alice").empty());
    f.table->expire(f.time.now());

    REQUIRE(f.apply("bob", {at("sip:b", 600s)}));
    f.time.step_wall(-24h * 365);
    f.restart();
    REQUIRE(f.addresses("bob") == names{"sip:b"});
    CHECK(f.table->bindings_of("bob")[0].expires - f.time.wall() <= 600s);
    f.pass(300s);
    f.restart(); // the clock is still wrong, and must not begin the duration anew
    CHECK(f.addresses("bob") == names{"sip:b"});
    f.pass(300s);
    CHECK(f.addresses("bob").empty());
    f.restart(); // what ended leaves the disk
    CHECK(f.kept->scan(f.kept->open_table("location").value(), "", 10).empty());
}

TEST_CASE("a longer registration than allowed is shortened", "[location]") {
    fixture f;
    f.limits.longest = 3600s;
    f.restart();
    const auto answer = f.apply("alice", {at("sip:a", std::chrono::seconds(INT64_MAX / 2))});
    REQUIRE(answer);
    CHECK(answer->at(0).lasts == 3600s);
    CHECK(answer->at(0).expires_mono == f.time.now() + 3600s);
}

TEST_CASE("every field comes back after a restart, also bytes that are no text", "[location]") {
    fixture f;
    auto c = at("sip:alice@198.51.100.7:5062;transport=tcp", 600s, 4'000'000'000u, "a84b%20\"\\");
    c.received = "tcp 198.51.100.7:40000 #3";
    c.path = "<sip:edge.example;lr>";
    c.instance = "<urn:uuid:00000000-0000-1000-8000-000A95A0E128>";
    c.user_agent = "B\xfcro \xff\x01 100%";
    c.q = 0.7;
    REQUIRE(f.apply("alice", {c}));
    f.restart();
    const auto all = f.table->bindings_of("alice");
    REQUIRE(all.size() == 1);
    const auto& b = all[0];
    CHECK(b.user == "alice");
    CHECK(b.driver == "sip");
    CHECK(b.address == c.address);
    CHECK(b.received == c.received);
    CHECK(b.path == c.path);
    CHECK(b.instance == c.instance);
    CHECK(b.user_agent == c.user_agent);
    CHECK(b.q == c.q);
    CHECK(b.lasts == 600s);
    CHECK(b.call_id == c.call_id);
    CHECK(b.cseq == c.cseq);
    CHECK_FALSE(f.apply("alice", {at(c.address, 60s, 4'000'000'000u, c.call_id)})); // the order holds over a restart
}

TEST_CASE("a damaged record costs one user's registrations, not the start", "[location]") {
    fixture f;
    REQUIRE(f.apply("alice", {at("sip:a")}));
    const auto t = f.kept->open_table("location").value();
    for (const auto* damage :
         {"{", "[]", R"({"bindings":[{}]})", R"({"bindings":[{"driver":"sip","address":"a","lasts":9e18,"expires":-5}]})",
          R"({"bindings":[{"driver":"sip","address":"a","lasts":9,"expires":9223372036854775807}]})"}) {
        f.kept->write(store::batch().put(t, "bob", damage), [](result<> r) { REQUIRE(r); });
        f.settle();
        f.restart();
        CHECK(f.addresses("alice") == names{"sip:a"});
        CHECK(f.addresses("bob").empty());
        CHECK(f.apply("bob", {at("sip:b")}));
    }
}

TEST_CASE("the preferred phone comes first, and a driver is told of its own bindings only", "[location]") {
    fixture f;
    auto second = at("sip:second");
    second.q = 0.5;
    REQUIRE(f.apply("alice", {second, at("sip:first")}));
    const auto answer = f.apply("alice", {at("ws:1")}, "browser");
    REQUIRE(answer);
    REQUIRE(answer->size() == 1);
    CHECK(answer->at(0).address == "ws:1");
    CHECK(f.addresses("alice") == names{"sip:first", "ws:1", "sip:second"});
    REQUIRE(f.apply("bob", {at("sip:b")}));
    CHECK(f.table->all().size() == 4);
    CHECK(f.apply("alice", {})->size() == 2); // a question only
    CHECK(f.remove_all("alice"));
    CHECK(f.addresses("alice") == names{"ws:1"});
}

TEST_CASE("completions that come after the table is gone are harmless", "[location]") {
    fixture f;
    bool told = false;
    f.table->apply("alice", "sip", {at("sip:a")}, [&](const auto& answer) { told = answer.has_value(); });
    f.table.reset();
    f.settle();
    CHECK(told);
}
