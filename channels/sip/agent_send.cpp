// Answers and requests of ours, written with Sofia's tags.
#include "channels/sip/agent_impl.hpp"

namespace strowger::sip {

/// The Vias of an answer where Sofia's own would lack `received`, which RFC 3581 §4 wants beside rport in any case; else null.
const sip_via_t* agent::impl::answered_via(su_home_t* home, msg_t* raw) {
    const auto* via = raw == nullptr ? nullptr : sip_object(raw)->sip_via;
    const auto* from = raw == nullptr ? nullptr : msg_addr(raw);
    if (via == nullptr || via->v_rport == nullptr || via->v_received != nullptr || from == nullptr) return nullptr;
    auto* out = sip_via_dup(home, via);
    if (out != nullptr)
        msg_header_replace_param(home, out->v_common, su_sprintf(home, "received=%s", read_origin(raw, nullptr).peer.ip.c_str()));
    return out;
}

void agent::reply(transaction_id id, response r) {
    const auto it = impl_->servers.find(id);
    if (it == impl_->servers.end()) return;
    auto* irq = it->second->irq;
    if (nta_incoming_status(irq) >= 200) return; // too late, as when a CANCEL was faster
    if (!impl_->set.user_agent.empty() && r.status > 100) r.headers.push_back({"Server", impl_->set.user_agent});
    const auto block = header_block(r.headers);
    const bool with_body = !r.body.empty();
    const auto type = clean(r.content_type);
    su_home_t home[1] = {SU_HOME_INIT(home)};
    su_home_init(home);
    msg_t* asked = nta_incoming_getrequest(irq);
    const sip_via_t* via = impl::answered_via(home, asked);
    nta_incoming_treply(irq, r.status, nullptr, TAG_IF(via != nullptr, SIPTAG_VIA(via)),
                        TAG_IF(!block.empty(), SIPTAG_HEADER_STR(block.c_str())),
                        TAG_IF(with_body, SIPTAG_CONTENT_TYPE_STR(type.c_str())),
                        TAG_IF(with_body, SIPTAG_PAYLOAD_STR(r.body.c_str())), TAG_END());
    su_home_deinit(home);
    if (impl_->traced()) {
        if (msg_t* sent = nta_incoming_getresponse(irq)) {
            if (const auto* sip = sip_object(sent))
                impl_->trace("->", impl_->convert(sip, asked, nta_incoming_transport(impl_->nta, irq, asked)));
            msg_destroy(sent);
        }
    }
    if (asked != nullptr) msg_destroy(asked);
    if (r.status >= 300 || (r.status >= 200 && !it->second->invite)) forget_server(id);
}

std::string agent::tag(transaction_id id) const {
    const auto it = impl_->servers.find(id);
    return it == impl_->servers.end() ? std::string() : text_of(nta_incoming_gettag(it->second->irq));
}

void agent::forget_server(transaction_id id) {
    const auto it = impl_->servers.find(id);
    if (it == impl_->servers.end()) return;
    auto gone = std::move(it->second);
    impl_->servers.erase(it);
    nta_incoming_destroy(gone->irq);
    impl_->dead_servers.push_back(std::move(gone));
}

std::string new_branch() { return "z9hG4bK" + random_hex(12); }

bool agent::impl::start(client& c, const request& r, bool tcp) {
    const auto hop = parse_uri(r.next_hop).value_or(uri{});
    const char* ident = nullptr;
    for (std::size_t i = 0; i < self->bound_.size(); ++i)
        if (self->bound_[i].ip == r.local_address && ident == nullptr) ident = idents[i].c_str();
    const bool is_ack = r.method == "ACK";
    auto block = header_block(r.headers);
    for (const auto& route : r.routes) block += fmt::format("Route: {}\r\n", clean(route));
    block += fmt::format("Max-Forwards: {}\r\n", r.max_forwards);
    if (!set.user_agent.empty()) block += fmt::format("User-Agent: {}\r\n", set.user_agent);
    const auto start = fmt::format("{} {} SIP/2.0", r.method, clean(r.uri));
    const auto cseq = fmt::format("{} {}", r.cseq, r.method);
    const auto from = clean(r.from), to = clean(r.to), type = clean(r.content_type);
    const bool with_body = !r.body.empty();
    const auto next =
        fmt::format("sip:{}:{};transport={}", host_text(hop.host), hop.port == 0 ? 5060 : hop.port, tcp ? "tcp" : "udp");
    const auto here = fmt::format("{}:{}", host_text(r.local_address), self->port_on(r.local_address));
    // Sofia knows the addresses of its sockets only, not the one by which a NAT shows us.
    const auto via = r.sent_by.empty() || r.sent_by == here
                         ? std::string()
                         : fmt::format("SIP/2.0/{} {};branch={};rport", tcp ? "TCP" : "UDP", clean(r.sent_by), r.branch);
    msg_t* msg = nta_msg_create(nta, 0);
    auto* sip = msg == nullptr ? nullptr : sip_object(msg);
    if (sip == nullptr) return false;
    if (sip_add_tl(msg, sip, SIPTAG_REQUEST_STR(start.c_str()), TAG_IF(!via.empty(), SIPTAG_VIA_STR(via.c_str())),
                   SIPTAG_FROM_STR(from.c_str()), SIPTAG_TO_STR(to.c_str()), SIPTAG_CALL_ID_STR(r.call_id.c_str()),
                   SIPTAG_CSEQ_STR(cseq.c_str()), SIPTAG_HEADER_STR(block.c_str()),
                   TAG_IF(with_body, SIPTAG_CONTENT_TYPE_STR(type.c_str())),
                   TAG_IF(with_body, SIPTAG_PAYLOAD_STR(r.body.c_str())), TAG_END()) < 0 ||
        sip->sip_request == nullptr || sip->sip_from == nullptr || sip->sip_to == nullptr || sip->sip_cseq == nullptr) {
        log::warn("sip", "{} {}: cannot be written as a SIP message", r.method, clean(r.uri));
        msg_destroy(msg);
        return false;
    }
    // To a user agent Sofia hides what comes after the first 2xx of an INVITE, and ends other forks by a BYE that it does not
    // repeat. Seen as a proxy's, the INVITE brings every 2xx here. The ACK then must not be looked for among the INVITEs either.
    const bool is_invite = r.method == "INVITE";
    if (is_invite) nta_agent_set_params(nta, NTATAG_UA(0), TAG_END());
    c.orq =
        nta_outgoing_mcreate(nta, is_ack ? nullptr : &impl::on_response, &c, reinterpret_cast<const url_string_t*>(next.c_str()),
                             msg, TAG_IF(ident != nullptr, TPTAG_IDENT(ident)), NTATAG_USER_VIA(!via.empty()),
                             NTATAG_BRANCH_KEY(r.branch.c_str()), TAG_IF(is_ack, NTATAG_ACK_BRANCH(r.branch.c_str())), TAG_END());
    if (is_invite) nta_agent_set_params(nta, NTATAG_UA(1), TAG_END());
    if (c.orq == nullptr) {
        msg_destroy(msg);
        log::warn("sip", "{} {}: Sofia would not send it to {}", r.method, clean(r.uri), next);
        return false;
    }
    if (traced()) {
        if (msg_t* sent = nta_outgoing_getrequest(c.orq)) {
            auto m = convert(sip_object(sent), nullptr, nta_outgoing_transport(c.orq));
            m.source.ip = hop.host;
            m.source.port = hop.port == 0 ? 5060 : hop.port;
            trace("->", m);
            msg_destroy(sent);
        }
    }
    return true;
}

bool agent::impl::fall_back(client& c) {
    const auto again = std::move(c.by_udp);
    if (!again) return false;
    auto* const refused = c.orq;
    if (!start(c, *again, false)) {
        c.orq = refused;
        return false;
    }
    nta_outgoing_destroy(refused);
    return true;
}

transaction_id agent::send(request r) {
    constexpr std::size_t most_by_udp = 1300, about_the_rest = 250; // RFC 3261 §18.1.1; start line, Via, Call-ID and the like
    constexpr auto patience = std::chrono::milliseconds(1500);      // for who drops what asks for a connection
    auto& me = *impl_;
    const auto hop = parse_uri(r.next_hop);
    if (!hop || !is_numeric_address(hop->host)) {
        log::warn("sip", "{} {}: the next hop {} is no numeric address", r.method, clean(r.uri), clean(r.next_hop));
        return 0;
    }
    if (r.local_address.empty() || port_on(r.local_address) == 0) r.local_address = local_towards(hop->host).value_or("");
    if (r.branch.empty()) r.branch = new_branch();
    const auto said = param(hop->params, "transport");
    auto size = about_the_rest + r.uri.size() + r.from.size() + r.to.size() + r.body.size();
    for (const auto& h : r.headers) size += h.name.size() + h.value.size() + 4;
    for (const auto& route : r.routes) size += route.size() + 9;
    const bool large = size > most_by_udp && !said && !r.is_flow && r.method != "ACK";
    auto c = std::make_unique<impl::client>(impl::client{&me, ++me.last_id, nullptr, nullptr});
    if (large) c->by_udp = std::make_unique<request>(r);
    if (!me.start(*c, r, large || same_text(said.value_or("udp"), "tcp"))) return 0;
    if (r.method == "ACK") {
        nta_outgoing_destroy(c->orq);
        return 0;
    }
    const auto id = c->id;
    me.clients.emplace(id, std::move(c));
    if (large)
        after(patience, [this, id] {
            if (const auto it = impl_->clients.find(id); it != impl_->clients.end()) impl_->fall_back(*it->second);
        });
    return id;
}

void agent::cancel(transaction_id id, header_list extra) {
    const auto it = impl_->clients.find(id);
    if (it == impl_->clients.end()) return;
    const auto block = header_block(extra);
    nta_outgoing_tcancel(it->second->orq, nullptr, nullptr, TAG_IF(!block.empty(), SIPTAG_HEADER_STR(block.c_str())), TAG_END());
}

void agent::forget_client(transaction_id id) {
    const auto it = impl_->clients.find(id);
    if (it == impl_->clients.end()) return;
    auto gone = std::move(it->second);
    impl_->clients.erase(it);
    nta_outgoing_destroy(gone->orq);
    impl_->dead_clients.push_back(std::move(gone));
}

void agent::retire_client(transaction_id id) {
    constexpr auto t1_64 = std::chrono::seconds(32);
    after(t1_64, [this, id] { forget_client(id); });
}

std::uint16_t agent::port_on(std::string_view ip) const {
    for (const auto& l : bound_)
        if (l.ip == ip) return l.port;
    return 0;
}

result<std::string> agent::local_towards(std::string_view numeric) const {
    auto own = local_address_towards(numeric);
    if (!own) return own;
    if (port_on(*own) != 0) return own;
    const bool v6 = numeric.find(':') != std::string_view::npos;
    for (const auto& l : bound_)
        if ((l.ip.find(':') != std::string::npos) == v6) return l.ip;
    return fail("we listen on no address from which {} can be reached", numeric);
}

agent::figures agent::load() const {
    figures f;
    usize_t requests = 0, responses = 0, bad = 0, retransmitted = 0, sent = 0;
    nta_agent_get_stats(impl_->nta, NTATAG_S_RECV_REQUEST_REF(requests), NTATAG_S_RECV_RESPONSE_REF(responses),
                        NTATAG_S_BAD_MESSAGE_REF(bad), NTATAG_S_RETRY_REQUEST_REF(retransmitted), NTATAG_S_SENT_MSG_REF(sent),
                        TAG_END());
    f.requests = requests;
    f.responses = responses;
    f.bad = bad;
    f.retransmitted = retransmitted;
    f.sent = sent;
    f.servers = impl_->servers.size();
    f.clients = impl_->clients.size();
    f.timers = impl_->timers.size();
    return f;
}

} // namespace strowger::sip
