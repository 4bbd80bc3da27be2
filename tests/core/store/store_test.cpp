// The store: what is acknowledged is kept, what fails says why and leaves the rest alone.
#include "core/base/ids.hpp"
#include "core/store/store.hpp"
#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace strowger;
using store::batch;
using store::options;
namespace fs = std::filesystem;
using Catch::Matchers::Contains;

namespace {

/// A directory of its own that goes away with the test.
struct temporary_directory {
    fs::path path = fs::temp_directory_path() / ("strowger-store-" + random_hex(8));
    temporary_directory() { fs::create_directory(path); }
    ~temporary_directory() {
        std::error_code ignored;
        fs::remove_all(path, ignored);
    }
};

/// A store whose writer is driven by hand.
struct fixture {
    temporary_directory home;
    virtual_clock time;
    worker writer{"storage", time};
    std::unique_ptr<store::store> kept;
    store::table calls;

    explicit fixture(options o = {}) { reopen(std::move(o)); }
    void reopen(options o = {}) {
        kept.reset();
        auto opened = store::store::open(home.path, writer, std::move(o));
        if (!opened) FAIL(opened.error().text);
        kept = std::move(*opened);
        calls = kept->open_table("calls").value();
    }
    void settle() {
        while (writer.run_ready()) {}
    }
    result<> put(std::string key, std::string value) {
        result<> out = fail("no completion");
        kept->write(batch().put(calls, std::move(key), std::move(value)), [&out](result<> r) { out = std::move(r); });
        settle();
        return out;
    }
};

std::string why(const result<>& r) { return r ? "no failure" : r.error().text; }

} // namespace

TEST_CASE("keys that LMDB cannot hold are refused with the reason", "[store]") {
    fixture f;
    CHECK_THAT(why(f.put("", "x")), Contains("must not be empty"));
    CHECK_THAT(why(f.put(std::string(512, 'k'), "x")), Contains("512 bytes") && Contains("511"));
    CHECK(f.put(std::string(511, 'k'), "longest"));
    CHECK(f.kept->get(f.calls, std::string(511, 'k')) == "longest");
    CHECK_FALSE(f.kept->get(f.calls, ""));
    CHECK_FALSE(f.kept->get(f.calls, std::string(512, 'k')));
    CHECK(f.kept->scan(f.calls, std::string(600, 'k'), 10).empty());
}

TEST_CASE("a batch with one bad key changes nothing, and its neighbours in the commit are kept", "[store]") {
    fixture f;
    std::string bad;
    bool good = false;
    f.kept->write(batch().put(f.calls, "a", "1").put(f.calls, "", "2"), [&](result<> r) { bad = why(r); });
    f.kept->write(batch().put(f.calls, "b", "3"), [&](result<> r) { good = r.has_value(); });
    f.settle();
    CHECK_THAT(bad, Contains("empty"));
    CHECK(good);
    CHECK_FALSE(f.kept->get(f.calls, "a"));
    CHECK(f.kept->get(f.calls, "b") == "3");
}

TEST_CASE("table names that could collide are refused", "[store]") {
    fixture f;
    CHECK_THAT(f.kept->open_table("meta").error().text, Contains("belongs to the store"));
    for (const auto* name : {"", "Calls", "a/b", "a b"})
        CHECK_THAT(f.kept->open_table(name).error().text, Contains("no table name"));
}

TEST_CASE("a table that was never opened fails its own users only", "[store]") {
    fixture f;
    std::string bad;
    bool good = false;
    f.kept->write(batch().put(store::table(), "a", "1"), [&](result<> r) { bad = why(r); });
    f.kept->write(batch().put(f.calls, "b", "2"), [&](result<> r) { good = r.has_value(); });
    f.settle();
    CHECK_THAT(bad, Contains("could not be opened"));
    CHECK(good);
    CHECK_THROWS_AS(f.kept->get(store::table(), "a"), store::store::unreadable);
}

