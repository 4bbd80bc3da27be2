#include "core/events/kinds.hpp"
#include <array>

namespace strowger {
namespace {

using names = std::string_view;

constexpr std::array engine_started{names("version"), names("configuration"), names("dialplan")};
constexpr std::array dialplan_loaded{names("version")};
constexpr std::array dialplan_refused{names("why")};
constexpr std::array module_loaded{names("name"), names("version"), names("generation")};
constexpr std::array module_left{names("name"), names("generation")};
constexpr std::array call_started{names("from"),        names("from_name"), names("to"),   names("source"),
                                  names("source_name"), names("driver"),    names("peer"), names("protocol_id")};
constexpr std::array call_extension{names("context"), names("extension")};
constexpr std::array call_key{names("leg"), names("key")};
constexpr std::array call_emergency{names("number"), names("from"), names("peer")};
constexpr std::array call_transfer{names("target"), names("to_call")};
constexpr std::array call_ended{names("cause"),    names("q850"),    names("by"),
                                names("answered"), names("seconds"), names("talk_seconds")};
constexpr std::array leg_added{names("leg"), names("direction"), names("driver"), names("number"), names("peer")};
constexpr std::array leg_alone{names("leg")};
constexpr std::array leg_held{names("leg"), names("held")};
constexpr std::array leg_ended{names("leg"), names("cause"), names("q850")};
constexpr std::array bridge{names("a"), names("b")};
constexpr std::array registration{names("user"), names("driver"), names("address"), names("received"), names("user_agent")};
constexpr std::array limit_reached{names("limit"), names("refused")};
constexpr std::array events_lost{names("first"), names("last"), names("why")};

constexpr std::array shapes{
    event_shape{event_kind::engine_started, "engine.started", engine_started},
    event_shape{event_kind::engine_stopping, "engine.stopping", {}},
    event_shape{event_kind::dialplan_loaded, "dialplan.loaded", dialplan_loaded},
    event_shape{event_kind::dialplan_refused, "dialplan.refused", dialplan_refused},
    event_shape{event_kind::module_loaded, "module.loaded", module_loaded},
    event_shape{event_kind::module_draining, "module.draining", module_left},
    event_shape{event_kind::module_gone, "module.gone", module_left},
    event_shape{event_kind::call_started, "call.started", call_started},
    event_shape{event_kind::call_extension, "call.extension", call_extension},
    event_shape{event_kind::call_answered, "call.answered", {}},
    event_shape{event_kind::call_key, "call.key", call_key},
    event_shape{event_kind::call_emergency, "call.emergency", call_emergency},
    event_shape{event_kind::call_transfer, "call.transfer", call_transfer},
    event_shape{event_kind::call_ended, "call.ended", call_ended},
    event_shape{event_kind::leg_added, "leg.added", leg_added},
    event_shape{event_kind::leg_ringing, "leg.ringing", leg_alone},
    event_shape{event_kind::leg_answered, "leg.answered", leg_alone},
    event_shape{event_kind::leg_held, "leg.held", leg_held},
    event_shape{event_kind::leg_ended, "leg.ended", leg_ended},
    event_shape{event_kind::bridge_began, "bridge.began", bridge},
    event_shape{event_kind::bridge_ended, "bridge.ended", bridge},
    event_shape{event_kind::registration_came, "registration.came", registration},
    event_shape{event_kind::registration_went, "registration.went", registration},
    event_shape{event_kind::registration_expired, "registration.expired", registration},
    event_shape{event_kind::limit_reached, "limit.reached", limit_reached},
    event_shape{event_kind::events_lost, "events.lost", events_lost},
};

constexpr bool in_order() {
    for (std::size_t i = 0; i < shapes.size(); ++i)
        if (static_cast<std::size_t>(shapes[i].kind) != i) return false;
    return shapes.size() == static_cast<std::size_t>(event_kind::events_lost) + 1;
}
static_assert(in_order());

} // namespace

std::span<const event_shape> event_shapes() noexcept { return shapes; }
std::string_view to_string(event_kind k) noexcept { return shapes[static_cast<std::size_t>(k)].name; }

} // namespace strowger
