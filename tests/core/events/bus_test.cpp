#include "core/async/virtual_time.hpp"
#include "core/events/bus.hpp"
#include "tests/support/office.hpp"
#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <map>
#include <set>
#include <sys/resource.h>
#include <thread>

using namespace strowger;
using strowger::test::heard_log;
using strowger::test::office;
using strowger::test::scratch;

namespace {

/// A bus driven by hand.
struct line {
    scratch at;
    virtual_clock clock;
    virtual_time time{clock};
    worker writer{"events", clock};
    event_bus bus{writer, clock};
    strowger::signal changed;

    explicit line(event_bus::options o = {}) {
        time.add(writer);
        reopen(std::move(o));
    }
    line(const line&) = delete;
    line& operator=(const line&) = delete;
    ~line() {
        time.remove(writer);
        bus.close();
    }
    void reopen(event_bus::options o) {
        o.folder = at.path() / "events";
        REQUIRE(bus.open(std::move(o)));
    }
    void publish(int count) {
        for (int i = 0; i < count; ++i)
            bus.publish(event_kind::call_key, "7f3a", [i] { return value::table{{"leg", "a"}, {"key", i}}; });
        time.advance(20ms);
    }
};

/// All that can be fetched, from that number on; a gap is the number before it and then 0.
std::vector<std::uint64_t> fetched(const event_follower& f, std::uint64_t next) {
    std::vector<std::uint64_t> out;
    for (;;) {
        auto got = event_follower::fetch(*f.reading(), next, 10);
        if (got.gone_until != 0) {
            out.push_back(0);
            next = got.gone_until + 1;
            continue;
        }
        if (got.events.empty()) return out;
        for (const auto& e : got.events) {
            if (e->number != next) out.push_back(0);
            out.push_back(e->number);
            next = e->number + 1;
        }
    }
}

std::vector<std::uint64_t> range(std::uint64_t first, std::uint64_t last) {
    std::vector<std::uint64_t> out;
    for (auto n = first; n <= last; ++n) out.push_back(n);
    return out;
}

/// Files of this process cannot grow past that while it lives: a full disk.
class full_disk {
public:
    explicit full_disk(rlim_t bytes) {
        before_handler_ = std::signal(SIGXFSZ, SIG_IGN);
        ::getrlimit(RLIMIT_FSIZE, &before_);
        auto now = before_;
        now.rlim_cur = bytes;
        ::setrlimit(RLIMIT_FSIZE, &now);
    }
    full_disk(const full_disk&) = delete;
    full_disk& operator=(const full_disk&) = delete;
    ~full_disk() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, before_handler_);
    }

private:
    rlimit before_{};
    void (*before_handler_)(int) = nullptr;
};

event_bus::options keeping(std::uint64_t bytes) {
    event_bus::options o;
    o.keep = bytes;
    return o;
}

} // namespace

TEST_CASE("an event has its number, moment, type, call and fields") {
    line l;
    event_follower f(l.bus, l.writer, l.changed);
    l.bus.publish(event_kind::call_extension, "7f3a", [] { return value::table{{"context", "internal"}, {"extension", "100"}}; });
    l.time.advance(20ms);
    const auto got = event_follower::fetch(*f.reading(), 1, 10);
    REQUIRE(got.events.size() == 1);
    const auto e = from_json(got.events[0]->text).value();
    REQUIRE(e["seq"].integer_or(0) == 1);
    REQUIRE(e["type"].text_or("") == "call.extension");
    REQUIRE(e["call"].text_or("") == "7f3a");
    REQUIRE(e["fields"]["extension"].text_or("") == "100");
    REQUIRE(e["at"].text_or("").starts_with("2027-01-15T"));
}

