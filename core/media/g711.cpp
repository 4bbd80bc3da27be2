// G.711 by tables small enough for the first-level cache, made at compile time from the definition.
#include "core/media/g711.hpp"
#include <algorithm>
#include <array>
#include <bit>

namespace strowger::media {
namespace {

// Both laws are a sign, a 3-bit segment and a 4-bit step. Without the sign and the bits that are inverted on the line this is the
// "code number" 0..127, in the order of loudness, in which the Recommendation's tables count.

constexpr unsigned highest_bit(unsigned value) { return static_cast<unsigned>(std::bit_width(value)) - 1; }

// mu-law: the 14-bit magnitude plus 33 has its highest bit at 5 (segment 0) to 12 (segment 7).
constexpr unsigned pcmu_number(unsigned magnitude) {
    const unsigned biased = std::min(magnitude + 33, 8191u);
    const unsigned segment = highest_bit(biased) - 5;
    return segment << 4 | (biased >> (segment + 1) & 15);
}

// A-law: segments 0 and 1 share the smallest step, so the first 32 numbers of the 11-bit magnitude are linear.
constexpr unsigned pcma_number(unsigned magnitude) {
    if (magnitude < 32) return magnitude;
    const unsigned segment = highest_bit(magnitude) - 3;
    return segment << 4 | (magnitude >> (segment - 1) & 15);
}

constexpr int pcmu_magnitude(unsigned number) { // 16 bit
    return static_cast<int>((((number & 15) << 3) + 132) << (number >> 4)) - 132;
}

constexpr int pcma_magnitude(unsigned number) { // 16 bit
    const unsigned segment = number >> 4;
    const unsigned step = (number & 15) << 4;
    return static_cast<int>(segment == 0 ? step + 8 : (step + 264) << (segment - 1));
}

// G.711, table 3: the number in A-law for a number in mu-law.
constexpr unsigned pcma_number_of_pcmu(unsigned n) {
    if (n < 16) return n / 2;
    if (n < 32) return n - 8;
    if (n < 36) return 2 * n - 40;
    if (n < 48) return n - 4;
    if (n < 50) return 2 * n - 51;
    if (n < 64) return n - 2;
    if (n < 81) return n - 1;
    return n;
}

// G.711, table 4: the number in mu-law for a number in A-law.
constexpr unsigned pcmu_number_of_pcma(unsigned n) {
    if (n < 8) return 2 * n + 1;
    if (n < 24) return n + 8;
    if (n < 32) return n / 2 + 20;
    if (n < 44) return n + 4;
    if (n < 48) return n / 2 + 26;
    if (n < 62) return n + 2;
    if (n < 64) return 64;
    if (n < 80) return n + 1;
    return n;
}

template <class T, std::size_t Size, class Make> constexpr std::array<T, Size> make_table(Make make) {
    std::array<T, Size> table{};
    for (std::size_t i = 0; i < Size; ++i) table[i] = static_cast<T>(make(static_cast<unsigned>(i)));
    return table;
}

// On the line, mu-law inverts every bit; A-law inverts the even ones. A set sign bit means positive in both.
constexpr unsigned pcmu_line = 0xff, pcma_line = 0xd5, sign = 0x80;

constexpr auto pcmu_codes = make_table<std::uint8_t, 8193>([](unsigned i) { return pcmu_number(i) ^ pcmu_line; });
constexpr auto pcma_codes = make_table<std::uint8_t, 2048>([](unsigned i) { return pcma_number(i) ^ pcma_line; });
constexpr auto pcmu_samples = make_table<std::int16_t, 256>([](unsigned i) {
    const int magnitude = pcmu_magnitude((i ^ pcmu_line) & 127);
    return i & sign ? magnitude : -magnitude;
});
constexpr auto pcma_samples = make_table<std::int16_t, 256>([](unsigned i) {
    const int magnitude = pcma_magnitude((i ^ pcma_line) & 127);
    return i & sign ? magnitude : -magnitude;
});
constexpr auto to_pcma = make_table<std::uint8_t, 256>(
    [](unsigned i) { return pcma_number_of_pcmu((i ^ pcmu_line) & 127) ^ pcma_line ^ (~i & sign); });
constexpr auto to_pcmu = make_table<std::uint8_t, 256>(
    [](unsigned i) { return pcmu_number_of_pcma((i ^ pcma_line) & 127) ^ pcmu_line ^ (~i & sign); });

// What is called for every sample is not exported: the compiler may put it where it is needed.
std::byte to_pcmu_code(std::int16_t sample) noexcept {
    // The decision values of mu-law are the same on both sides of zero.
    const int magnitude = sample < 0 ? -sample : sample;
    const unsigned code = pcmu_codes[static_cast<std::size_t>(magnitude) >> 2];
    return static_cast<std::byte>(sample < 0 ? code ^ sign : code);
}
std::byte to_pcma_code(std::int16_t sample) noexcept {
    // In A-law a value on a decision value belongs to the interval above it, hence the one's complement below zero.
    const int magnitude = sample < 0 ? ~sample : sample;
    const unsigned code = pcma_codes[static_cast<std::size_t>(magnitude) >> 4];
    return static_cast<std::byte>(sample < 0 ? code ^ sign : code);
}

template <class In, class Out, class One> void convert(std::span<const In> in, std::span<Out> out, One one) noexcept {
    const auto count = std::min(in.size(), out.size());
    for (std::size_t i = 0; i < count; ++i) out[i] = one(in[i]);
}
/// By a table with an entry for each code.
template <class Out, class T>
void look_up(std::span<const std::byte> in, std::span<Out> out, const std::array<T, 256>& table) noexcept {
    convert(in, out, [&table](std::byte code) { return static_cast<Out>(table[std::to_integer<std::size_t>(code)]); });
}

} // namespace

std::byte encode_pcmu(std::int16_t sample) noexcept { return to_pcmu_code(sample); }
std::byte encode_pcma(std::int16_t sample) noexcept { return to_pcma_code(sample); }
std::int16_t decode_pcmu(std::byte code) noexcept { return pcmu_samples[std::to_integer<std::size_t>(code)]; }
std::int16_t decode_pcma(std::byte code) noexcept { return pcma_samples[std::to_integer<std::size_t>(code)]; }
std::byte pcmu_to_pcma(std::byte code) noexcept { return std::byte{to_pcma[std::to_integer<std::size_t>(code)]}; }
std::byte pcma_to_pcmu(std::byte code) noexcept { return std::byte{to_pcmu[std::to_integer<std::size_t>(code)]}; }

void encode_pcmu(std::span<const std::int16_t> samples, std::span<std::byte> codes) noexcept {
    convert(samples, codes, to_pcmu_code);
}
void encode_pcma(std::span<const std::int16_t> samples, std::span<std::byte> codes) noexcept {
    convert(samples, codes, to_pcma_code);
}
void decode_pcmu(std::span<const std::byte> codes, std::span<std::int16_t> samples) noexcept {
    look_up(codes, samples, pcmu_samples);
}
void decode_pcma(std::span<const std::byte> codes, std::span<std::int16_t> samples) noexcept {
    look_up(codes, samples, pcma_samples);
}
void pcmu_to_pcma(std::span<const std::byte> in, std::span<std::byte> out) noexcept { look_up(in, out, to_pcma); }
void pcma_to_pcmu(std::span<const std::byte> in, std::span<std::byte> out) noexcept { look_up(in, out, to_pcmu); }

} // namespace strowger::media
