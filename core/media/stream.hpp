// The audio of one leg, as its call sees it: commands go down to a media thread, what happens comes back as events.
#pragma once
#include "core/async/worker.hpp"
#include "core/channel/mailbox.hpp"
#include "core/media/frame_pipe.hpp"
#include "core/media/prompt.hpp"
#include "core/media/tone.hpp"
#include "core/sdp/audio.hpp"
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace strowger::media {

class media_thread;
struct stream_core;

/// One piece of what is played: a prompt, a tone for so long (zero: for ever or as its own pattern ends), or silence.
struct play_item {
    std::variant<std::shared_ptr<const prompt>, tone_spec, std::monostate> what;
    duration length{}; ///< of a tone or a silence
    std::string name;  ///< told to pipe drivers: "welcome", "tone:busy"
};

/// Where RTP may come from besides the address in the peer's SDP (RFC 4961; see decision 0005).
struct source_policy {
    bool symmetric = false;     ///< signalling shows NAT: latch onto the source of the first packets
    std::string signalled_from; ///< … but only from here or from the SDP's address
};

/// Ports, threads and limits of RTP; one for the engine.
class media_service;

/// Handle of a leg's audio. Lives on the leg's call worker; commands take effect in order on the media thread. Destroying it
/// closes the sockets; the port pair then rests for 30 s before it is used again.
class stream {
public:
    /// Binds an RTP/RTCP port pair on `local_address`. Fails when there are no ports or descriptors left; some are kept for calls
    /// with `help`, emergency calls.
    static result<std::unique_ptr<stream>> open_rtp(media_service& service, media_thread& home, const std::string& local_address,
                                                    std::shared_ptr<leg_mailbox> events, std::string call_id, bool help = false);
    static std::unique_ptr<stream> open_pipe(media_service& service, media_thread& home, std::shared_ptr<frame_pipe> pipe,
                                             std::shared_ptr<leg_mailbox> events, std::string call_id);
    ~stream();

    bool is_rtp() const noexcept;
    const std::string& local_address() const noexcept;
    std::uint16_t rtp_port() const noexcept;
    std::uint16_t rtcp_port() const noexcept;
    media_thread& home() const noexcept;

    /// Takes what offer/answer agreed on: codec, payload types, where to send, which directions. Our SSRC and sequence go on.
    void configure(const sdp::agreed_audio& agreed, const source_policy& from);
    /// After so long without RTP from a peer that should send: event::media_silent, once until packets come again. Zero: never.
    void set_silence_limit(duration limit);

    /// Plays the items one after the other, `times` times (0: until stopped), in place of what played before;
    /// event::play_ended{id} when it ends by itself. While it plays, audio of a joined stream is not sent.
    void play(std::uint64_t id, std::vector<play_item> items, int times = 1);
    void stop_playing();
    /// Sends keys (0-9 * # A-D, `w` = half a second of pause): RFC 4733 where agreed, in-band tones otherwise;
    /// event::digits_sent{id} when done.
    void send_digits(std::uint64_t id, std::string digits);

    /// From now on what each receives is sent by the other. Both must have the same media thread. A stream is joined to one at
    /// most.
    void join(stream& other);
    /// Only this stream hears the other (early media).
    void listen_to(stream& other);
    void part();

    /// Asks for event::figures.
    void request_figures();
    /// Gives them to `to`, on the media thread, after what has been commanded so far. It happens also when the stream goes at
    /// once, and whoever listens to its mailbox.
    void tell_figures(std::function<void(media_figures)> to);

    /// Moves to another media thread, its sockets with it, and reports to the same mailbox as before. It must not be joined.
    void move_to(media_thread& other);

    explicit stream(std::shared_ptr<stream_core> core) noexcept;

private:
    std::shared_ptr<stream_core> core_;
};

/// The codecs we speak, in our order of preference, for offers.
std::vector<sdp::codec> our_codecs();

} // namespace strowger::media
