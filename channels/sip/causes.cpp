#include "channels/sip/causes.hpp"
#include "channels/sip/text.hpp"
#include <algorithm>
#include <fmt/format.h>
#include <utility>
#include <vector>

namespace strowger::sip {
namespace {

struct refusal_row {
    int status;
    hangup_cause cause;
    remedy next = remedy::none;
};
struct row {
    int status;
    hangup_cause cause;
};

// RFC 3398 §8.2.6.1, with what is more exact for 3xx, 408, 480, 600 and 603 when both ends are telephones of ours. 603 is one
// phone's choice in a group and stops no other (RFC 3261 §16.7 is for proxies).
constexpr refusal_row by_status[] = {
    {300, hangup_cause::subscriber_absent, remedy::forwarding},
    {301, hangup_cause::number_changed, remedy::forwarding},
    {302, hangup_cause::subscriber_absent, remedy::forwarding},
    {305, hangup_cause::interworking},
    {380, hangup_cause::interworking},
    {400, hangup_cause::temporary_failure},
    {401, hangup_cause::rejected, remedy::credentials},
    {402, hangup_cause::rejected},
    {403, hangup_cause::rejected},
    {404, hangup_cause::unallocated},
    {405, hangup_cause::not_allowed},
    {406, hangup_cause::not_implemented},
    {407, hangup_cause::rejected, remedy::credentials},
    {408, hangup_cause::no_user_response},
    {410, hangup_cause::number_changed},
    {413, hangup_cause::interworking},
    {414, hangup_cause::interworking},
    {415, hangup_cause::not_implemented},
    {416, hangup_cause::interworking},
    {420, hangup_cause::interworking},
    {421, hangup_cause::interworking},
    {422, hangup_cause::interworking},
    {423, hangup_cause::interworking},
    {480, hangup_cause::no_user_response},
    {481, hangup_cause::temporary_failure},
    {482, hangup_cause::interworking},
    {483, hangup_cause::interworking},
    {484, hangup_cause::invalid_number},
    {485, hangup_cause::unallocated},
    {486, hangup_cause::busy},
    {487, hangup_cause::normal},
    {488, hangup_cause::incompatible},
    {491, hangup_cause::temporary_failure},
    {493, hangup_cause::interworking},
    {494, hangup_cause::interworking},
    {500, hangup_cause::temporary_failure, remedy::pause},
    {501, hangup_cause::not_implemented},
    {502, hangup_cause::network_out_of_order},
    {503, hangup_cause::temporary_failure, remedy::pause},
    {504, hangup_cause::timer_expired},
    {505, hangup_cause::interworking},
    {513, hangup_cause::interworking},
    {600, hangup_cause::busy, remedy::everybody},
    {603, hangup_cause::rejected},
    {604, hangup_cause::unallocated, remedy::everybody},
    {606, hangup_cause::incompatible, remedy::everybody},
};

refusal_row row_of(int status) noexcept {
    for (const auto& r : by_status)
        if (r.status == status) return r;
    if (status >= 600) return {status, hangup_cause::rejected, remedy::everybody};
    if (status < 400) return {status, hangup_cause::interworking};
    return {status, status >= 500 ? hangup_cause::temporary_failure : hangup_cause::interworking};
}

std::string_view words_of(remedy r) {
    switch (r) {
    case remedy::none: return "the other devices and targets";
    case remedy::credentials: return "the same with `[[sip.credentials]]`, once, and once more for `stale=true`";
    case remedy::forwarding: return "its Contacts, as `follow_forwarding` says";
    case remedy::pause: return "the others; this one not within its `Retry-After`";
    case remedy::everybody: return "other targets; all devices of this user stop";
    }
    return {};
}

// RFC 3398 §7.2.4.1.
constexpr row by_cause[] = {
    {404, hangup_cause::unallocated},   {404, hangup_cause::no_route},          {486, hangup_cause::busy},
    {408, hangup_cause::no_user_response}, {480, hangup_cause::no_answer},      {480, hangup_cause::subscriber_absent},
    {403, hangup_cause::rejected},      {410, hangup_cause::number_changed},    {480, hangup_cause::answered_elsewhere},
    {502, hangup_cause::out_of_order},  {484, hangup_cause::invalid_number},    {501, hangup_cause::facility_rejected},
    {480, hangup_cause::normal},        {480, hangup_cause::normal_unspecified}, {503, hangup_cause::no_circuit},
    {503, hangup_cause::network_out_of_order}, {503, hangup_cause::temporary_failure}, {503, hangup_cause::congestion},
    {403, hangup_cause::not_allowed},   {501, hangup_cause::not_implemented},   {488, hangup_cause::incompatible},
    {504, hangup_cause::timer_expired}, {500, hangup_cause::protocol_error},    {500, hangup_cause::interworking},
};

} // namespace

hangup_cause cause_of_status(int status) noexcept { return row_of(status).cause; }
remedy remedy_of_status(int status) noexcept { return row_of(status).next; }

std::string refusal_table() {
    std::vector<std::pair<std::string, std::string>> lines; // what is in common, the statuses
    const auto add = [&](const std::string& statuses, const refusal_row& r) {
        auto common = fmt::format("| {} | {} | {} |", to_string(r.cause), words_of(r.next), status_of_cause(r.cause));
        const auto known = std::find_if(lines.begin(), lines.end(), [&](const auto& l) { return l.first == common; });
        if (known != lines.end()) known->second += " " + statuses;
        else lines.emplace_back(std::move(common), statuses);
    };
    for (const auto& r : by_status) add(std::to_string(r.status), r);
    for (const int others : {399, 499, 599, 699}) add(fmt::format("{}xx", others / 100), row_of(others));
    std::string out = "| status | cause | tried next | heard by the caller |\n|---|---|---|---|\n";
    for (const auto& [common, statuses] : lines) out += fmt::format("| {} {}\n", statuses, common);
    return out;
}

int status_of_cause(hangup_cause c) noexcept {
    for (const auto& r : by_cause)
        if (r.cause == c) return r.status;
    return 480;
}

std::string_view phrase_of(int status) noexcept {
    switch (status) {
    case 100: return "Trying";
    case 200: return "OK";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 408: return "Request Timeout";
    case 410: return "Gone";
    case 480: return "Temporarily Unavailable";
    case 484: return "Address Incomplete";
    case 486: return "Busy Here";
    case 488: return "Not Acceptable Here";
    case 503: return "Service Unavailable";
    case 603: return "Decline";
    default: return status < 500 ? "Failed" : "Server Failure";
    }
}

std::string reason_header(hangup_cause c) {
    return fmt::format(R"(Q.850;cause={};text="{}")", static_cast<int>(c), to_string(c));
}

std::optional<hangup_cause> cause_of_reason(std::string_view header) {
    std::optional<hangup_cause> found;
    for (const auto& one : split_list(header)) {
        const auto end = std::min(one.find(';'), one.size());
        const auto protocol = trim(std::string_view(one).substr(0, end));
        const auto value = param(std::string_view(one).substr(std::min(end + 1, one.size())), "cause");
        const auto number = value ? parse_number(*value) : std::nullopt;
        if (!number) continue;
        if (same_text(protocol, "Q.850") && *number >= 1 && *number <= 127) return static_cast<hangup_cause>(*number);
        if (same_text(protocol, "SIP") && *number == 200) found = hangup_cause::answered_elsewhere;
    }
    return found;
}

} // namespace strowger::sip
