// Bodies of messages: finds the SDP, also inside multipart/mixed (RFC 5621), and reads what INFO carries.
#pragma once
#include "channels/sip/message.hpp"
#include "core/base/result.hpp"
#include <optional>
#include <string>

namespace strowger::sip {

/// The SDP of a message, empty when it has no body. Fails for a body of another type: 415.
result<std::string> sdp_of(const message& m);
/// The key in a body of application/dtmf-relay or application/dtmf.
std::optional<char> key_of_info(const message& m);

} // namespace strowger::sip
