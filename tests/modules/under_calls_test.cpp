// Modules come and go while people are on the telephone.
#include "tests/support/office.hpp"
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <set>

using namespace strowger;
using namespace strowger::test;
using phone_state = virtual_phone::state;

namespace {

const char* const plan = R"(
context "internal" {
  ["100"] = function(call) call:run("auto_attendant", {keys = {["1"] = "ext/201"}, timeout = 3600}) end,
  ["201"] = function(call) call:dial("ext/201") end,
  ["202"] = function(call) call:dial("ext/202") end,
  ["600"] = function(call) call:run("echo", {timeout = 3600}) end,
  ["900"] = function(call) call.vars.version = call:run("guest", {}) end,
}
)";

/// How many mappings of this process come from files with that text in their path.
std::size_t mappings(const std::string& text) {
    std::ifstream maps("/proc/self/maps");
    std::size_t count = 0;
    for (std::string line; std::getline(maps, line);)
        if (line.find(text) != std::string::npos) ++count;
    return count;
}

/// How many different files with that text in their path are mapped.
std::size_t mapped_files(const std::string& text) {
    std::ifstream maps("/proc/self/maps");
    std::set<std::string> files;
    for (std::string line; std::getline(maps, line);)
        if (line.find(text) != std::string::npos) files.insert(line.substr(line.find('/')));
    return files.size();
}

std::size_t entries(const char* directory) {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory)) ++count;
    return count;
}

// Memory says something only where neither a sanitizer nor a missing optimiser holds some back.
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
constexpr bool memory_is_judged = true;
#else
constexpr bool memory_is_judged = false;
#endif

/// What of this process is in memory, in KiB.
std::size_t resident() {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;)
        if (std::size_t kib = 0; word == "VmRSS:" && status >> kib) return kib;
    return 0;
}

} // namespace

TEST_CASE("a module with a call inside drains: the call goes on, new ones do not find it, and it leaves memory with the call") {
    office o(plan);
    o.alice().dial("600");
    o.pass(1s);
    auto users = o.core().modules().unload("echo", {});
    REQUIRE(users);
    REQUIRE(users->size() == 1);
    REQUIRE(users->front().user.find(" in echo") != std::string::npos);
    heard_log said;
    o.bob().dial("600");
    o.pass(20s);
    REQUIRE(said.contains("there is no application 'echo'"));
    REQUIRE(o.alice().now() == phone_state::talking);
    REQUIRE(mappings("/echo.") > 0);
    o.alice().hang_up();
    o.pass(1s);
    REQUIRE(mappings("/echo.") == 0);
}

TEST_CASE("a deadline hangs up the users of a module, never the module's code") {
    office o(plan);
    o.alice().dial("600");
    o.bob().dial("201");
    o.pass(1s);
    module_loader::unload_options in_five;
    in_five.hang_up_after = 5s;
    REQUIRE(o.core().modules().unload("echo", in_five));
    o.pass(4s);
    REQUIRE(o.alice().now() == phone_state::talking);
    o.pass(2s);
    REQUIRE(o.alice().now() == phone_state::ended);
    REQUIRE(mappings("/echo.") == 0);
}

TEST_CASE("a hundred cycles of every module with calls up leave no mapping, thread or descriptor behind") {
    office o(plan);
    module_loader::unload_options at_once;
    at_once.hang_up_after = 0s;
    const auto cycle = [&](const std::string& name) {
        o.alice().dial(name == "echo" ? "600" : "100");
        o.pass(300ms);
        REQUIRE(o.alice().now() == phone_state::talking);
        REQUIRE(o.core().modules().unload(name, at_once));
        o.pass(1s);
        REQUIRE(o.alice().now() == phone_state::ended);
        REQUIRE(mappings("/" + name + ".") == 0);
        REQUIRE(o.core().modules().load(name));
    };
    for (const std::string name : {"echo", "auto_attendant"}) {
        cycle(name);
        const auto maps = mappings(".so");
        const auto files = entries("/proc/self/fd");
        const auto threads = entries("/proc/self/task");
        const auto memory = resident();
        for (int i = 0; i < 100; ++i) cycle(name);
        CHECK(mappings(".so") == maps);
        CHECK(entries("/proc/self/fd") == files);
        CHECK(entries("/proc/self/task") == threads);
        // A hundred copies that stay would be ten times as much.
        if (memory_is_judged) CHECK(resident() < memory + (10u << 10));
    }
}

