#include "channels/sip/session_timer.hpp"
#include "channels/sip/causes.hpp"
#include "channels/sip/dialog.hpp"
#include "channels/sip/text.hpp"
#include "channels/sip/user_agent.hpp"
#include "core/base/ids.hpp"
#include "core/base/log.hpp"
#include <fmt/format.h>

namespace strowger::sip {

session_terms session_terms_of(const message& m) {
    session_terms t;
    const auto number = [](std::string_view text) { return parse_number(trim(text.substr(0, text.find(';')))); };
    if (const auto* header = m.find("Session-Expires")) {
        t.expires = number(*header);
        const auto semicolon = header->find(';');
        const auto who =
            semicolon == std::string::npos ? std::nullopt : param(std::string_view(*header).substr(semicolon + 1), "refresher");
        if (who && same_text(*who, "uac")) t.refresher = session_terms::side::uac;
        if (who && same_text(*who, "uas")) t.refresher = session_terms::side::uas;
    }
    if (const auto* header = m.find("Min-SE")) t.min_se = std::max(number(*header).value_or(0), least_session_seconds);
    for (const char* name : {"Supported", "Require"})
        for (const auto& tag : m.all(name)) t.supported = t.supported || same_text(tag, "timer");
    return t;
}

session_timer session_timer::for_request(const session_terms& asked) {
    session_timer t;
    t.peer_supports = asked.supported;
    if (!asked.expires || *asked.expires < least_session_seconds) return t;
    t.seconds = *asked.expires;
    t.we_refresh = asked.refresher == session_terms::side::uas || !asked.supported; // §9, table 2
    return t;
}

session_timer session_timer::for_success(const session_terms& said) {
    session_timer t;
    t.peer_supports = said.supported;
    if (!said.expires || *said.expires < least_session_seconds) return t;
    t.seconds = *said.expires;
    t.we_refresh = said.refresher != session_terms::side::uas;
    return t;
}

header_list session_timer::in_success() const {
    if (seconds == 0) return {};
    header_list out = {{"Session-Expires", fmt::format("{};refresher={}", seconds, we_refresh ? "uas" : "uac")}};
    if (!we_refresh) out.push_back({"Require", "timer"});
    return out;
}

header_list session_timer::in_request() const {
    if (seconds == 0) return {};
    return {{"Session-Expires", fmt::format("{};refresher={}", seconds, we_refresh ? "uac" : "uas")},
            {"Min-SE", std::to_string(least_session_seconds)}};
}

// --- in a dialog ---------------------------------------------------------------------------------------------------------------

bool dialog::takes_session_terms(transaction_id t, const message& m) {
    const auto asked = session_terms_of(m);
    if (asked.supported && asked.expires && *asked.expires < least_session_seconds) { // only who knows the timer knows 422
        reply(t, 422, {{"Min-SE", std::to_string(least_session_seconds)}});
        return false;
    }
    session_asked_ = session_timer::for_request(asked);
    return true;
}

header_list dialog::agree_on_session() {
    session_ = session_asked_;
    start_session_timer();
    return session_.in_success();
}

void dialog::session_of_success(const message& m) {
    session_ = session_timer::for_success(session_terms_of(m));
    start_session_timer();
}

void dialog::start_session_timer() {
    stop_timer(session_end_timer_);
    stop_timer(refresh_timer_);
    if (session_.seconds == 0) return;
    session_end_timer_ = ua_.stack().after(std::chrono::seconds(session_.ends_after()), [weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self) return;
        self->session_end_timer_ = 0;
        if (self->phase_ != phase::up) return;
        log::info({"sip", self->state_.call_id}, "the session was not refreshed within {} s and ends", self->session_.seconds);
        self->tell_ended(hangup_cause::timer_expired, "the session timer ran out");
        self->send_bye(hangup_cause::timer_expired);
    });
    if (session_.we_refresh) refresh_after(std::chrono::seconds(session_.refreshes_after()));
}

void dialog::refresh_after(duration delay) {
    stop_timer(refresh_timer_);
    refresh_timer_ = ua_.stack().after(delay, [weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self) return;
        self->refresh_timer_ = 0;
        self->refresh_session();
    });
}

void dialog::refresh_session() {
    if (phase_ != phase::up || state_.local_sdp.empty()) return;
    if (our_invite_ != 0 || their_invite_ != 0 || their_unacked_ != 0 || our_offer_ != 0) // that one refreshes as well
        return refresh_after(std::chrono::seconds(4));
    auto invite = in_dialog("INVITE");
    invite.headers = own_headers();
    for (auto& h : session_.in_request()) invite.headers.push_back(std::move(h));
    invite.content_type = "application/sdp";
    invite.body = state_.local_sdp; // the same version: nothing changes
    our_invite_cseq_ = invite.cseq;
    our_invite_ = send(std::move(invite));
    refreshing_ = our_invite_ != 0;
}

void dialog::on_refresh_response(const message& m) {
    const auto transaction = std::exchange(our_invite_, 0);
    refreshing_ = false;
    if (m.status < 300) {
        refresh_target(m);
        send_ack(m);
        ua_.stack().retire_client(transaction);
        if (phase_ == phase::up) session_of_success(m);
        return;
    }
    ua_.stack().forget_client(transaction);
    if (phase_ != phase::up) return;
    if (m.status == 491)
        return refresh_after(std::chrono::milliseconds(10 * ((state_.we_called ? 210 : 0) + random_u64() % 191)));
    if (m.status == 422) {
        const auto least = session_terms_of(m).min_se;
        if (least <= session_.seconds || least > 86400) return;
        session_.seconds = least;
        return refresh_after(duration::zero());
    }
    if (m.status == 481 || m.status == 408) { // §12.2.1.2 of RFC 3261: the dialog has gone
        tell_ended(hangup_cause::timer_expired, fmt::format("SIP {} to the refresh", m.status));
        send_bye(hangup_cause::timer_expired);
    }
    // Any other refusal leaves the session as it is, until its time is over.
}

} // namespace strowger::sip
