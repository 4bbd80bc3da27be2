// Tones are measured as an exchange would: frequency by correlation, level in dBm0, cadence by where it is silent.
#include "core/media/codec_id.hpp"
#include "core/media/tone.hpp"
#include <catch2/catch.hpp>
#include <cmath>
#include <numbers>
#include <string>

using namespace strowger::media;
using namespace std::chrono_literals;

namespace {

double level_at(std::span<const std::int16_t> samples, double hz) { // dBm0
    double sine = 0, cosine = 0;
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const double angle = 2 * std::numbers::pi * hz * static_cast<double>(i) / sample_rate;
        sine += samples[i] * std::sin(angle);
        cosine += samples[i] * std::cos(angle);
    }
    const double amplitude = 2 * std::hypot(sine, cosine) / static_cast<double>(samples.size());
    return 20 * std::log10(std::max(amplitude, 1e-3) / 32767) + 3.14;
}

std::vector<int> cadence(std::span<const std::int16_t> samples) { // ms on, off, on …; 10 ms exact enough
    std::vector<int> out;
    bool sounding = true;
    int length = 0;
    for (std::size_t at = 0; at + 40 <= samples.size(); at += 40, length += 5) {
        bool now = false;
        for (const auto sample : samples.subspan(at, 40)) now = now || sample != 0;
        if (now != sounding) out.push_back(std::exchange(length, 0));
        sounding = now;
    }
    return out;
}

} // namespace

TEST_CASE("the busy tone of each country has its frequencies, level and cadence", "[tone]") {
    const auto us = render_tone(find_tone("busy", "us").value(), 2100ms);
    CHECK(us.size() == 2100 * samples_per_ms);
    const std::span<const std::int16_t> first(us.data(), 500 * samples_per_ms);
    CHECK(level_at(first, 480) == Approx(-24).margin(0.2));
    CHECK(level_at(first, 620) == Approx(-24).margin(0.2));
    CHECK(level_at(first, 425) < -50);
    CHECK(cadence(us) == std::vector{500, 500, 500, 500});

    const auto de = render_tone(find_tone("busy", "de").value(), 2000ms);
    CHECK(level_at({de.data(), 480 * samples_per_ms}, 425) == Approx(-10).margin(0.2));
    CHECK(cadence(de) == std::vector{480, 480, 480, 480});

    const auto gb = render_tone(find_tone("ring", "gb").value(), 3100ms);
    CHECK(cadence(gb) == std::vector{400, 200, 400, 2000});
}

TEST_CASE("a country without its own tone gets the one ITU recommends", "[tone]") {
    const auto ring = render_tone(find_tone("ring", "zz").value(), 5500ms);
    CHECK(cadence(ring) == std::vector{1000, 4000});
    CHECK(cadence(render_tone(find_tone("ring", "de").value(), 5500ms)) == std::vector{1000, 4000});
}

TEST_CASE("the dial tone never ends, the information tone ends once", "[tone]") {
    tone_player dial(find_tone("dial", "de").value());
    std::vector<std::int16_t> block(160);
    for (int i = 0; i < 1000; ++i) REQUIRE(dial.render(block) == 160);
    CHECK(level_at(block, 425) == Approx(-10).margin(0.5));
    CHECK_FALSE(dial.ended());

    const auto sit = render_tone(find_tone("sit").value());
    CHECK(sit.size() == 1990 * samples_per_ms);
    CHECK(level_at({sit.data() + 340 * samples_per_ms, 300 * samples_per_ms}, 1400) == Approx(-13).margin(0.2));
}

TEST_CASE("a tone taken in odd pieces is the same tone", "[tone]") {
    const auto spec = find_tone("congestion", "gb").value();
    const auto whole = render_tone(spec, 3000ms);
    tone_player player(spec);
    std::vector<std::int16_t> pieces;
    for (std::size_t size = 1; pieces.size() < whole.size(); size = size * 7 % 331 + 1) {
        std::vector<std::int16_t> piece(std::min(size, whole.size() - pieces.size()));
        REQUIRE(player.render(piece) == piece.size());
        pieces.insert(pieces.end(), piece.begin(), piece.end());
    }
    CHECK(pieces == whole);
}

TEST_CASE("each DTMF digit is one row and one column, and then a pause", "[tone]") {
    const std::string keys = "123A456B789C*0#D";
    const double rows[]{697, 770, 852, 941}, columns[]{1209, 1336, 1477, 1633};
    for (std::size_t i = 0; i < keys.size(); ++i) {
        CAPTURE(keys[i]);
        const auto samples = render_tone(dtmf_tone(keys[i], 80ms, 60ms).value());
        REQUIRE(samples.size() == 140 * samples_per_ms);
        const std::span<const std::int16_t> on(samples.data(), 80 * samples_per_ms);
        CHECK(level_at(on, rows[i / 4]) == Approx(-9).margin(0.5));
        CHECK(level_at(on, columns[i % 4]) == Approx(-7).margin(0.5));
        CHECK(cadence(samples) == std::vector{80});
    }
    CHECK(dtmf_tone('d').has_value());
    CHECK_FALSE(dtmf_tone('x').has_value());
    CHECK_FALSE(dtmf_tone('1', 0ms).has_value());
}

TEST_CASE("an unknown tone is refused with the names that there are", "[tone]") {
    const auto none = find_tone("bussy", "us");
    REQUIRE_FALSE(none.has_value());
    CHECK_THAT(none.error().text, Catch::Contains("bussy") && Catch::Contains("busy") && Catch::Contains("sit"));
}

TEST_CASE("a tone too loud for the line is limited, not wrapped around", "[tone]") {
    tone_spec spec;
    spec.segments.push_back({{{400, 20}, {404, 20}}, 200ms});
    const auto samples = render_tone(spec);
    CHECK(*std::max_element(samples.begin(), samples.end()) == 32767);
    for (std::size_t i = 1; i < samples.size(); ++i) REQUIRE(std::abs(samples[i] - samples[i - 1]) < 30000);
    CHECK(render_tone({}).empty());
}
