// ITU-T G.711: telephone speech as one byte per sample, in mu-law (North America, Japan) and A-law (everywhere else).
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace strowger::media {

/// One sample. Linear values are 16 bit, left-aligned: G.711's 14 (mu) or 13 (A) bits are the upper ones.
std::byte encode_pcmu(std::int16_t sample) noexcept;
std::byte encode_pcma(std::int16_t sample) noexcept;
std::int16_t decode_pcmu(std::byte code) noexcept;
std::int16_t decode_pcma(std::byte code) noexcept;

/// The conversion of G.711's tables 3 and 4, which is not the same as decoding and encoding again.
std::byte pcmu_to_pcma(std::byte code) noexcept;
std::byte pcma_to_pcmu(std::byte code) noexcept;

/// Whole spans: as many samples as the shorter span holds. The output of the byte-to-byte conversions may be the input.
void encode_pcmu(std::span<const std::int16_t> samples, std::span<std::byte> codes) noexcept;
void encode_pcma(std::span<const std::int16_t> samples, std::span<std::byte> codes) noexcept;
void decode_pcmu(std::span<const std::byte> codes, std::span<std::int16_t> samples) noexcept;
void decode_pcma(std::span<const std::byte> codes, std::span<std::int16_t> samples) noexcept;
void pcmu_to_pcma(std::span<const std::byte> in, std::span<std::byte> out) noexcept;
void pcma_to_pcmu(std::span<const std::byte> in, std::span<std::byte> out) noexcept;

} // namespace strowger::media
