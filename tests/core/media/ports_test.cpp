// The pool of RTP ports.
#include "core/media/port_pool.hpp"
#include <catch2/catch.hpp>
#include <fcntl.h>
#include <set>
#include <sys/resource.h>

using namespace strowger;
using namespace strowger::media;

TEST_CASE("a port pair is even and odd, bound where it was asked for, and rests after use") {
    virtual_clock clock;
    const auto pool = std::make_shared<port_pool>(clock, 45001, 45012, 30s);
    REQUIRE(pool->now().total == 5); // 45002 to 45011, one of them for emergency calls
    std::set<std::uint16_t> used;
    {
        auto pair = pool->open("127.0.0.1");
        REQUIRE(pair);
        REQUIRE(pair->rtp_port() % 2 == 0);
        REQUIRE((::fcntl(pair->rtp.fd(), F_GETFL) & O_NONBLOCK) != 0);
        REQUIRE((::fcntl(pair->rtcp.fd(), F_GETFD) & FD_CLOEXEC) != 0);
        socket_address own;
        socklen_t size = socket_address::capacity;
        REQUIRE(::getsockname(pair->rtcp.fd(), own.data(), &size) == 0);
        REQUIRE(own == socket_address::parse("127.0.0.1", pair->rtcp_port()));
        used.insert(pair->rtp_port());
        REQUIRE(pool->now().in_use == 1);
    }
    REQUIRE(pool->now().in_use == 0);
    REQUIRE(pool->now().at_rest == 1);
    std::vector<port_pair> held;
    for (int i = 0; i < 3; ++i) {
        auto pair = pool->open("127.0.0.1");
        REQUIRE(pair);
        REQUIRE(used.insert(pair->rtp_port()).second);
        held.push_back(std::move(*pair));
    }
    const auto none = pool->open("127.0.0.1");
    REQUIRE_FALSE(none);
    REQUIRE(none.error().text.find("3 in use, 1 at rest") != std::string::npos);
    clock.move_to(clock.now() + 2s);
    REQUIRE(pool->open("127.0.0.1"));
}

TEST_CASE("a port rests for its time while there are others, and less when there are none") {
    virtual_clock clock;
    const auto pool = std::make_shared<port_pool>(clock, 45030, 45033, 30s);
    const auto first = pool->open("127.0.0.1")->rtp_port();
    clock.move_to(clock.now() + 29s);
    auto second = pool->open("127.0.0.1");
    REQUIRE(second);
    REQUIRE(second->rtp_port() != first);
    REQUIRE(pool->open("127.0.0.1")->rtp_port() == first);
    REQUIRE_FALSE(pool->open("127.0.0.1"));
    clock.move_to(clock.now() + 2s);
    REQUIRE(pool->open("127.0.0.1")->rtp_port() == first);
}

TEST_CASE("an emergency call gets the pair that is kept back, and then those that rest") {
    virtual_clock clock;
    const auto pool = std::make_shared<port_pool>(clock, 45040, 45047, 30s);
    REQUIRE(pool->now().usable == 3);
    std::vector<port_pair> held;
    for (int i = 0; i < 3; ++i) held.push_back(std::move(*pool->open("127.0.0.1")));
    REQUIRE_FALSE(pool->open("127.0.0.1"));
    REQUIRE(pool->exhausted());
    held.push_back(std::move(*pool->open("127.0.0.1", urgency::emergency)));
    REQUIRE_FALSE(pool->exhausted());
    REQUIRE_FALSE(pool->open("127.0.0.1", urgency::emergency)); // there is truly none
    const auto resting = held.front().rtp_port();
    held.front().close();
    REQUIRE_FALSE(pool->open("127.0.0.1"));
    const auto again = pool->open("127.0.0.1", urgency::emergency);
    REQUIRE(again);
    REQUIRE(again->rtp_port() == resting);
}

TEST_CASE("without descriptors an emergency call gets sockets that were kept open for it") {
    virtual_clock clock;
    const auto pool = std::make_shared<port_pool>(clock, 45060, 45099, 30s);
    pool->keep_spare_sockets();
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    auto none = before;
    none.rlim_cur = static_cast<rlim_t>(::dup(0)); // the lowest that is free: from there on there is nothing
    ::close(static_cast<int>(none.rlim_cur));
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    const auto ordinary = pool->open("127.0.0.1");
    const bool short_of_them = pool->exhausted();
    const auto first = pool->open("127.0.0.1", urgency::emergency), second = pool->open("::1", urgency::emergency);
    ::setrlimit(RLIMIT_NOFILE, &before);
    REQUIRE_FALSE(ordinary);
    REQUIRE(ordinary.error().text.find("LimitNOFILE") != std::string::npos);
    REQUIRE(short_of_them);
    REQUIRE(first);
    REQUIRE((second || second.error().text.find("descriptor") == std::string::npos)); // without IPv6 here, another error
}

TEST_CASE("an address that is not ours, or none at all, is a clear error and costs no port") {
    virtual_clock clock;
    const auto pool = std::make_shared<port_pool>(clock, 45020, 45029, 30s);
    const auto foreign = pool->open("192.0.2.77");
    REQUIRE_FALSE(foreign);
    REQUIRE(foreign.error().text.find("does not have that address") != std::string::npos);
    REQUIRE_FALSE(pool->open("example.org"));
    REQUIRE(pool->now().in_use == 0);
}
