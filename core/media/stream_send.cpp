// What goes out to a leg's peer: played, keyed or relayed.
#include "core/media/stream_core.hpp"
#include <algorithm>
#include <cstring>

namespace strowger::media {
namespace {

constexpr std::size_t longest_packet_samples = 480; // 60 ms
/// Sound that is lost between packets of another length is silence; a longer hole shows in our timestamps.
constexpr std::int32_t longest_filled_gap = 960;

std::span<std::byte, rtp_header_size> head_of(std::byte* packet) {
    return std::span<std::byte, rtp_header_size>(packet, rtp_header_size);
}

} // namespace

void stream_core::transmit(std::span<const std::byte> packet) noexcept {
    const auto& to = source_.destination();
    // A full buffer or a peer that is not there yet loses the packet, as a network does.
    const auto sent =
        connected_ ? ::send(ports_.rtp.fd(), packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
                   : ::sendto(ports_.rtp.fd(), packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL, to.data(), to.size());
    if (sent < 0) return;
    ++packets_sent_;
    octets_sent_ += packet.size() - rtp_header_size;
}

int stream_core::tick(instant when) {
    if (pipe_) pull_pipe(when);
    if (digits_.active())
        digit_step(when);
    else if (player_)
        play_step(when);
    if (pipe_) return 20;
    return digits_.active() || player_ ? static_cast<int>(packet_samples_ / 8) : 0;
}

void stream_core::play_step(instant when) {
    std::array<std::byte, rtp_header_size + 2 * longest_packet_samples> packet;
    const auto samples = pipe_ ? std::size_t{160} : std::size_t{packet_samples_};
    const auto sound = std::span(packet).subspan(rtp_header_size, samples * bytes_per_sample(codec_));
    if (!player_->render(codec_, sound)) {
        const auto id = player_->id();
        stop_playing();
        post_event(event::play_ended{id});
        return;
    }
    const auto* begun = player_->begun();
    if (pipe_) {
        if (begun != nullptr && !begun->empty()) pipe_->announce(*begun);
        linear_frame frame;
        decode(codec_id::slin, sound, frame);
        pipe_->write(frame);
        ++packets_sent_;
    } else if (sends_) {
        write_rtp(timeline_.next(payload_type_, packet_samples_, when), head_of(packet.data()));
        transmit(std::span(packet).first(rtp_header_size + sound.size()));
    }
}

void stream_core::digit_step(instant when) {
    std::array<std::int16_t, longest_packet_samples> samples;
    const auto room = std::span(samples).first(packet_samples_);
    const auto step = digits_.next(event_payload_type_.has_value(), room);
    if (sends_ && step.event && event_payload_type_) {
        std::array<std::byte, rtp_header_size + telephone_event_size> packet;
        write_rtp(timeline_.next_event(*event_payload_type_, step.event->marker, packet_samples_, when), head_of(packet.data()));
        write_telephone_event(step.event->event, std::span(packet).subspan<rtp_header_size, telephone_event_size>());
        transmit(packet);
    } else if (sends_ && step.samples > 0) {
        std::array<std::byte, rtp_header_size + longest_packet_samples> packet;
        encode(codec_, room, std::span(packet).subspan(rtp_header_size));
        write_rtp(timeline_.next(payload_type_, packet_samples_, when), head_of(packet.data()));
        transmit(std::span(packet).first(rtp_header_size + room.size()));
    }
    while (const auto id = digits_.finished()) post_event(event::digits_sent{id});
    if (!digits_.active()) change_source();
}

void stream_core::forward_key(char key) {
    if (pipe_) {
        pipe_->send_digit(key);
    } else if (configured_) {
        digits_.push(0, std::string(1, key));
        pace();
    }
}

void stream_core::to_pipe(codec_id from, std::span<const std::byte> sound) {
    std::array<std::int16_t, 1024> samples;
    const auto count = std::min(sound.size() / bytes_per_sample(from), samples.size());
    decode(from, sound, samples);
    for (std::size_t at = 0; at < count;) {
        const auto some = std::min(count - at, pipe_frame_.size() - pipe_filled_);
        std::copy_n(samples.begin() + static_cast<std::ptrdiff_t>(at), some,
                    pipe_frame_.begin() + static_cast<std::ptrdiff_t>(pipe_filled_));
        at += some;
        pipe_filled_ += some;
        if (pipe_filled_ == pipe_frame_.size()) {
            pipe_->write(pipe_frame_);
            ++packets_sent_;
            pipe_filled_ = 0;
        }
    }
}

void stream_core::relay(codec_id from, const rtp_header& header, rtp_order::place place, std::span<std::byte> sound,
                        instant when) {
    if (player_ || digits_.active()) return; // what is played goes first
    if (pipe_) {
        if (place != rtp_order::place::late) to_pipe(from, sound);
        return;
    }
    if (!configured_ || !sends_) {
        change_source();
        return;
    }
    if (from == codec_id::slin) {
        linear_frame frame;
        decode(from, sound, frame);
        sound = sound.first(frame.size());
        encode(codec_, frame, sound);
    } else if (from != codec_) {
        convert(from, codec_, sound);
    }
    if (sound.size() != packet_samples_ || (packing_ && packing_->filled > 0)) {
        repack(header, place, sound, when);
        return;
    }
    pass_on(header, place, payload_type_, packet_samples_, sound, when);
}

void stream_core::relay_event(const rtp_header& header, rtp_order::place place, std::span<std::byte> event, instant when) {
    if (player_ || digits_.active()) return;
    if (!sends_) {
        change_source();
        return;
    }
    pass_on(header, place, *event_payload_type_, 0, event, when);
}

// The header is written over that of the packet received: nothing is copied.
void stream_core::pass_on(const rtp_header& header, rtp_order::place place, std::uint8_t type, unsigned samples,
                          std::span<std::byte> content, instant when) {
    if (packing_) packing_->goes_on = false;
    const auto ours = timeline_.relayed(header, place == rtp_order::place::anew, type, samples, when);
    if (!ours) return;
    auto* const packet = content.data() - rtp_header_size;
    write_rtp(*ours, head_of(packet));
    transmit({packet, rtp_header_size + content.size()});
}

void stream_core::repack(const rtp_header& header, rtp_order::place place, std::span<const std::byte> sound, instant when) {
    if (place == rtp_order::place::late) return; // its place has been filled
    if (!packing_) packing_ = std::make_unique<packing>();
    auto& p = *packing_;
    const auto missing = static_cast<std::int32_t>(header.timestamp - p.next_timestamp);
    if (!p.goes_on || place == rtp_order::place::anew || missing < 0 || missing > longest_filled_gap) {
        p.filled = 0;
        change_source();
    } else if (missing > 0) {
        std::array<std::byte, longest_filled_gap> silence;
        silence.fill(silence_byte(codec_));
        pack(std::span(silence).first(static_cast<std::size_t>(missing)), when);
    }
    p.goes_on = true;
    p.next_timestamp = header.timestamp + static_cast<std::uint32_t>(sound.size());
    pack(sound, when);
}

void stream_core::pack(std::span<const std::byte> sound, instant when) {
    auto& p = *packing_;
    while (!sound.empty()) {
        const auto some = std::min(sound.size(), packet_samples_ - p.filled);
        std::memcpy(p.packet.data() + rtp_header_size + p.filled, sound.data(), some);
        sound = sound.subspan(some);
        p.filled += some;
        if (p.filled < packet_samples_) continue;
        write_rtp(timeline_.next(payload_type_, packet_samples_, when), head_of(p.packet.data()));
        transmit(std::span(p.packet).first(rtp_header_size + packet_samples_));
        p.filled = 0;
    }
}

} // namespace strowger::media
