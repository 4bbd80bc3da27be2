// Requests inside a dialog, both ways: re-INVITE with its races (RFC 3261 §14), BYE, INFO, OPTIONS.
#include "channels/sip/bodies.hpp"
#include "channels/sip/causes.hpp"
#include "channels/sip/dialog.hpp"
#include "channels/sip/text.hpp"
#include "channels/sip/user_agent.hpp"
#include "core/base/ids.hpp"
#include "core/base/log.hpp"
#include <fmt/format.h>

namespace strowger::sip {

// --- from the core
// ---------------------------------------------------------------------------------------------------------------

void dialog::hang_up(hangup_cause why) {
    switch (phase_) {
    case phase::incoming:
        if (invite_ == 0) return;
        reply(std::exchange(invite_, 0), status_of_cause(why), {{"Reason", reason_header(why)}});
        tell_ended(why, "refused");
        return finish();
    case phase::confirming: // no BYE before the ACK or its time-out (§15)
        if (!hang_up_later_) {
            hang_up_later_ = why;
            tell_ended(why, "hung up");
        }
        return;
    case phase::outgoing: {
        stop_timer(first_answer_timer_);
        cancelled_ = why;
        phase_ = phase::ending;
        header_list headers;
        if (why == hangup_cause::answered_elsewhere)
            headers.push_back({"Reason", "SIP;cause=200;text=\"Call completed elsewhere\""});
        else
            headers.push_back({"Reason", reason_header(why)});
        tell_ended(why, "cancelled");
        return cancel_invite(std::move(headers));
    }
    case phase::up:
        tell_ended(why, "hung up");
        return send_bye(why);
    case phase::ending:
    case phase::over: return;
    }
}

void dialog::offer(std::uint64_t id, const media_description& m) {
    if (phase_ != phase::up && phase_ != phase::confirming) return;
    if (our_offer_ != 0 || !m.sdp) {
        tell(event::offer_result{id, fail("another offer is under way")});
        return;
    }
    our_offer_ = id;
    our_offer_sdp_ = sdp_text(*m.sdp);
    retries_ = 0;
    send_offer();
}

void dialog::send_offer() {
    // One offer at a time, and none before the ACK to the last INVITE (§14.1, RFC 5407 §3.1).
    if (phase_ == phase::confirming || their_invite_ != 0 || their_unacked_ != 0 || our_invite_ != 0) return retry_offer();
    if (phase_ != phase::up) return;
    auto invite = in_dialog("INVITE");
    invite.headers = own_headers();
    for (auto& h : session_.in_request()) invite.headers.push_back(std::move(h));
    invite.content_type = "application/sdp";
    invite.body = our_offer_sdp_;
    our_invite_cseq_ = invite.cseq;
    our_invite_ = send(std::move(invite));
    if (our_invite_ == 0) tell(event::offer_result{std::exchange(our_offer_, 0), fail("the re-INVITE could not be sent")});
}

void dialog::retry_offer() {
    constexpr int most = 6;
    if (++retries_ > most) {
        tell(event::offer_result{std::exchange(our_offer_, 0), fail("the peer is busy with an offer of its own")});
        return;
    }
    // §14.1: in steps of 10 ms, 2.1–4 s for who owns the Call-ID, 0–2 s for the other.
    const auto steps = state_.we_called ? 210 + random_u64() % 191 : random_u64() % 201;
    retry_timer_ = ua_.stack().after(std::chrono::milliseconds(10 * steps), [weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self) return;
        self->retry_timer_ = 0;
        if (self->our_offer_ != 0) self->send_offer();
    });
}

void dialog::on_reinvite_response(const message& m) {
    if (m.status < 200) return;
    if (refreshing_) return on_refresh_response(m);
    const auto transaction = std::exchange(our_invite_, 0);
    if (m.status < 300) {
        refresh_target(m);
        send_ack(m);
        ua_.stack().retire_client(transaction);
        if (phase_ != phase::up) return;
        session_of_success(m);
        remote_sdp_ = sdp_of(m).value_or("");
        state_.local_sdp = our_offer_sdp_;
        auto media = media_in(m);
        if (media && media->empty()) media = fail("the 2xx has no answer to our offer");
        tell(event::offer_result{std::exchange(our_offer_, 0), std::move(media)});
        return save();
    }
    ua_.stack().forget_client(transaction);
    if (phase_ != phase::up) return;
    if (m.status == 491) return retry_offer();
    tell(event::offer_result{std::exchange(our_offer_, 0), fail("SIP {}", m.status)});
    if (m.status == 481 || m.status == 408) { // §12.2.1.2: the dialog has gone; any other refusal leaves all as it was
        tell_ended(m.status == 408 ? hangup_cause::no_user_response : hangup_cause::temporary_failure,
                   fmt::format("SIP {} to re-INVITE", m.status));
        send_bye(hangup_cause::temporary_failure);
    }
}

void dialog::accept(std::uint64_t id, const media_description& m) {
    if (their_invite_ == 0 || id != their_offer_ || phase_ != phase::up || !m.sdp) return;
    state_.local_sdp = sdp_text(*m.sdp);
    their_unacked_ = std::exchange(their_invite_, 0);
    remote_sdp_ = std::move(their_offer_sdp_);
    auto headers = own_headers();
    for (auto& h : agree_on_session()) headers.push_back(std::move(h));
    reply(their_unacked_, 200, std::move(headers), state_.local_sdp);
    save();
}

