// What comes in from a leg's peer, by RTP or from a driver's pipe.
#include "core/base/log.hpp"
#include "core/media/stream_core.hpp"

namespace strowger::media {
namespace {

constexpr std::size_t least_samples = 8, most_samples = 960; // 1 to 120 ms of G.711

/// The datagram's true length, which may be more than the buffer has; below zero for none.
ssize_t receive(const udp_socket& s, std::span<std::byte> buffer, socket_address& from) noexcept {
    socklen_t size = socket_address::capacity;
    return ::recvfrom(s.fd(), buffer.data(), buffer.size(), MSG_DONTWAIT | MSG_TRUNC, from.data(), &size);
}

} // namespace

// One packet a turn: 20 ms lie between two, and after a stall the streams take turns.
void stream_core::on_rtp_ready() {
    socket_address from;
    const auto size = receive(ports_.rtp, at_->buffer, from);
    if (size < 0 || !configured_) return; // an error here is an ICMP answer to what we sent: the peer is not ready
    if (static_cast<std::size_t>(size) > largest_rtp_packet) {
        if (source_.same_host(from))
            malformed();
        else
            ++packets_foreign_;
        return;
    }
    const auto datagram = std::span(at_->buffer).first(static_cast<std::size_t>(size));
    if (mux_ && looks_like_rtcp(datagram))
        on_rtcp(datagram, from);
    else
        on_rtp(datagram, from);
}

void stream_core::on_rtcp_ready() {
    socket_address from;
    const auto size = receive(ports_.rtcp, at_->buffer, from);
    if (size < 0 || !configured_ || static_cast<std::size_t>(size) > largest_rtp_packet) return;
    on_rtcp(std::span(at_->buffer).first(static_cast<std::size_t>(size)), from);
}

void stream_core::malformed() {
    ++packets_malformed_;
    if (!std::exchange(malformed_told_, true))
        log::debug({"media", call_id}, "a malformed RTP packet from {}; more are only counted", source_.destination().text());
}

void stream_core::on_rtp(std::span<std::byte> datagram, const socket_address& from) {
    const auto packet = parse_rtp(datagram);
    const auto kind = packet ? payloads_[packet->header.payload_type] : payload::unknown;
    const bool sound = kind == payload::pcmu || kind == payload::pcma;
    const bool good = kind == payload::ignored ||
                      (sound && packet->payload.size() >= least_samples && packet->payload.size() <= most_samples) ||
                      (kind == payload::event && packet->payload.size() >= telephone_event_size);
    if (!good) { // which latches nothing
        if (source_.same_host(from))
            malformed();
        else
            ++packets_foreign_;
        return;
    }
    const auto when = now();
    bool latched = false;
    if (!source_.accept(from, when, latched)) {
        ++packets_foreign_;
        return;
    }
    statistics_.count(packet->header, when);
    last_heard_ = when;
    if (latched) settle();
    if (first_packet_due_ || silence_told_) heard();
    if (!receives_) return;
    const auto place = order_.take(packet->header, kind == payload::event, when);
    if (place == rtp_order::place::unwanted) return;
    // The times of keys that are over mean nothing to a stream that began anew.
    if (place == rtp_order::place::anew && !keys_.pressed(when)) keys_ = {};
    if (kind == payload::event) {
        on_event(*packet, place, when);
    } else if (sound) {
        const auto codec = kind == payload::pcmu ? codec_id::pcmu : codec_id::pcma;
        if (detector_ && place != rtp_order::place::late) detect_keys(codec, packet->payload);
        if (sink_ != nullptr) sink_->relay(codec, packet->header, place, packet->payload, when);
    } else if (sink_ != nullptr) {
        sink_->timeline_.skip_relayed(packet->header);
    }
}

void stream_core::heard() {
    if (std::exchange(first_packet_due_, false)) post_event(event::first_packet{});
    if (std::exchange(silence_told_, false)) arm_watch();
}

/// From now on the kernel drops what others send, and finds the way of what we send once.
void stream_core::settle() {
    const auto& to = source_.destination();
    connected_ = ::connect(ports_.rtp.fd(), to.data(), to.size()) == 0;
    arm_watch();
}

void stream_core::unsettle() {
    if (!std::exchange(connected_, false)) return;
    sockaddr none{};
    none.sa_family = AF_UNSPEC;
    ::connect(ports_.rtp.fd(), &none, sizeof none);
}

void stream_core::on_event(const rtp_packet& packet, rtp_order::place place, instant when) {
    const auto e = parse_telephone_event(packet.payload);
    if (!e) return;
    const auto key = keys_.take(*e, packet.header.marker, packet.header.timestamp, when);
    if (key) post_event(event::digit{*key});
    if (sink_ == nullptr) return;
    if (!sink_->pipe_ && sink_->event_payload_type_)
        sink_->relay_event(packet.header, place, packet.payload, when);
    else {
        if (!sink_->pipe_) sink_->timeline_.skip_relayed(packet.header);
        if (key) sink_->forward_key(*key);
    }
}

void stream_core::on_key(char key) {
    post_event(event::digit{key});
    if (sink_ != nullptr) sink_->forward_key(key);
}

void stream_core::detect_keys(codec_id codec, std::span<const std::byte> sound) {
    std::array<std::int16_t, most_samples> samples;
    decode(codec, sound, samples);
    for (const char key : detector_->take(std::span(samples).first(sound.size()))) post_event(event::digit{key});
}

void stream_core::pull_pipe(instant when) {
    for (const char key : pipe_->take_digits()) on_key(key);
    std::array<std::byte, rtp_header_size + sizeof(linear_frame)> room;
    linear_frame frame;
    const auto pass_on = [&] {
        if (first_packet_due_) heard();
        if (sink_ != nullptr) {
            const auto sound = std::span(room).subspan(rtp_header_size);
            encode(codec_id::slin, frame, sound);
            sink_->relay(codec_id::slin, pipe_header_, rtp_order::place::next, sound, when);
        }
        ++frames_received_;
        ++pipe_header_.sequence;
        pipe_header_.timestamp += 160;
        last_heard_ = when;
    };
    if (!pipe_->read(frame)) {
        pipe_header_.timestamp += 160;
        return;
    }
    pass_on();
    // A driver whose clock runs faster than ours must not fill the pipe: one more, when there is one.
    if (pipe_->read(frame)) pass_on();
}

void stream_core::on_rtcp(std::span<const std::byte> datagram, const socket_address& from) {
    if (!source_.same_host(from) && !(rtcp_to_ && from.same_address(rtcp_to_))) {
        ++packets_foreign_;
        return;
    }
    const auto report = parse_rtcp(datagram, timeline_.ssrc());
    if (!report) {
        malformed();
        return;
    }
    // Behind a NAT the reports go where theirs come from.
    if (source_.symmetric() && !mux_) rtcp_to_ = from;
    const auto when = now();
    if (report->sender) statistics_.heard_sender_report(report->sender->ntp_time, when);
    if (report->block) {
        peer_loss_ = report->block->fraction_lost / 256.0;
        peer_jitter_ms_ = report->block->jitter / 8.0;
        if (const auto seconds = round_trip_seconds(*report->block, ntp(when))) round_trip_ms_ = *seconds * 1000;
    }
}

} // namespace strowger::media
