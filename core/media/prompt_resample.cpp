// Down to 8 kHz by a windowed sinc, computed once per phase: the ratio of the rates is a fraction with few phases.
#include "core/media/codec_id.hpp"
#include "core/media/prompt_source.hpp"
#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace strowger::media {
namespace {

constexpr double cutoff_hz = 3700; // -6 dB here; G.712 lets speech fall off from 3.4 kHz on.
constexpr double half_width = 24;  // zero crossings on each side: down by 60 dB from about 4 kHz on

// The weight of a sample that lies `x` input samples from the output's moment.
double weight(double x, double cutoff, double half_taps) {
    if (std::abs(x) >= half_taps) return 0;
    const double angle = std::numbers::pi * x / half_taps;
    const double blackman = 0.42 + 0.5 * std::cos(angle) + 0.08 * std::cos(2 * angle);
    const double phase = std::numbers::pi * cutoff * x;
    return blackman * (x == 0 ? 1 : std::sin(phase) / phase);
}

} // namespace

std::vector<std::int16_t> resample_to_8k(std::span<const std::int16_t> samples, std::uint32_t rate) {
    const auto common = std::gcd(rate, sample_rate);
    const std::size_t phases = sample_rate / common; // output sample n lies at the input's n * step / phases
    const std::size_t step = rate / common;
    const double cutoff = 2 * cutoff_hz / rate;
    const double half_taps = half_width / cutoff;
    const auto reach = static_cast<std::ptrdiff_t>(std::ceil(half_taps));
    const auto taps = static_cast<std::size_t>(2 * reach);

    std::vector<float> weights(phases * taps);
    for (std::size_t phase = 0; phase < phases; ++phase) {
        const auto row = std::span(weights).subspan(phase * taps, taps);
        const double offset = static_cast<double>(phase) / static_cast<double>(phases);
        double sum = 0;
        for (std::size_t i = 0; i < taps; ++i) {
            const double w = weight(static_cast<double>(static_cast<std::ptrdiff_t>(i) - reach + 1) - offset, cutoff, half_taps);
            row[i] = static_cast<float>(w);
            sum += w;
        }
        for (auto& w : row) w = static_cast<float>(w / sum); // A steady level stays what it is, in each phase.
    }

    std::vector<std::int16_t> out(samples.size() * phases / step);
    for (std::size_t n = 0; n < out.size(); ++n) {
        const auto row = std::span<const float>(weights).subspan(n * step % phases * taps, taps);
        const auto first = static_cast<std::ptrdiff_t>(n * step / phases) - reach + 1;
        const auto from = static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, -first));
        const auto until = static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(
            static_cast<std::ptrdiff_t>(samples.size()) - first, 0, static_cast<std::ptrdiff_t>(taps)));
        float sum = 0;
        for (auto i = from; i < until; ++i)
            sum += row[i] * samples[static_cast<std::size_t>(first + static_cast<std::ptrdiff_t>(i))];
        out[n] = static_cast<std::int16_t>(std::lround(std::clamp(sum, -32768.0f, 32767.0f)));
    }
    return out;
}

} // namespace strowger::media
