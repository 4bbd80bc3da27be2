// Trunks in the configuration: peers known by their address, such as a provider or another exchange.
#pragma once
#include "channels/sip/address_range.hpp"
#include "channels/sip/listen_address.hpp"
#include "core/config/section.hpp"
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace strowger::sip {

struct trunk_settings {
    std::string name;
    std::vector<listen_address> hosts;      ///< where calls go and where we register, in this order
    std::string transport = "udp";          ///< or "tcp"
    std::vector<address_range> accept_from; ///< whose calls are this trunk's; empty in the file: the hosts
    std::string context = "from_trunk";     ///< where its calls enter the dialplan
    std::string domain;                     ///< in the URIs that it is sent; empty in the file: the first host
    std::string user, auth_user, password;  ///< what we answer to its challenges; empty user: nothing
    bool register_ = false;
    std::chrono::seconds register_seconds{3600}; ///< asked for; the peer decides
    std::chrono::seconds retry_seconds{30};      ///< before the second try to register; doubled with each further one
    bool from_user = false;                      ///< From shows `user`, not the caller's number
    bool number_in_to = false;                   ///< the dialled number is in To, not in the request's URI
    bool trusted = false;                        ///< believes us about callers, and is believed (RFC 3325)
    int busy_status = 503;                       ///< what it gets while we take no calls
    unsigned max_calls = 0;                      ///< both ways together; 0: no limit

    /// "sip:192.0.2.1:5060;transport=tcp"
    std::string hop(std::size_t host) const;
};

using trunk_map = std::map<std::string, std::shared_ptr<const trunk_settings>, std::less<>>;

/// The table `[trunks]`. All that is wrong with it is in the error, one line each.
result<trunk_map> read_trunks(const config::section& trunks);

} // namespace strowger::sip