TEST_CASE("a second engine on the same directory is refused and told who is there", "[store]") {
    fixture f;
    const auto second = store::store::open(f.home.path, f.writer);
    REQUIRE_FALSE(second);
    CHECK_THAT(second.error().text, Contains(f.home.path.string()) && Contains(fmt::format("process {}", ::getpid())));
    f.kept.reset();
    CHECK(store::store::open(f.home.path, f.writer));
}

TEST_CASE("a place where no store can be is refused with what to do", "[store]") {
    temporary_directory home;
    real_clock time;
    worker writer("storage", time);
    SECTION("a file in place of the directory") {
        std::ofstream(home.path / "state") << "x";
        const auto opened = store::store::open(home.path / "state", writer);
        REQUIRE_FALSE(opened);
        CHECK_THAT(opened.error().text, Contains("state") && Contains("engine.state_directory"));
    }
    SECTION("a data file that is none") {
        std::ofstream(home.path / "data.mdb") << std::string(20'000, 'x');
        const auto opened = store::store::open(home.path, writer);
        REQUIRE_FALSE(opened);
        CHECK_THAT(opened.error().text, Contains("data.mdb") && Contains("backup"));
    }
    SECTION("a directory without the right to write") {
        if (::geteuid() == 0) return; // root is never refused
        fs::permissions(home.path, fs::perms::owner_read | fs::perms::owner_exec);
        const auto opened = store::store::open(home.path, writer);
        fs::permissions(home.path, fs::perms::owner_all);
        REQUIRE_FALSE(opened);
        CHECK_THAT(opened.error().text, Contains("right to read and write"));
    }
    SECTION("a directory that cannot be made") {
        const auto opened = store::store::open("/proc/strowger", writer);
        REQUIRE_FALSE(opened);
        CHECK_THAT(opened.error().text, Contains("/proc/strowger"));
    }
}

TEST_CASE("a full map grows up to its limit, then only what does not fit fails", "[store]") {
    options o;
    o.map_size = 1u << 20;
    o.map_limit = 8u << 20;
    fixture f(o);
    CHECK(f.put("three MiB", std::string(3u << 20, 'x')));
    CHECK(f.kept->get(f.calls, "three MiB")->size() == 3u << 20);

    std::string large, small;
    f.kept->write(batch().put(f.calls, "twenty MiB", std::string(20u << 20, 'y')), [&](result<> r) { large = why(r); });
    f.kept->write(batch().put(f.calls, "small", "z"), [&](result<> r) { small = why(r); });
    f.settle();
    CHECK_THAT(large, Contains("data.mdb") && Contains("size limit"));
    CHECK(small == "no failure");
    CHECK(f.kept->get(f.calls, "small") == "z");
    CHECK_FALSE(f.kept->get(f.calls, "twenty MiB"));
    CHECK(f.kept->get(f.calls, "three MiB")->size() == 3u << 20);
}

TEST_CASE("a disk without room fails the write, keeps reading, and works again when there is room", "[store]") {
    fixture f;
    REQUIRE(f.put("before", "1"));
    // A limit for the size of files stands in for the full disk: it fails the same write calls.
    struct rlimit old {};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &old) == 0);
    const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
    const struct rlimit tight = {256u << 10, old.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
    const auto failed = f.put("large", std::string(1u << 20, 'x'));
    const auto read = f.kept->get(f.calls, "before");
    ::setrlimit(RLIMIT_FSIZE, &old);
    std::signal(SIGXFSZ, old_handler);

    CHECK_THAT(why(failed), Contains("data.mdb") && Contains("make room"));
    CHECK(read == "1");
    CHECK_FALSE(f.kept->get(f.calls, "large"));
    CHECK(f.put("large", std::string(1u << 20, 'x')));
    f.reopen();
    CHECK(f.kept->get(f.calls, "large")->size() == 1u << 20);
}

