// A call that we make: the client's side of INVITE (RFC 3261 §13.2), its forks, and CANCEL.
#include "channels/sip/bodies.hpp"
#include "channels/sip/causes.hpp"
#include "channels/sip/dialog.hpp"
#include "channels/sip/text.hpp"
#include "channels/sip/user_agent.hpp"
#include "core/base/ids.hpp"
#include "core/base/log.hpp"
#include <algorithm>
#include <fmt/format.h>

namespace strowger::sip {

void dialog::start_outbound(outgoing_call call, std::shared_ptr<leg_mailbox> events) {
    events_ = std::move(events);
    phase_ = phase::outgoing;
    state_.we_called = true;
    with_telephone_ = !call.to.user.empty();
    state_.call_id = random_hex(16);
    state_.local_tag = random_hex(8);
    ua_.index(*this);
    if (!call.to.trunk.empty() && !route_by_trunk(call)) return finish();
    state_.remote_target = call.to.address;
    state_.flow = call.to.received;
    for (auto& p : split_list(call.to.path)) state_.route_set.push_back(std::move(p));
    const auto hop = parse_uri(state_.next_hop());
    const auto own = ua_.stack().local_towards(hop ? hop->host : "");
    if (!hop || !own) {
        tell_ended(hangup_cause::no_route, own ? "the next hop has no numeric address" : own.error().text);
        return finish();
    }
    if (const auto rest = ua_.pauses(state_.next_hop()); rest > 0s && !ua_.core().is_emergency(call.number)) {
        tell_ended(hangup_cause::temporary_failure, fmt::format("it wants no calls for another {} s", rest.count()));
        return finish();
    }
    state_.local_address = *own;
    source_address_ = hop->host;
    behind_nat_ = !call.to.received.empty() && !same_text(hop->host, parse_uri(call.to.address).value_or(uri{}).host);
    const bool tcp = same_text(param(hop->params, "transport").value_or("udp"), "tcp");
    const auto number = call.caller.number.empty() ? std::string("unknown") : escape_user(call.caller.number);
    const auto here = contact_host(hop->host);
    state_.local_contact =
        fmt::format("<sip:{}@{}{}>", call.caller.withheld ? "anonymous" : number, here, tcp ? ";transport=tcp" : "");
    state_.local_party = call.caller.withheld ? "\"Anonymous\" <sip:anonymous@anonymous.invalid>"
                                              : fmt::format("{}<sip:{}@{}>", quoted_display(call.caller.name), number, here);
    state_.remote_party = fmt::format("<{}>", clean(call.to.address));

    header_list of_trunk;
    if (trunk_ != nullptr) introduce_caller(call, of_trunk);
    auto invite = in_dialog("INVITE");
    invite.max_forwards = std::max(0, call.hops_left - 1);
    invite.headers = own_headers();
    invite.headers.insert(invite.headers.end(), of_trunk.begin(), of_trunk.end());
    if (call.caller.withheld) invite.headers.push_back({"Privacy", "id"});
    for (const auto& [name, value] : call.headers) {
        const bool ours_to_send = name.size() > 2 && name.size() < 80 && same_text(name.substr(0, 2), "X-") &&
                                  std::all_of(name.begin(), name.end(), [](char c) {
                                      return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
                                  });
        if (ours_to_send && !same_text(name, loop_header)) invite.headers.push_back({name, value});
    }
    for (const auto& mark : call.passed) invite.headers.push_back({std::string(loop_header), mark});
    for (auto d = call.diversions.rbegin(); d != call.diversions.rend(); ++d)
        invite.headers.push_back(
            {"Diversion", fmt::format("<sip:{}@{}>;reason={}", escape_user(d->number), here, escape_user(d->reason))});
    if (call.offer.sdp) {
        state_.local_sdp = sdp_text(*call.offer.sdp);
        invite.content_type = "application/sdp";
        invite.body = state_.local_sdp;
    }
    invite_cseq_ = invite.cseq;
    invite_ = send(std::move(invite));
    if (invite_ == 0) {
        tell_ended(hangup_cause::no_route, "the INVITE could not be sent");
        return finish();
    }
    await_first_answer();
}

/// Timer B (32 s) is too long for somebody who waits (RFC 3263 §4.3).
void dialog::await_first_answer() {
    stop_timer(first_answer_timer_);
    first_answer_timer_ = ua_.stack().after(std::chrono::milliseconds(ua_.options().first_answer_ms), [weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self) return;
        self->first_answer_timer_ = 0;
        if (self->phase_ != phase::outgoing) return;
        self->cancelled_ = hangup_cause::no_user_response;
        self->phase_ = phase::ending;
        self->tell_ended(hangup_cause::no_user_response, "the device does not answer at all");
        self->cancel_invite({}); // goes out if a 1xx comes yet
    });
}

/// Who answers neither the CANCEL nor the INVITE is given up after 64·T1 (§9.1).
void dialog::cancel_invite(header_list headers) {
    ua_.stack().cancel(invite_, std::move(headers));
    stop_timer(give_up_timer_);
    give_up_timer_ = ua_.stack().after(std::chrono::seconds(32), [weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self) return;
        self->give_up_timer_ = 0;
        if (self->invite_ == 0 || self->phase_ != phase::ending) return;
        self->ua_.stack().forget_client(std::exchange(self->invite_, 0));
        self->finish();
    });
}

