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
    state_.call_id = random_hex(16);
    state_.local_tag = random_hex(8);
    ua_.index(*this);
    state_.remote_target = call.to.address;
    state_.flow = call.to.received;
    for (auto& p : split_list(call.to.path)) state_.route_set.push_back(std::move(p));
    const auto hop = parse_uri(state_.next_hop());
    const auto own = ua_.stack().local_towards(hop ? hop->host : "");
    if (!hop || !own) {
        tell_ended(hangup_cause::no_route, own ? "the next hop has no numeric address" : own.error().text);
        return finish();
    }
    state_.local_address = *own;
    source_address_ = hop->host;
    behind_nat_ = !call.to.received.empty() && !same_text(hop->host, parse_uri(call.to.address).value_or(uri{}).host);
    const bool tcp = same_text(param(hop->params, "transport").value_or("udp"), "tcp");
    const auto port = ua_.stack().port_on(*own);
    const auto number = call.caller.number.empty() ? std::string("unknown") : escape_user(call.caller.number);
    const auto here = fmt::format("{}:{}", host_text(*own), port);
    state_.local_contact =
        fmt::format("<sip:{}@{}{}>", call.caller.withheld ? "anonymous" : number, here, tcp ? ";transport=tcp" : "");
    state_.local_party = call.caller.withheld ? "\"Anonymous\" <sip:anonymous@anonymous.invalid>"
                                              : fmt::format("{}<sip:{}@{}>", quoted_display(call.caller.name), number, here);
    state_.remote_party = fmt::format("<{}>", clean(call.to.address));

    auto invite = in_dialog("INVITE");
    invite.max_forwards = std::max(0, call.hops_left - 1);
    invite.headers = own_headers();
    if (call.caller.withheld) invite.headers.push_back({"Privacy", "id"});
    for (const auto& [name, value] : call.headers) {
        const bool ours_to_send = name.size() > 2 && name.size() < 80 && same_text(name.substr(0, 2), "X-") &&
                                  std::all_of(name.begin(), name.end(), [](char c) {
                                      return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
                                  });
        if (ours_to_send) invite.headers.push_back({name, value});
    }
    for (auto d = call.diversions.rbegin(); d != call.diversions.rend(); ++d)
        invite.headers.push_back(
            {"Diversion", fmt::format("<sip:{}@{}>;reason={}", escape_user(d->number), here, escape_user(d->reason))});
    if (call.offer.sdp) {
        state_.local_sdp = sdp::write(*call.offer.sdp);
        invite.content_type = "application/sdp";
        invite.body = state_.local_sdp;
    }
    invite_cseq_ = invite.cseq;
    invite_ = send(std::move(invite));
    if (invite_ == 0) {
        tell_ended(hangup_cause::no_route, "the INVITE could not be sent");
        return finish();
    }
    // Timer B (32 s) is too long for somebody who waits (RFC 3263 §4.3).
    first_answer_timer_ = ua_.stack().after(std::chrono::milliseconds(ua_.options().first_answer_ms), [weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self) return;
        self->first_answer_timer_ = 0;
        if (self->phase_ != phase::outgoing) return;
        self->cancelled_ = hangup_cause::no_user_response;
        self->phase_ = phase::ending;
        self->tell_ended(hangup_cause::no_user_response, "the device does not answer at all");
        self->ua_.stack().cancel(self->invite_, {}); // goes out if a 1xx comes yet
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
    auto cause = cause_of_status(m.status);
    if (const auto* reason = m.find("Reason")) cause = cause_of_reason(*reason).value_or(cause);
    if (m.internal) cause = m.status == 408 ? hangup_cause::no_user_response : hangup_cause::network_out_of_order;
    if (cancelled_) cause = *cancelled_;
    const auto detail = m.internal ? (m.status == 408 ? "no answer from the device" : "the device cannot be reached")
                                   : fmt::format("SIP {}", m.status);
    tell_ended(cause, detail);
    finish();
}

void dialog::on_invite_success(const message& m) {
    state_.remote_tag = m.to_tag;
    state_.route_set = m.all("Record-Route"); // taken again from the 2xx of this fork (§13.2.2.4)
    std::reverse(state_.route_set.begin(), state_.route_set.end());
    if (m.find("Contact") != nullptr) refresh_target(m);
    source_address_ = m.source.ip.empty() ? source_address_ : m.source.ip;
    send_ack(invite_cseq_);
    ua_.stack().forget_client(std::exchange(invite_, 0)); // Sofia keeps it as long as the ACK may have to be repeated
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
    tell(event::answered{std::move(*media)});
    save();
}

} // namespace strowger::sip
