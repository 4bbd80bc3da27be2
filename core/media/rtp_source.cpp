#include "core/media/rtp_source.hpp"

namespace strowger::media {

void rtp_source::configure(const socket_address& from_sdp, const source_policy& policy) {
    const bool same = sdp_ == from_sdp && symmetric_ == policy.symmetric;
    sdp_ = from_sdp;
    symmetric_ = policy.symmetric;
    signalled_ = socket_address::parse(policy.signalled_from, 0);
    settled_ = false;
    if (!same || !destination_) destination_ = from_sdp;
}

bool rtp_source::permitted(const socket_address& from) const noexcept {
    return from.same_address(sdp_) || (signalled_ && from.same_address(signalled_));
}

bool rtp_source::accept(const socket_address& from, instant now, bool& latched) noexcept {
    if (settled_ && from == destination_) {
        heard_ = now;
        return true;
    }
    if (!sdp_) return false;
    if (symmetric_ ? !permitted(from) || (settled_ && now - heard_ <= silence_before_change) : !(from == sdp_)) return false;
    destination_ = from;
    heard_ = now;
    settled_ = latched = true;
    return true;
}

bool rtp_source::same_host(const socket_address& from) const noexcept {
    return from.same_address(destination_) || from.same_address(sdp_) || (symmetric_ && permitted(from));
}

bool rtp_source::loosen(instant now) noexcept {
    if (!symmetric_ || !settled_ || now - heard_ <= silence_before_change) return false;
    settled_ = false;
    return true;
}

} // namespace strowger::media
