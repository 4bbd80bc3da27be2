#include "core/media/udp.hpp"
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace strowger::media {

socket_address socket_address::parse(const std::string& address, std::uint16_t port) noexcept {
    socket_address a;
    if (::inet_pton(AF_INET, address.c_str(), &a.v4_.sin_addr) == 1) {
        a.v4_.sin_family = AF_INET;
        a.v4_.sin_port = htons(port);
        return a;
    }
    socket_address b;
    if (::inet_pton(AF_INET6, address.c_str(), &b.v6_.sin6_addr) == 1) {
        b.v6_.sin6_family = AF_INET6;
        b.v6_.sin6_port = htons(port);
    }
    return b;
}

std::uint16_t socket_address::port() const noexcept { return ntohs(family() == AF_INET ? v4_.sin_port : v6_.sin6_port); }

bool socket_address::unspecified() const noexcept {
    return family() == AF_INET ? v4_.sin_addr.s_addr == 0 : IN6_IS_ADDR_UNSPECIFIED(&v6_.sin6_addr) != 0;
}

bool socket_address::same_address(const socket_address& other) const noexcept {
    if (family() != other.family()) return false;
    if (family() == AF_INET) return v4_.sin_addr.s_addr == other.v4_.sin_addr.s_addr;
    return std::memcmp(&v6_.sin6_addr, &other.v6_.sin6_addr, sizeof v6_.sin6_addr) == 0;
}

bool socket_address::operator==(const socket_address& other) const noexcept {
    return same_address(other) && port() == other.port();
}

std::string socket_address::text() const {
    std::array<char, INET6_ADDRSTRLEN> room{};
    if (family() == AF_INET && ::inet_ntop(AF_INET, &v4_.sin_addr, room.data(), room.size()) != nullptr)
        return fmt::format("{}:{}", room.data(), port());
    if (family() == AF_INET6 && ::inet_ntop(AF_INET6, &v6_.sin6_addr, room.data(), room.size()) != nullptr)
        return fmt::format("[{}]:{}", room.data(), port());
    return {};
}

void udp_socket::close() noexcept {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

udp_socket open_udp(int family) noexcept {
    udp_socket s(::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP));
    if (!s) return s;
    constexpr int voice = 46 << 2, one = 1;
    if (family == AF_INET6) {
        ::setsockopt(s.fd(), IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
        ::setsockopt(s.fd(), IPPROTO_IPV6, IPV6_TCLASS, &voice, sizeof voice);
    } else {
        ::setsockopt(s.fd(), IPPROTO_IP, IP_TOS, &voice, sizeof voice);
    }
    return s;
}

udp_socket bind_udp(udp_socket s, const socket_address& local) noexcept {
    if (s && ::bind(s.fd(), local.data(), local.size()) != 0) {
        const int why = errno;
        s.close();
        errno = why;
    }
    return s;
}

udp_socket bind_udp(const socket_address& local) noexcept { return bind_udp(open_udp(local.family()), local); }

} // namespace strowger::media
