// What all parts of a dialog share: requests made from its state, SDP in and out, events to the core.
#include "channels/sip/dialog.hpp"
#include "channels/sip/bodies.hpp"
#include "channels/sip/causes.hpp"
#include "channels/sip/text.hpp"
#include "channels/sip/user_agent.hpp"
#include "core/base/log.hpp"
#include <fmt/format.h>

namespace strowger::sip {

std::string dialog::phase_name() const {
    switch (phase_) {
    case phase::incoming: return "incoming";
    case phase::outgoing: return "outgoing";
    case phase::confirming: return "confirming";
    case phase::up: return "up";
    case phase::ending: return "ending";
    case phase::over: return "over";
    }
    return {};
}

bool dialog::owns(const message& m) const {
    const auto& ours = m.status == 0 ? m.to_tag : m.from_tag;
    const auto& theirs = m.status == 0 ? m.from_tag : m.to_tag;
    return m.call_id == state_.call_id && same_text(ours, state_.local_tag) &&
           (state_.remote_tag.empty() || same_text(theirs, state_.remote_tag));
}

void dialog::tell(leg_event e) {
    if (events_ && !told_ended_) events_->post(std::move(e));
}

void dialog::tell_ended(event::ended how) {
    tell(std::move(how));
    told_ended_ = true;
}

void dialog::save() { tell(event::state{to_text(state_)}); }

void dialog::refresh_target(const message& m) {
    const auto* contact = m.find("Contact");
    const auto a = contact == nullptr ? std::nullopt : parse_name_addr(*contact);
    const auto u = a ? parse_uri(a->uri) : std::nullopt;
    if (!u || !u->is_sip()) return;
    state_.remote_target = a->uri;
    if (!state_.route_set.empty())
        state_.flow.clear();
    else if (m.status == 0 || !is_numeric_address(u->host))
        state_.flow = flow_for(m.source, a->uri);
    else if (u->host != m.source.ip || same_text(m.source.transport, "tcp"))
        state_.flow = m.source.uri();
    else
        state_.flow.clear();
}

media_description dialog::media(sdp::description d) const {
    media_description m;
    const auto* c = d.sections.empty() ? nullptr : d.connection_of(d.sections.front());
    m.behind_nat = behind_nat_ ||
                   (c != nullptr && is_numeric_address(c->address) && c->address != source_address_ && c->address != "0.0.0.0");
    m.sdp = std::move(d);
    m.local_address = state_.local_address;
    m.source_address = source_address_;
    return m;
}

result<media_description> dialog::media_in(const message& m) const {
    media_description none;
    none.local_address = state_.local_address;
    none.source_address = source_address_;
    none.behind_nat = behind_nat_;
    const auto text = sdp_of(m);
    if (!text) return fail(text);
    if (text->empty()) return none;
    auto parsed = sdp::parse(*text);
    if (!parsed) return fail(parsed);
    return media(std::move(*parsed));
}

header_list dialog::own_headers() const {
    header_list out{{"Contact", state_.local_contact}, {"Allow", allowed_methods()}, {"Supported", "norefersub, timer"}};
    if (connected_.number.empty()) return out;
    // Who is at the other end (RFC 3325 §9.1), in both of the forms that telephones know.
    const auto who = fmt::format("{}<sip:{}@{}:{}>", quoted_display(connected_.name), escape_user(connected_.number),
                                 host_text(state_.local_address), ua_.stack().port_on(state_.local_address));
    out.push_back({"P-Asserted-Identity", who});
    out.push_back({"Remote-Party-ID",
                   fmt::format("{};party={};privacy=off;screen=yes", who, state_.we_called ? "calling" : "called")});
    return out;
}

void dialog::identity(party who) {
    if (with_telephone_) connected_ = who.withheld ? party{} : std::move(who);
}

request dialog::in_dialog(std::string method) {
    request r;
    r.method = std::move(method);
    r.uri = state_.request_uri();
    r.from = fmt::format("{};tag={}", state_.local_party, state_.local_tag);
    r.to = state_.remote_tag.empty() ? state_.remote_party : fmt::format("{};tag={}", state_.remote_party, state_.remote_tag);
    r.call_id = state_.call_id;
    r.cseq = r.method == "ACK" ? state_.local_cseq : ++state_.local_cseq;
    r.routes = state_.routes();
    r.next_hop = state_.next_hop();
    r.is_flow = state_.route_set.empty() && !state_.flow.empty();
    r.local_address = state_.local_address;
    r.sent_by = state_.local_host();
    return r;
}

void dialog::send_ack(const message& success) {
    auto ack = in_dialog("ACK");
    ack.cseq = success.cseq;
    ack.branch = new_branch();
    ack.headers = invite_credentials_;
    ua_.acknowledge(success, std::move(ack));
}

void dialog::send_bye(hangup_cause why) {
    refuse_pending();
    auto bye = in_dialog("BYE");
    bye.headers.push_back({"Reason", reason_header(why)});
    phase_ = phase::ending;
    bye_ = send(std::move(bye));
    if (bye_ == 0) finish();
}

void dialog::refuse_pending() {
    if (their_invite_ != 0) reply(std::exchange(their_invite_, 0), 487);
    if (their_unacked_ != 0) ua_.stack().forget_server(std::exchange(their_unacked_, 0));
    stop_timer(retry_timer_);
    stop_timer(first_answer_timer_);
    stop_timer(session_end_timer_);
    stop_timer(refresh_timer_);
}

void dialog::finish() {
    stop_timer(retry_timer_);
    stop_timer(first_answer_timer_);
    stop_timer(session_end_timer_);
    stop_timer(refresh_timer_);
    stop_timer(give_up_timer_);
    phase_ = phase::over;
    counted_.reset();
    if (transfers_.empty()) ua_.remove(*this); // else when the last NOTIFY has been sent
}

void dialog::reply(transaction_id t, int status, header_list headers, std::string sdp) {
    response r{status, std::move(headers), sdp.empty() ? "" : "application/sdp", std::move(sdp)};
    ua_.stack().reply(t, std::move(r));
}

void dialog::reply_invite(int status, bool with_sdp, const media_description& m) {
    if (with_sdp && m.sdp) state_.local_sdp = sdp_text(*m.sdp);
    auto headers = own_headers();
    if (status == 200)
        for (auto& h : agree_on_session()) headers.push_back(std::move(h));
    reply(invite_, status, std::move(headers), with_sdp ? state_.local_sdp : std::string());
}

std::string dialog::sdp_text(sdp::description d) const {
    const auto shown = parse_uri("sip:" + state_.local_host());
    if (shown && shown->host != state_.local_address) {
        const auto show = [&](sdp::net_address& a) {
            if (a.address == state_.local_address) a.address = shown->host;
        };
        show(d.origin.address);
        if (d.connection) show(*d.connection);
        for (auto& section : d.sections)
            if (section.connection) show(*section.connection);
    }
    return sdp::write(d);
}

void dialog::stop_timer(std::uint64_t& timer) {
    if (timer != 0) ua_.stack().cancel_timer(std::exchange(timer, 0));
}

} // namespace strowger::sip
