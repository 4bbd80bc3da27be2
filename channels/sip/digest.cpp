#include "channels/sip/digest.hpp"
#include "channels/sip/text.hpp"
#include "core/base/ids.hpp"
#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <set>
#include <stdexcept>
#include <vector>

namespace strowger::sip {
namespace {

constexpr std::size_t longest_parameter = 512;
constexpr std::size_t longest_header = 4096;
constexpr std::size_t most_remembered = 50'000;

std::string hex(const unsigned char* bytes, std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) out += fmt::format("{:02x}", bytes[i]);
    return out;
}

/// The text of a quoted-string, or a token as it is. Nothing for quotes that stand anywhere else, and for what is too long.
std::optional<std::string> unquoted(std::string_view value) {
    if (value.size() > longest_parameter + 2) return std::nullopt;
    std::string out;
    if (!value.starts_with('"')) {
        if (value.find('"') != std::string_view::npos || value.size() > longest_parameter) return std::nullopt;
        return std::string(value);
    }
    std::size_t i = 1;
    for (; i < value.size() && value[i] != '"'; ++i) {
        if (value[i] == '\\' && i + 1 < value.size()) ++i;
        out += value[i];
    }
    if (i + 1 != value.size()) return std::nullopt;
    return out;
}

/// Calls `take(name, value)` for each parameter after the scheme; false when the text is broken.
template <class F> bool each_parameter(std::string_view header, F&& take) {
    header = trim(header);
    if (header.size() > longest_header || header.size() < 7 || !same_text(header.substr(0, 6), "Digest") ||
        (header[6] != ' ' && header[6] != '\t'))
        return false;
    for (const auto& piece : split_list(header.substr(7))) {
        const auto equals = piece.find('=');
        if (equals == std::string::npos) return false;
        auto value = unquoted(trim(std::string_view(piece).substr(equals + 1)));
        if (!value || !take(trim(std::string_view(piece).substr(0, equals)), std::move(*value))) return false;
    }
    return true;
}

} // namespace

std::optional<digest_credentials> parse_credentials(std::string_view header) {
    digest_credentials c;
    std::set<std::string> seen;
    std::string nc;
    const bool whole = each_parameter(header, [&](std::string_view name, std::string value) {
        std::string* const fields[] = {&c.username,  &c.realm,  &c.nonce, &c.uri,    &c.response,
                                       &c.algorithm, &c.cnonce, &c.qop,   &c.opaque, &nc};
        constexpr std::string_view names[] = {"username",  "realm",  "nonce", "uri",    "response",
                                              "algorithm", "cnonce", "qop",   "opaque", "nc"};
        for (std::size_t i = 0; i < std::size(names); ++i) {
            if (!same_text(names[i], name)) continue;
            if (!seen.insert(std::string(names[i])).second) return false;
            *fields[i] = std::move(value);
        }
        return true;
    });
    if (!whole || c.username.empty() || c.nonce.empty() || c.uri.empty() || c.response.empty() || c.cnonce.empty())
        return std::nullopt;
    const auto [stop, wrong] = std::from_chars(nc.data(), nc.data() + nc.size(), c.nc, 16);
    if (nc.size() != 8 || wrong != std::errc() || stop != nc.data() + nc.size()) return std::nullopt;
    return c;
}

std::string hash_hex(digest_algorithm a, std::string_view text) {
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (EVP_Digest(text.data(), text.size(), out, &length, a == digest_algorithm::md5 ? EVP_md5() : EVP_sha256(), nullptr) != 1)
        return {};
    return hex(out, length);
}

std::string digest_response(digest_algorithm a, std::string_view username, std::string_view realm, std::string_view password,
                            std::string_view method, std::string_view uri, std::string_view nonce, std::string_view nc,
                            std::string_view cnonce, std::string_view qop) {
    return digest_response(a, hash_hex(a, fmt::format("{}:{}:{}", username, realm, password)), method, uri, nonce, nc, cnonce,
                           qop);
}

std::string digest_response(digest_algorithm a, std::string_view ha1, std::string_view method, std::string_view uri,
                            std::string_view nonce, std::string_view nc, std::string_view cnonce, std::string_view qop) {
    const auto a2 = hash_hex(a, fmt::format("{}:{}", method, uri));
    if (qop.empty()) return hash_hex(a, fmt::format("{}:{}:{}", ha1, nonce, a2));
    return hash_hex(a, fmt::format("{}:{}:{}:{}:{}:{}", ha1, nonce, nc, cnonce, qop, a2));
}

std::optional<digest_challenge> parse_challenge(std::string_view header) {
    digest_challenge c;
    bool offers_qop = false;
    const bool whole = each_parameter(header, [&](std::string_view name, std::string value) {
        if (same_text(name, "realm")) c.realm = std::move(value);
        else if (same_text(name, "nonce")) c.nonce = std::move(value);
        else if (same_text(name, "algorithm")) c.algorithm = std::move(value);
        else if (same_text(name, "opaque")) c.opaque = std::move(value);
        else if (same_text(name, "stale")) c.stale = same_text(value, "true");
        else if (same_text(name, "qop")) {
            offers_qop = true;
            for (const auto& one : split_list(value)) c.qop = c.qop || same_text(one, "auth");
        }
        return true;
    });
    if (!whole || c.nonce.empty() || (offers_qop && !c.qop)) return std::nullopt;
    if (!c.algorithm.empty() && !same_text(c.algorithm, "MD5") && !same_text(c.algorithm, "SHA-256")) return std::nullopt;
    return c;
}

