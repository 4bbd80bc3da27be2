// RTCP (RFC 3550 §6): sender and receiver reports, CNAME and BYE, as one compound packet of one participant.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace strowger::media {

/// Enough for what write_rtcp() makes.
inline constexpr std::size_t largest_rtcp_packet = 256;

/// What a receiver says of one source.
struct report_block {
    std::uint32_t ssrc = 0;         ///< of the source reported on
    std::uint8_t fraction_lost = 0; ///< since the report before, in 256ths
    std::int32_t lost = 0;          ///< in all, 24 bits with sign
    std::uint32_t highest_sequence = 0;
    std::uint32_t jitter = 0;       ///< in units of the timestamp
    std::uint32_t last_sr = 0;      ///< the middle 32 bits of the NTP time in the last sender report from that source
    std::uint32_t delay_since_last_sr = 0; ///< in 65536ths of a second
    bool operator==(const report_block&) const = default;
};

/// What a sender says of itself.
struct sender_info {
    std::uint64_t ntp_time = 0; ///< 32.32 fixed point
    std::uint32_t rtp_timestamp = 0, packets = 0, octets = 0;
    bool operator==(const sender_info&) const = default;
};

struct rtcp_report {
    std::uint32_t ssrc = 0;             ///< of who reports
    std::optional<sender_info> sender;  ///< makes it a sender report
    std::optional<report_block> block;  ///< when parsed: the one about us
    std::string_view cname;             ///< at most 64 bytes are written; when parsed: a view into the datagram
    bool bye = false;
};

/// A compound packet: SR or RR, then SDES with the CNAME, then BYE if wanted. Returns its length, 0 when `out` is too small.
std::size_t write_rtcp(const rtcp_report& report, std::span<std::byte> out) noexcept;
/// Reads a compound packet; of the report blocks only that about `our_ssrc`. Nothing when a header or a length in it is wrong.
/// Packet types that are not used here are skipped.
std::optional<rtcp_report> parse_rtcp(std::span<const std::byte> datagram, std::uint32_t our_ssrc) noexcept;

/// The middle 32 bits of an NTP time, in which delays are counted.
constexpr std::uint32_t ntp_middle(std::uint64_t ntp_time) noexcept { return static_cast<std::uint32_t>(ntp_time >> 16); }
/// Seconds from our sender report to this block's arrival, without the time that it lay at the peer. Nothing when there was no
/// sender report, or when the answer is impossible.
std::optional<double> round_trip_seconds(const report_block& block, std::uint64_t ntp_now) noexcept;

} // namespace strowger::media
