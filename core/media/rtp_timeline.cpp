#include "core/media/rtp_timeline.hpp"
#include "core/base/ids.hpp"
#include <algorithm>

namespace strowger::media {
namespace {

constexpr duration sample_time = std::chrono::microseconds{125};
/// Own packets that come later than this after the one before had their timer stalled.
constexpr duration stall = std::chrono::milliseconds{100};
constexpr int largest_disorder = 1000; // packets

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

std::optional<rtp_header> rtp_timeline::relayed(const rtp_header& from, bool anew, std::uint8_t payload_type, unsigned samples,
                                                instant now) noexcept {
    anew = anew || source_ != source::relayed || from.ssrc != from_ssrc_;
    if (anew) {
        catch_up(now);
        source_ = source::relayed;
        from_ssrc_ = from.ssrc;
        timestamp_offset_ = next_timestamp_ - from.timestamp;
        sequence_offset_ = static_cast<std::uint16_t>(next_sequence_ - from.sequence);
        since_anew_ = 0;
    }
    rtp_header h{from.marker || anew, payload_type, static_cast<std::uint16_t>(from.sequence + sequence_offset_),
                 from.timestamp + timestamp_offset_, ssrc_};
    const int ahead = static_cast<std::int16_t>(h.sequence - next_sequence_);
    if (ahead < -since_anew_) return std::nullopt;
    if (ahead >= 0) {
        next_sequence_ = static_cast<std::uint16_t>(h.sequence + 1);
        since_anew_ = std::min(since_anew_ + ahead + 1, largest_disorder);
    }
    // A key's packets all have the time of its first: they do not move ours.
    if (const auto end = h.timestamp + samples; static_cast<std::int32_t>(end - next_timestamp_) > 0) {
        next_timestamp_ = end;
        next_at_ = now + samples * sample_time;
    }
    return h;
}

void rtp_timeline::skip_relayed(const rtp_header& from) noexcept {
    if (source_ != source::relayed || from.ssrc != from_ssrc_) return;
    if (static_cast<std::uint16_t>(from.sequence + sequence_offset_) != next_sequence_) return; // late or behind a loss: a gap
    --sequence_offset_;
    since_anew_ = 0;
}

} // namespace strowger::media
