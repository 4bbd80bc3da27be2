// What a receiver knows of the packets of one RTP source: loss and interarrival jitter (RFC 3550 appendix A).
#pragma once
#include "core/base/clock.hpp"
#include "core/media/rtcp.hpp"
#include "core/media/rtp.hpp"

namespace strowger::media {

/// Counts over all sources that follow each other on one port; loss and jitter of a new SSRC begin anew. The clock is 8000 Hz.
class rtp_statistics {
public:
    void count(const rtp_header& packet, instant arrival) noexcept;
    /// The sender report's time, for the next report block.
    void heard_sender_report(std::uint64_t ntp_time, instant arrival) noexcept;
    /// Tells of the time since the block before; nothing before the first packet.
    std::optional<report_block> make_block(instant now) noexcept;

    std::uint64_t received() const noexcept { return received_before_ + received_; }
    /// Never below zero, though duplicates can make up for losses.
    std::uint64_t lost() const noexcept;
    /// Packets that came after one that was sent later; they are not lost.
    std::uint64_t late() const noexcept { return late_; }
    double jitter_ms() const noexcept { return jitter_ / 8.0; }

private:
    void restart(const rtp_header& packet) noexcept;
    std::uint32_t highest() const noexcept { return cycles_ + highest_; }
    std::int64_t expected() const noexcept { return std::int64_t{highest()} - base_ + 1; }

    bool started_ = false;
    std::uint16_t highest_ = 0;
    std::uint32_t ssrc_ = 0, cycles_ = 0, base_ = 0;
    std::uint32_t odd_sequence_ = 0; // the one that would confirm a jump; above 0xffff for none
    std::uint64_t received_ = 0, received_before_ = 0, lost_before_ = 0, late_ = 0;
    std::int64_t expected_prior_ = 0;
    std::uint64_t received_prior_ = 0;
    std::int64_t transit_ = 0;
    double jitter_ = 0;
    std::uint32_t last_sr_ = 0;
    instant last_sr_at_{};
};

} // namespace strowger::media
