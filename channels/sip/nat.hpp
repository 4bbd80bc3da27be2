// Addresses: which of ours a peer sees, and whether a peer is behind a NAT.
#pragma once
#include "core/base/result.hpp"
#include <cstdint>
#include <string>
#include <string_view>

namespace strowger::sip {

/// Where a message came from, or goes to.
struct peer_address {
    std::string transport = "udp"; ///< lower case
    std::string ip;
    std::uint16_t port = 0;
    /// As a URI that a request can be sent to: "sip:192.0.2.1:5060;transport=tcp".
    std::string uri() const;
    std::string text() const; ///< "192.0.2.1:5060", for people
};

/// Our address on the way to a numeric address, as the kernel's routes say.
result<std::string> local_address_towards(std::string_view numeric_address);

/// True when the top Via's or the Contact's numeric address, or that of the SDP when not empty, is not the one it came from.
bool looks_natted(const peer_address& source, std::string_view via_host, std::string_view contact_uri,
                  std::string_view sdp_address);

/// Where requests to this Contact are to be sent: the flow when the Contact is not reachable as it stands, else nothing.
std::string flow_for(const peer_address& source, std::string_view contact_uri);

/// True for a request URI whose host is numeric, so that nobody has to resolve it.
bool has_numeric_host(std::string_view uri_text);

} // namespace strowger::sip
