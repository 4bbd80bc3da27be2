#include "channels/sip/trunk_settings.hpp"
#include "channels/sip/text.hpp"
#include "core/config/checks.hpp"
#include "core/config/reader.hpp"
#include <algorithm>
#include <fmt/format.h>

namespace strowger::sip {
namespace {

std::string check_host(const std::string& text) {
    if (parse_listen(text)) return {};
    return fmt::format("\"{}\" is no numeric address; write \"192.0.2.1\", \"192.0.2.1:5060\" or \"[2001:db8::1]:5060\"", text);
}

std::string check_range(const std::string& text) {
    const auto r = parse_range(text);
    return r ? std::string() : r.error().text;
}

std::string check_account(const std::string& text) {
    const bool good = !text.empty() && text.size() <= 128 && text.find_first_of("\"\\<>@ ") == std::string::npos;
    return good && clean(text) == text ? std::string() : "must have no quotes, blanks, '@', '<' and '>'";
}

std::string check_secret(const std::string& text) {
    return text.empty() || clean(text) != text ? "must not be empty, and of one line" : std::string();
}

std::string check_domain(const std::string& text) {
    const auto u = parse_uri("sip:" + text);
    return u && u->user.empty() && u->params.empty() ? std::string() : fmt::format("\"{}\" is no domain", text);
}

config::text_check one_of(std::string first, std::string second) {
    return [=](const std::string& text) {
        return text == first || text == second ? std::string() : fmt::format("must be \"{}\" or \"{}\"", first, second);
    };
}

trunk_settings read_trunk(config::reader& r, const std::string& name) {
    trunk_settings t;
    t.name = name;
    std::vector<std::string> hosts, ranges;
    r.texts("hosts", hosts, check_host);
    r.texts("accept_from", ranges, check_range);
    r.text("transport", t.transport, one_of("udp", "tcp"));
    r.text("context", t.context, config::check_identifier);
    r.text("domain", t.domain, check_domain);
    r.text("user", t.user, check_account);
    r.text("auth_user", t.auth_user, check_account);
    r.text("password", t.password, check_secret);
    r.flag("register", t.register_);
    r.span_of_time("register_seconds", t.register_seconds, 10, 86400);
    r.span_of_time("retry_seconds", t.retry_seconds, 1, 1800);
    std::string from = t.user.empty() ? "caller" : "user", number = "uri";
    r.text("from", from, one_of("user", "caller"));
    r.text("number_from", number, one_of("uri", "to"));
    r.flag("trusted", t.trusted);
    r.integer("busy_status", t.busy_status, 400, 699);
    r.integer("max_calls", t.max_calls, 0, 1'000'000);
    std::string driver; // the core's: which channel driver the trunk belongs to
    r.text("driver", driver);
    t.from_user = from == "user";
    t.number_in_to = number == "to";
    if (hosts.empty()) r.complain("hosts", "a trunk needs at least one address: hosts = [\"192.0.2.1:5060\"]");
    if (t.user.empty() && (t.register_ || t.from_user || !t.password.empty()))
        r.complain("user", "must be set where there is a password, register = true or from = \"user\"");
    if (t.user.empty() != t.password.empty() && !t.user.empty() && t.register_)
        r.complain("password", "must be set where register = true");
    for (const auto& text : hosts)
        if (auto host = parse_listen(text)) t.hosts.push_back(std::move(*host));
    const auto family = [](const listen_address& h) { return h.ip.find(':') != std::string::npos; };
    if (std::any_of(t.hosts.begin(), t.hosts.end(), [&](const auto& h) { return family(h) != family(t.hosts.front()); }))
        r.complain("hosts", "must be all IPv4 or all IPv6; make two trunks");
    for (const auto& text : ranges)
        if (auto range = parse_range(text)) t.accept_from.push_back(*range);
    if (ranges.empty()) // from any port: an exchange may call from another one than it listens on
        for (const auto& host : t.hosts)
            if (auto range = parse_range(host.ip)) t.accept_from.push_back(*range);
    if (t.domain.empty() && !t.hosts.empty()) {
        const auto& first = t.hosts.front();
        t.domain = first.port == 5060 ? host_text(first.ip) : fmt::format("{}:{}", host_text(first.ip), first.port);
    }
    if (t.auth_user.empty()) t.auth_user = t.user;
    return t;
}

} // namespace

std::string trunk_settings::hop(std::size_t host) const {
    const auto& h = hosts[host % hosts.size()];
    return fmt::format("sip:{}:{};transport={}", host_text(h.ip), h.port, transport);
}

result<trunk_map> read_trunks(const config::section& trunks) {
    trunk_map out;
    config::problems wrong;
    for (const auto& [name, content] : trunks.fields()) {
        if (!content.fields()) {
            wrong.add({trunks.file(), trunks.where_key(content), fmt::format("write [trunks.{}] on a line of its own", name)});
            continue;
        }
        if (const auto bad = config::check_user_name(name); !bad.empty())
            wrong.add({trunks.file(), trunks.where(content), fmt::format("\"{}\": {}", name, bad)});
        const auto from = trunks.table(name);
        if (const auto driver = from["driver"].text_or("sip"); driver != "sip") continue; // another module's
        config::reader r(from, wrong);
        auto one = read_trunk(r, name);
        r.finish();
        out.emplace(name, std::make_shared<const trunk_settings>(std::move(one)));
    }
    if (!wrong.list.empty()) return fail("{}", wrong.text);
    return out;
}

} // namespace strowger::sip
