// REGISTER (RFC 3261 §10.3): puts devices into the location table and answers when that is on the disk.
#pragma once
#include "channels/sip/host.hpp"
#include "channels/sip/message.hpp"
#include <functional>
#include <string>
#include <variant>
#include <vector>

namespace strowger::sip {

/// What a REGISTER asks for, checked.
struct registration {
    bool remove_all = false;
    std::vector<binding_change> changes; ///< none and not remove_all: tell what there is
};
/// The refusal, or what to do.
std::variant<response, registration> read_register(const message& m, const settings& set);

/// The 200 that lists the bindings with the seconds that they have left.
response registered_response(const std::vector<binding>& all, instant now);
response registration_refusal(const registration_error& why);

} // namespace strowger::sip
