#include "channels/sip/registrar.hpp"
#include "channels/sip/text.hpp"
#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>

namespace strowger::sip {
namespace {

response bad(int status, header_list headers = {}) { return {status, std::move(headers), {}, {}}; }

} // namespace

std::variant<response, registration> read_register(const message& m, const settings& set) {
    registration r;
    const auto contacts = m.all("Contact");
    std::uint32_t default_expires = set.max_expires;
    if (const auto* header = m.find("Expires")) default_expires = parse_number(trim(*header)).value_or(set.max_expires);
    const bool star = std::any_of(contacts.begin(), contacts.end(), [](const std::string& c) { return trim(c) == "*"; });
    if (star) {
        if (contacts.size() != 1 || m.find("Expires") == nullptr || default_expires != 0) return bad(400);
        r.remove_all = true;
        return r;
    }
    if (contacts.size() > set.max_contacts) return bad(403);
    std::string path;
    for (const auto& p : m.all("Path")) path += (path.empty() ? "" : ", ") + clean(p);
    for (const auto& text : contacts) {
        const auto contact = parse_name_addr(text);
        const auto u = contact ? parse_uri(contact->uri) : std::nullopt;
        if (!u || u->scheme != "sip" || contact->uri.size() > 400) return bad(400);
        binding_change c;
        c.address = clean(contact->uri);
        // By TCP the device is reached by its own connection, else only when it cannot be reached as it says.
        c.received = flow_for(m.source, contact->uri);
        c.path = path;
        c.instance = clean(param(contact->params, "+sip.instance").value_or(""));
        c.user_agent = clean(m.get("User-Agent")).substr(0, 128);
        if (const auto q = param(contact->params, "q")) {
            double value = 1;
            const auto [stop, wrong] = std::from_chars(q->data(), q->data() + q->size(), value);
            if (wrong != std::errc() || stop != q->data() + q->size() || !(value >= 0 && value <= 1)) return bad(400);
            c.q = value;
        }
        auto expires = default_expires;
        if (const auto own = param(contact->params, "expires")) expires = parse_number(*own).value_or(set.max_expires);
        if (expires != 0 && expires < set.min_expires) return bad(423, {{"Min-Expires", std::to_string(set.min_expires)}});
        c.lasts = std::chrono::seconds(std::min(expires, set.max_expires));
        c.call_id = m.call_id;
        c.cseq = m.cseq;
        r.changes.push_back(std::move(c));
    }
    return r;
}

response registered_response(const std::vector<binding>& all, instant now) {
    response r{200, {}, {}, {}};
    for (const auto& b : all) {
        const auto left =
            std::chrono::duration_cast<std::chrono::seconds>(b.expires_mono - now + std::chrono::milliseconds(500)).count();
        if (left <= 0) continue;
        auto text = fmt::format("<{}>;expires={}", b.address, left);
        if (b.q < 1) text += fmt::format(";q={:.3g}", b.q);
        if (!b.instance.empty()) text += fmt::format(";+sip.instance=\"{}\"", b.instance);
        r.headers.push_back({"Contact", std::move(text)});
    }
    return r;
}

response registration_refusal(const registration_error& why) {
    switch (why.why) {
    case registration_error::cause::invalid: return bad(400);
    case registration_error::cause::out_of_order: return bad(500, {{"Retry-After", "1"}});
    case registration_error::cause::too_many: return bad(403);
    case registration_error::cause::not_kept: return bad(503, {{"Retry-After", "30"}});
    }
    return bad(500);
}

} // namespace strowger::sip
