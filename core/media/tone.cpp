// Rendering of tones; which tone a country uses is in tone_table.cpp.
#include "core/media/tone.hpp"
#include "core/media/codec_id.hpp"
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

namespace strowger::media {
namespace {

constexpr std::size_t forever = std::numeric_limits<std::size_t>::max();
// A sine of full 16-bit scale is 3.14 dBm0 in A-law (G.711); mu-law differs by 0.03 dB.
constexpr double full_scale_dbm0 = 3.14;

std::size_t samples_of(std::chrono::milliseconds length) {
    return static_cast<std::size_t>(std::max<std::int64_t>(length.count(), 0)) * samples_per_ms;
}

} // namespace

tone_player::tone_player(tone_spec spec) : spec_(std::move(spec)) {
    std::size_t most = 0;
    for (const auto& segment : spec_.segments) most = std::max(most, segment.parts.size());
    waves_.reserve(most);
    if (!spec_.segments.empty()) enter(0);
}

void tone_player::enter(std::size_t segment) noexcept {
    segment_ = segment;
    const auto& now = spec_.segments[segment];
    left_ = now.length.count() <= 0 ? forever : samples_of(now.length);
    waves_.clear(); // The capacity stays: enough for every segment.
    for (const auto& part : now.parts) {
        const double angle = 2 * std::numbers::pi * std::clamp(part.hz, 0.0, 3400.0) / sample_rate;
        const double amplitude = 32767 * std::pow(10, (std::min(part.dbm0, full_scale_dbm0) - full_scale_dbm0) / 20);
        waves_.push_back({1, 0, std::cos(angle), std::sin(angle), amplitude});
    }
}

std::size_t tone_player::render(std::span<std::int16_t> out) noexcept {
    std::size_t done = 0;
    while (done < out.size() && !ended()) {
        const auto count = std::min(out.size() - done, left_);
        for (std::size_t i = 0; i < count; ++i) {
            double sum = 0;
            for (auto& w : waves_) {
                sum += w.imag * w.amplitude;
                const double real = w.real * w.step_real - w.imag * w.step_imag;
                w.imag = w.real * w.step_imag + w.imag * w.step_real;
                w.real = real;
            }
            out[done++] = static_cast<std::int16_t>(std::lround(std::clamp(sum, -32768.0, 32767.0)));
        }
        if (left_ == forever) continue;
        left_ -= count;
        if (left_ != 0) continue;
        if (segment_ + 1 < spec_.segments.size())
            enter(segment_ + 1);
        else if (spec_.repeat)
            enter(0);
        else
            segment_ = spec_.segments.size();
    }
    return done;
}

std::vector<std::int16_t> render_tone(const tone_spec& spec, std::chrono::milliseconds length) {
    tone_player player(spec);
    std::vector<std::int16_t> samples(samples_of(length));
    samples.resize(player.render(samples));
    return samples;
}

result<tone_spec> dtmf_tone(char digit, std::chrono::milliseconds on, std::chrono::milliseconds off) {
    constexpr std::string_view keys = "123A456B789C*0#D";
    constexpr std::array<double, 4> rows{697, 770, 852, 941}, columns{1209, 1336, 1477, 1633};
    const char key = digit >= 'a' && digit <= 'd' ? static_cast<char>(digit - 'a' + 'A') : digit;
    const auto at = keys.find(key);
    if (at == std::string_view::npos) return fail("'{}' is not a DTMF digit; use 0-9, *, # or A-D", digit);
    if (on.count() <= 0) return fail("a DTMF digit must last longer than 0 ms");
    tone_spec spec;
    spec.segments.push_back({{{rows[at / 4], -9}, {columns[at % 4], -7}}, on});
    if (off.count() > 0) spec.segments.push_back({{}, off});
    return spec;
}

} // namespace strowger::media
