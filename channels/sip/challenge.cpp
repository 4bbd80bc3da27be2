// Challenges to our requests (RFC 3261 §22.2, §22.3): sent again with credentials of [[sip.credentials]].
#include "channels/sip/dialog.hpp"
#include "channels/sip/digest.hpp"
#include "channels/sip/text.hpp"
#include "channels/sip/user_agent.hpp"
#include "core/base/ids.hpp"
#include "core/base/log.hpp"
#include <algorithm>
#include <set>

namespace strowger::sip {
namespace {

bool holds_credentials(const header& h) {
    return same_text(h.name, "Authorization") || same_text(h.name, "Proxy-Authorization");
}

} // namespace

transaction_id dialog::send(request r) {
    if (r.method == "INVITE") invite_credentials_.clear();
    return send(sent_request{std::move(r), {}});
}

transaction_id dialog::send(sent_request r) {
    const auto t = ua_.stack().send(r.what);
    ua_.own_client(t, *this);
    if (t != 0 && !(credentials_.empty() && ua_.options().credentials.empty())) sent_.emplace(t, std::move(r));
    return t;
}

const credentials* dialog::credentials_for(std::string_view realm) const {
    if (!credentials_.empty()) return &credentials_.front(); // a trunk may call its realm what it likes
    const auto& all = ua_.options().credentials;
    const auto own = std::find_if(all.begin(), all.end(), [&](const credentials& c) { return c.realm == realm; });
    return own == all.end() ? nullptr : &*own;
}

bool dialog::answer_challenges(transaction_id t, const message& m) {
    const auto it = sent_.find(t);
    if (it == sent_.end() || m.internal) return false;
    auto again = it->second;
    std::set<std::string> now; // of each realm the first challenge that we know (RFC 8760), but all realms together
    for (const auto& h : m.headers) {
        const bool by_proxy = same_text(h.name, "Proxy-Authenticate");
        if (!by_proxy && !same_text(h.name, "WWW-Authenticate")) continue;
        const auto asked = parse_challenge(h.value);
        if (!asked) continue;
        const auto* own = credentials_for(asked->realm);
        const auto key = (by_proxy ? "p " : "w ") + asked->realm;
        if (own == nullptr || !now.insert(key).second) continue;
        auto& answer = again.answers[key];
        const bool may_again = asked->stale && answer.tries == 1 && asked->nonce != answer.nonce;
        if (answer.tries != 0 && !may_again) {
            log::warn({"sip", state_.call_id}, "{}: the user and password of [[sip.credentials]] for realm \"{}\" were refused",
                      m.method, clean(asked->realm));
            return false;
        }
        const auto text =
            answer_challenge(h.value, own->user, own->password, again.what.method, again.what.uri, random_hex(8));
        if (!text) return false;
        answer = {by_proxy ? "Proxy-Authorization" : "Authorization", *text, asked->nonce, answer.tries + 1};
    }
    if (now.empty()) return false;
    std::erase_if(again.what.headers, holds_credentials);
    for (const auto& [key, answer] : again.answers) again.what.headers.push_back({answer.header, answer.value});
    again.what.cseq = ++state_.local_cseq;
    const auto cseq = again.what.cseq;
    header_list credentials_sent;
    std::copy_if(again.what.headers.begin(), again.what.headers.end(), std::back_inserter(credentials_sent), holds_credentials);
    const auto next = send(std::move(again));
    if (next == 0) return false;
    if (m.method == "INVITE") {
        ua_.stack().forget_client(t);
        invite_credentials_ = std::move(credentials_sent);
    }
    if (t == invite_) {
        invite_ = next;
        invite_cseq_ = cseq;
        await_first_answer();
    } else if (t == our_invite_) {
        our_invite_ = next;
        our_invite_cseq_ = cseq;
    } else if (t == bye_) {
        bye_ = next;
    }
    return true;
}

} // namespace strowger::sip
