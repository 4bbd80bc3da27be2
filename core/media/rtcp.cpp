#include "core/media/rtcp.hpp"
#include "core/media/byte_order.hpp"
#include <algorithm>
#include <cstring>

namespace strowger::media {
namespace {

constexpr unsigned type_sr = 200, type_rr = 201, type_sdes = 202, type_bye = 203;
constexpr unsigned sdes_cname = 1;
constexpr std::size_t sender_size = 20, block_size = 24;
constexpr std::size_t longest_cname = 64;

void write_head(std::byte* p, unsigned count, unsigned type, std::size_t length) noexcept {
    p[0] = static_cast<std::byte>(0x80 | count);
    p[1] = static_cast<std::byte>(type);
    write_u16(p + 2, static_cast<std::uint16_t>(length / 4 - 1));
}

void write_block(std::byte* p, const report_block& b) noexcept {
    write_u32(p, b.ssrc);
    const auto lost = static_cast<std::uint32_t>(std::clamp(b.lost, -0x800000, 0x7fffff)) & 0xffffff;
    write_u32(p + 4, std::uint32_t{b.fraction_lost} << 24 | lost);
    write_u32(p + 8, b.highest_sequence);
    write_u32(p + 12, b.jitter);
    write_u32(p + 16, b.last_sr);
    write_u32(p + 20, b.delay_since_last_sr);
}

report_block read_block(const std::byte* p) noexcept {
    const auto loss = read_u32(p + 4);
    auto lost = static_cast<std::int32_t>(loss & 0xffffff);
    if (lost >= 0x800000) lost -= 0x1000000;
    return {read_u32(p),     static_cast<std::uint8_t>(loss >> 24), lost, read_u32(p + 8), read_u32(p + 12), read_u32(p + 16),
            read_u32(p + 20)};
}

/// Of the first chunk; empty when it has no whole CNAME.
std::string_view read_cname(std::span<const std::byte> items) noexcept {
    while (items.size() >= 2 && items[0] != std::byte{0}) {
        const auto length = std::to_integer<std::size_t>(items[1]);
        if (length > items.size() - 2) break;
        if (std::to_integer<unsigned>(items[0]) == sdes_cname) return {reinterpret_cast<const char*>(items.data() + 2), length};
        items = items.subspan(2 + length);
    }
    return {};
}

} // namespace

std::size_t write_rtcp(const rtcp_report& report, std::span<std::byte> out) noexcept {
    const auto cname = report.cname.substr(0, longest_cname);
    const std::size_t report_length = 8 + (report.sender ? sender_size : 0) + (report.block ? block_size : 0);
    const std::size_t sdes_length = (8 + 2 + cname.size() + 1 + 3) / 4 * 4; // at least one zero byte ends the chunk
    const std::size_t bye_length = report.bye ? 8 : 0;
    const std::size_t length = report_length + sdes_length + bye_length;
    if (length > out.size()) return 0;
    std::memset(out.data(), 0, length);

    auto* p = out.data();
    write_head(p, report.block ? 1 : 0, report.sender ? type_sr : type_rr, report_length);
    write_u32(p + 4, report.ssrc);
    auto* q = p + 8;
    if (report.sender) {
        write_u32(q, static_cast<std::uint32_t>(report.sender->ntp_time >> 32));
        write_u32(q + 4, static_cast<std::uint32_t>(report.sender->ntp_time));
        write_u32(q + 8, report.sender->rtp_timestamp);
        write_u32(q + 12, report.sender->packets);
        write_u32(q + 16, report.sender->octets);
        q += sender_size;
    }
    if (report.block) write_block(q, *report.block);
    p += report_length;

    write_head(p, 1, type_sdes, sdes_length);
    write_u32(p + 4, report.ssrc);
    p[8] = std::byte{sdes_cname};
    p[9] = static_cast<std::byte>(cname.size());
    std::copy(cname.begin(), cname.end(), reinterpret_cast<char*>(p + 10)); // memcpy may not be given the null of an empty one
    p += sdes_length;

    if (report.bye) {
        write_head(p, 1, type_bye, bye_length);
        write_u32(p + 4, report.ssrc);
    }
    return length;
}

std::optional<rtcp_report> parse_rtcp(std::span<const std::byte> datagram, std::uint32_t our_ssrc) noexcept {
    rtcp_report report;
    bool first = true;
    while (!datagram.empty()) {
        if (datagram.size() < 4) return std::nullopt;
        const auto flags = std::to_integer<unsigned>(datagram[0]);
        const auto type = std::to_integer<unsigned>(datagram[1]);
        const unsigned count = flags & 0x1f;
        const std::size_t length = 4 * (std::size_t{read_u16(datagram.data() + 2)} + 1);
        if (flags >> 6 != 2 || length > datagram.size()) return std::nullopt;
        // A compound packet begins with a report (RFC 3550 §6.1).
        if (first && type != type_sr && type != type_rr) return std::nullopt;
        const auto body = datagram.subspan(4, length - 4);

        if (type == type_sr || type == type_rr) {
            const std::size_t before = 4 + (type == type_sr ? sender_size : 0);
            if (body.size() < before + count * block_size) return std::nullopt;
            if (first) report.ssrc = read_u32(body.data());
            if (type == type_sr) {
                const auto* p = body.data() + 4;
                report.sender = sender_info{std::uint64_t{read_u32(p)} << 32 | read_u32(p + 4), read_u32(p + 8), read_u32(p + 12),
                                            read_u32(p + 16)};
            }
            for (unsigned i = 0; i < count; ++i)
                if (const auto b = read_block(body.data() + before + i * block_size); b.ssrc == our_ssrc) report.block = b;
        } else if (type == type_sdes) {
            if (count > 0 && body.size() < 4) return std::nullopt;
            if (count > 0) report.cname = read_cname(body.subspan(4));
        } else if (type == type_bye) {
            if (body.size() < std::size_t{4} * count) return std::nullopt;
            report.bye = true;
        }
        datagram = datagram.subspan(length);
        first = false;
    }
    if (first) return std::nullopt;
    return report;
}

std::optional<double> round_trip_seconds(const report_block& block, std::uint64_t ntp_now) noexcept {
    if (block.last_sr == 0) return std::nullopt;
    const auto spent = static_cast<std::int32_t>(ntp_middle(ntp_now) - block.last_sr - block.delay_since_last_sr);
    // The peer's clock may run a little slower than ours: no time at all then. A minute is nonsense.
    if (spent < -65536 || spent > 60 * 65536) return std::nullopt;
    return std::max(spent, 0) / 65536.0;
}

} // namespace strowger::media
