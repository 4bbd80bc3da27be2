#include "core/media/rtp_order.hpp"

namespace strowger::media {
namespace {

constexpr duration sample_time = std::chrono::microseconds{125};
constexpr std::int16_t largest_gap = 3000, largest_disorder = 63;
/// While the new SSRC speaks, packets of the old one are stragglers.
constexpr duration overlap = std::chrono::milliseconds{100};
/// How far timestamps may run ahead of the time that passed: a packet that was held up on its way lets the next one look early.
constexpr std::int64_t most_ahead = 8000 / 2;
/// And how far behind it: networks stall for seconds, and then deliver.
constexpr std::int64_t most_behind = 4 * 8000;
/// A key's packet may be late behind sound by as much as its detection took.
constexpr std::int64_t most_key_behind = 8000;

} // namespace

rtp_order::place rtp_order::begin(const rtp_header& packet, bool key, instant now) noexcept {
    started_ = true;
    ssrc_ = packet.ssrc;
    highest_ = packet.sequence;
    seen_ = 1;
    odd_.reset();
    key_timestamp_.reset();
    if (key) key_timestamp_ = packet.timestamp;
    timestamp_ = packet.timestamp;
    heard_ = timed_at_ = now;
    return place::anew;
}

bool rtp_order::time_goes_on(const rtp_header& packet, bool key, instant now) noexcept {
    if (key && key_timestamp_ == packet.timestamp) return true;
    if (key) key_timestamp_ = packet.timestamp;
    const std::int64_t moved = static_cast<std::int32_t>(packet.timestamp - timestamp_);
    const std::int64_t passed = (now - timed_at_) / sample_time;
    if (key && moved <= 0 && moved >= -most_key_behind) return true;
    timestamp_ = packet.timestamp;
    timed_at_ = now;
    return moved > 0 && moved - passed <= most_ahead && passed - moved <= most_behind;
}

rtp_order::place rtp_order::take(const rtp_header& packet, bool key, instant now) noexcept {
    if (!started_) return begin(packet, key, now);
    if (packet.ssrc != ssrc_) {
        if (packet.ssrc == left_ssrc_ && now - heard_ <= overlap) return place::unwanted;
        left_ssrc_ = ssrc_;
        return begin(packet, key, now);
    }
    const auto step = static_cast<std::int16_t>(packet.sequence - highest_);
    if (step > largest_gap || step < -largest_disorder) {
        // Two in a row mean that the sender counts anew; one alone is a straggler or a mistake.
        if (odd_ == packet.sequence) return begin(packet, key, now);
        odd_ = static_cast<std::uint16_t>(packet.sequence + 1);
        return place::unwanted;
    }
    heard_ = now;
    odd_.reset();
    if (step <= 0) {
        const auto bit = std::uint64_t{1} << -step;
        if ((seen_ & bit) != 0) return place::unwanted;
        seen_ |= bit;
        return place::late;
    }
    seen_ = step > largest_disorder ? 1 : seen_ << step | 1;
    highest_ = packet.sequence;
    return time_goes_on(packet, key, now) ? place::next : place::anew;
}

} // namespace strowger::media
