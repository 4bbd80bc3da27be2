// The least that a relay of sound costs: pairs of UDP sockets and one epoll, nothing else. Prints its ports, two to a pair, then
// "ready"; each socket answers whoever sends to it first, and runs until it is killed.
#include "tests/bench/loopback.hpp"
#include <array>
#include <sys/epoll.h>
#include <tuple>
#include <vector>

using namespace strowger::bench;

namespace {

struct side {
    int socket = -1;
    bool connected = false;
};

/// Who sends first is connected to: the kernel then drops everybody else, and each packet costs less.
void connect_to_first(side& s) {
    sockaddr_in from{};
    socklen_t size = sizeof from;
    char nothing = 0;
    if (recvfrom(s.socket, &nothing, 1, MSG_PEEK, reinterpret_cast<sockaddr*>(&from), &size) < 0) return;
    if (connect(s.socket, as_sockaddr(from), size) != 0) give_up("connect");
    s.connected = true;
}

} // namespace

int main(int argc, char** argv) {
    const auto pairs = static_cast<std::uint32_t>(argument(argc, argv, 1, 5000, "PAIRS"));
    allow_many_sockets();
    const int poll = epoll_create1(EPOLL_CLOEXEC);
    if (poll < 0) give_up("epoll_create1");
    std::vector<side> sides(2 * pairs);
    std::uint16_t port = 30000;
    for (std::uint32_t i = 0; i < sides.size(); ++i, port = static_cast<std::uint16_t>(port + 2)) {
        std::tie(sides[i].socket, port) = open_socket(port);
        epoll_event want{};
        want.events = EPOLLIN;
        want.data.u32 = i;
        if (epoll_ctl(poll, EPOLL_CTL_ADD, sides[i].socket, &want) != 0) give_up("epoll_ctl");
        std::printf("%u\n", unsigned{port});
    }
    std::printf("ready\n");
    std::fflush(stdout);

    std::array<epoll_event, 256> events{};
    std::array<char, 2048> packet{};
    for (;;) {
        const int count = epoll_wait(poll, events.data(), static_cast<int>(events.size()), -1);
        for (int i = 0; i < count; ++i) {
            const auto index = events[static_cast<std::size_t>(i)].data.u32;
            auto& from = sides[index];
            const auto& to = sides[index ^ 1];
            if (!from.connected) connect_to_first(from);
            const auto size = recv(from.socket, packet.data(), packet.size(), 0);
            if (size > 0 && to.connected) (void)send(to.socket, packet.data(), static_cast<std::size_t>(size), 0);
        }
    }
}
