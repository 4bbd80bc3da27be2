// The ACKs to the 2xx of our INVITEs, kept for 64·T1: a repeated 2xx gets the same one again, also when its dialog has gone.
#pragma once
#include "channels/sip/message.hpp"
#include "core/base/clock.hpp"
#include <deque>
#include <map>
#include <string>
#include <utility>

namespace strowger::sip {

class sent_acks {
public:
    void keep(const message& success, request ack, instant now);
    /// The ACK that this 2xx got before; null: none.
    const request* find(const message& success) const;
    /// True when another fork of the same INVITE was acknowledged.
    bool knows_invite(const message& success) const;

private:
    void forget_old(instant now);
    std::map<std::string, std::map<std::string, request>> by_invite_; ///< then by To tag
    std::deque<std::pair<instant, std::string>> ages_;
};

} // namespace strowger::sip
