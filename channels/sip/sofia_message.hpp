// From Sofia's parsed messages to our own.
#pragma once
#include "channels/sip/agent.hpp"
#include "channels/sip/message.hpp"
#include <vector>

struct sip_s;
struct msg_s;
struct tport_s;

namespace strowger::sip {

/// `raw` gives the sender's address, `through` the transport and which of `bound` it came to; both may be null.
message read_message(const sip_s* sip, msg_s* raw, tport_s* through, const std::vector<listen_address>& bound);

} // namespace strowger::sip