TEST_CASE("what a peer calls itself may be long or not text at all") {
    line l;
    event_follower f(l.bus, l.writer, l.changed);
    l.bus.publish(event_kind::call_started, "1", [] {
        return value::table{{"from", std::string(100'000, 'x')}, {"from_name", "\xff\xfe\n"}};
    });
    l.time.advance(20ms);
    const auto got = event_follower::fetch(*f.reading(), 1, 10);
    REQUIRE(got.events.at(0)->text.size() < 2000);
    REQUIRE(got.events.at(0)->text.find('\n') == std::string::npos);
    REQUIRE(from_json(got.events[0]->text));
}

TEST_CASE("with no log and nobody who follows, fields are not even made") {
    line l(keeping(0));
    int made = 0;
    const auto fields = [&made] {
        ++made;
        return value::table();
    };
    l.bus.publish(event_kind::call_answered, "1", fields);
    REQUIRE(made == 0);
    {
        event_follower f(l.bus, l.writer, l.changed);
        l.bus.publish(event_kind::call_answered, "1", fields);
        l.time.advance(20ms);
        REQUIRE(fetched(f, 1) == range(1, 1));
    }
    l.bus.publish(event_kind::call_answered, "1", fields);
    REQUIRE(made == 1);
}

TEST_CASE("a follower replays from disk, then memory, then live, each number once") {
    event_bus::options o;
    o.recent = 5;
    line l(o);
    l.publish(100);
    event_follower f(l.bus, l.writer, l.changed);
    REQUIRE(fetched(f, 1) == range(1, 100));
    REQUIRE(fetched(f, 42) == range(42, 100));
    l.publish(3);
    REQUIRE(fetched(f, 101) == range(101, 103));
    REQUIRE(fetched(f, 104).empty());
}

TEST_CASE("numbers go on after a restart, and the events of before are there") {
    line l;
    l.publish(3);
    l.bus.close();
    l.reopen({});
    l.publish(2);
    event_follower f(l.bus, l.writer, l.changed);
    REQUIRE(fetched(f, 1) == range(1, 5));
}

TEST_CASE("who asks for events that are gone is told which") {
    auto o = keeping(128u << 10);
    o.recent = 100;
    line l(o);
    l.publish(3000);
    event_follower f(l.bus, l.writer, l.changed);
    const auto oldest = l.bus.now().oldest;
    REQUIRE(oldest > 500);
    auto expected = range(oldest, 3000);
    expected.insert(expected.begin(), 0);
    REQUIRE(fetched(f, 1) == expected);
}

TEST_CASE("without a log a slow follower is told what it missed") {
    event_bus::options o = keeping(0);
    o.recent = 10;
    line l(o);
    event_follower f(l.bus, l.writer, l.changed);
    l.publish(30);
    auto expected = range(21, 30);
    expected.insert(expected.begin(), 0);
    REQUIRE(fetched(f, 1) == expected);
}

TEST_CASE("events that come faster than they are written are counted, and the gap is an event") {
    event_bus::options o;
    o.waiting = 10;
    line l(o);
    const heard_log heard;
    l.publish(25);
    REQUIRE(heard.contains("15 events came faster"));
    event_follower f(l.bus, l.writer, l.changed);
    auto expected = range(1, 10);
    expected.insert(expected.end(), {0, 26});
    REQUIRE(fetched(f, 1) == expected);
    const auto e = from_json(event_follower::fetch(*f.reading(), 26, 1).events.at(0)->text).value();
    REQUIRE(e["type"].text_or("") == "events.lost");
    REQUIRE(e["fields"]["first"].integer_or(0) == 11);
    REQUIRE(e["fields"]["last"].integer_or(0) == 25);
    REQUIRE(l.bus.now().lost == 15);
}

TEST_CASE("a full disk stops nobody: followers go on, the gap is marked, and numbers are not given again") {
    event_bus::options o;
    o.recent = 200;
    line l(o);
    l.publish(10);
    event_follower f(l.bus, l.writer, l.changed);
    {
        const heard_log heard;
        const full_disk full(2048);
        l.publish(50);
        l.publish(50);
        REQUIRE(l.bus.now().disk_fails);
        const auto text = heard.all();
        REQUIRE(text.find("not kept on disk from 11 on") != std::string::npos);
        REQUIRE(text.find("not kept on disk", text.find("not kept on disk") + 5) == std::string::npos);
        REQUIRE(fetched(f, 1) == range(1, 110));
    }
    l.time.advance(2s);
    l.publish(1);
    l.time.advance(1s);
    REQUIRE_FALSE(l.bus.now().disk_fails);
    REQUIRE(fetched(f, 111) == range(111, 112));
    const auto e = from_json(event_follower::fetch(*f.reading(), 112, 1).events.at(0)->text).value();
    REQUIRE(e["type"].text_or("") == "events.lost");
    REQUIRE(e["fields"]["first"].integer_or(0) == 11);
    REQUIRE(e["fields"]["last"].integer_or(0) == 110);

    l.bus.close();
    l.reopen(o);
    l.publish(1);
    event_follower later(l.bus, l.writer, l.changed);
    auto expected = range(1, 10);
    expected.insert(expected.end(), {0, 111, 112, 113});
    REQUIRE(fetched(later, 1) == expected);
}

TEST_CASE("many threads publish, one follows live: each number once and in order") {
    const scratch at;
    const real_clock clock;
    worker writer("events", clock), home("home", clock);
    event_bus bus(writer, clock);
    event_bus::options o;
    o.folder = at.path() / "events";
    o.recent = 64;
    REQUIRE(bus.open(std::move(o)));
    writer.start();
    constexpr std::uint64_t all = 4 * 5000;
    {
        strowger::signal changed;
        event_follower f(bus, home, changed);
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([&bus] {
                for (int i = 0; i < 5000; ++i) bus.publish(event_kind::call_answered, "7f3a");
            });
        std::uint64_t next = 1;
        const auto limit = std::chrono::steady_clock::now() + 30s;
        while (next <= all && std::chrono::steady_clock::now() < limit) {
            const auto got = event_follower::fetch(*f.reading(), next, 100);
            REQUIRE(got.gone_until == 0);
            for (const auto& e : got.events) REQUIRE(e->number == next++);
        }
        for (auto& t : threads) t.join();
        REQUIRE(next == all + 1);
    }
    writer.stop();
    bus.close();
}

namespace {

/// Name → fields, as contrib/docs/events.md has them.
std::map<std::string, std::set<std::string>> documented() {
    std::ifstream in(std::filesystem::path(STROWGER_SOURCE_DIR) / "contrib/docs/events.md");
    std::map<std::string, std::set<std::string>> out;
    for (std::string row; std::getline(in, row);) {
        if (!row.starts_with("| `")) continue;
        row.resize(row.find('|', row.find('|', 1) + 1)); // not what it says in words
        std::vector<std::string> names;
        for (std::size_t at = 0; (at = row.find('`', at)) != std::string::npos;) {
            const auto end = row.find('`', at + 1);
            names.push_back(row.substr(at + 1, end - at - 1));
            at = end + 1;
        }
        out[names.at(0)] = {names.begin() + 1, names.end()};
    }
    return out;
}

} // namespace

TEST_CASE("the table of events in contrib/docs/events.md is that of the code") {
    std::map<std::string, std::set<std::string>> known;
    for (const auto& s : event_shapes()) known[std::string(s.name)] = {s.fields.begin(), s.fields.end()};
    REQUIRE(documented() == known);
}

TEST_CASE("the story of a call can be read from its events, and no field is unknown") {
    strowger::test::office_options with;
    with.adjust = [](config::settings& s) { s.events.keys = true; };
    office o(R"(
context "internal" {
  ["100"] = function(call) call:answer() if call:read_digit{timeout = 5} == "1" then call:dial("user/bob") end end,
})",
             with);
    strowger::signal changed;
    event_follower f(o.core().events(), o.core().control(), changed);
    o.alice().dial("100");
    o.pass(1s);
    o.alice().press("1");
    o.pass(1s);
    o.bob().answer();
    o.pass(1s);
    o.bob().hang_up();
    o.pass(1s);

    const auto known = documented();
    std::vector<std::string> story;
    for (const auto& e : event_follower::fetch(*f.reading(), 1, 1000).events) {
        const auto v = from_json(e->text).value();
        const auto type = v["type"].text_or("");
        REQUIRE(known.contains(type));
        if (const auto* fields = v["fields"].fields())
            for (const auto& [name, ignored] : *fields) {
                INFO(type << " " << name);
                CHECK(known.at(type).contains(name));
            }
        if (!v["call"].is_null()) story.push_back(type);
        if (type == "call.key") REQUIRE(v["fields"]["key"].text_or("") == "1");
    }
    const std::vector<std::string> expected{"call.started", "leg.added",    "call.extension", "leg.answered", "call.answered",
                                            "call.key",     "leg.added",    "leg.ringing",    "leg.answered", "bridge.began",
                                            "leg.ended",    "bridge.ended", "leg.ended",      "call.ended"};
    REQUIRE(story == expected);
}

TEST_CASE("events do not tell keys unless the settings say so") {
    office o(R"(context "internal" { ["100"] = function(call) call:answer() call:read_digit{timeout = 5} end })");
    strowger::signal changed;
    event_follower f(o.core().events(), o.core().control(), changed);
    o.alice().dial("100");
    o.pass(1s);
    o.alice().press("7");
    o.pass(1s);
    int keys = 0;
    for (const auto& e : event_follower::fetch(*f.reading(), 1, 1000).events) {
        const auto v = from_json(e->text).value();
        if (v["type"].text_or("") != "call.key") continue;
        ++keys;
        REQUIRE(v["fields"]["key"].is_null());
    }
    REQUIRE(keys == 1);
}
