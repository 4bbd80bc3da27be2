// Blind transfer asked for by the peer: REFER and the subscription that comes with it (RFC 3515, RFC 5057).
#include "channels/sip/causes.hpp"
#include "channels/sip/dialog.hpp"
#include "channels/sip/text.hpp"
#include "channels/sip/user_agent.hpp"
#include <fmt/format.h>

namespace strowger::sip {

void dialog::on_refer(transaction_id t, const message& m) {
    const auto targets = m.all("Refer-To");
    if (targets.size() != 1) return reply(t, 400);
    const auto a = parse_name_addr(targets.front());
    const auto u = a ? parse_uri(a->uri) : std::nullopt;
    if (!u) return reply(t, 400);
    const auto question = a->uri.find('?');
    if (question != std::string::npos && same_text(a->uri.substr(question + 1, 8), "Replaces"))
        return reply(t, 603); // attended transfer: not yet
    if (phase_ != phase::up) return reply(t, 491);
    if (!transfers_.empty()) return reply(t, 491, {{"Retry-After", "5"}});
    const auto method = param(u->params, "method");
    if (method && !same_text(*method, "INVITE")) return reply(t, 603);

    transfer wanted;
    wanted.id = ++last_offer_;
    wanted.silent = same_text(trim(m.get("Refer-Sub")), "false");
    wanted.event = refers_++ == 0 ? "refer" : fmt::format("refer;id={}", m.cseq);
    refresh_target(m);
    header_list headers = {{"Contact", state_.local_contact}};
    if (wanted.silent) headers.push_back({"Refer-Sub", "false"});
    reply(t, 202, std::move(headers));
    const auto id = wanted.id;
    transfers_.emplace(id, wanted);
    notify(wanted, 100, false);
    const bool number = u->is_sip() && (ua_.is_ours(u->host) || u->host == state_.local_address);
    tell(event::transfer_requested{id, number ? clean(u->user) : clean(a->uri)});
    save();
}

void dialog::notify(const transfer& which, int status, bool last) {
    if (which.silent) return;
    auto n = in_dialog("NOTIFY");
    n.headers = {{"Contact", state_.local_contact},
                 {"Event", which.event},
                 {"Subscription-State", last ? "terminated;reason=noresource" : "active;expires=180"}};
    n.content_type = "message/sipfrag;version=2.0";
    n.body = fmt::format("SIP/2.0 {} {}\r\n", status, phrase_of(status));
    send(std::move(n));
}

void dialog::transfer_result(std::uint64_t id, std::optional<hangup_cause> failed) {
    const auto it = transfers_.find(id);
    if (it == transfers_.end()) return;
    const auto which = it->second;
    transfers_.erase(it); // "terminated" is said exactly once
    notify(which, failed ? status_of_cause(*failed) : 200, true);
    if (phase_ == phase::over) ua_.remove(*this);
}

void dialog::channel_gone() {
    while (!transfers_.empty()) transfer_result(transfers_.begin()->first, hangup_cause::temporary_failure);
}

} // namespace strowger::sip
