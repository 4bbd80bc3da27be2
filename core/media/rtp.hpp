// RTP packets (RFC 3550 §5.1): the fixed header, read and written in place.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace strowger::media {

inline constexpr std::size_t rtp_header_size = 12;
/// Nothing longer is taken or made: an Ethernet frame's worth.
inline constexpr std::size_t largest_rtp_packet = 1500;

struct rtp_header {
    bool marker = false;
    std::uint8_t payload_type = 0; ///< 0 to 127
    std::uint16_t sequence = 0;
    std::uint32_t timestamp = 0;
    std::uint32_t ssrc = 0;
};

/// A view into the buffer that was parsed. At least `rtp_header_size` bytes of that buffer lie before the payload.
struct rtp_packet {
    rtp_header header;
    std::span<std::byte> payload;
};

/// Skips CSRCs and the extension and takes the padding off. Nothing when it is not RTP version 2 or any length in it does not
/// fit.
std::optional<rtp_packet> parse_rtp(std::span<std::byte> datagram) noexcept;
/// The fixed header without CSRCs, extension or padding.
void write_rtp(const rtp_header& header, std::span<std::byte, rtp_header_size> out) noexcept;

/// Whether a datagram on a port that RTP and RTCP share is RTCP (RFC 5761 §4).
bool looks_like_rtcp(std::span<const std::byte> datagram) noexcept;

} // namespace strowger::media
