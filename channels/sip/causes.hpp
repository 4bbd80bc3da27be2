// SIP statuses and Q.850 causes: the tables of RFC 3398 §7.2.4.1 and §8.2.6.1 as data, and the Reason header (RFC 3326).
#pragma once
#include "core/call/hangup_cause.hpp"
#include <optional>
#include <string>
#include <string_view>

namespace strowger::sip {

/// What a final status of 300 and above means.
hangup_cause cause_of_status(int status) noexcept;
/// The status that refuses a call with this cause.
int status_of_cause(hangup_cause c) noexcept;
/// The words that go with a status in a sipfrag.
std::string_view phrase_of(int status) noexcept;
/// `Q.850;cause=16;text="normal"`
std::string reason_header(hangup_cause c);
/// The Q.850 cause in Reason headers, or answered_elsewhere for `SIP;cause=200`.
std::optional<hangup_cause> cause_of_reason(std::string_view header);

} // namespace strowger::sip
