// From Sofia's parsed messages to our own.
#pragma once
#include "channels/sip/agent.hpp"
#include "channels/sip/message.hpp"
#include <vector>

struct sip_s;
struct msg_s;
struct tport_s;

namespace strowger::sip {

/// Where a message came from, and through which of our addresses.
struct origin {
    static constexpr std::size_t unknown = static_cast<std::size_t>(-1);
    peer_address peer;
    std::size_t listener = unknown;
};
/// Both may be null.
origin read_origin(msg_s* raw, tport_s* through);

/// `raw` gives the sender's address, `through` the transport and which of `bound` it came to; both may be null.
message read_message(const sip_s* sip, msg_s* raw, tport_s* through, const std::vector<listen_address>& bound);

} // namespace strowger::sip
