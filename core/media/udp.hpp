// UDP sockets and their addresses, as media needs them: numeric, non-blocking, closed by scope.
#pragma once
#include "core/base/result.hpp"
#include <cstdint>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <utility>

namespace strowger::media {

/// An IPv4 or IPv6 address with a port, or none.
class socket_address {
public:
    socket_address() noexcept : v6_{} {}
    /// Numeric addresses only; none for other text.
    static socket_address parse(const std::string& address, std::uint16_t port) noexcept;

    explicit operator bool() const noexcept { return family() != AF_UNSPEC; }
    int family() const noexcept { return any_.sa_family; }
    std::uint16_t port() const noexcept;
    /// 0.0.0.0 or ::.
    bool unspecified() const noexcept;
    bool same_address(const socket_address& other) const noexcept;
    bool operator==(const socket_address& other) const noexcept;
    /// "192.0.2.1:5004", "[2001:db8::1]:5004"; empty for none.
    std::string text() const;

    sockaddr* data() noexcept { return &any_; }
    const sockaddr* data() const noexcept { return &any_; }
    socklen_t size() const noexcept { return family() == AF_INET ? sizeof v4_ : sizeof v6_; }
    static constexpr socklen_t capacity = sizeof(sockaddr_in6);

private:
    union {
        sockaddr any_;
        sockaddr_in v4_;
        sockaddr_in6 v6_;
    };
};

/// Owns a descriptor.
class udp_socket {
public:
    udp_socket() noexcept = default;
    explicit udp_socket(int fd) noexcept : fd_(fd) {}
    udp_socket(udp_socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    udp_socket& operator=(udp_socket&& other) noexcept {
        if (this != &other) {
            close();
            fd_ = std::exchange(other.fd_, -1);
        }
        return *this;
    }
    ~udp_socket() { close(); }

    int fd() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }
    void close() noexcept;

private:
    int fd_ = -1;
};

/// A socket of that family, SOCK_NONBLOCK and SOCK_CLOEXEC, marked as voice (DSCP EF, RFC 4594). On failure errno says why and
/// the socket is none.
udp_socket open_udp(int family) noexcept;
/// Binds it there, or closes it: the same on failure.
udp_socket bind_udp(udp_socket s, const socket_address& local) noexcept;
/// Both.
udp_socket bind_udp(const socket_address& local) noexcept;

} // namespace strowger::media
