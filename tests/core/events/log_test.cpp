#include "core/events/log.hpp"
#include "tests/support/office.hpp"
#include <catch2/catch.hpp>
#include <fstream>

using namespace strowger;
using strowger::test::scratch;

namespace {

std::unique_ptr<event_log> opened(const scratch& at, std::uint64_t keep = 1u << 20) {
    auto log = event_log::open(at.path() / "events", keep);
    REQUIRE(log);
    return std::move(*log);
}

/// Appends records with the numbers from `first` to `last`.
void append(event_log& log, std::uint64_t first, std::uint64_t last, const std::string& text = "event") {
    for (auto n = first; n <= last; ++n) {
        log.reserve(n);
        REQUIRE(log.append({{n, text + " " + std::to_string(n)}}));
    }
}

std::vector<std::uint64_t> numbers(const scratch& at, std::uint64_t from = 1, std::uint64_t to = 1'000'000) {
    event_log_reader reader(at.path() / "events");
    std::vector<std::uint64_t> out;
    for (const auto& r : reader.read(from, to, 1'000'000)) out.push_back(r.number);
    return out;
}

std::vector<std::filesystem::path> segments(const scratch& at) {
    std::vector<std::filesystem::path> out;
    for (const auto& e : std::filesystem::directory_iterator(at.path() / "events"))
        if (e.path().extension() == ".log") out.push_back(e.path());
    std::sort(out.begin(), out.end());
    return out;
}

std::vector<std::uint64_t> range(std::uint64_t first, std::uint64_t last) {
    std::vector<std::uint64_t> out;
    for (auto n = first; n <= last; ++n) out.push_back(n);
    return out;
}

} // namespace

TEST_CASE("numbers and texts come back as they were written, and go on after a restart") {
    const scratch at;
    {
        const auto log = opened(at);
        REQUIRE(log->last() == 0);
        append(*log, 1, 5);
    }
    const auto log = opened(at);
    REQUIRE(log->last() == 5);
    REQUIRE(log->repaired().empty());
    append(*log, 6, 7);
    REQUIRE(numbers(at) == range(1, 7));
    REQUIRE(numbers(at, 3, 5) == range(3, 5));
    event_log_reader reader(at.path() / "events");
    REQUIRE(reader.read(6, 6, 10).at(0).text == "event 6");
    REQUIRE(reader.oldest() == 1);
}

TEST_CASE("a torn last record is cut off, whatever is left of it, and nothing before it") {
    const auto cut = GENERATE(1, 5, 15, 16, 20);
    const scratch at;
    append(*opened(at), 1, 3, "a record long enough");
    const auto file = segments(at).at(0);
    std::filesystem::resize_file(file, std::filesystem::file_size(file) - static_cast<std::uintmax_t>(cut));
    const auto log = opened(at);
    REQUIRE(log->last() == 2);
    REQUIRE(log->repaired().find("behind event 2") != std::string::npos);
    append(*log, 3, 4, "written anew");
    REQUIRE(numbers(at) == range(1, 4));
}

TEST_CASE("a last record whose bytes are wrong is cut off") {
    const scratch at;
    append(*opened(at), 1, 3);
    const auto file = segments(at).at(0);
    std::fstream f(file, std::ios::in | std::ios::out | std::ios::binary);
    f.seekp(-2, std::ios::end);
    f.put('X');
    f.close();
    REQUIRE(opened(at)->last() == 2);
}

TEST_CASE("a last segment without a whole head is begun anew") {
    const scratch at;
    append(*opened(at), 1, 3);
    std::ofstream(at.path() / "events" / "00000000000000000004.log") << "STR";
    const auto log = opened(at);
    REQUIRE(log->last() == 3);
    append(*log, 4, 5);
    REQUIRE(numbers(at) == range(1, 5));
}

TEST_CASE("a file whose name no segment has is left alone") {
    const scratch at;
    append(*opened(at), 1, 3);
    for (const auto* name : {"00000000000000000000.log", "7.log", "00000000000000000009.log.old", "note.log"})
        std::ofstream(at.path() / "events" / name) << "STREVT1\n";
    const auto log = opened(at);
    REQUIRE(log->last() == 3);
    append(*log, 4, 5);
    REQUIRE(numbers(at) == range(1, 5));
}

TEST_CASE("a record that goes bad in the middle costs the rest of its segment, and the reader goes on behind") {
    const scratch at;
    append(*opened(at, 128u << 10), 1, 400, std::string(100, 'x'));
    const auto all = segments(at);
    REQUIRE(all.size() > 2);
    std::fstream f(all.at(0), std::ios::in | std::ios::out | std::ios::binary);
    f.seekp(8 + 2 * 140);
    f << "damage";
    f.close();
    const auto left = numbers(at);
    REQUIRE(left.front() == 1);
    REQUIRE(left.size() > 200);
    REQUIRE(left.size() < 399);
    REQUIRE(left.back() == 400);
}

TEST_CASE("the log stays within its bounds: the oldest go") {
    const scratch at;
    constexpr std::uint64_t keep = 128u << 10;
    const auto log = opened(at, keep);
    append(*log, 1, 5000, std::string(60, 'x'));
    std::uint64_t size = 0;
    for (const auto& s : segments(at)) size += std::filesystem::file_size(s);
    REQUIRE(size <= keep);
    REQUIRE(size > keep / 2);
    REQUIRE(size == log->bytes());
    event_log_reader reader(at.path() / "events");
    const auto oldest = reader.oldest();
    REQUIRE(oldest > 1000);
    REQUIRE(numbers(at) == range(oldest, 5000));
}

TEST_CASE("a reader keeps its place while the log grows and turns to a new segment") {
    const scratch at;
    const auto log = opened(at, 128u << 10);
    event_log_reader reader(at.path() / "events");
    std::uint64_t next = 1;
    for (std::uint64_t n = 1; n <= 600; ++n) {
        append(*log, n, n, std::string(100, 'x'));
        if (n % 7 != 0) continue;
        for (const auto& r : reader.read(next, n, 1000)) REQUIRE(r.number == next++);
        REQUIRE(next == n + 1);
    }
}

TEST_CASE("no number comes twice when the machine went down before the log was written") {
    const scratch at;
    append(*opened(at), 1, 3);
    // What is left after a loss of power: the reservation, by another run of the kernel, and fewer records than were given.
    std::ofstream(at.path() / "events" / "sequence") << "4100 another-boot\n";
    REQUIRE(opened(at)->last() == 4100);
}

TEST_CASE("numbers go on where nothing is kept") {
    const scratch at;
    append(*opened(at, 0), 1, 3);
    REQUIRE(opened(at, 0)->last() == 3);
    REQUIRE(numbers(at).empty());
}