void dialog::refuse(std::uint64_t id, hangup_cause why) {
    if (their_invite_ == 0 || id != their_offer_) return;
    we_offered_ = false;
    reply(std::exchange(their_invite_, 0), why == hangup_cause::incompatible ? 488 : status_of_cause(why),
          {{"Reason", reason_header(why)}});
}

void dialog::send_digit(char key) {
    if (phase_ != phase::up) return;
    auto info = in_dialog("INFO");
    info.content_type = "application/dtmf-relay";
    info.body = fmt::format("Signal={}\r\nDuration=160\r\n", key);
    send(std::move(info));
}

// --- from the peer
// -----------------------------------------------------------------------------------------------------------------

void dialog::on_request(transaction_id t, const message& m) {
    if (t == 0) return; // an ACK that fits nothing
    if (m.method == "INVITE") ua_.own_server(t, *this);
    if (state_.remote_tag.empty()) state_.remote_tag = m.from_tag;
    if (state_.remote_cseq_known && m.cseq < state_.remote_cseq) return reply(t, 500, {{"Retry-After", "1"}}); // §12.2.2
    state_.remote_cseq = m.cseq;
    state_.remote_cseq_known = true;
    if (m.method == "BYE") return on_bye(t, m);
    if (phase_ == phase::over || phase_ == phase::ending) return reply(t, 481);
    if (m.method == "INVITE") return on_reinvite(t, m);
    if (m.method == "REFER") return on_refer(t, m);
    if (m.method == "INFO") return on_info(t, m);
    if (m.method == "OPTIONS")
        return reply(t, 200, {{"Allow", allowed_methods()}, {"Accept", "application/sdp"}, {"Supported", "norefersub, timer"}});
    if (m.method == "NOTIFY") return reply(t, 481);
    reply(t, 405, {{"Allow", allowed_methods()}});
}

void dialog::on_bye(transaction_id t, const message& m) {
    const auto why = m.find("Reason") == nullptr ? std::nullopt : cause_of_reason(m.get("Reason"));
    if (phase_ == phase::over) return reply(t, 481);
    if (phase_ == phase::ending) return reply(t, 200); // both hung up: our own BYE ends by itself
    tell_ended(why.value_or(hangup_cause::normal), "BYE");
    reply(t, 200);
    if (phase_ == phase::outgoing) { // from the called side before its answer: against §15, but it wants to be left alone
        cancelled_ = hangup_cause::normal;
        phase_ = phase::ending;
        return cancel_invite({});
    }
    if (phase_ == phase::incoming && invite_ != 0) reply(std::exchange(invite_, 0), 487);
    if (phase_ == phase::confirming && invite_ != 0) ua_.stack().forget_server(std::exchange(invite_, 0));
    refuse_pending();
    finish();
}

void dialog::on_reinvite(transaction_id t, const message& m) {
    if (their_invite_ != 0) return reply(t, 500, {{"Retry-After", std::to_string(random_u64() % 11)}}); // §14.2
    if (our_invite_ != 0 || their_unacked_ != 0 || phase_ != phase::up) return reply(t, 491);
    auto media = media_in(m);
    if (!media) return reply(t, sdp_of(m) ? 400 : 415, {{"Accept", "application/sdp"}});
    if (!takes_session_terms(t, m)) return;
    refresh_target(m);
    source_address_ = m.source.ip;
    their_offer_sdp_ = sdp_of(m).value_or("");
    if (!their_offer_sdp_.empty() && their_offer_sdp_ == remote_sdp_ && !state_.local_sdp.empty()) { // only a refresh
        their_unacked_ = t;
        auto headers = own_headers();
        for (auto& h : agree_on_session()) headers.push_back(std::move(h));
        reply(t, 200, std::move(headers), state_.local_sdp);
        return save();
    }
    their_invite_ = t;
    their_offer_ = ++last_offer_;
    we_offered_ = media->empty();
    reply(t, 100);
    media->source_address = source_address_;
    tell(event::offered{their_offer_, std::move(*media)});
}

void dialog::on_info(transaction_id t, const message& m) {
    const auto type = m.content_type();
    if (type == "application/dtmf-relay" || type == "application/dtmf") {
        const auto key = key_of_info(m);
        if (!key) return reply(t, 400);
        reply(t, 200);
        return tell(event::digit{*key});
    }
    if (m.body.empty() && m.find("Info-Package") == nullptr) return reply(t, 200); // a keep-alive
    reply(t, 415, {{"Accept", "application/dtmf-relay, application/dtmf"}});
}

void dialog::on_response(transaction_id t, const message& m) {
    if ((m.status == 401 || m.status == 407) && !(t == invite_ && cancelled_) && answer_challenges(t, m)) {
        sent_.erase(t);
        return;
    }
    if (m.status >= 200) sent_.erase(t);
    if (t == invite_ && t != 0) return on_invite_response(m);
    if (t == our_invite_ && t != 0) return on_reinvite_response(m);
    if (m.status < 200) return;
    if (t == bye_ && t != 0) {
        bye_ = 0;
        finish();
    }
    // NOTIFY and INFO: what a refusal means is the peer's business; a subscription that it has dropped is over anyway (RFC 6665
    // §4.2.2).
}

} // namespace strowger::sip
