// UDP sockets on 127.0.0.1, for the tools that send and relay sound.
#pragma once
#include <arpa/inet.h>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <utility>

namespace strowger::bench {

/// Says what could not be done, and ends the program.
[[noreturn]] inline void give_up(const char* what) {
    std::perror(what);
    std::exit(1);
}

inline sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(port);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

inline const sockaddr* as_sockaddr(const sockaddr_in& a) { return reinterpret_cast<const sockaddr*>(&a); }

/// A socket that does not block, on the first even port from `port` on that is free, and that port.
inline std::pair<int, std::uint16_t> open_socket(std::uint16_t port) {
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) give_up("socket");
    for (; port < 65500; port = static_cast<std::uint16_t>(port + 2)) {
        const auto address = loopback(port);
        if (bind(fd, as_sockaddr(address), sizeof address) == 0) return {fd, port};
        if (errno != EADDRINUSE) give_up("bind");
    }
    std::fprintf(stderr, "no free port is left\n");
    std::exit(1);
}

/// Lets the process open as many files as it may.
inline void allow_many_sockets() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) give_up("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) give_up("setrlimit");
}

/// A whole number from 1 to `most` of the command line, else the usage.
inline int argument(int argc, char** argv, int index, int most, const char* usage) {
    const int value = index < argc ? std::atoi(argv[index]) : 0;
    if (value >= 1 && value <= most) return value;
    std::fprintf(stderr, "usage: %s %s\n", argv[0], usage);
    std::exit(2);
}

} // namespace strowger::bench
