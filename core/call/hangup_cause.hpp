// Why a call or a leg ended: ITU-T Q.850 cause values, the common language of all drivers.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace strowger {

/// Q.850 cause values by their usual meaning. Any number from 1 to 127 is legal; these are the ones we make ourselves.
enum class hangup_cause : int {
    unallocated = 1,
    no_route = 3,
    normal = 16,
    busy = 17,
    no_user_response = 18,
    no_answer = 19,
    subscriber_absent = 20,
    rejected = 21,
    number_changed = 22,
    answered_elsewhere = 26,
    out_of_order = 27,
    invalid_number = 28,
    facility_rejected = 29,
    normal_unspecified = 31,
    no_circuit = 34,
    network_out_of_order = 38,
    temporary_failure = 41,
    congestion = 42,
    not_allowed = 57,
    not_implemented = 79,
    incompatible = 88,
    timer_expired = 102,
    protocol_error = 111,
    interworking = 127,
};

/// The name as scripts, logs and the console write it: "busy"; a number for a cause without a name.
std::string to_string(hangup_cause c);
/// From a name or a number from 1 to 127.
std::optional<hangup_cause> parse_hangup_cause(std::string_view text) noexcept;

} // namespace strowger
