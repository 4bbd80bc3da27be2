// The one RTP stream that a leg's peer sees from us, wherever its audio comes from: SSRC, sequence and timestamps go on.
#pragma once
#include "core/base/clock.hpp"
#include "core/media/rtp.hpp"

namespace strowger::media {

/// Gives headers to what is sent. Timestamps count 8000 a second; a gap in sending shows as the time that it took.
class rtp_timeline {
public:
    /// Begins at random values.
    rtp_timeline();

    /// Own audio of `samples`, made at the sending pace.
    rtp_header next(std::uint8_t payload_type, unsigned samples, instant now) noexcept;
    /// A packet of a key of our own: its timestamp is that of its first packet (`begins`), while time goes on by `samples`.
    rtp_header next_event(std::uint8_t payload_type, bool begins, unsigned samples, instant now) noexcept;
    /// A packet of another stream, keeping that one's gaps in sequence and time. `samples` is its length, 0 for a key.
    rtp_header relayed(const rtp_header& from, std::uint8_t payload_type, unsigned samples, instant now) noexcept;
    /// The packet of that stream that comes next will not be sent on: leaves no gap in our sequence for it.
    void skip_relayed() noexcept { --sequence_offset_; }
    /// Another source follows: its first packet gets the marker and the real time as its timestamp.
    void change_source() noexcept { source_ = source::none; }

    std::uint32_t ssrc() const noexcept { return ssrc_; }
    /// For sender reports.
    std::uint32_t timestamp_at(instant now) const noexcept;

private:
    enum class source { none, own, relayed };
    void catch_up(instant now) noexcept;

    source source_ = source::none;
    std::uint16_t next_sequence_ = 0;
    std::uint32_t ssrc_ = 0;
    std::uint32_t next_timestamp_ = 0;
    bool begun_ = false;
    instant next_at_{}; // when `next_timestamp_` is due
    std::uint32_t from_ssrc_ = 0, from_timestamp_ = 0, timestamp_offset_ = 0, event_timestamp_ = 0;
    std::uint16_t from_sequence_ = 0, sequence_offset_ = 0;
    instant from_at_{};
};

} // namespace strowger::media
