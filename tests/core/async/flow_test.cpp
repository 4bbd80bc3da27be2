// Flows: waiting, cancelling, and doing several things at once.
#include "core/async/together.hpp"
#include "core/async/virtual_time.hpp"
#include <catch2/catch.hpp>
#include <string>

using namespace strowger;

namespace {

struct stage {
    virtual_clock clock;
    worker home{"test", clock};
    virtual_time time{clock};
    stage() { time.add(home); }
};

struct cancelled {};

task<int> add(int a, int b) { co_return a + b; }
task<void> sum_many(long& out) {
    for (int i = 0; i < 1'000'000; ++i) out += co_await add(i & 1, 1);
}
task<void> sleeper(duration d, std::string name, std::string& log) {
    struct farewell {
        std::string& log;
        std::string name;
        ~farewell() { log += "-" + name; }
    } const bye{log, name};
    co_await sleep_for(d);
    log += "+" + name;
}
task<void> waits(signal& s, std::string& log) {
    log += co_await wait_for(s, 5s) ? "came " : "late ";
    log += co_await wait_for(s, 5s) ? "came " : "late ";
}
task<void> notes_the_end(std::string& log) {
    try {
        co_await sleep_for(1h);
    } catch (const cancelled&) {
        log += "noted ";
    }
    try {
        co_await sleep_for(1h);
    } catch (const cancelled&) {
        log += "again";
    }
}

} // namespace

TEST_CASE("a million awaits of finished children neither overflow the stack nor leak") {
    stage s;
    long sum = 0;
    flow f(s.home);
    f.start(sum_many(sum));
    s.time.settle();
    REQUIRE(f.finished());
    REQUIRE(sum == 1'500'000);
}

TEST_CASE("a wait ends by its signal or by its deadline") {
    stage s;
    signal changed;
    std::string log;
    flow f(s.home);
    f.start(waits(changed, log));
    s.time.advance(1s);
    changed.notify();
    s.time.advance(4999ms);
    REQUIRE(log == "came ");
    s.time.advance(1ms);
    REQUIRE(log == "came late ");
    REQUIRE(f.finished());
}

TEST_CASE("a cancelled flow throws from the wait it is in and from every later one") {
    stage s;
    std::string log;
    flow f(s.home);
    f.start(notes_the_end(log));
    s.time.advance(1s);
    f.cancel(std::make_exception_ptr(cancelled{}));
    REQUIRE(log.empty()); // in a later turn, never under the feet of whoever cancels
    s.time.settle();
    REQUIRE(log == "noted again");
    REQUIRE(f.finished());
}

TEST_CASE("destroying a suspended flow unwinds its frames") {
    stage s;
    std::string log;
    {
        flow f(s.home);
        f.start(sleeper(1h, "a", log));
        s.time.advance(1s);
    }
    REQUIRE(log == "-a");
    s.time.advance(2h);
    REQUIRE(log == "-a");
}

namespace {
task<void> race(std::string& log) {
    std::vector<task<void>> runners;
    runners.push_back(sleeper(3s, "slow", log));
    runners.push_back(sleeper(1s, "fast", log));
    const auto winner = co_await first_of(std::move(runners));
    log += " winner " + std::to_string(winner);
}
task<void> both(std::string& log) {
    std::vector<task<void>> runners;
    runners.push_back(sleeper(3s, "slow", log));
    runners.push_back(sleeper(1s, "fast", log));
    co_await all_of(std::move(runners));
    log += " all";
}
task<void> limited(std::string& log) { log += co_await with_deadline(sleeper(3s, "slow", log), 2s) ? " done" : " cut"; }
} // namespace

TEST_CASE("the first of several wins and the others are unwound") {
    stage s;
    std::string log;
    flow f(s.home);
    f.start(race(log));
    s.time.advance(1s);
    REQUIRE(f.finished());
    REQUIRE(log == "+fast-fast-slow winner 1");
}

TEST_CASE("all of several are waited for") {
    stage s;
    std::string log;
    flow f(s.home);
    f.start(both(log));
    s.time.advance(10s);
    REQUIRE(log == "+fast-fast+slow-slow all");
}

TEST_CASE("a deadline unwinds what takes too long") {
    stage s;
    std::string log;
    flow f(s.home);
    f.start(limited(log));
    s.time.advance(10s);
    REQUIRE(log == "-slow cut");
}

TEST_CASE("cancelling a flow unwinds what it runs side by side") {
    stage s;
    std::string log;
    flow f(s.home);
    f.start(race(log));
    s.time.advance(500ms);
    f.cancel(std::make_exception_ptr(cancelled{}));
    s.time.settle();
    REQUIRE(f.finished());
    REQUIRE((log == "-slow-fast" || log == "-fast-slow"));
}

TEST_CASE("a cancelled timer never runs, even when it was already due") {
    stage s;
    std::string log;
    timer second;
    auto first = s.home.after(1s, [&] {
        log += "first";
        second.cancel();
    });
    second = s.home.after(1s, [&] { log += "second"; });
    s.time.advance(5s);
    REQUIRE(log == "first");
}

TEST_CASE("a started worker runs jobs that other threads post, in order") {
    real_clock clock;
    worker w("posts", clock);
    std::vector<int> seen;
    w.start();
    for (int i = 0; i < 10'000; ++i) w.post([&seen, i] { seen.push_back(i); });
    std::atomic<bool> done = false;
    w.post([&] { done = true; });
    while (!done) std::this_thread::yield();
    w.stop();
    REQUIRE(seen.size() == 10'000);
    REQUIRE(std::is_sorted(seen.begin(), seen.end()));
}
