// The directory of prompts that are ready to be played: what goes when there are too many.
#include "core/media/prompt_cache.hpp"
#include "tests/core/media/prompt_files.hpp"
#include <algorithm>
#include <catch2/catch.hpp>

using namespace strowger;
using namespace strowger::media;
using namespace strowger::test;
namespace fs = std::filesystem;

namespace {

content_id name_of(int number) { return make_content_id("test", std::as_bytes(std::span(&number, 1))); }

/// Each file has a second of sound and so 32 kB.
struct small_cache {
    temporary_directory home;
    prompt_cache cache{home / "prompts", 10 * 32'200};
    const std::vector<std::int16_t> sound = std::vector<std::int16_t>(8000, 1000);

    std::shared_ptr<const mapped_audio> add(int number) {
        auto kept = cache.store(name_of(number), sound);
        REQUIRE(kept);
        return *kept;
    }
    fs::path file(int number) const { return home / ("prompts/" + name_of(number) + ".v1"); }
    bool has(int number) const { return fs::exists(file(number)); }
    void last_used(int number, std::chrono::hours ago) const {
        fs::last_write_time(file(number), fs::file_time_type::clock::now() - ago);
    }
    std::size_t files() const {
        return static_cast<std::size_t>(std::distance(fs::directory_iterator(home / "prompts"), fs::directory_iterator()));
    }
};

} // namespace

TEST_CASE("a prompt cache stays within its limit, and what was used longest ago goes first") {
    small_cache c;
    for (int i = 0; i < 10; ++i) {
        c.add(i);
        c.last_used(i, std::chrono::hours(100 - i));
    }
    REQUIRE(c.files() == 10);
    REQUIRE(c.cache.open(name_of(0))); // used again now
    c.add(10);
    CHECK(c.files() == 9);
    CHECK(c.has(0));
    CHECK_FALSE(c.has(1));
    CHECK_FALSE(c.has(2));
    CHECK(c.has(3));
    CHECK(c.has(10));
    CHECK_FALSE(c.cache.open(name_of(1)));
    CHECK(c.add(1)->samples() == 8000); // it is made again
}

TEST_CASE("prompts that are in use stay in the cache however old they are") {
    small_cache c;
    std::vector<std::shared_ptr<const mapped_audio>> playing;
    for (int i = 0; i < 12; ++i) {
        playing.push_back(c.add(i));
        c.last_used(i, std::chrono::hours(100 - i));
    }
    CHECK(c.files() == 12); // more than the limit: there is no other way
    playing.resize(6);
    playing.push_back(c.add(12));
    CHECK(c.files() == 9);
    for (int i = 0; i < 6; ++i) CHECK(c.has(i));
    CHECK(c.has(12));
}

TEST_CASE("a cache that was too large when it was opened shrinks with the first new file, and strange files stay") {
    small_cache c;
    {
        prompt_cache large(c.home / "prompts", 1u << 30);
        for (int i = 0; i < 30; ++i) REQUIRE(large.store(name_of(i), c.sound));
    }
    write(c.home / "prompts/notes.txt", std::string(100'000, '.'));
    c.add(30);
    CHECK(c.files() == 10);
    CHECK(fs::exists(c.home / "prompts/notes.txt"));
}
