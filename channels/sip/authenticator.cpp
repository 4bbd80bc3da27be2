#include "channels/sip/authenticator.hpp"
#include "channels/sip/text.hpp"
#include "core/base/log.hpp"
#include <fmt/format.h>

namespace strowger::sip {

response authenticator::challenge(bool stale, std::int64_t now) {
    return {401,
            {{"WWW-Authenticate", fmt::format(R"(Digest realm="{}", nonce="{}", algorithm=MD5, qop="auth"{})", realm_,
                                              nonces_.make(now), stale ? ", stale=true" : "")}},
            {},
            {}};
}

authenticator::verdict authenticator::check(const message& m) {
    const auto now = std::chrono::duration_cast<std::chrono::seconds>(core_.wall().time_since_epoch()).count();
    if (const auto wait = guesses_.blocked_for(m.source.ip, now); wait != 0)
        return {{}, {503, {{"Retry-After", std::to_string(wait)}}, {}, {}}};
    std::optional<digest_credentials> given;
    for (const char* name : {"Authorization", "Proxy-Authorization"}) {
        for (const auto& h : m.headers) {
            if (!same_text(h.name, name) || given) continue;
            if (auto c = parse_credentials(h.value); c && c->realm == realm_) given = std::move(c);
        }
    }
    if (!given) return {{}, challenge(false, now)};
    const bool fits = (given->algorithm.empty() || same_text(given->algorithm, "MD5")) && same_text(given->qop, "auth");
    const auto known = nonces_.check(given->nonce, now);
    if (!fits || known == nonce_book::verdict::foreign) return {{}, challenge(false, now)};
    const auto password = core_.password_of(given->username);
    const auto nc = fmt::format("{:08x}", given->nc);
    const auto expected = digest_response(digest_algorithm::md5, given->username, realm_, password.value_or("no such user"),
                                          m.method, given->uri, given->nonce, nc, given->cnonce, given->qop);
    std::string response_text = given->response;
    for (auto& c : response_text)
        if (c >= 'A' && c <= 'F') c = static_cast<char>(c + 32);
    if (!password || password->empty() || !equal_secret(expected, response_text)) {
        guesses_.wrong(m.source.ip, now);
        if (const auto wait = guesses_.blocked_for(m.source.ip, now); wait != 0) {
            log::warn("sip", "{}: too many wrong passwords, the last for {}; refused for {} s", m.source.ip,
                      clean(given->username), wait);
            return {{}, {403, {{"Retry-After", std::to_string(wait)}}, {}, {}}};
        }
        return {{}, challenge(false, now)};
    }
    const auto used = nonces_.use(given->nonce, given->nc, now);
    if (used != nonce_book::verdict::good) return {{}, challenge(true, now)};
    guesses_.right(m.source.ip);
    return {given->username, {}};
}

} // namespace strowger::sip
