#include "channels/sip/causes.hpp"
#include "channels/sip/text.hpp"
#include <fmt/format.h>

namespace strowger::sip {
namespace {

struct row {
    int status;
    hangup_cause cause;
};

// RFC 3398 §8.2.6.1, with what is more exact for 408, 480, 600 and 603 when both ends are telephones of ours.
constexpr row by_status[] = {
    {400, hangup_cause::temporary_failure}, {401, hangup_cause::rejected},        {402, hangup_cause::rejected},
    {403, hangup_cause::rejected},          {404, hangup_cause::unallocated},     {405, hangup_cause::not_allowed},
    {406, hangup_cause::not_implemented},   {407, hangup_cause::rejected},        {408, hangup_cause::no_user_response},
    {410, hangup_cause::number_changed},    {413, hangup_cause::interworking},    {414, hangup_cause::interworking},
    {415, hangup_cause::not_implemented},   {416, hangup_cause::interworking},    {420, hangup_cause::interworking},
    {421, hangup_cause::interworking},      {423, hangup_cause::interworking},    {480, hangup_cause::no_user_response},
    {481, hangup_cause::temporary_failure}, {482, hangup_cause::interworking},    {483, hangup_cause::interworking},
    {484, hangup_cause::invalid_number},    {485, hangup_cause::unallocated},     {486, hangup_cause::busy},
    {487, hangup_cause::normal},            {488, hangup_cause::incompatible},    {500, hangup_cause::temporary_failure},
    {501, hangup_cause::not_implemented},   {502, hangup_cause::network_out_of_order}, {503, hangup_cause::temporary_failure},
    {504, hangup_cause::timer_expired},     {505, hangup_cause::interworking},    {513, hangup_cause::interworking},
    {600, hangup_cause::busy},              {603, hangup_cause::rejected},        {604, hangup_cause::unallocated},
    {606, hangup_cause::incompatible},
};

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

hangup_cause cause_of_status(int status) noexcept {
    for (const auto& r : by_status)
        if (r.status == status) return r.cause;
    if (status >= 300 && status < 400) return hangup_cause::number_changed;
    if (status >= 600) return hangup_cause::rejected;
    return status >= 500 ? hangup_cause::temporary_failure : hangup_cause::interworking;
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
