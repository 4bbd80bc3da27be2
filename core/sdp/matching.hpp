// How two descriptions of audio are laid on each other. For the inside of core/sdp only.
#pragma once
#include "core/sdp/audio.hpp"
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace strowger::sdp {

inline constexpr std::string_view telephone_event = "telephone-event";

/// `return refuse(problem::malformed, "text {}", x);`
template <class... Args>
[[nodiscard]] tl::unexpected<refusal> refuse(problem kind, fmt::format_string<Args...> text, Args&&... args) {
    return tl::unexpected<refusal>(refusal{{fmt::format(text, std::forward<Args>(args)...)}, kind});
}

/// An address that packets can be sent to.
struct checked_address {
    std::string text;
    bool is_ip6 = false;
    bool unspecified = false; ///< 0.0.0.0 or ::, the old way to hold.
};

/// Takes numeric unicast addresses only: names are never resolved, zones mean nothing on another machine, and a group or
/// broadcast address would make us a source of floods.
negotiated<checked_address> check_address(const net_address& address);

/// Audio over plain RTP with a port: what this side can speak at all. AVPF without feedback messages is as good as AVP.
bool is_plain_audio(const media& section);

/// Every payload type of the section whose meaning is known, in order, telephone-event among them.
std::vector<codec> codecs_of(const media& section);
/// The same codec in the list, or null.
const codec* find_codec(const std::vector<codec>& list, const codec& wanted);
/// telephone-event for the clock rate, else for 8000 Hz (browsers use that with Opus too), or null.
const codec* find_telephone_event(const std::vector<codec>& list, int clock_rate);

/// The codecs of `offered` that we know, with the offer's payload types, in its order; at least one.
negotiated<std::vector<codec>> usable_codecs(const description& offer, const media& offered, const audio_capabilities& caps);

/// 10 to 60 in steps of 10; 20 for anything else.
int usable_ptime(int wish);
/// Milliseconds that the section's sender wants to receive, `otherwise` when it does not say.
int ptime_for(const media& section, int otherwise);

/// What the section's sender does: an old-style hold receives nothing, whatever its attributes say.
direction effective_direction(const description& d, const media& section);

/// The audio section of a description of ours that is in use; none when all are refused.
std::optional<std::size_t> audio_in_use(const description& ours);

/// What our description and theirs come to, whoever of both offered.
negotiated<agreed_audio> agree(const description& ours, const description& theirs);

} // namespace strowger::sdp
