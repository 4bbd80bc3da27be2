// The order in which a peer's packets were sent: what is next, late, doubled, or of a stream that began anew.
#pragma once
#include "core/base/clock.hpp"
#include "core/media/rtp.hpp"
#include <optional>

namespace strowger::media {

/// Judges each packet that is taken from one peer, whatever its SSRC (RFC 3550 §8.2, appendix A.1). Keeps no packet back: who
/// hears them puts late ones in order. The clock is 8000 Hz.
class rtp_order {
public:
    enum class place {
        next,    ///< Behind all others so far; what lies between may come late.
        late,    ///< Before one that has come, for the first time.
        anew,    ///< The first of a new SSRC, or with other numbers or another time than the one before.
        unwanted ///< Doubled, far too late, of the SSRC that was left, or with a sequence number that makes no sense by itself.
    };

    /// `key`: a telephone-event, whose packets all carry the time at which the key went down.
    place take(const rtp_header& packet, bool key, instant now) noexcept;

private:
    place begin(const rtp_header& packet, bool key, instant now) noexcept;
    bool time_goes_on(const rtp_header& packet, bool key, instant now) noexcept;

    bool started_ = false;
    std::uint16_t highest_ = 0;
    std::uint32_t ssrc_ = 0, timestamp_ = 0;
    std::uint64_t seen_ = 0;           // bit n: the packet n before the highest
    std::optional<std::uint16_t> odd_; // the sequence number that would confirm a jump
    std::optional<std::uint32_t> left_ssrc_, key_timestamp_;
    instant heard_{}, timed_at_{};
};

} // namespace strowger::media
