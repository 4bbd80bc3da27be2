#include "channels/sip/authenticator.hpp"
#include "channels/sip/text.hpp"
#include "core/base/log.hpp"
#include <algorithm>
#include <fmt/format.h>

namespace strowger::sip {
namespace {

/// For whom a request without credentials is probably meant to be.
std::string claimed_user(const message& m) {
    const auto a = parse_name_addr(m.method == "REGISTER" ? m.to : m.from);
    const auto u = a ? parse_uri(a->uri) : std::nullopt;
    return u ? u->user : std::string();
}

} // namespace

response authenticator::challenge(const user_secret& secret, bool stale, std::int64_t now) {
    response r{401, {}, {}, {}};
    const auto nonce = nonces_.make(now);
    const auto ask = [&](std::string_view algorithm) {
        r.headers.push_back({"WWW-Authenticate",
                             fmt::format(R"(Digest realm="{}", nonce="{}", algorithm={}, qop="auth"{})", realm_, nonce,
                                         algorithm, stale ? ", stale=true" : "")});
    };
    if (secret.sha256) ask("SHA-256"); // the better one first (RFC 8760 §2.3)
    if (secret.md5) ask("MD5");
    return r;
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
    if (!given) return {{}, challenge(core_.secret_of(claimed_user(m)), false, now)};
    const auto secret = core_.secret_of(given->username);
    const bool is_sha = same_text(given->algorithm, "SHA-256");
    const bool is_md5 = given->algorithm.empty() || same_text(given->algorithm, "MD5");
    const bool fits = ((is_sha && secret.sha256) || (is_md5 && secret.md5)) && same_text(given->qop, "auth");
    const auto known = nonces_.check(given->nonce, now);
    if (!fits || known == nonce_book::verdict::foreign) return {{}, challenge(secret, false, now)};
    const auto algorithm = is_sha ? digest_algorithm::sha256 : digest_algorithm::md5;
    auto ha1 = is_sha ? secret.ha1_sha256 : secret.ha1_md5;
    const bool has_secret = !ha1.empty() || !secret.password.empty();
    if (ha1.empty()) ha1 = hash_hex(algorithm, fmt::format("{}:{}:{}", given->username, realm_, secret.password));
    const auto in_small_letters = [](std::string text) {
        std::transform(text.begin(), text.end(), text.begin(),
                       [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c; });
        return text;
    };
    const auto expected = digest_response(algorithm, in_small_letters(ha1), m.method, given->uri, given->nonce,
                                          fmt::format("{:08x}", given->nc), given->cnonce, given->qop);
    if (!has_secret || !equal_secret(expected, in_small_letters(given->response))) {
        guesses_.wrong(m.source.ip, now);
        if (const auto wait = guesses_.blocked_for(m.source.ip, now); wait != 0) {
            log::warn("sip", "{}: too many wrong passwords, the last for {}; refused for {} s", m.source.ip,
                      clean(given->username), wait);
            return {{}, {403, {{"Retry-After", std::to_string(wait)}}, {}, {}}};
        }
        return {{}, challenge(secret, false, now)};
    }
    const auto used = nonces_.use(given->nonce, given->nc, now);
    if (used != nonce_book::verdict::good) return {{}, challenge(secret, true, now)};
    guesses_.right(m.source.ip);
    return {given->username, {}};
}

} // namespace strowger::sip