TEST_CASE("a hundred cycles of the loop driver with calls up leave no mapping, thread or descriptor behind") {
    office o(plan);
    module_loader::unload_options at_once;
    at_once.hang_up_after = 0s;
    const auto cycle = [&] {
        auto& bob = o.bob();
        o.alice().dial("201");
        o.carol().dial("600");
        o.pass(300ms);
        bob.answer();
        o.pass(300ms);
        REQUIRE(o.alice().now() == phone_state::talking);
        REQUIRE(o.carol().now() == phone_state::talking);
        REQUIRE(o.core().calls().count() == 2);
        o.drop_phones();
        REQUIRE(o.core().modules().unload("loop", at_once));
        o.pass(1s);
        REQUIRE(o.core().calls().count() == 0);
        REQUIRE(mappings("/loop.") == 0);
        REQUIRE(o.core().modules().load("loop"));
    };
    cycle();
    const auto maps = mappings(".so");
    const auto files = entries("/proc/self/fd");
    const auto threads = entries("/proc/self/task");
    const auto memory = resident();
    for (int i = 0; i < 100; ++i) cycle();
    CHECK(mappings(".so") == maps);
    CHECK(entries("/proc/self/fd") == files);
    CHECK(entries("/proc/self/task") == threads);
    if (memory_is_judged) CHECK(resident() < memory + (10u << 10));
}

TEST_CASE("a reload of the loop driver: a call stays on the old generation, new ones come by the new one") {
    office o(plan);
    o.alice().speak(440);
    o.bob().speak(880);
    o.alice().dial("201");
    o.pass(1s);
    o.bob().answer();
    o.pass(1s);
    const auto talk_stands = [&] {
        return o.alice().now() == phone_state::talking && std::abs(o.alice().hears_hertz() - 880) <= 5 &&
               std::abs(o.bob().hears_hertz() - 440) <= 5;
    };
    REQUIRE(talk_stands());
    REQUIRE(mapped_files("/loop.") == 1);
    REQUIRE(o.run(o.core().modules().reload("loop")));
    o.pass(1s);
    CHECK(mapped_files("/loop.") == 2);
    CHECK(talk_stands());

    // Phones of the new generation call in, and are called.
    o.drop_phone("carol");
    o.carol().speak(660);
    o.phone("dora").dial("202");
    o.pass(1s);
    o.carol().answer();
    o.pass(1s);
    CHECK(o.phone("dora").now() == phone_state::talking);
    CHECK(std::abs(o.phone("dora").hears_hertz() - 660) <= 5);
    CHECK(talk_stands());
    CHECK(o.core().calls().count() == 2);

    o.drop_phone("alice");
    o.drop_phone("bob");
    o.core().calls().end_all(hangup_cause::normal, "operator", [](const call& c) { return c.facts().from.number == "200"; });
    o.pass(1s);
    CHECK(o.core().calls().count() == 1);
    CHECK(mapped_files("/loop.") == 1); // the old one has gone with its call
    CHECK(o.phone("dora").now() == phone_state::talking);
    module_loader::unload_options at_once;
    at_once.hang_up_after = 0s;
    o.drop_phones();
    REQUIRE(o.core().modules().unload("loop", at_once));
    o.pass(1s);
    CHECK(mappings("/loop.") == 0);
    CHECK(o.core().calls().count() == 0);
}
