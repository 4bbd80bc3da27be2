// Session timers (RFC 4028): who refreshes a call, how often, and what a message says of it.
#pragma once
#include "channels/sip/message.hpp"
#include <algorithm>
#include <cstdint>
#include <optional>

namespace strowger::sip {

constexpr std::uint32_t least_session_seconds = 90; // RFC 4028 §4

/// What a request or a 2xx says.
struct session_terms {
    std::optional<std::uint32_t> expires; ///< seconds
    enum class side { unsaid, uac, uas } refresher = side::unsaid;
    std::uint32_t min_se = least_session_seconds;
    bool supported = false;
};
session_terms session_terms_of(const message& m);

/// What holds for a call.
struct session_timer {
    std::uint32_t seconds = 0; ///< 0: no timer
    bool we_refresh = false;
    bool peer_supports = false;
    /// For the server's side; the peer refreshes where it can. Seconds 0 when it asks for none.
    static session_timer for_request(const session_terms& asked);
    /// For the client's side.
    static session_timer for_success(const session_terms& said);
    /// When a silent session ends: early enough that a refresh under way would have come (§10).
    std::uint32_t ends_after() const noexcept { return seconds - std::min<std::uint32_t>(32, seconds / 3); }
    std::uint32_t refreshes_after() const noexcept { return seconds / 2; }
    /// In a 2xx to the request that asked.
    header_list in_success() const;
    /// In a request of ours.
    header_list in_request() const;
};

} // namespace strowger::sip
