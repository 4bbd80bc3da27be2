// The one RTP stream that a leg's peer sees from us, wherever its audio comes from: SSRC, sequence and timestamps go on.
#pragma once
#include "core/base/clock.hpp"
#include "core/media/rtp.hpp"
#include <optional>

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
    /// A packet of another stream, keeping that one's gaps and disorder. `samples` is its length, 0 for a key. `anew`: that
    /// stream's numbers or time have nothing to do with those before. Nothing when it is from before that, or before we began to
    /// send that stream: its number has been used.
    std::optional<rtp_header> relayed(const rtp_header& from, bool anew, std::uint8_t payload_type, unsigned samples,
                                      instant now) noexcept;
    /// This packet of that stream is not sent on: leaves no gap in our sequence for it.
    void skip_relayed(const rtp_header& from) noexcept;
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
    std::uint32_t from_ssrc_ = 0, timestamp_offset_ = 0, event_timestamp_ = 0;
    std::uint16_t sequence_offset_ = 0;
    int since_anew_ = 0; // how many of our last numbers are that stream's; not counted further than any disorder
};

} // namespace strowger::media