std::optional<std::string> answer_challenge(std::string_view challenge, std::string_view username, std::string_view password,
                                            std::string_view method, std::string_view uri, std::string_view cnonce,
                                            std::uint32_t nc) {
    const auto c = parse_challenge(challenge);
    if (!c) return std::nullopt;
    const auto a = same_text(c->algorithm, "SHA-256") ? digest_algorithm::sha256 : digest_algorithm::md5;
    const auto count = fmt::format("{:08x}", nc);
    const auto response =
        digest_response(a, username, c->realm, password, method, uri, c->nonce, count, cnonce, c->qop ? "auth" : "");
    auto out = fmt::format(R"(Digest username={}, realm={}, nonce={}, uri={}, response="{}")", quoted(username), quoted(c->realm),
                           quoted(c->nonce), quoted(uri), response);
    if (!c->algorithm.empty()) out += ", algorithm=" + c->algorithm;
    if (!c->opaque.empty()) out += ", opaque=" + quoted(c->opaque);
    if (c->qop) out += fmt::format(", qop=auth, nc={}, cnonce={}", count, quoted(cnonce));
    return out;
}

nonce_book::nonce_book(std::string key, std::uint32_t seconds) : lifetime_(seconds) {
    EVP_MAC* hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    keyed_.reset(EVP_MAC_CTX_new(hmac));
    EVP_MAC_free(hmac);
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string("digest", digest, 0), OSSL_PARAM_construct_end()};
    if (!keyed_ || EVP_MAC_init(keyed_.get(), reinterpret_cast<const unsigned char*>(key.data()), key.size(), parameters) != 1)
        throw std::runtime_error("OpenSSL has no HMAC with SHA-256, which nonces need");
}

void nonce_book::freed::operator()(evp_mac_ctx_st* c) const noexcept { EVP_MAC_CTX_free(c); }

std::string nonce_book::mac(std::string_view body) const {
    const std::unique_ptr<evp_mac_ctx_st, freed> one(EVP_MAC_CTX_dup(keyed_.get()));
    unsigned char out[EVP_MAX_MD_SIZE];
    std::size_t length = 0;
    if (!one || EVP_MAC_update(one.get(), reinterpret_cast<const unsigned char*>(body.data()), body.size()) != 1 ||
        EVP_MAC_final(one.get(), out, &length, sizeof out) != 1)
        throw std::bad_alloc();
    return hex(out, 12);
}

std::string nonce_book::make(std::int64_t now) {
    const auto body = fmt::format("{:08x}{}", static_cast<std::uint32_t>(now), random_hex(4));
    return body + mac(body);
}

nonce_book::verdict nonce_book::check(std::string_view nonce, std::int64_t now) const {
    constexpr std::size_t body_size = 16, mac_size = 24;
    if (nonce.size() != body_size + mac_size || !equal_secret(mac(nonce.substr(0, body_size)), nonce.substr(body_size)))
        return verdict::foreign;
    std::uint32_t made = 0;
    std::from_chars(nonce.data(), nonce.data() + 8, made, 16);
    const auto age = now - static_cast<std::int64_t>(made);
    return age < -60 || age > lifetime_ ? verdict::stale : verdict::good;
}

nonce_book::verdict nonce_book::use(std::string_view nonce, std::uint32_t nc, std::int64_t now) {
    if (const auto v = check(nonce, now); v != verdict::good) return v;
    if (nc == 0) return verdict::replayed;
    if (used_.size() >= most_remembered) // what is forgotten would be replayable, so all goes that is stale anyway, and no more
        std::erase_if(used_, [&](const auto& u) { return now - u.second.made > lifetime_; });
    if (used_.size() >= most_remembered && used_.find(nonce) == used_.end()) return verdict::stale;
    auto& u = used_[std::string(nonce)];
    if (u.made == 0) u.made = now;
    if (nc > u.highest) {
        const auto step = nc - u.highest;
        u.window = step >= 64 ? 1 : (u.window << step) | 1;
        u.highest = nc;
        return verdict::good;
    }
    const auto back = u.highest - nc;
    if (back >= 64 || ((u.window >> back) & 1) != 0) return verdict::replayed;
    u.window |= std::uint64_t(1) << back;
    return verdict::good;
}

bool equal_secret(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) return false;
    unsigned difference = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        difference |= static_cast<unsigned>(static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]));
    return difference == 0;
}

std::uint32_t guess_limit::blocked_for(std::string_view source, std::int64_t now) const {
    const auto it = sources_.find(source);
    return it == sources_.end() || it->second.until <= now ? 0 : static_cast<std::uint32_t>(it->second.until - now);
}

void guess_limit::wrong(std::string_view source, std::int64_t now) {
    constexpr unsigned allowed = 5;
    if (sources_.size() >= most_remembered) forget_old(now);
    if (sources_.size() >= most_remembered) return; // a flood of forged sources is not worth more memory
    auto& r = sources_[std::string(source)];
    if (now - r.since > 60) {
        r.count = 0;
        r.since = now;
        if (now - r.until > 3600) r.blocks = 0;
    }
    if (++r.count < allowed) return;
    r.until = now + (std::int64_t(5) << std::min(r.blocks, 9u)); // 5 s, doubled up to 43 min
    ++r.blocks;
    r.count = 0;
}

void guess_limit::right(std::string_view source) {
    if (const auto it = sources_.find(source); it != sources_.end()) sources_.erase(it);
}

void guess_limit::forget_old(std::int64_t now) {
    std::erase_if(sources_, [&](const auto& s) { return s.second.until < now && now - s.second.since > 60; });
}

} // namespace strowger::sip
