// On which addresses the engine listens.
#pragma once
#include "core/base/result.hpp"
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace strowger::sip {

/// Our own socket.
struct listen_address {
    std::string ip;  ///< numeric; "0.0.0.0" and "::" stand for every address of the machine
    std::uint16_t port = 5060;
};
/// "192.0.2.1:5060", "[::1]:5060", "0.0.0.0".
result<listen_address> parse_listen(std::string_view text);
/// Replaces "every address" by each of them, so that we know from which one a peer is reached.
std::vector<listen_address> expand_listen(const std::vector<listen_address>& wanted);

} // namespace strowger::sip
