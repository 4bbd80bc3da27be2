// The life of a stream: its commands, its way between threads, its timers. Packets are in stream_receive.cpp and stream_send.cpp.
#include "core/media/stream_core.hpp"
#include "core/base/ids.hpp"
#include "core/base/log.hpp"
#include "core/sdp/text.hpp"
#include <algorithm>
#include <sys/epoll.h>

namespace strowger::media {
namespace {

std::optional<codec_id> g711_named(const sdp::codec& c) {
    if (c.clock_rate != 8000 || c.channels != 1) return std::nullopt;
    if (sdp::equal_without_case(c.name, "PCMU")) return codec_id::pcmu;
    if (sdp::equal_without_case(c.name, "PCMA")) return codec_id::pcma;
    return std::nullopt;
}

constexpr std::size_t comfort_noise = 13; // RFC 3389; taken for silence

} // namespace

stream_core::stream_core(media_thread_impl& home, port_pair ports, std::shared_ptr<frame_pipe> pipe,
                         std::shared_ptr<leg_mailbox> events, std::string call, std::string address)
    : call_id(std::move(call)), local_address(std::move(address)), rtp_port(ports.rtp_port()), is_rtp(pipe == nullptr),
      handle_home(&home), commands_to_(&home), events_(std::move(events)), ports_(std::move(ports)), pipe_(std::move(pipe)),
      cname_(random_hex(8)), opened_at_(home.home().now()), opened_wall_(home.home().time().wall()) {
    first_packet_due_ = !is_rtp;
    pipe_header_.ssrc = static_cast<std::uint32_t>(random_u64());
}

stream_core::~stream_core() {
    // Only when its thread was stopped before it could close.
    if (at_ != nullptr) detach();
}

void stream_core::post(job command) {
    const std::lock_guard lock(queue_mutex_);
    queue_.push_back(std::move(command));
    if (std::exchange(draining_, true)) return;
    commands_to_->home().post([self = shared_from_this()] { self->drain(); });
}

void stream_core::drain() {
    for (;;) {
        job command;
        {
            const std::lock_guard lock(queue_mutex_);
            if (queue_.empty()) {
                draining_ = false;
                return;
            }
            command = std::move(queue_.front());
            queue_.pop_front();
        }
        command();
        if (auto* to = std::exchange(leaving_to_, nullptr)) {
            {
                const std::lock_guard lock(queue_mutex_);
                commands_to_ = to;
            }
            // What is queued already waits for the arrival.
            to->home().post([self = shared_from_this(), to] {
                self->attach(*to);
                self->drain();
            });
            return;
        }
    }
}

void stream_core::attach(media_thread_impl& to) {
    at_ = &to;
    to.open_streams.fetch_add(1, std::memory_order_relaxed);
    if (is_rtp) {
        rtp_watch_ = to.home().watch(ports_.rtp.fd(), EPOLLIN, [this](std::uint32_t) { on_rtp_ready(); });
        rtcp_watch_ = to.home().watch(ports_.rtcp.fd(), EPOLLIN, [this](std::uint32_t) { on_rtcp_ready(); });
    }
    if (pipe_ || player_ || digits_.active()) pace();
    if (configured_) {
        arm_watch();
        arm_rtcp();
    }
}

void stream_core::detach() {
    part();
    rtp_watch_.stop();
    rtcp_watch_.stop();
    watch_timer_.cancel();
    rtcp_timer_.cancel();
    at_->pace.remove(*this);
    at_->open_streams.fetch_sub(1, std::memory_order_relaxed);
    at_ = nullptr;
}

void stream_core::open() { attach(*commands_to_); }

void stream_core::close() {
    if (at_ == nullptr) return;
    if (configured_) send_rtcp(true);
    detach();
    player_.reset();
    ports_.close();
}

void stream_core::depart(media_thread_impl& to) {
    if (at_ == nullptr || at_ == &to) return;
    detach();
    leaving_to_ = &to;
}

void stream_core::configure(const sdp::agreed_audio& agreed, const source_policy& from) {
    if (!is_rtp) return;
    const auto codec = g711_named(agreed.chosen);
    if (!codec) {
        log::warn({"media", call_id}, "the codec {} was agreed on but cannot be spoken; the leg stays silent",
                  agreed.chosen.name);
        return;
    }
    const auto remote = socket_address::parse(agreed.remote_address, agreed.remote_rtp_port);
    unsettle();
    source_.configure(remote, from);
    configured_ = true;
    codec_ = *codec;
    codec_name_ = agreed.chosen.name;
    payload_type_ = static_cast<std::uint8_t>(agreed.send_payload_type & 0x7f);
    packet_samples_ = 8 * static_cast<unsigned>(std::clamp(agreed.ptime, 10, 60));
    sends_ = sdp::sends(agreed.dir) && remote && !remote.unspecified() && remote.port() != 0;
    receives_ = sdp::receives(agreed.dir);
    held_by_peer_ = agreed.held_by_peer;
    mux_ = agreed.rtcp_mux;
    rtcp_to_ = agreed.rtcp_mux ? remote : socket_address::parse(agreed.remote_rtcp_address, agreed.remote_rtcp_port);
    if (rtcp_to_ && (rtcp_to_.port() == 0 || rtcp_to_.unspecified())) rtcp_to_ = {};

    // What was agreed before is understood on: the peer may speak so until our answer has come, and a payload type keeps its
    // meaning (RFC 3264 §8.3.2).
    payloads_[comfort_noise] = payload::ignored;
    const auto map = [this](int type, payload what) {
        if (type >= 0 && type < 128) payloads_[static_cast<std::size_t>(type)] = what;
    };
    const auto kind = [](codec_id c) { return c == codec_id::pcmu ? payload::pcmu : payload::pcma; };
    for (const auto& c : agreed.also_agreed)
        if (const auto other = g711_named(c)) map(c.payload_type, kind(*other));
    map(agreed.receive_payload_type, kind(*codec));
    event_payload_type_.reset();
    if (agreed.telephone_event_clock_rate == 8000) {
        if (agreed.send_telephone_event_pt)
            event_payload_type_ = static_cast<std::uint8_t>(*agreed.send_telephone_event_pt & 0x7f);
        if (agreed.receive_telephone_event_pt) map(*agreed.receive_telephone_event_pt, payload::event);
    }
    if (agreed.receive_telephone_event_pt)
        detector_.reset();
    else if (!detector_)
        detector_ = std::make_unique<dtmf_detector>();

    packing_.reset();
    change_source();
    first_packet_due_ = true;
    silence_told_ = false;
    silence_from_ = now();
    arm_watch();
    if (!rtcp_timer_.pending()) arm_rtcp();
    if (player_ || digits_.active()) pace();
}

void stream_core::set_silence_limit(duration limit) {
    silence_limit_ = limit;
    silence_told_ = false;
    silence_from_ = now();
    arm_watch();
}

void stream_core::play(std::uint64_t id, std::vector<play_item> items, int times) {
    player_ = std::make_unique<player>(id, std::move(items), times);
    change_source();
    pace();
}

void stream_core::stop_playing() {
    if (!player_) return;
    player_.reset();
    change_source();
}

void stream_core::send_digits(std::uint64_t id, std::string digits) {
    if (pipe_) {
        for (const char key : digits)
            if (telephone_event_code(key)) pipe_->send_digit(key);
        post_event(event::digits_sent{id});
        return;
    }
    digits_.push(id, std::move(digits));
    pace();
}

void stream_core::connect(std::shared_ptr<connection> with) {
    if (connection_ != with) part(); // a stream that hears itself is told twice of one connection
    if (with->over) return;
    connection_ = with;
    if (++with->told < 2) return;
    with->hearer->heard_ = with->heard;
    with->heard->sink_ = with->hearer;
    with->hearer->change_source();
    if (with->both) {
        with->heard->heard_ = with->hearer;
        with->hearer->sink_ = with->heard;
        with->heard->change_source();
    }
}

void stream_core::part() {
    const auto c = std::exchange(connection_, nullptr);
    if (!c || std::exchange(c->over, true) || c->told < 2) return;
    for (auto* s : {c->hearer, c->heard}) {
        s->sink_ = s->heard_ = nullptr;
        s->packing_.reset();
        s->pipe_filled_ = 0;
        s->change_source();
    }
}

void stream_core::report_figures() { post_event(event::figures{figures()}); }

media_figures stream_core::figures() const {
    media_figures f;
    f.packets_sent = packets_sent_;
    f.packets_received = statistics_.received() + frames_received_;
    f.packets_lost = statistics_.lost();
    f.packets_late = statistics_.late();
    f.packets_foreign = packets_foreign_;
    f.packets_malformed = packets_malformed_;
    f.jitter_ms = statistics_.jitter_ms();
    f.round_trip_ms = round_trip_ms_;
    f.peer_loss = peer_loss_;
    f.peer_jitter_ms = peer_jitter_ms_;
    f.codec = codec_name_;
    if (is_rtp) {
        f.local_address = socket_address::parse(local_address, rtp_port).text();
        f.remote_address = source_.destination().text();
    }
    return f;
}

void stream_core::arm_watch() {
    std::optional<instant> next;
    if (silence_limit_.count() > 0 && configured_ && receives_ && !held_by_peer_ && !silence_told_)
        next = std::max(last_heard_, silence_from_) + silence_limit_;
    if (source_.symmetric() && source_.settled()) {
        const auto loose = last_heard_ + rtp_source::silence_before_change + 1ms;
        next = next ? std::min(*next, loose) : loose;
    }
    if (next)
        watch_timer_ = at_->home().at(*next, [this] { watch(); });
    else
        watch_timer_.cancel();
}

void stream_core::watch() {
    const auto when = now();
    if (source_.loosen(when)) unsettle();
    if (silence_limit_.count() > 0 && receives_ && !held_by_peer_ && !silence_told_) {
        const auto since = when - std::max(last_heard_, silence_from_);
        if (since >= silence_limit_) {
            silence_told_ = true;
            post_event(event::media_silent{since});
        }
    }
    arm_watch();
}

// RFC 3550 §6.2 with its minimum of 5 s, which two participants of one call never exceed.
void stream_core::arm_rtcp() {
    const auto wait = 2500ms + std::chrono::milliseconds(static_cast<std::int64_t>(random_u64() % 5001));
    rtcp_timer_ = at_->home().after(wait, [this] {
        send_rtcp(false);
        arm_rtcp();
    });
}

std::uint64_t stream_core::ntp(instant when) const {
    constexpr std::uint64_t from_1900_to_1970 = 2'208'988'800;
    // From the wall clock at the beginning on, by the steady clock: a step of the former must not look like a round trip.
    const auto wall = std::chrono::duration_cast<std::chrono::nanoseconds>(opened_wall_.time_since_epoch()) + (when - opened_at_);
    const auto ns = static_cast<std::uint64_t>(wall.count());
    return (ns / 1'000'000'000 + from_1900_to_1970) << 32 | (ns % 1'000'000'000 << 32) / 1'000'000'000;
}

void stream_core::send_rtcp(bool bye) {
    if (!rtcp_to_) return;
    const auto when = now();
    rtcp_report r;
    r.ssrc = timeline_.ssrc();
    r.cname = cname_;
    r.bye = bye;
    if (packets_sent_ != packets_at_last_report_)
        r.sender = sender_info{ntp(when), timeline_.timestamp_at(when), static_cast<std::uint32_t>(packets_sent_),
                               static_cast<std::uint32_t>(octets_sent_)};
    packets_at_last_report_ = packets_sent_;
    r.block = statistics_.make_block(when);
    std::array<std::byte, largest_rtcp_packet> out;
    const auto size = write_rtcp(r, out);
    const auto& to = mux_ && source_.destination() ? source_.destination() : rtcp_to_;
    const auto& by = mux_ ? ports_.rtp : ports_.rtcp;
    // What cannot be sent now is not worth a second try: the next report tells the same.
    if (mux_ && connected_)
        ::send(by.fd(), out.data(), size, MSG_DONTWAIT | MSG_NOSIGNAL);
    else
        ::sendto(by.fd(), out.data(), size, MSG_DONTWAIT | MSG_NOSIGNAL, to.data(), to.size());
}

} // namespace strowger::media
