// What happens to a leg: what its channel and its media tell it, as plain values that may be posted from any thread.
#pragma once
#include "core/base/clock.hpp"
#include "core/base/result.hpp"
#include "core/call/hangup_cause.hpp"
#include "core/media/frame_pipe.hpp"
#include "core/sdp/description.hpp"
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace strowger {

/// Who is at one end, as far as a driver knows.
struct party {
    std::string number;
    std::string name;
    bool withheld = false;
};

/// How audio can be exchanged with a peer: by SDP for drivers whose media is RTP, else by a pipe of frames.
struct media_description {
    std::optional<sdp::description> sdp;
    std::shared_ptr<media::frame_pipe> pipe;
    /// The address of ours from which the peer is reached (chosen by the route): our RTP is bound there. Drivers fill it in.
    std::string local_address;
    /// Where the peer's signalling really came from, without port.
    std::string source_address;
    /// The signalling shows that the peer is behind a NAT: its RTP may come from elsewhere than its SDP says.
    bool behind_nat = false;

    bool empty() const noexcept { return !sdp && !pipe; }
};

/// What RTP has measured of one leg, for the ledger and the console. Counts since the leg began; times in milliseconds. For a
/// pipe its frames of 20 ms are counted as packets.
struct media_figures {
    std::uint64_t packets_sent = 0, packets_received = 0, packets_lost = 0, packets_foreign = 0, packets_malformed = 0;
    std::uint64_t packets_late = 0;             ///< came after one that was sent later
    double jitter_ms = 0;
    std::optional<double> round_trip_ms;        ///< from RTCP
    std::optional<double> peer_loss, peer_jitter_ms; ///< what the peer reports of our stream
    std::string codec;
    std::string local_address, remote_address;  ///< with ports
};

namespace event {

// From the channel.
struct ringing {};
struct progress { media_description media; };          ///< early media (183); may come again with other media (forks)
struct answered { media_description media; };
/// The peer wants other media in mid-call (re-INVITE). Empty media: it wants us to offer. Until it is accepted or refused the old
/// session stands.
struct offered { std::uint64_t id; media_description media; };
/// How the peer took our offer, or the answer in its ACK to an offer that we made because it asked for one.
struct offer_result { std::uint64_t id; result<media_description> media; };
struct transfer_requested { std::uint64_t id; std::string target; }; ///< blind transfer (REFER); `target` as in "200" or a URI
struct held { bool by_peer; };                         ///< of drivers without SDP: the peer put us on hold or came back
struct identity { party who; };                        ///< the peer is someone else now
/// The channel's own state as a plain text that its driver can rebuild it from. The core keeps the newest.
struct state { std::string text; };
/// The channel is over, by the peer or by failure; the last event of a channel.
struct ended {
    hangup_cause cause;
    std::string detail;
    /// Where else the callee is, as the peer says (a SIP 3xx), best first: a number or name of ours ("201") or an address in the
    /// driver's form. A wish of whoever answered: see forwarding.hpp.
    std::vector<std::string> elsewhere = {};
    bool for_all_devices = false; ///< the peer refuses for every device of its user (a SIP 6xx)
};

// From either.
struct digit { char key; };

// From the media.
struct play_ended { std::uint64_t id; };
struct digits_sent { std::uint64_t id; };
struct first_packet {};
struct media_silent { duration since; };               ///< no RTP for the configured time
struct figures { media_figures now; };

} // namespace event

using leg_event = std::variant<event::ringing, event::progress, event::answered, event::offered, event::offer_result,
                               event::transfer_requested, event::held, event::identity, event::state, event::ended, event::digit,
                               event::play_ended, event::digits_sent, event::first_packet, event::media_silent, event::figures>;

} // namespace strowger