TEST_CASE("an update that throws changes nothing and says why", "[store]") {
    fixture f;
    REQUIRE(f.put("counter", "7"));
    std::string text;
    f.kept->update(
        f.calls, "counter",
        [](std::optional<std::string>) -> std::optional<std::string> { throw std::runtime_error("not a number"); },
        [&](auto r) { text = r ? "no failure" : r.error().text; });
    f.settle();
    CHECK_THAT(text, Contains("not a number"));
    CHECK(f.kept->get(f.calls, "counter") == "7");
    f.kept->update(
        f.calls, "", [](auto found) { return found; }, [&](auto r) { text = r ? "no failure" : r.error().text; });
    f.settle();
    CHECK_THAT(text, Contains("empty"));
}

TEST_CASE("a store of a newer program is refused, and so is one whose version is damaged", "[store]") {
    fixture f;
    options newer;
    newer.migrations.push_back({"a later step", [](store::migrating&) { return result<>(); }});
    f.reopen(newer);
    f.kept.reset();
    const auto opened = store::store::open(f.home.path, f.writer);
    REQUIRE_FALSE(opened);
    CHECK_THAT(opened.error().text, Contains("made by a newer Strowger") && Contains("schema 2"));

    options damaging = newer;
    damaging.migrations.push_back({"damage", [](store::migrating&) { return result<>(); }});
    damaging.migrations.push_back({"", [](store::migrating& m) {
                                       m.put("meta", "schema", "");
                                       return result<>(fail("stop"));
                                   }});
    const auto stopped = store::store::open(f.home.path, f.writer, damaging);
    REQUIRE_FALSE(stopped);
    CHECK_THAT(stopped.error().text, Contains("migration to schema 4") && Contains("stop"));
    // Nothing of the failed step was kept: step 3 was.
    damaging.migrations.pop_back();
    CHECK(store::store::open(f.home.path, f.writer, damaging));
}

TEST_CASE("migrations run once, in their order, on what older programs left", "[store]") {
    fixture f;
    REQUIRE(f.put("alice", "sip:1"));
    REQUIRE(f.put("bob", "sip:2"));
    int runs = 0;
    options o;
    o.migrations.push_back({"values in brackets", [&runs](store::migrating& m) {
                                ++runs;
                                m.each("calls", [&m](auto key, auto value) { m.put("calls", key, fmt::format("<{}>", value)); });
                                return result<>();
                            }});
    o.migrations.push_back({"without bob", [](store::migrating& m) {
                                if (m.get("calls", "bob") != "<sip:2>") return result<>(fail("out of order"));
                                m.erase("calls", "bob");
                                return result<>();
                            }});
    f.reopen(o);
    f.reopen(o);
    CHECK(runs == 1);
    CHECK(f.kept->scan(f.calls, "", 10) == std::vector<store::record>{{"alice", "<sip:1>"}});
}

