// SIP statuses and Q.850 causes: the tables of RFC 3398 §7.2.4.1 and §8.2.6.1 as data, and the Reason header (RFC 3326).
#pragma once
#include "core/call/hangup_cause.hpp"
#include <optional>
#include <string>
#include <string_view>

namespace strowger::sip {

/// What is tried after a refusal of our INVITE, before the caller hears of it.
enum class remedy {
    none,        ///< this device is given up; other devices and targets go on
    credentials, ///< the same again with those of [[sip.credentials]]
    forwarding,  ///< its Contacts, if the dial follows them
    pause,       ///< as none; and with Retry-After the device is not called for so long
    everybody,   ///< every device of this user is given up
};
/// What a final status of 300 and above means, and what is tried next.
hangup_cause cause_of_status(int status) noexcept;
remedy remedy_of_status(int status) noexcept;
/// All of that as the table in the README.
std::string refusal_table();
/// The status that refuses a call with this cause.
int status_of_cause(hangup_cause c) noexcept;
/// The words that go with a status in a sipfrag.
std::string_view phrase_of(int status) noexcept;
/// `Q.850;cause=16;text="normal"`
std::string reason_header(hangup_cause c);
/// The Q.850 cause in Reason headers, or answered_elsewhere for `SIP;cause=200`.
std::optional<hangup_cause> cause_of_reason(std::string_view header);

} // namespace strowger::sip
