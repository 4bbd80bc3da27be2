// What happens in an engine that somebody outside may want to know: the kinds of events and what each tells.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace strowger {

enum class event_kind : std::uint8_t {
    engine_started,
    engine_stopping,
    dialplan_loaded,
    dialplan_refused,
    module_loaded,
    module_draining,
    module_gone,
    call_started,
    call_extension,
    call_answered,
    call_key,
    call_emergency,
    call_transfer,
    call_ended,
    leg_added,
    leg_ringing,
    leg_answered,
    leg_held,
    leg_ended,
    bridge_began,
    bridge_ended,
    registration_came,
    registration_went,
    registration_expired,
    limit_reached,
    events_lost,
};

/// How an event looks outside. contrib/docs/events.md has the same table for people; a test compares them.
struct event_shape {
    event_kind kind;
    std::string_view name;                    ///< "call.started"
    std::span<const std::string_view> fields; ///< every one that may be there
};

/// All kinds, in the order of the enumeration.
std::span<const event_shape> event_shapes() noexcept;
std::string_view to_string(event_kind k) noexcept;

} // namespace strowger
