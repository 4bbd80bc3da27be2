#include "channels/sip/listen_address.hpp"
#include "channels/sip/text.hpp"
#include <algorithm>
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

namespace strowger::sip {

result<listen_address> parse_listen(std::string_view text) {
    const auto u = parse_uri("sip:" + std::string(text));
    if (!u || !u->user.empty() || !u->params.empty() || !is_numeric_address(u->host))
        return fail("\"{}\" is no address to listen on; write \"192.0.2.1:5060\", \"[2001:db8::1]:5060\" or \"0.0.0.0:5060\"",
                    clean(text));
    return listen_address{u->host, u->port == 0 ? std::uint16_t(5060) : u->port};
}

std::vector<listen_address> expand_listen(const std::vector<listen_address>& wanted) {
    std::vector<listen_address> out;
    const auto add = [&](const std::string& ip, std::uint16_t port) {
        if (std::none_of(out.begin(), out.end(), [&](const auto& l) { return l.ip == ip && l.port == port; }))
            out.push_back({ip, port});
    };
    for (const auto& w : wanted) {
        if (w.ip != "0.0.0.0" && w.ip != "::") {
            add(w.ip, w.port);
            continue;
        }
        ifaddrs* all = nullptr;
        if (getifaddrs(&all) != 0) continue;
        for (const auto* one = all; one != nullptr; one = one->ifa_next) {
            if (one->ifa_addr == nullptr || (one->ifa_flags & IFF_UP) == 0) continue;
            char text[INET6_ADDRSTRLEN] = "";
            if (w.ip == "0.0.0.0" && one->ifa_addr->sa_family == AF_INET) {
                inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr, text, sizeof text);
            } else if (w.ip == "::" && one->ifa_addr->sa_family == AF_INET6) {
                const auto& address = reinterpret_cast<const sockaddr_in6*>(one->ifa_addr)->sin6_addr;
                if (IN6_IS_ADDR_LINKLOCAL(&address)) continue;
                inet_ntop(AF_INET6, &address, text, sizeof text);
            }
            if (text[0] != 0) add(text, w.port);
        }
        freeifaddrs(all);
    }
    return out;
}

} // namespace strowger::sip