void dialog::on_invite_response(const message& m) {
    stop_timer(first_answer_timer_);
    if (m.status == 100) return;
    if (m.status < 200) {
        if (phase_ != phase::outgoing || m.to_tag.empty()) return;
        if (m.status == 199) {
            early_.erase(m.to_tag);
            return;
        }
        if (auto media = media_in(m);
            media && !media->empty()) { // each To tag is an early dialog of its own; the last one is heard
            early_[m.to_tag] = *media;
            tell(event::progress{std::move(*media)});
        }
        if (m.status == 180 && !std::exchange(told_ringing_, true)) tell(event::ringing{});
        return;
    }
    if (m.status < 300) return on_invite_success(m);
    ua_.stack().forget_client(std::exchange(invite_, 0));
    refused(m);
    finish();
}

std::vector<std::string> dialog::forwarded_to(const message& m) const {
    struct place {
        double q;
        std::string where;
    };
    std::vector<place> places;
    for (const auto& contact : m.all("Contact")) {
        const auto a = parse_name_addr(contact);
        if (!a) continue;
        const auto address = a->uri.substr(0, a->uri.find('?')); // headers in a URI are never taken over (§19.1.5)
        const auto u = parse_uri(address);
        if (!u || places.size() == 20) continue;
        const bool here = u->is_sip() && ua_.is_ours(u->host) && (u->port == 0 || u->port == ua_.stack().port_on(u->host));
        const auto q = param(a->params, "q");
        auto weight = q ? std::strtod(q->c_str(), nullptr) : 1.0;
        if (!(weight >= 0 && weight <= 1)) weight = 0; // no number either
        places.push_back({weight, clean(here ? u->user : address)});
    }
    std::stable_sort(places.begin(), places.end(), [](const place& x, const place& y) { return x.q > y.q; });
    std::vector<std::string> out;
    for (auto& p : places) out.push_back(std::move(p.where));
    return out;
}

void dialog::refused(const message& m) {
    auto cause = cause_of_status(m.status);
    if (const auto* reason = m.find("Reason")) cause = cause_of_reason(*reason).value_or(cause);
    if (m.internal) cause = m.status == 408 ? hangup_cause::no_user_response : hangup_cause::network_out_of_order;
    if (cancelled_) cause = *cancelled_;
    const auto detail = m.internal ? (m.status == 408 ? "no answer from the device" : "the device cannot be reached")
                                   : fmt::format("SIP {}", m.status);
    event::ended how{cause, detail};
    const auto next = m.internal || cancelled_ ? remedy::none : remedy_of_status(m.status);
    if (next == remedy::forwarding) how.elsewhere = forwarded_to(m);
    if (next == remedy::everybody) how.for_all_devices = true;
    if (const auto* rest = m.find("Retry-After"); rest != nullptr && next == remedy::pause) {
        const std::string_view digits(*rest);
        const auto seconds = parse_number(digits.substr(0, digits.find_first_not_of("0123456789")));
        if (seconds) ua_.pause(state_.next_hop(), std::chrono::seconds(*seconds));
    }
    tell_ended(std::move(how));
}

void dialog::on_invite_success(const message& m) {
    state_.remote_tag = m.to_tag;
    state_.route_set = m.all("Record-Route"); // taken again from the 2xx of this fork (§13.2.2.4)
    std::reverse(state_.route_set.begin(), state_.route_set.end());
    if (m.find("Contact") != nullptr) refresh_target(m);
    source_address_ = m.source.ip.empty() ? source_address_ : m.source.ip;
    send_ack(m);
    ua_.stack().retire_client(std::exchange(invite_, 0)); // other forks may answer yet
    stop_timer(give_up_timer_);
    if (cancelled_ || phase_ != phase::outgoing) { // the 2xx crossed our CANCEL: it is a call that nobody wants
        if (!told_ended_) tell_ended(cancelled_.value_or(hangup_cause::normal), "cancelled");
        return send_bye(cancelled_.value_or(hangup_cause::normal));
    }
    phase_ = phase::up;
    auto media = media_in(m);
    if (media && media->empty())
        if (const auto early = early_.find(m.to_tag); early != early_.end()) media = early->second;
    early_.clear();
    if (!media || media->empty() || state_.local_sdp.empty()) {
        tell_ended(hangup_cause::incompatible, media ? "the 2xx has no SDP" : media.error().text);
        return send_bye(hangup_cause::incompatible);
    }
    remote_sdp_ = sdp_of(m).value_or("");
    session_of_success(m);
    tell(event::answered{std::move(*media)});
    save();
}

void dialog::end_fork(const message& m) {
    const auto party = [](const std::string& text) {
        const auto a = parse_name_addr(text);
        return a ? quoted_display(a->display) + "<" + a->uri + ">" : std::string("<sip:unknown@unknown.invalid>");
    };
    phase_ = phase::ending;
    told_ended_ = true;
    state_.we_called = true;
    state_.call_id = m.call_id;
    state_.local_tag = m.from_tag;
    state_.remote_tag = m.to_tag;
    state_.local_party = party(m.from);
    state_.remote_party = party(m.to);
    state_.local_cseq = m.cseq;
    state_.local_address = m.local_address;
    state_.route_set = m.all("Record-Route");
    std::reverse(state_.route_set.begin(), state_.route_set.end());
    refresh_target(m);
    if (state_.remote_target.empty()) state_.remote_target = m.source.uri();
    send_ack(m);
    send_bye(hangup_cause::answered_elsewhere);
}

} // namespace strowger::sip
