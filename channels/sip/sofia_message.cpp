#include "channels/sip/sofia_message.hpp"
#include "channels/sip/text.hpp"
#include <algorithm>
#include <arpa/inet.h>
#include <netinet/in.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <sofia-sip/msg_addr.h>
#include <sofia-sip/nta.h>
#include <sofia-sip/nta_tport.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/tport.h>
#pragma GCC diagnostic pop

namespace strowger::sip {
namespace {

std::string text_of(const char* s) { return s == nullptr ? std::string() : std::string(s); }

/// The value as it was sent, in one line; Sofia's own writer loses parts of long ones.
std::string raw_value(const sip_header_t* h) {
    std::string_view line(static_cast<const char*>(h->sh_data), h->sh_len);
    line.remove_prefix(std::min(line.find(':'), line.size() - 1) + 1);
    std::string out(trim(line));
    std::erase(out, '\r');
    std::replace(out.begin(), out.end(), '\n', ' '); // folded (RFC 3261 §7.3.1)
    return out;
}

std::string header_text(const sip_header_t* h) {
    std::string out(512, '\0');
    for (;;) {
        const auto needed = sip_header_field_e(out.data(), static_cast<isize_t>(out.size()), h, 0);
        if (needed < 0) return {};
        if (static_cast<std::size_t>(needed) < out.size()) {
            out.resize(static_cast<std::size_t>(needed));
            return std::string(trim(out));
        }
        out.resize(static_cast<std::size_t>(needed) + 1);
    }
}

} // namespace

origin read_origin(msg_t* raw, tport_t* through) {
    origin o;
    if (raw != nullptr) {
        if (const su_sockaddr_t* from = msg_addr(raw)) {
            char text[INET6_ADDRSTRLEN] = "";
            if (from->su_family == AF_INET)
                inet_ntop(AF_INET, &from->su_sin.sin_addr, text, sizeof text);
            else if (from->su_family == AF_INET6)
                inet_ntop(AF_INET6, &from->su_sin6.sin6_addr, text, sizeof text);
            o.peer.ip = text;
            o.peer.port = ntohs(from->su_port);
        }
    }
    if (through == nullptr) return o;
    const tp_name_t* name = tport_name(through);
    o.peer.transport = text_of(name->tpn_proto);
    std::transform(o.peer.transport.begin(), o.peer.transport.end(), o.peer.transport.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (name->tpn_ident != nullptr && name->tpn_ident[0] == 'l')
        o.listener = parse_number(name->tpn_ident + 1).value_or(origin::unknown);
    return o;
}

message read_message(const sip_t* sip, msg_t* raw, tport_t* through, const std::vector<listen_address>& bound) {
    message m;
    su_home_t home[1] = {SU_HOME_INIT(home)};
    su_home_init(home);
    if (sip->sip_request != nullptr) {
        m.method = text_of(sip->sip_request->rq_method_name);
        if (char* u = url_as_string(home, sip->sip_request->rq_url)) m.uri = u;
    } else if (sip->sip_status != nullptr) {
        m.status = sip->sip_status->st_status;
        if (sip->sip_cseq != nullptr) m.method = text_of(sip->sip_cseq->cs_method_name);
    }
    m.internal = nta_sip_is_internal(sip) != 0;
    if (sip->sip_from != nullptr) m.from_tag = text_of(sip->sip_from->a_tag);
    if (sip->sip_to != nullptr) m.to_tag = text_of(sip->sip_to->a_tag);
    if (sip->sip_call_id != nullptr) m.call_id = text_of(sip->sip_call_id->i_id);
    if (sip->sip_cseq != nullptr) m.cseq = sip->sip_cseq->cs_seq;
    if (sip->sip_payload != nullptr && sip->sip_payload->pl_data != nullptr)
        m.body.assign(sip->sip_payload->pl_data, sip->sip_payload->pl_len);

    bool whole_line = false;
    const auto add = [&](const sip_header_t* h) {
        if (h == nullptr || h->sh_class == nullptr) return;
        const auto* hc = h->sh_class;
        if (hc->hc_hash == -1 || sip_is_request(h) || sip_is_status(h) || sip_is_payload(h) || sip_is_separator(h) ||
            sip_is_error(h))
            return;
        if (hc->hc_name == nullptr || hc->hc_name[0] == 0) { // a header that Sofia does not know
            if (h->sh_unknown->un_name != nullptr)
                m.headers.push_back({h->sh_unknown->un_name, text_of(h->sh_unknown->un_value)});
            return;
        }
        const bool has_text = h->sh_data != nullptr;
        if (has_text && h->sh_len == 0 && whole_line && !m.headers.empty() && m.headers.back().name == hc->hc_name) return;
        whole_line = has_text && h->sh_len > 1; // further values of one line follow without text of their own
        m.headers.push_back({hc->hc_name, whole_line ? raw_value(h) : header_text(h)});
    };
    const auto* first = sip->sip_request != nullptr ? reinterpret_cast<const sip_header_t*>(sip->sip_request)
                                                    : reinterpret_cast<const sip_header_t*>(sip->sip_status);
    for (const auto* h = first; h != nullptr; h = reinterpret_cast<const sip_header_t*>(h->sh_succ)) add(h);
    m.from = m.get("From");
    m.to = m.get("To");

    const auto from = read_origin(raw, through);
    m.source = from.peer;
    if (from.listener < bound.size()) m.local_address = bound[from.listener].ip;
    su_home_deinit(home);
    return m;
}

} // namespace strowger::sip
