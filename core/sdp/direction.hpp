// Who may send on a media stream: a=sendrecv and its three relatives (RFC 8866 §6.7).
#pragma once
#include <optional>
#include <string_view>

namespace strowger::sdp {

/// As seen by the side whose description it stands in.
enum class direction { sendrecv, sendonly, recvonly, inactive };

constexpr bool sends(direction d) { return d == direction::sendrecv || d == direction::sendonly; }
constexpr bool receives(direction d) { return d == direction::sendrecv || d == direction::recvonly; }

constexpr direction make_direction(bool sending, bool receiving) {
    if (sending) return receiving ? direction::sendrecv : direction::sendonly;
    return receiving ? direction::recvonly : direction::inactive;
}

/// The same stream as the other side sees it: sendonly becomes recvonly.
constexpr direction reversed(direction d) { return make_direction(receives(d), sends(d)); }

/// What both allow.
constexpr direction narrowed(direction a, direction b) {
    return make_direction(sends(a) && sends(b), receives(a) && receives(b));
}

/// The name of the attribute: "sendonly".
constexpr std::string_view to_string(direction d) {
    switch (d) {
    case direction::sendrecv: return "sendrecv";
    case direction::sendonly: return "sendonly";
    case direction::recvonly: return "recvonly";
    case direction::inactive: return "inactive";
    }
    return "inactive";
}

/// The direction that an attribute of this name stands for, in any case of letters.
std::optional<direction> direction_named(std::string_view attribute_name);

} // namespace strowger::sdp
