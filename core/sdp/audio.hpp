// What both sides say about one audio stream, and what follows from it (RFC 3264, RFC 3551, RFC 4733).
#pragma once
#include "core/base/result.hpp"
#include "core/sdp/description.hpp"
#include "core/sdp/direction.hpp"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace strowger::sdp {

/// Why an offer or answer leads to nothing.
enum class problem {
    malformed,       ///< The description breaks the rules: 400, or end the call when it came in an ACK or a 2xx.
    no_usable_audio, ///< Well-formed, but there is no audio in it that we can speak: 488.
    offer_pending,   ///< Our own offer waits for its answer: 491 (RFC 3261 §14.2).
    no_offer,        ///< An answer to nothing that we offered.
};

/// An error that also says how SIP is to name it.
struct refusal : error {
    problem kind = problem::malformed;
};

/// The final response that refuses the offer: 400, 488 or 491.
int sip_status(problem kind);

template <class T> using negotiated = tl::expected<T, refusal>;

/// A codec as SDP names it: "PCMA", "G722" (whose clock rate is 8000), "opus" (48000, 2 channels).
struct codec {
    std::string name;
    int payload_type = -1;
    int clock_rate = 8000;
    int channels = 1;
    std::string fmtp;
    bool operator==(const codec&) const = default;
};

/// Name without case, clock rate and channels. Payload types and parameters are not compared.
bool same_codec(const codec& a, const codec& b);

/// What our side can do in one audio stream.
struct audio_capabilities {
    std::string address; ///< Numeric, IPv4 or IPv6.
    std::uint16_t rtp_port = 0;
    std::uint16_t rtcp_port = 0;  ///< 0 means rtp_port + 1; equal to rtp_port means that we offer a=rtcp-mux.
    bool accepts_rtcp_mux = true; ///< Whether an answer takes up an offered a=rtcp-mux.
    std::vector<codec> codecs; ///< In our order of preference, without telephone-event. A payload type below 0 is chosen for you.
    int telephone_event_pt = 101; ///< For 8000 Hz in our offers; other clock rates get the next free number.
    bool offers_telephone_event = true;
    bool answers_with_one_codec = true; ///< Besides telephone-event. Else all that both sides know, in the offer's order.
    int ptime = 20;                     ///< Milliseconds, 10 to 60 in steps of 10.
    direction dir = direction::sendrecv;
};

/// What one offer and its answer come to, seen from our side. In the codecs here the payload type is the one that we *receive*
/// and `fmtp` is what the *peer* wants to be sent.
struct agreed_audio {
    codec chosen;
    int send_payload_type = 0;
    int receive_payload_type = 0;
    std::vector<codec> also_agreed; ///< The peer may switch to these without a word.

    std::optional<int> send_telephone_event_pt;
    std::optional<int> receive_telephone_event_pt;
    int telephone_event_clock_rate = 8000;

    /// Where to send. "0.0.0.0" or "::" while the peer holds in the old style: then `dir` does not let us send.
    std::string remote_address;
    std::uint16_t remote_rtp_port = 0;
    std::string remote_rtcp_address;
    std::uint16_t remote_rtcp_port = 0; ///< 0: nowhere.
    bool rtcp_mux = false;

    int ptime = 20;                      ///< Milliseconds per packet that we send.
    direction dir = direction::sendrecv; ///< What we may do.
    bool held_by_peer = false;           ///< It wants nothing from us: sendonly, inactive or the old 0.0.0.0 (RFC 3264 §8.4).

    bool operator==(const agreed_audio&) const = default;
};

} // namespace strowger::sdp
