// Which requests are let in: under load a new one is refused before it costs a transaction, a digest or a call.
#pragma once
#include "channels/sip/host.hpp"
#include "channels/sip/message.hpp"
#include "channels/sip/nat.hpp"
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace strowger::sip {

/// What is known of a request that would begin something: an INVITE, REGISTER or SUBSCRIBE outside of dialogs.
struct arrival {
    std::string_view method;
    std::string number;      ///< the user part of its URI, or the whole URI if that has none
    peer_address source;
    bool credentials;        ///< it answers a challenge: half of the work for it is done
    duration waited;         ///< in the kernel's buffer, until we came to it
};

/// How long what was read last from a UDP socket had waited in the kernel: its queue is where overload hides.
class arrival_clock {
public:
    arrival_clock() = default;
    /// Finds the socket of this process that is bound there, and has the kernel note times from now on.
    explicit arrival_clock(const std::string& ip, std::uint16_t port);
    /// Zero when that cannot be told.
    duration waited() const noexcept;

private:
    int fd_ = -1; // Sofia's
};

class admission {
public:
    admission(host& core, const settings& set) : core_(core), settings_(set) {}

    /// The answer to one that is refused: `[sip] overload_status` with Retry-After, and to a trunk what its `busy_status` says
    /// (null: not from a trunk). Nothing for one that is let in: a call for help always is, others are as long as there is room
    /// and time for what they ask.
    std::optional<response> refuse(const arrival& a, const trunk_settings* from);

    std::uint64_t refused() const noexcept { return refused_; }

private:
    std::optional<refusal> why_not(const arrival& a) const;
    void note(const refusal& why);

    host& core_;
    const settings& settings_;
    std::uint64_t refused_ = 0;
    std::map<std::string, std::uint64_t> untold_; ///< by reason, since the log was last told
    instant told_{};
};

} // namespace strowger::sip
