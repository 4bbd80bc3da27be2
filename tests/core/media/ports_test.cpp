// The pool of RTP ports.
#include "core/media/port_pool.hpp"
#include <catch2/catch.hpp>
#include <fcntl.h>
#include <set>

using namespace strowger;
using namespace strowger::media;

TEST_CASE("a port pair is even and odd, bound where it was asked for, and rests after use") {
    virtual_clock clock;
    const auto pool = std::make_shared<port_pool>(clock, 45001, 45010, 30s);
    REQUIRE(pool->now().total == 4); // 45002 to 45009
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

TEST_CASE("an address that is not ours, or none at all, is a clear error and costs no port") {
    virtual_clock clock;
    const auto pool = std::make_shared<port_pool>(clock, 45020, 45029, 30s);
    const auto foreign = pool->open("192.0.2.77");
    REQUIRE_FALSE(foreign);
    REQUIRE(foreign.error().text.find("does not have that address") != std::string::npos);
    REQUIRE_FALSE(pool->open("example.org"));
    REQUIRE(pool->now().in_use == 0);
}