TEST_CASE("nothing is acknowledged before it can be read, and a whole group is", "[store]") {
    fixture f;
    int acknowledged = 0, early = 0;
    constexpr int writers = 4, each = 500;
    std::vector<std::thread> threads;
    for (int w = 0; w < writers; ++w)
        threads.emplace_back([&f, &acknowledged, &early, w] {
            for (int i = 0; i < each; ++i) {
                const auto key = fmt::format("{}/{:04}", w, i);
                f.kept->write(batch().put(f.calls, key, "x"), [&f, &acknowledged, &early, key](result<> r) {
                    if (!r || !f.kept->get(f.calls, key)) ++early;
                    ++acknowledged;
                });
            }
        });
    for (auto& t : threads) t.join();
    CHECK(acknowledged == 0);
    CHECK_FALSE(f.kept->get(f.calls, "0/0000"));
    f.settle();
    CHECK(acknowledged == writers * each);
    CHECK(early == 0);
    CHECK(f.kept->scan(f.calls, "2/", 10'000).size() == each);
}

TEST_CASE("a store that is closed commits what waited, also when its writer never ran", "[store]") {
    fixture f;
    bool acknowledged = false;
    f.kept->write(batch().put(f.calls, "last", "words"), [&](result<> r) { acknowledged = r.has_value(); });
    f.reopen();
    CHECK(acknowledged);
    CHECK(f.kept->get(f.calls, "last") == "words");
    f.settle(); // the job posted for the first store must not touch it
}

TEST_CASE("a patient change waits for its time or for one in a hurry", "[store]") {
    fixture f;
    int kept = 0;
    const auto count = [&kept](result<> r) { kept += r.has_value() ? 1 : 0; };
    const auto patient = [&](std::string key) { f.kept->write(batch().put(f.calls, std::move(key), "x"), count, 100ms); };
    patient("1");
    f.settle();
    f.time.move_to(f.time.now() + 99ms);
    patient("2");
    f.settle();
    CHECK(kept == 0);
    f.time.move_to(f.time.now() + 1ms);
    f.settle();
    CHECK(kept == 2);
    patient("3");
    CHECK(why(f.put("4", "hurry")) == "no failure");
    CHECK(kept == 3);
    patient("5");
    f.time.move_to(f.time.now() + 100ms);
    f.settle();
    CHECK(kept == 4);
    patient("6");
    f.reopen();
    CHECK(kept == 5);
    f.settle();
}

TEST_CASE("a completion may write again", "[store]") {
    fixture f;
    bool second = false;
    f.kept->write(batch().put(f.calls, "1", "x"),
                  [&](result<>) { f.kept->write(batch().put(f.calls, "2", "y"), [&](result<> r) { second = r.has_value(); }); });
    f.settle();
    CHECK(second);
    CHECK(f.kept->get(f.calls, "2") == "y");
}

TEST_CASE("values may be empty or ten megabytes, and hold every byte", "[store]") {
    fixture f;
    std::string large(10u << 20, '\0');
    for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 31 % 251);
    CHECK(f.put("empty", ""));
    CHECK(f.put("large", large));
    f.reopen();
    CHECK(f.kept->get(f.calls, "empty") == "");
    CHECK(f.kept->get(f.calls, "large") == large);
    CHECK_FALSE(f.kept->get(f.calls, "absent"));
}

TEST_CASE("a scan gives the keys with a prefix in pages", "[store]") {
    fixture f;
    batch many;
    for (const auto* key : {"a", "user/alice", "user/bob", "user/carol", "user/\xff", "users", "z"}) many.put(f.calls, key, key);
    f.kept->write(std::move(many), [](result<> r) { REQUIRE(r); });
    f.settle();
    const auto first = f.kept->scan(f.calls, "user/", 2);
    REQUIRE(first.size() == 2);
    CHECK(first[0].key == "user/alice");
    const auto second = f.kept->scan(f.calls, "user/", 9, first.back().key);
    REQUIRE(second.size() == 2);
    CHECK(second[0].key == "user/carol");
    CHECK(second[1].key == "user/\xff");
    CHECK(f.kept->scan(f.calls, "user/", 9, second.back().key).empty());
    CHECK(f.kept->scan(f.calls, "", 100).size() == 7);
    CHECK(f.kept->scan(f.calls, "", 0).empty());
}

TEST_CASE("a scan from the end gives the last keys first, in pages", "[store]") {
    fixture f;
    CHECK(f.kept->scan_back(f.calls, 9).empty());
    batch many;
    for (const auto* key : {"1 a", "2 b", "3 c", "4 d"}) many.put(f.calls, key, key);
    f.kept->write(std::move(many), [](result<> r) { REQUIRE(r); });
    f.settle();
    const auto first = f.kept->scan_back(f.calls, 3);
    REQUIRE(first.size() == 3);
    CHECK(first[0].key == "4 d");
    CHECK(first[2].key == "2 b");
    CHECK(f.kept->scan_back(f.calls, 3, first.back().key) == std::vector<store::record>{{"1 a", "1 a"}});
    CHECK(f.kept->scan_back(f.calls, 3, "1 a").empty());
    CHECK(f.kept->scan_back(f.calls, 1, "9").front().key == "4 d");
    CHECK(f.kept->scan_back(f.calls, 0).empty());
}

TEST_CASE("updates see each other, and get_or_create makes a value once", "[store]") {
    fixture f;
    std::string last;
    const auto add_one = [](std::optional<std::string> found) {
        return std::optional(std::to_string(std::stoi(found.value_or("0")) + 1));
    };
    for (int i = 0; i < 10; ++i) f.kept->update(f.calls, "counter", add_one, [&](auto r) { last = r->value(); });
    std::vector<std::string> made;
    for (const auto* candidate : {"first", "second"})
        f.kept->get_or_create(
            f.calls, "key", [candidate] { return std::string(candidate); }, [&](auto r) { made.push_back(*r); });
    f.kept->update(
        f.calls, "gone", [](auto) { return std::nullopt; }, [](auto r) { CHECK_FALSE(r->has_value()); });
    f.settle();
    CHECK(last == "10");
    CHECK(made == std::vector<std::string>{"first", "first"});
    CHECK(f.kept->get(f.calls, "counter") == "10");
}

TEST_CASE("readers of threads that have ended pin nothing", "[store]") {
    fixture f;
    REQUIRE(f.put("key", "value"));
    // More threads than LMDB has slots for readers.
    for (int round = 0; round < 1100; ++round) std::thread([&f] { REQUIRE(f.kept->get(f.calls, "key")); }).join();
    CHECK(f.kept->get(f.calls, "key") == "value");
}

TEST_CASE("reading goes on in other threads while the map grows", "[store]") {
    options o;
    o.map_size = 1u << 20;
    fixture f(o);
    REQUIRE(f.put("key", "value"));
    std::atomic<bool> stop = false;
    std::atomic<int> wrong = 0, reads = 0;
    std::vector<std::thread> readers;
    for (int i = 0; i < 3; ++i)
        readers.emplace_back([&] {
            while (!stop) {
                if (f.kept->get(f.calls, "key") != "value") ++wrong;
                ++reads;
            }
        });
    for (int i = 0; i < 16; ++i) CHECK(f.put(fmt::format("large {}", i), std::string(1u << 20, 'x')));
    while (reads == 0) std::this_thread::yield();
    stop = true;
    for (auto& t : readers) t.join();
    CHECK(wrong == 0);
}

namespace {

/// Writes numbered records until it is killed, and tells the pipe each number that was acknowledged.
[[noreturn]] void write_until_killed(const fs::path& directory, int pipe) {
    real_clock time;
    worker writer("storage", time);
    auto opened = store::store::open(directory, writer);
    if (!opened) ::_exit(1);
    const auto t = (*opened)->open_table("calls").value();
    for (std::uint32_t next = 0;;) {
        for (int i = 0; i < 5; ++i, ++next)
            (*opened)->write(batch().put(t, std::to_string(next), std::string(next % 3000, 'x')), [next, pipe](result<> r) {
                if (!r || ::write(pipe, &next, sizeof next) != sizeof next) ::_exit(2);
            });
        writer.run_ready();
    }
}

} // namespace

TEST_CASE("what was acknowledged is there after the engine was killed", "[store]") {
    for (int round = 0; round < 10; ++round) {
        fixture f;
        f.kept.reset();
        int ends[2];
        REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        const auto child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            ::close(ends[0]);
            write_until_killed(f.home.path, ends[1]);
        }
        ::close(ends[1]);
        std::vector<std::uint32_t> acknowledged;
        std::uint32_t number = 0;
        const std::size_t enough = 1 + random_u64() % 200;
        while (acknowledged.size() < enough && ::read(ends[0], &number, sizeof number) == sizeof number)
            acknowledged.push_back(number);
        ::kill(child, SIGKILL);
        while (::read(ends[0], &number, sizeof number) == sizeof number) acknowledged.push_back(number);
        ::close(ends[0]);
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        REQUIRE(WIFSIGNALED(status)); // it did not give up by itself
        REQUIRE(acknowledged.size() >= enough);

        f.reopen();
        std::size_t lost = 0;
        for (const auto n : acknowledged)
            if (f.kept->get(f.calls, std::to_string(n)) != std::string(n % 3000, 'x')) ++lost;
        CHECK(lost == 0);
        CHECK(f.put("after", "the crash"));
    }
}
