// A call that comes in: the server's side of INVITE (RFC 3261 §13.3), up to its ACK.
#include "channels/sip/bodies.hpp"
#include "channels/sip/causes.hpp"
#include "channels/sip/dialog.hpp"
#include "channels/sip/line.hpp"
#include "channels/sip/text.hpp"
#include "channels/sip/user_agent.hpp"
#include "core/base/log.hpp"
#include <fmt/format.h>

namespace strowger::sip {
namespace {

std::vector<diversion> diversions_of(const message& m) {
    std::vector<diversion> out; // the header has the last redirector first (RFC 5806)
    for (const auto& text : m.all("Diversion")) {
        const auto a = parse_name_addr(text);
        const auto u = a ? parse_uri(a->uri) : std::nullopt;
        if (u) out.insert(out.begin(), {clean(u->user), clean(param(a->params, "reason").value_or("unknown"))});
    }
    return out;
}

} // namespace

void dialog::start_inbound(transaction_id invite, const message& m, std::string user, trunk* from_trunk) {
    if (from_trunk != nullptr) belong_to(*from_trunk);
    invite_ = invite;
    ua_.own_server(invite, *this);
    const auto from = parse_name_addr(m.from);
    const auto from_uri = from ? parse_uri(from->uri) : std::nullopt;
    const auto to = parse_name_addr(m.to);
    const auto target = parse_uri(m.uri);
    source_address_ = m.source.ip;

    state_.call_id = m.call_id;
    state_.local_tag = ua_.stack().tag(invite);
    ua_.index(*this);
    state_.remote_tag = m.from_tag;
    state_.local_party = to ? quoted_display(to->display) + "<" + to->uri + ">" : "<sip:unknown@unknown.invalid>";
    state_.remote_party = from ? quoted_display(from->display) + "<" + from->uri + ">" : "<sip:unknown@unknown.invalid>";
    state_.remote_cseq = m.cseq;
    state_.remote_cseq_known = true;
    state_.route_set = m.all("Record-Route");
    state_.local_address = m.local_address.empty() ? ua_.stack().local_towards(m.source.ip).value_or("") : m.local_address;
    state_.local_contact =
        fmt::format("<sip:{}{}{}{}>", target && target->is_sip() ? escape_user(target->user) : "",
                    target && target->is_sip() && !target->user.empty() ? "@" : "", contact_host(m.source.ip),
                    m.source.transport == "tcp" ? ";transport=tcp" : "");
    refresh_target(m);
    if (state_.remote_target.empty()) state_.remote_target = m.source.uri();

    const auto vias = m.all("Via");
    std::string via_host;
    if (!vias.empty()) {
        const auto blank = vias.front().find(' ');
        auto sent_by = blank == std::string::npos ? std::string_view() : trim(std::string_view(vias.front()).substr(blank));
        sent_by = sent_by.substr(0, sent_by.find(';'));
        if (const auto u = parse_uri("sip:" + std::string(trim(sent_by)))) via_host = u->host;
    }
    auto media = media_in(m);
    std::string sdp_address;
    if (media && media->sdp && !media->sdp->sections.empty())
        if (const auto* c = media->sdp->connection_of(media->sdp->sections.front())) sdp_address = c->address;
    // Behind a proxy the Via is the proxy's and the Contact is reached through it.
    behind_nat_ = vias.size() == 1 && looks_natted(m.source, via_host, state_.remote_target, sdp_address);
    if (!media) {
        log::info({"sip", m.call_id}, "INVITE from {} refused: {}", m.source.text(), media.error().text);
        reply(std::exchange(invite_, 0), 400);
        finish();
        return;
    }
    if (!takes_session_terms(invite_, m)) {
        invite_ = 0;
        return finish();
    }
    remote_sdp_ = sdp_of(m).value_or("");
    media->behind_nat = behind_nat_;
    we_offered_ = media->empty(); // a late offer: our 2xx will make it

    incoming_call call;
    call.driver = "sip";
    call.source = source_kind::user;
    with_telephone_ = call.source == source_kind::user;
    call.source_name = call.user = user;
    if (from_uri) call.from.number = clean(from_uri->user);
    if (from) call.from.name = clean(from->display);
    call.from.withheld = from_uri && same_text(from_uri->user, "anonymous");
    if (const auto privacy = m.get("Privacy"); privacy.find("id") != std::string::npos) call.from.withheld = true;
    call.to_number = !target ? "" : target->is_sip() ? clean(target->user) : clean(m.uri);
    if (to) call.to_name = clean(to->display);
    call.diversions = diversions_of(m);
    for (const auto& h : m.headers)
        if (h.name.size() > 2 && same_text(h.name.substr(0, 2), "X-") && !same_text(h.name, loop_header))
            call.headers[h.name] = clean(h.value);
    call.offer = *media;
    call.peer = m.source.text();
    call.protocol_id = m.call_id;
    if (trunk_ != nullptr) describe_trunk_call(call, m);
    for (const auto& mark : m.all(loop_header)) call.passed.push_back(clean(mark));
    call.passed.push_back(ua_.loop_mark(call.to_number));
    call.hops_left = static_cast<int>(parse_number(trim(m.get("Max-Forwards"))).value_or(70));

    auto taken = ua_.core().incoming(std::move(call), std::make_unique<line>(ua_.door(), id_));
    if (!taken) {
        const auto& why = taken.error();
        auto headers = header_list{{"Reason", reason_header(why.cause)}};
        auto status = status_of_cause(why.cause);
        if (why.retry_after_seconds > 0) {
            auto busy = busy_answer(trunk_ == nullptr ? nullptr : &trunk_->set(), why.retry_after_seconds);
            headers.insert(headers.end(), busy.headers.begin(), busy.headers.end());
            status = busy.status;
        }
        log::info({"sip", m.call_id}, "INVITE from {} refused with {}: {}", m.source.text(), status, why.why);
        if (invite_ != 0) reply(std::exchange(invite_, 0), status, std::move(headers));
        told_ended_ = true;
        finish();
        return;
    }
    events_ = std::move(*taken);
}

void dialog::ring() {
    if (phase_ == phase::incoming && invite_ != 0) reply_invite(180, false, {});
}

void dialog::progress(const media_description& m) {
    if (phase_ == phase::incoming && invite_ != 0) reply_invite(183, m.sdp.has_value(), m);
}

void dialog::answer(const media_description& m) {
    if (phase_ != phase::incoming || invite_ == 0) return;
    reply_invite(200, m.sdp.has_value(), m);
    phase_ = phase::confirming;
    save();
}

void dialog::on_cancel(transaction_id t, const message& m) {
    if (t != invite_ || phase_ != phase::incoming) return;
    const auto why = m.find("Reason") == nullptr ? std::nullopt : cause_of_reason(m.get("Reason"));
    tell_ended(why.value_or(hangup_cause::normal), "cancelled");
    reply(std::exchange(invite_, 0), 487);
    finish();
}

void dialog::on_ack(transaction_id t, const message& m) {
    if (t == their_unacked_ && t != 0) {
        their_unacked_ = 0;
        if (std::exchange(we_offered_, false)) {
            auto media = media_in(m);
            if (media && media->empty()) media = fail("the ACK has no answer to our offer");
            tell(event::offer_result{std::exchange(their_offer_, 0), std::move(media)});
        }
        return;
    }
    if (t != invite_ || phase_ != phase::confirming) return;
    invite_ = 0;
    phase_ = phase::up;
    if (hang_up_later_) return send_bye(*hang_up_later_);
    if (std::exchange(we_offered_, false)) {
        auto media = media_in(m);
        if (!media || media->empty()) { // §13.2.1: there is no session without an answer
            log::info({"sip", state_.call_id}, "the ACK has no usable answer to our offer");
            tell(event::offer_result{0, media ? result<media_description>(fail("the ACK has no answer to our offer"))
                                              : std::move(media)});
            tell_ended(hangup_cause::protocol_error, "no answer in the ACK");
            return send_bye(hangup_cause::protocol_error);
        }
        tell(event::offer_result{0, std::move(media)});
    }
    save();
}

void dialog::on_unacknowledged(transaction_id t) {
    if (t == their_unacked_ && t != 0) {
        their_unacked_ = 0;
    } else if (t == invite_ && phase_ == phase::confirming) {
        invite_ = 0;
    } else {
        return;
    }
    tell_ended(hangup_cause::timer_expired, "no ACK");
    if (phase_ == phase::confirming || phase_ == phase::up) send_bye(hangup_cause::timer_expired);
}

} // namespace strowger::sip
