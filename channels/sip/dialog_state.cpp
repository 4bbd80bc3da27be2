#include "channels/sip/dialog_state.hpp"
#include "channels/sip/text.hpp"
#include "core/base/value.hpp"

namespace strowger::sip {
namespace {

std::string uri_of(std::string_view route) {
    const auto a = parse_name_addr(route);
    return a ? a->uri : std::string();
}

bool is_strict(const std::vector<std::string>& routes) {
    if (routes.empty()) return false;
    const auto first = parse_uri(uri_of(routes.front()));
    return first && !param(first->params, "lr");
}

} // namespace

std::string dialog_state::request_uri() const { return is_strict(route_set) ? uri_of(route_set.front()) : remote_target; }

std::vector<std::string> dialog_state::routes() const {
    if (!is_strict(route_set)) return route_set;
    std::vector<std::string> out(route_set.begin() + 1, route_set.end());
    out.push_back("<" + remote_target + ">");
    return out;
}

std::string dialog_state::local_host() const {
    const auto contact = parse_uri(uri_of(local_contact));
    return contact ? host_text(contact->host) + ":" + std::to_string(contact->port == 0 ? 5060 : contact->port) : std::string();
}

std::string dialog_state::next_hop() const {
    if (!route_set.empty()) return uri_of(route_set.front());
    return flow.empty() ? remote_target : flow;
}

std::string to_text(const dialog_state& d) {
    value v;
    v["v"] = 1;
    v["call_id"] = d.call_id;
    v["local_tag"] = d.local_tag;
    v["remote_tag"] = d.remote_tag;
    v["local_party"] = d.local_party;
    v["remote_party"] = d.remote_party;
    v["local_cseq"] = d.local_cseq;
    v["remote_cseq"] = d.remote_cseq;
    v["remote_cseq_known"] = d.remote_cseq_known;
    v["we_called"] = d.we_called;
    value::list routes;
    for (const auto& r : d.route_set) routes.emplace_back(r);
    v["route_set"] = std::move(routes);
    v["remote_target"] = d.remote_target;
    v["local_contact"] = d.local_contact;
    v["local_sdp"] = d.local_sdp;
    v["flow"] = d.flow;
    v["local_address"] = d.local_address;
    return to_json(v);
}

result<dialog_state> dialog_from_text(std::string_view text) {
    const auto v = from_json(text);
    if (!v) return fail(v);
    if ((*v)["v"].integer_or(0) != 1) return fail("the dialog's text is of another version; end the call and make it again");
    dialog_state d;
    const auto read = [&](const char* name, std::string& out) { out = (*v)[name].text_or(""); };
    read("call_id", d.call_id);
    read("local_tag", d.local_tag);
    read("remote_tag", d.remote_tag);
    read("local_party", d.local_party);
    read("remote_party", d.remote_party);
    d.local_cseq = static_cast<std::uint32_t>((*v)["local_cseq"].integer_or(0));
    d.remote_cseq = static_cast<std::uint32_t>((*v)["remote_cseq"].integer_or(0));
    d.remote_cseq_known = (*v)["remote_cseq_known"].boolean_or(false);
    d.we_called = (*v)["we_called"].boolean_or(false);
    if (const auto* routes = (*v)["route_set"].items())
        for (const auto& r : *routes) d.route_set.push_back(r.text_or(""));
    read("remote_target", d.remote_target);
    read("local_contact", d.local_contact);
    read("local_sdp", d.local_sdp);
    read("flow", d.flow);
    read("local_address", d.local_address);
    if (d.call_id.empty() || d.local_tag.empty() || d.remote_target.empty()) return fail("the dialog's text is incomplete");
    return d;
}

} // namespace strowger::sip
