#include "core/media/rtp_statistics.hpp"
#include <algorithm>
#include <cmath>
#include <utility>

namespace strowger::media {
namespace {

constexpr std::uint16_t largest_gap = 3000, largest_disorder = 100;
constexpr std::uint32_t no_odd_sequence = 0x10000;

std::int64_t in_timestamp_units(instant t) { return t.time_since_epoch().count() / 125'000; }

} // namespace

void rtp_statistics::restart(const rtp_header& packet) noexcept {
    lost_before_ = lost();
    received_before_ += received_;
    started_ = true;
    ssrc_ = packet.ssrc;
    base_ = highest_ = packet.sequence;
    cycles_ = 0;
    odd_sequence_ = no_odd_sequence;
    received_ = received_prior_ = 0;
    expected_prior_ = 0;
    jitter_ = 0;
}

void rtp_statistics::count(const rtp_header& packet, instant arrival) noexcept {
    const auto transit = in_timestamp_units(arrival) - std::int64_t{packet.timestamp};
    if (!started_ || packet.ssrc != ssrc_) {
        restart(packet);
        transit_ = transit;
    } else {
        const auto step = static_cast<std::uint16_t>(packet.sequence - highest_);
        if (step < largest_gap) {
            if (packet.sequence < highest_) cycles_ += 0x10000;
            highest_ = packet.sequence;
        } else if (step <= 0xffff - largest_disorder) {
            // A jump: two packets in a row there mean that the source began anew.
            if (packet.sequence == odd_sequence_) {
                restart(packet);
                transit_ = transit;
            } else {
                odd_sequence_ = (packet.sequence + 1u) & 0xffff;
                ++received_before_; // it came, but says nothing about loss
                return;
            }
        } else {
            ++late_;
        }
    }
    ++received_;
    // The timestamp has 32 bits: the difference does too, which also takes a wrap in its stride.
    const auto difference = static_cast<std::int32_t>(static_cast<std::uint32_t>(transit - transit_));
    transit_ = transit;
    // A jump of over four seconds is a new time base, not jitter.
    if (const double d = std::abs(static_cast<double>(difference)); d < 32000) jitter_ += (d - jitter_) / 16;
}

void rtp_statistics::heard_sender_report(std::uint64_t ntp_time, instant arrival) noexcept {
    last_sr_ = ntp_middle(ntp_time);
    last_sr_at_ = arrival;
}

std::uint64_t rtp_statistics::lost() const noexcept {
    if (!started_) return lost_before_;
    return lost_before_ +
           static_cast<std::uint64_t>(std::max<std::int64_t>(expected() - static_cast<std::int64_t>(received_), 0));
}

std::optional<report_block> rtp_statistics::make_block(instant now) noexcept {
    if (!started_) return std::nullopt;
    report_block b;
    b.ssrc = ssrc_;
    const auto expected_now = expected() - std::exchange(expected_prior_, expected());
    const auto received_now = static_cast<std::int64_t>(received_ - std::exchange(received_prior_, received_));
    const auto lost_now = expected_now - received_now;
    if (expected_now > 0 && lost_now > 0)
        b.fraction_lost = static_cast<std::uint8_t>(std::min<std::int64_t>(lost_now * 256 / expected_now, 255));
    b.lost = static_cast<std::int32_t>(
        std::clamp<std::int64_t>(expected() - static_cast<std::int64_t>(received_), -0x800000, 0x7fffff));
    b.highest_sequence = highest();
    b.jitter = static_cast<std::uint32_t>(jitter_);
    if (last_sr_ != 0) {
        b.last_sr = last_sr_;
        b.delay_since_last_sr = static_cast<std::uint32_t>((now - last_sr_at_).count() * 65536 / 1'000'000'000);
    }
    return b;
}

} // namespace strowger::media
