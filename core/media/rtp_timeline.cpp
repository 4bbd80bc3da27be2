#include "core/media/rtp_timeline.hpp"
#include "core/base/ids.hpp"
#include <cstdlib>

namespace strowger::media {
namespace {

constexpr duration sample_time = std::chrono::microseconds{125};
/// Own packets that come later than this after the one before had their timer stalled.
constexpr duration stall = std::chrono::milliseconds{100};
/// A relayed stream whose timestamps disagree with real time by so much (in samples) has begun anew.
constexpr std::int64_t largest_drift = 4 * 8000;
constexpr std::int16_t largest_sequence_step = 3000;

} // namespace

rtp_timeline::rtp_timeline() {
    const auto random = random_u64();
    ssrc_ = static_cast<std::uint32_t>(random);
    next_sequence_ =
        static_cast<std::uint16_t>(random >> 48 & 0x7fff); // a wrap does not come soon: kinder to SRTP and old phones
    next_timestamp_ = static_cast<std::uint32_t>(random_u64());
}

std::uint32_t rtp_timeline::timestamp_at(instant now) const noexcept {
    return next_timestamp_ + static_cast<std::uint32_t>(begun_ ? (now - next_at_) / sample_time : 0);
}

void rtp_timeline::catch_up(instant now) noexcept {
    if (begun_ && now > next_at_) next_timestamp_ += static_cast<std::uint32_t>((now - next_at_) / sample_time);
    if (!begun_ || now > next_at_) next_at_ = now;
    begun_ = true;
}

rtp_header rtp_timeline::next(std::uint8_t payload_type, unsigned samples, instant now) noexcept {
    rtp_header h;
    h.payload_type = payload_type;
    h.ssrc = ssrc_;
    if (source_ != source::own || now - next_at_ > stall) {
        catch_up(now);
        h.marker = true;
        source_ = source::own;
    }
    h.sequence = next_sequence_++;
    h.timestamp = next_timestamp_;
    next_timestamp_ += samples;
    next_at_ += samples * sample_time;
    return h;
}

rtp_header rtp_timeline::next_event(std::uint8_t payload_type, bool begins, unsigned samples, instant now) noexcept {
    if (begins) {
        catch_up(now);
        event_timestamp_ = next_timestamp_;
    }
    source_ = source::none;
    next_timestamp_ += samples;
    next_at_ += samples * sample_time;
    return {begins, payload_type, next_sequence_++, event_timestamp_, ssrc_};
}

rtp_header rtp_timeline::relayed(const rtp_header& from, std::uint8_t payload_type, unsigned samples, instant now) noexcept {
    bool anew = source_ != source::relayed || from.ssrc != from_ssrc_;
    if (!anew) {
        const auto step = static_cast<std::int16_t>(from.sequence - from_sequence_);
        const std::int64_t moved = static_cast<std::int32_t>(from.timestamp - from_timestamp_);
        anew = std::abs(step) > largest_sequence_step || std::abs(moved - (now - from_at_) / sample_time) > largest_drift;
    }
    if (anew) {
        catch_up(now);
        source_ = source::relayed;
        from_ssrc_ = from.ssrc;
        timestamp_offset_ = next_timestamp_ - from.timestamp;
        sequence_offset_ = static_cast<std::uint16_t>(next_sequence_ - from.sequence);
    }
    from_sequence_ = from.sequence;
    from_timestamp_ = from.timestamp;
    from_at_ = now;

    rtp_header h{from.marker || anew, payload_type, static_cast<std::uint16_t>(from.sequence + sequence_offset_),
                 from.timestamp + timestamp_offset_, ssrc_};
    if (static_cast<std::int16_t>(h.sequence - next_sequence_) >= 0) next_sequence_ = static_cast<std::uint16_t>(h.sequence + 1);
    if (const auto end = h.timestamp + samples; static_cast<std::int32_t>(end - next_timestamp_) >= 0) {
        next_timestamp_ = end;
        next_at_ = now + samples * sample_time;
    }
    return h;
}

} // namespace strowger::media
