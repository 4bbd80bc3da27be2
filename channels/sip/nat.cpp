#include "channels/sip/nat.hpp"
#include "channels/sip/text.hpp"
#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace strowger::sip {

std::string peer_address::uri() const {
    return fmt::format("sip:{}:{}{}", host_text(ip), port, transport == "udp" ? "" : ";transport=" + transport);
}
std::string peer_address::text() const { return fmt::format("{}:{}", host_text(ip), port); }

result<std::string> local_address_towards(std::string_view numeric_address) {
    const std::string target(numeric_address);
    sockaddr_in v4{};
    sockaddr_in6 v6{};
    const bool is_v4 = inet_pton(AF_INET, target.c_str(), &v4.sin_addr) == 1;
    if (!is_v4 && inet_pton(AF_INET6, target.c_str(), &v6.sin6_addr) != 1)
        return fail("{}: not a numeric address", clean(target));
    v4.sin_family = AF_INET;
    v6.sin6_family = AF_INET6;
    v4.sin_port = v6.sin6_port = htons(9); // any port does: connect() on UDP only looks for a route
    const int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return std::string(); // no descriptor is left
    sockaddr_storage own{};
    socklen_t size = sizeof own;
    const bool found = connect(fd, is_v4 ? reinterpret_cast<sockaddr*>(&v4) : reinterpret_cast<sockaddr*>(&v6),
                               is_v4 ? sizeof v4 : sizeof v6) == 0 &&
                       getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) == 0;
    const int why = errno;
    close(fd);
    if (!found) return fail("no route to {}: {}", target, std::strerror(why));
    char text[INET6_ADDRSTRLEN] = "";
    if (is_v4)
        inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in*>(&own)->sin_addr, text, sizeof text);
    else
        inet_ntop(AF_INET6, &reinterpret_cast<sockaddr_in6*>(&own)->sin6_addr, text, sizeof text);
    return std::string(text);
}

bool looks_natted(const peer_address& source, std::string_view via_host, std::string_view contact_uri,
                  std::string_view sdp_address) {
    const auto differs = [&](std::string_view host) {
        return is_numeric_address(host) && host != source.ip && host != "0.0.0.0" && host != "::";
    };
    const auto contact = parse_uri(contact_uri);
    return differs(via_host) || (contact && differs(contact->host)) || differs(sdp_address);
}

std::string flow_for(const peer_address& source, std::string_view contact_uri) {
    const auto contact = parse_uri(contact_uri);
    if (!contact) return source.uri();
    const auto transport = param(contact->params, "transport").value_or(source.transport);
    const auto port = contact->port != 0 ? contact->port : std::uint16_t(5060);
    if (source.transport == "udp" && same_text(transport, "udp") && contact->host == source.ip && port == source.port) return {};
    return source.uri();
}

bool has_numeric_host(std::string_view uri_text) {
    const auto u = parse_uri(uri_text);
    return u && u->is_sip() && is_numeric_address(u->host);
}

} // namespace strowger::sip
