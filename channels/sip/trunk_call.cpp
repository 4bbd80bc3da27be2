// A call by a trunk, both ways: which number is meant, who calls, and how that is said.
#include "channels/sip/dialog.hpp"
#include "channels/sip/text.hpp"
#include "channels/sip/user_agent.hpp"
#include "core/base/log.hpp"
#include <fmt/format.h>

namespace strowger::sip {
namespace {

/// The first sip: or tel: party of a P-Asserted-Identity (RFC 3325 §9.1).
std::optional<party> asserted(const message& m) {
    for (const auto& text : m.all("P-Asserted-Identity")) {
        const auto a = parse_name_addr(text);
        const auto u = a ? parse_uri(a->uri) : std::nullopt;
        if (!u || (!u->is_sip() && u->scheme != "tel")) continue;
        return party{clean(u->user.substr(0, u->user.find(';'))), clean(a->display), false};
    }
    return std::nullopt;
}

} // namespace

void dialog::belong_to(trunk& t) {
    trunk_ = &t;
    counted_ = t.count_me();
    const auto& set = t.set();
    if (!set.password.empty()) credentials_ = {{"", set.auth_user, set.password}};
}

std::string dialog::contact_host(std::string_view peer) const {
    return ua_.contact_host(state_.local_address, peer, trunk_ == nullptr ? nullptr : &trunk_->registration().seen_as());
}

void dialog::describe_trunk_call(incoming_call& call, const message& m) const {
    const auto& set = trunk_->set();
    call.source = source_kind::trunk;
    call.source_name = set.name;
    call.context = set.context;
    if (set.number_in_to) {
        const auto to = parse_name_addr(m.to);
        const auto u = to ? parse_uri(to->uri) : std::nullopt;
        if (u && !u->user.empty()) call.to_number = clean(u->user);
    }
    if (!set.trusted) return;
    if (auto who = asserted(m)) {
        call.from.number = std::move(who->number);
        if (!who->name.empty()) call.from.name = std::move(who->name);
    }
}

bool dialog::route_by_trunk(outgoing_call& call) {
    auto* const t = ua_.all_trunks().find(call.to.trunk);
    const auto number = call.to.address;
    if (t == nullptr) {
        tell_ended(hangup_cause::no_route, fmt::format("there is no trunk {}", clean(call.to.trunk)));
        return false;
    }
    if (t->full() && !ua_.core().is_emergency(number)) {
        log::info({"sip", call.call_id}, "trunk {} has {} calls already: its max_calls", t->set().name, t->calls());
        tell_ended(hangup_cause::no_circuit, "max_calls of the trunk is reached");
        return false;
    }
    belong_to(*t);
    call.to.address = fmt::format("sip:{}@{}", escape_user(number), t->set().domain);
    call.to.received = t->hop();
    return true;
}

void dialog::introduce_caller(const outgoing_call& call, header_list& headers) {
    const auto& set = trunk_->set();
    const auto caller = fmt::format("<sip:{}@{}>", escape_user(call.caller.number), set.domain);
    if (!call.caller.withheld)
        state_.local_party = set.from_user || call.caller.number.empty()
                                 ? fmt::format("{}<sip:{}@{}>", quoted_display(call.caller.name),
                                               escape_user(set.user.empty() ? "unknown" : set.user), set.domain)
                                 : quoted_display(call.caller.name) + caller;
    // Only who is trusted may learn a number that the caller withholds (RFC 3325 §7).
    if (set.trusted && !call.caller.number.empty())
        headers.push_back({"P-Asserted-Identity", quoted_display(call.caller.withheld ? "" : call.caller.name) + caller});
}

} // namespace strowger::sip
