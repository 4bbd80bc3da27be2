#include "channels/sip/trunk_registration.hpp"
#include "channels/sip/digest.hpp"
#include "channels/sip/text.hpp"
#include "channels/sip/user_agent.hpp"
#include "core/base/ids.hpp"
#include "core/base/log.hpp"
#include <algorithm>
#include <fmt/format.h>

namespace strowger::sip {
namespace {

constexpr std::uint32_t longest_pause = 1800; // seconds (RFC 5626 §4.5)

double share(double least, double most) { return least + (most - least) * static_cast<double>(random_u64() % 10'000) / 10'000; }

duration seconds(double s) { return std::chrono::duration_cast<duration>(std::chrono::duration<double>(s)); }

} // namespace

trunk_registration::trunk_registration(user_agent& owner, const trunk_settings& set)
    : ua_(owner), set_(set), call_id_(random_hex(16)), expires_(static_cast<std::uint32_t>(set.register_seconds.count())) {}

void trunk_registration::start(duration delay) {
    if (!set_.register_) return;
    phase_ = phase::trying;
    plan(delay);
}

void trunk_registration::end() {
    ending_ = true;
    if (timer_ != 0) ua_.stack().cancel_timer(std::exchange(timer_, 0));
    if (phase_ == phase::registered) send(0);
}

void trunk_registration::plan(duration delay) {
    if (timer_ != 0) ua_.stack().cancel_timer(timer_);
    next_ = ua_.core().now() + delay;
    timer_ = ua_.stack().after(delay, [this] {
        timer_ = 0;
        tries_ = 0;
        send(expires_);
    });
}

std::string trunk_registration::credentials(std::uint32_t nc) {
    return answer_challenge(challenge_, set_.auth_user, set_.password, "REGISTER", "sip:" + set_.domain, random_hex(8), nc)
        .value_or("");
}

void trunk_registration::send(std::uint32_t expires) {
    const auto hop = set_.hop(host_);
    const auto& peer = set_.hosts[host_ % set_.hosts.size()];
    const auto local = ua_.stack().local_towards(peer.ip);
    if (!local) return fail_with(phase::waiting, local.error().text, 0, true);
    local_address_ = *local;
    request r;
    r.method = "REGISTER";
    r.uri = "sip:" + set_.domain;
    r.to = fmt::format("<sip:{}@{}>", escape_user(set_.user), set_.domain);
    if (tag_.empty()) tag_ = random_hex(8);
    r.from = fmt::format("{};tag={}", r.to, tag_);
    r.call_id = call_id_;
    r.cseq = ++cseq_;
    r.next_hop = hop;
    r.local_address = *local;
    const auto here = ua_.contact_host(*local, peer.ip, &seen_as_);
    r.sent_by = here;
    r.headers = {
        {"Contact", fmt::format("<sip:{}@{}{}>", escape_user(set_.user), here, set_.transport == "tcp" ? ";transport=tcp" : "")},
        {"Expires", std::to_string(expires)},
        {"Allow", allowed_methods()}};
    if (!challenge_.empty())
        if (auto text = credentials(++nonce_count_); !text.empty())
            r.headers.push_back({by_proxy_ ? "Proxy-Authorization" : "Authorization", std::move(text)});
    if (phase_ != phase::registered) phase_ = phase::trying;
    if (!ua_.ask(std::move(r), [this](const message& m) { on_final(m); }))
        fail_with(phase::waiting, "the REGISTER could not be sent", 0, true);
}

bool trunk_registration::learn(const message& m) {
    const auto vias = m.all("Via");
    if (vias.empty() || m.internal) return false;
    const auto semicolon = vias.front().find(';');
    const auto params = semicolon == std::string::npos ? std::string() : vias.front().substr(semicolon + 1);
    const auto ip = param(params, "received").value_or("");
    const auto port = parse_number(param(params, "rport").value_or(""));
    std::string seen;
    // `received` stands there where we came from elsewhere than our Via says; it may say our own address all the same.
    if (is_numeric_address(ip) && ip != local_address_ &&
        (ip.find(':') == std::string::npos) == (local_address_.find(':') == std::string::npos))
        seen = fmt::format("{}:{}", host_text(ip),
                           set_.transport == "udp" && port && *port != 0 && *port < 65536 ? *port
                                                                                          : ua_.stack().port_on(local_address_));
    if (seen == seen_as_ || (ip.empty() && !seen_as_.empty())) return false; // our Via is right now
    seen_as_ = std::move(seen);
    return true;
}

bool trunk_registration::answer_challenge_of(const message& m) {
    for (const auto& h : m.headers) {
        const bool by_proxy = same_text(h.name, "Proxy-Authenticate");
        if (!by_proxy && !same_text(h.name, "WWW-Authenticate")) continue;
        const auto asked = parse_challenge(h.value);
        if (!asked) continue;
        if (tries_ > 0 && !(asked->stale && tries_ < 3)) return false;
        // Credentials sent unasked with an old nonce are no try: the password was not refused by that.
        ++tries_;
        challenge_ = h.value;
        by_proxy_ = by_proxy;
        nonce_count_ = 0;
        send(ending_ ? 0 : expires_);
        return true;
    }
    return false;
}

void trunk_registration::on_final(const message& m) {
    const bool moved = learn(m);
    if (m.status < 300) {
        if (ending_) {
            phase_ = phase::off;
            return;
        }
        on_success(m);
        if (moved && phase_ == phase::registered) { // our Contact was not the one by which we are reached
            log::info("sip", "trunk {}: we are seen as {}", set_.name, seen_as_.empty() ? local_address_ : seen_as_);
            tries_ = 0;
            send(expires_);
        }
        return;
    }
    const auto retry_after =
        parse_number(trim(m.get("Retry-After").substr(0, m.get("Retry-After").find_first_of(" ;(")))).value_or(0);
    if (m.status == 401 || m.status == 407) {
        if (set_.password.empty()) return fail_with(phase::refused, "a password is asked for; set one", 0, false);
        if (answer_challenge_of(m)) return;
        challenge_.clear();
        const bool known = tries_ > 0;
        return fail_with(phase::refused,
                         known ? "the user or the password was refused" : "a digest is asked for that is not known", 0, false);
    }
    if (ending_) return;
    if (m.status == 423) {
        const auto least = parse_number(trim(m.get("Min-Expires"))).value_or(0);
        if (least > expires_ && least <= 86400) {
            expires_ = least;
            return send(expires_);
        }
        return fail_with(phase::refused, "423 without a Min-Expires that helps", retry_after, false);
    }
    if (m.internal) return fail_with(phase::waiting, m.status == 408 ? "no answer" : "cannot be reached", 0, true);
    const bool for_good = m.status == 403 || m.status == 404;
    fail_with(for_good ? phase::refused : phase::waiting, fmt::format("SIP {}", m.status), retry_after,
              m.status == 408 || m.status >= 500);
}

void trunk_registration::on_success(const message& m) {
    std::optional<std::uint32_t> granted;
    if (const auto* header = m.find("Expires")) granted = parse_number(trim(*header));
    for (const auto& text : m.all("Contact")) { // one of them is ours; others are the account's further devices
        const auto a = parse_name_addr(text);
        const auto u = a ? parse_uri(a->uri) : std::nullopt;
        if (!u || u->user != set_.user || (u->host != local_address_ && !seen_as_.starts_with(host_text(u->host)))) continue;
        if (const auto own = parse_number(param(a->params, "expires").value_or(""))) granted = own;
    }
    const auto lasts = std::clamp<std::uint32_t>(granted.value_or(expires_), 5, 86400);
    if (phase_ != phase::registered || failures_ != 0)
        log::info("sip", "trunk {}: registered at {} for {} s", set_.name, set_.hop(host_), lasts);
    phase_ = phase::registered;
    reason_.clear();
    failures_ = tries_ = 0;
    plan(seconds(lasts * share(0.70, 0.85))); // time for three retransmissions, and not all trunks in one moment
}

void trunk_registration::fail_with(phase p, std::string reason, std::uint32_t retry_after, bool next_host) {
    if (ending_) return;
    if (reason != reason_ || failures_ == 0)
        log::warn("sip", "trunk {}: not registered at {}: {}", set_.name, set_.hop(host_), reason);
    phase_ = p;
    reason_ = std::move(reason);
    tries_ = 0;
    if (next_host && ++host_ % set_.hosts.size() != 0) return plan(duration::zero()); // the others first, without a pause
    if (next_host) host_ = 0;
    const auto base = static_cast<double>(set_.retry_seconds.count()) * (p == phase::refused ? 4 : 1);
    const auto pause = std::min<double>(base * static_cast<double>(1u << std::min(failures_++, 10u)), longest_pause);
    plan(seconds(std::max(pause * share(0.5, 1), static_cast<double>(std::min<std::uint32_t>(retry_after, 3600)))));
}

void trunk_registration::describe(std::string& state, std::string& reason, std::int64_t& in_seconds) const {
    switch (phase_) {
    case phase::off: state = set_.register_ ? "off" : "open"; break; // needs no registration
    case phase::trying: state = "registering"; break;
    case phase::registered: state = "registered"; break;
    case phase::waiting: state = "unreachable"; break;
    case phase::refused: state = "refused"; break;
    }
    reason = reason_;
    in_seconds = timer_ == 0 ? 0 : std::chrono::duration_cast<std::chrono::seconds>(next_ - ua_.core().now()).count();
}

} // namespace strowger::sip
