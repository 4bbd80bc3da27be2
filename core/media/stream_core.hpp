// A leg's audio where it happens: on its media thread. For the inside of core/media only.
#pragma once
#include "core/media/digit_sender.hpp"
#include "core/media/dtmf_detector.hpp"
#include "core/media/media_thread_impl.hpp"
#include "core/media/player.hpp"
#include "core/media/rtp_order.hpp"
#include "core/media/rtp_source.hpp"
#include "core/media/rtp_statistics.hpp"
#include "core/media/rtp_timeline.hpp"
#include "core/media/stream.hpp"
#include "core/media/telephone_event.hpp"
#include <deque>
#include <mutex>

namespace strowger::media {

/// Everything but the first section is touched only on the media thread where it is at the time.
struct stream_core final : std::enable_shared_from_this<stream_core>, private paced {
    /// Two streams that hear each other, or one that hears the other, once both have been told. Lives on their thread.
    struct connection {
        stream_core* hearer;
        stream_core* heard;
        bool both;
        int told = 0;
        bool over = false;
    };

    stream_core(media_thread_impl& home, port_pair ports, std::shared_ptr<frame_pipe> pipe, std::shared_ptr<leg_mailbox> events,
                std::string call_id, std::string local_address);
    ~stream_core();

    // From the call's worker.
    /// Runs the command on the media thread, in the order of the posts, also while the stream moves.
    void post(job command);

    // Commands.
    void open();
    void close();
    void configure(const sdp::agreed_audio& agreed, const source_policy& from);
    void set_silence_limit(duration limit);
    void play(std::uint64_t id, std::vector<play_item> items, int times);
    void stop_playing();
    void send_digits(std::uint64_t id, std::string digits);
    void connect(std::shared_ptr<connection> with);
    void part();
    void report_figures();
    media_figures figures() const;
    void depart(media_thread_impl& to);

    // What never changes.
    const std::string call_id, local_address;
    const std::uint16_t rtp_port;
    const bool is_rtp;
    /// Where the commands go; only for the handle.
    media_thread_impl* handle_home;

private:
    enum class payload : std::uint8_t { unknown, pcmu, pcma, event, ignored };

    void drain();
    void attach(media_thread_impl& to);
    void detach();
    void post_event(leg_event e) { events_->post(std::move(e)); }
    instant now() const { return at_->home().now(); }

    // Receiving.
    void on_rtp_ready();
    void on_rtcp_ready();
    void on_rtp(std::span<std::byte> datagram, const socket_address& from);
    void on_rtcp(std::span<const std::byte> datagram, const socket_address& from);
    void on_event(const rtp_packet& packet, rtp_order::place place, instant when);
    void on_key(char key);
    void malformed();
    /// News for the call: packets come.
    void heard();
    void pull_pipe(instant when);
    void detect_keys(codec_id codec, std::span<const std::byte> sound);
    void settle();
    void unsettle();

    // Sending.
    int tick(instant when) override;
    void pace() {
        if (at_ != nullptr && (configured_ || pipe_)) at_->pace.add(*this);
    }
    void play_step(instant when);
    void digit_step(instant when);
    /// Audio of another stream, in our codec when it leaves. At least `rtp_header_size` bytes before `sound` may be written to.
    void relay(codec_id from, const rtp_header& header, rtp_order::place place, std::span<std::byte> sound, instant when);
    void relay_event(const rtp_header& header, rtp_order::place place, std::span<std::byte> event, instant when);
    void repack(const rtp_header& header, rtp_order::place place, std::span<const std::byte> sound, instant when);
    void pack(std::span<const std::byte> sound, instant when);
    /// What we send next comes from elsewhere than what we sent before.
    void change_source() {
        timeline_.change_source();
        if (packing_) packing_->goes_on = false;
    }
    void pass_on(const rtp_header& header, rtp_order::place place, std::uint8_t type, unsigned samples,
                 std::span<std::byte> content, instant when);
    void to_pipe(codec_id from, std::span<const std::byte> sound);
    void forward_key(char key);
    void transmit(std::span<const std::byte> packet) noexcept;

    // Timers.
    void arm_watch();
    void watch();
    void arm_rtcp();
    void send_rtcp(bool bye);
    std::uint64_t ntp(instant when) const;

    std::mutex queue_mutex_;
    std::deque<job> queue_;
    bool draining_ = false;
    media_thread_impl* commands_to_; // guarded by queue_mutex_
    media_thread_impl* leaving_to_ = nullptr;

    const std::shared_ptr<leg_mailbox> events_;
    port_pair ports_;

    // What each packet touches.
    media_thread_impl* at_ = nullptr; // null before open() and on the way to another thread
    stream_core* sink_ = nullptr;   // who hears us
    stream_core* heard_ = nullptr;  // whom we hear
    bool configured_ = false, connected_ = false, mux_ = false, sends_ = false, receives_ = false;
    bool first_packet_due_ = false, silence_told_ = false, malformed_told_ = false;
    codec_id codec_ = codec_id::slin;
    std::uint8_t payload_type_ = 0;
    unsigned packet_samples_ = 160;
    std::optional<std::uint8_t> event_payload_type_;
    std::array<payload, 128> payloads_{};
    rtp_source source_;
    rtp_order order_;
    rtp_timeline timeline_;
    rtp_statistics statistics_;
    instant last_heard_{};
    std::uint64_t packets_sent_ = 0, octets_sent_ = 0, packets_foreign_ = 0, packets_malformed_ = 0;

    telephone_event_receiver keys_;
    digit_sender digits_;
    std::unique_ptr<player> player_;
    std::unique_ptr<dtmf_detector> detector_;

    /// Packets of another length than ours, until they fill one of ours.
    struct packing {
        std::array<std::byte, rtp_header_size + 480> packet{};
        std::size_t filled = 0;
        bool goes_on = false; // what comes next belongs to what is in it
        std::uint32_t next_timestamp = 0;
    };
    std::unique_ptr<packing> packing_;

    const std::shared_ptr<frame_pipe> pipe_;
    linear_frame pipe_frame_{};
    std::size_t pipe_filled_ = 0;
    std::uint64_t frames_received_ = 0;
    rtp_header pipe_header_;

    std::shared_ptr<connection> connection_;
    bool held_by_peer_ = false;
    duration silence_limit_{};
    instant silence_from_{};
    socket_address rtcp_to_;
    std::string codec_name_;
    const std::string cname_;
    std::uint64_t packets_at_last_report_ = 0;
    const instant opened_at_;
    const wall_time opened_wall_;
    std::optional<double> round_trip_ms_, peer_loss_, peer_jitter_ms_;

    fd_watch rtp_watch_, rtcp_watch_;
    timer watch_timer_, rtcp_timer_;
};

} // namespace strowger::media
