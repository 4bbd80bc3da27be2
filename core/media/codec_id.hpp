// The codecs that every part of the media path knows by name: telephone G.711 in both laws, and plain 8 kHz samples.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace strowger::media {

/// `pcmu` is G.711 mu-law, `pcma` is G.711 A-law, `slin` is linear: 16 bit in this machine's byte order, 8 kHz, one channel.
enum class codec_id : std::uint8_t { pcmu, pcma, slin };

inline constexpr std::array all_codecs{codec_id::pcmu, codec_id::pcma, codec_id::slin};
/// All three run at this rate.
inline constexpr std::uint32_t sample_rate = 8000;
inline constexpr std::size_t samples_per_ms = sample_rate / 1000;

constexpr std::string_view name(codec_id codec) noexcept {
    return codec == codec_id::pcmu ? "pcmu" : codec == codec_id::pcma ? "pcma" : "slin";
}

/// The codec of that lower-case name, if it is one of ours.
constexpr std::optional<codec_id> find_codec(std::string_view text) noexcept {
    for (const auto codec : all_codecs)
        if (name(codec) == text) return codec;
    return std::nullopt;
}

/// The static RTP payload type of RFC 3551, table 4; `slin` has none at 8 kHz.
constexpr std::optional<std::uint8_t> rtp_payload_type(codec_id codec) noexcept {
    if (codec == codec_id::pcmu) return std::uint8_t{0};
    if (codec == codec_id::pcma) return std::uint8_t{8};
    return std::nullopt;
}

constexpr std::size_t bytes_per_sample(codec_id codec) noexcept { return codec == codec_id::slin ? 2 : 1; }
constexpr std::size_t bytes_per_ms(codec_id codec) noexcept { return samples_per_ms * bytes_per_sample(codec); }

/// The byte that, repeated, is silence.
constexpr std::byte silence_byte(codec_id codec) noexcept {
    return codec == codec_id::pcmu ? std::byte{0xff} : codec == codec_id::pcma ? std::byte{0xd5} : std::byte{0};
}

} // namespace strowger::media
