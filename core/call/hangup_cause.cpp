#include "core/call/hangup_cause.hpp"
#include <array>
#include <charconv>
#include <utility>

namespace strowger {
namespace {

constexpr std::array<std::pair<hangup_cause, std::string_view>, 24> names{{
    {hangup_cause::unallocated, "unallocated"},
    {hangup_cause::no_route, "no_route"},
    {hangup_cause::normal, "normal"},
    {hangup_cause::busy, "busy"},
    {hangup_cause::no_user_response, "no_user_response"},
    {hangup_cause::no_answer, "no_answer"},
    {hangup_cause::subscriber_absent, "subscriber_absent"},
    {hangup_cause::rejected, "rejected"},
    {hangup_cause::number_changed, "number_changed"},
    {hangup_cause::answered_elsewhere, "answered_elsewhere"},
    {hangup_cause::out_of_order, "out_of_order"},
    {hangup_cause::invalid_number, "invalid_number"},
    {hangup_cause::facility_rejected, "facility_rejected"},
    {hangup_cause::normal_unspecified, "normal_unspecified"},
    {hangup_cause::no_circuit, "no_circuit"},
    {hangup_cause::network_out_of_order, "network_out_of_order"},
    {hangup_cause::temporary_failure, "temporary_failure"},
    {hangup_cause::congestion, "congestion"},
    {hangup_cause::not_allowed, "not_allowed"},
    {hangup_cause::not_implemented, "not_implemented"},
    {hangup_cause::incompatible, "incompatible"},
    {hangup_cause::timer_expired, "timer_expired"},
    {hangup_cause::protocol_error, "protocol_error"},
    {hangup_cause::interworking, "interworking"},
}};

} // namespace

std::string to_string(hangup_cause c) {
    for (const auto& [cause, name] : names)
        if (cause == c) return std::string(name);
    return std::to_string(static_cast<int>(c));
}

std::optional<hangup_cause> parse_hangup_cause(std::string_view text) noexcept {
    for (const auto& [cause, name] : names)
        if (name == text) return cause;
    int number = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failed != std::errc() || end != text.data() + text.size() || number < 1 || number > 127) return std::nullopt;
    return static_cast<hangup_cause>(number);
}

} // namespace strowger
