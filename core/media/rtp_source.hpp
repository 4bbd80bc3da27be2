// Whose RTP a leg takes: that of the peer's SDP, and behind a NAT the one that comes (RFC 4961), within bounds.
#pragma once
#include "core/base/clock.hpp"
#include "core/media/stream.hpp"
#include "core/media/udp.hpp"

namespace strowger::media {

/// Without `symmetric`: the SDP's address and port, nothing else. With it: latches onto the first source whose address is the
/// SDP's or the signalling's; another port of those follows after 2 s of silence or a new description.
class rtp_source {
public:
    static constexpr duration silence_before_change = std::chrono::seconds{2};

    /// The destination that was latched stays until a packet comes, when the SDP says the same as before.
    void configure(const socket_address& from_sdp, const source_policy& policy);

    /// Whether the packet is the peer's. `latched` becomes true when it comes from where none came before.
    bool accept(const socket_address& from, instant now, bool& latched) noexcept;
    /// Same host as the peer's: enough for RTCP.
    bool same_host(const socket_address& from) const noexcept;

    const socket_address& destination() const noexcept { return destination_; }
    /// The kernel may drop all others: nothing can change the source now.
    bool settled() const noexcept { return settled_; }
    /// After silence others may come again. Returns whether that is a change.
    bool loosen(instant now) noexcept;
    bool symmetric() const noexcept { return symmetric_; }

private:
    bool permitted(const socket_address& from) const noexcept;

    socket_address sdp_, signalled_, destination_;
    bool symmetric_ = false, settled_ = false;
    instant heard_{};
};

} // namespace strowger::media
