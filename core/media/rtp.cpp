#include "core/media/rtp.hpp"
#include "core/media/byte_order.hpp"

namespace strowger::media {

std::optional<rtp_packet> parse_rtp(std::span<std::byte> datagram) noexcept {
    if (datagram.size() < rtp_header_size) return std::nullopt;
    const auto* p = datagram.data();
    const auto flags = std::to_integer<unsigned>(p[0]);
    if (flags >> 6 != 2) return std::nullopt;
    const auto second = std::to_integer<unsigned>(p[1]);

    rtp_packet packet;
    packet.header = {(second & 0x80) != 0, static_cast<std::uint8_t>(second & 0x7f), read_u16(p + 2), read_u32(p + 4),
                     read_u32(p + 8)};

    std::size_t begin = rtp_header_size + 4 * (flags & 0x0f);
    std::size_t end = datagram.size();
    if (begin > end) return std::nullopt;
    if ((flags & 0x10) != 0) { // extension: a profile's word, then its length in words
        if (end - begin < 4) return std::nullopt;
        const std::size_t length = 4 + 4 * std::size_t{read_u16(p + begin + 2)};
        if (end - begin < length) return std::nullopt;
        begin += length;
    }
    if ((flags & 0x20) != 0) { // padding: its last byte counts all of it, itself too
        if (begin == end) return std::nullopt;
        const auto padding = std::to_integer<std::size_t>(p[end - 1]);
        if (padding == 0 || padding > end - begin) return std::nullopt;
        end -= padding;
    }
    packet.payload = datagram.subspan(begin, end - begin);
    return packet;
}

void write_rtp(const rtp_header& header, std::span<std::byte, rtp_header_size> out) noexcept {
    out[0] = std::byte{0x80};
    out[1] = static_cast<std::byte>((header.marker ? 0x80u : 0u) | (header.payload_type & 0x7fu));
    write_u16(out.data() + 2, header.sequence);
    write_u32(out.data() + 4, header.timestamp);
    write_u32(out.data() + 8, header.ssrc);
}

bool looks_like_rtcp(std::span<const std::byte> datagram) noexcept {
    if (datagram.size() < 2) return false;
    const auto type = std::to_integer<unsigned>(datagram[1]);
    return type >= 192 && type <= 223;
}

} // namespace strowger::media
