// RTP headers from the network, and the one stream that a peer sees.
#include "core/media/rtp.hpp"
#include "core/media/rtp_order.hpp"
#include "core/media/rtp_statistics.hpp"
#include "core/media/rtp_timeline.hpp"
#include <catch2/catch.hpp>
#include <vector>

using namespace strowger;
using namespace strowger::media;

namespace {

std::vector<std::byte> bytes(std::initializer_list<int> list) {
    std::vector<std::byte> all;
    for (const int b : list) all.push_back(static_cast<std::byte>(b));
    return all;
}

} // namespace

TEST_CASE("an RTP header is read back as it was written") {
    std::vector<std::byte> packet(rtp_header_size + 3);
    write_rtp({true, 101, 0xfffe, 0x89abcdef, 0x01020304}, std::span<std::byte, rtp_header_size>(packet.data(), rtp_header_size));
    const auto p = parse_rtp(packet);
    REQUIRE(p);
    REQUIRE(p->header.marker);
    REQUIRE(p->header.payload_type == 101);
    REQUIRE(p->header.sequence == 0xfffe);
    REQUIRE(p->header.timestamp == 0x89abcdef);
    REQUIRE(p->header.ssrc == 0x01020304);
    REQUIRE(p->payload.size() == 3);
}

TEST_CASE("CSRCs, an extension and padding are taken off, and a length that does not fit refuses the packet") {
    auto packet = bytes({0xb1, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 9, 9, 9, 9, 0xbe, 0xde, 0, 1, 7, 7, 7, 7, 0x55, 0x56, 0, 2});
    auto p = parse_rtp(packet);
    REQUIRE(p);
    REQUIRE(p->payload.size() == 2);
    REQUIRE(p->payload[0] == std::byte{0x55});

    for (std::size_t size = 0; size < 24; ++size) REQUIRE_FALSE(parse_rtp(std::span(packet).first(size)));
    packet.back() = std::byte{5}; // more padding than payload
    REQUIRE_FALSE(parse_rtp(packet));
    packet.back() = std::byte{0};
    REQUIRE_FALSE(parse_rtp(packet));
    packet.back() = std::byte{2};
    packet[19] = std::byte{200}; // an extension that ends behind the packet
    REQUIRE_FALSE(parse_rtp(packet));
    packet[19] = std::byte{1};
    packet[0] = std::byte{0x71}; // version 1
    REQUIRE_FALSE(parse_rtp(packet));
}

TEST_CASE("loss counts what is missing, across a wrap of the sequence, and not what is late or doubled") {
    rtp_statistics s;
    instant t(1h);
    rtp_header h{false, 8, 65534, 0, 7};
    const auto come = [&](std::uint16_t sequence) {
        h.sequence = sequence;
        h.timestamp = static_cast<std::uint32_t>(sequence + 2) % 0x10000 * 160;
        t += 20ms;
        s.count(h, t);
    };
    for (const int n : {65534, 65535, 0, 3, 2, 4}) come(static_cast<std::uint16_t>(n));
    REQUIRE(s.received() == 6);
    REQUIRE(s.lost() == 1);
    REQUIRE(s.late() == 1);
    const auto block = s.make_block(t);
    REQUIRE(block);
    REQUIRE(block->highest_sequence == 0x10004);
    REQUIRE(block->fraction_lost == 256 / 7);
    come(5);
    REQUIRE(s.make_block(t)->fraction_lost == 0);
    REQUIRE(s.make_block(t)->lost == 1);
}

TEST_CASE("jitter follows RFC 3550 appendix A.8") {
    rtp_statistics s;
    instant t(1h);
    rtp_header h{false, 8, 1, 0, 7};
    s.count(h, t);
    ++h.sequence;
    h.timestamp += 160;
    s.count(h, t + 30ms); // 10 ms late: 80 units, a sixteenth of it
    REQUIRE(s.jitter_ms() == Approx(10.0 / 16));
    ++h.sequence;
    h.timestamp += 160;
    s.count(h, t + 50ms); // as late as the one before
    REQUIRE(s.jitter_ms() == Approx(10.0 / 16 * 15 / 16));
}

TEST_CASE("timestamps go on by the time that passed when another source follows") {
    rtp_timeline line;
    instant t(1h);
    const auto a = line.next(8, 160, t);
    const auto b = line.next(8, 160, t + 20ms);
    REQUIRE(a.marker);
    REQUIRE_FALSE(b.marker);
    REQUIRE(b.timestamp == a.timestamp + 160);

    rtp_header in{false, 0, 7, 1'000'000, 99};
    const auto c = line.relayed(in, false, 8, 160, t + 1s).value();
    REQUIRE(c.marker);
    REQUIRE(c.ssrc == a.ssrc);
    REQUIRE(c.sequence == static_cast<std::uint16_t>(b.sequence + 1));
    REQUIRE(c.timestamp == a.timestamp + 8000);

    in.sequence = 9; // one was lost on the way: the peer is to see that
    in.timestamp += 320;
    const auto d = line.relayed(in, false, 8, 160, t + 1040ms).value();
    REQUIRE_FALSE(d.marker);
    REQUIRE(d.sequence == static_cast<std::uint16_t>(c.sequence + 2));
    REQUIRE(d.timestamp == c.timestamp + 320);

    in.sequence = 8; // it was only late
    in.timestamp -= 160;
    const auto late = line.relayed(in, false, 8, 160, t + 1050ms).value();
    REQUIRE(late.sequence == static_cast<std::uint16_t>(c.sequence + 1));
    REQUIRE(late.timestamp == c.timestamp + 160);
    in.sequence = 6; // from before we listened: its number is that of b
    REQUIRE_FALSE(line.relayed(in, false, 8, 160, t + 1055ms));

    in.timestamp -= 50'000'000; // the sender began anew
    in.sequence = 40000;
    const auto e = line.relayed(in, true, 8, 160, t + 1060ms).value();
    REQUIRE(e.marker);
    REQUIRE(e.sequence == static_cast<std::uint16_t>(d.sequence + 1));
    REQUIRE(e.timestamp == d.timestamp + 160);

    ++in.sequence; // not for this peer: no gap for it, and its double leaves none either
    line.skip_relayed(in);
    line.skip_relayed(in);
    ++in.sequence;
    in.timestamp += 320;
    const auto f = line.relayed(in, false, 8, 160, t + 1100ms).value();
    REQUIRE(f.sequence == static_cast<std::uint16_t>(e.sequence + 1));
    REQUIRE(f.timestamp == e.timestamp + 320);
}

TEST_CASE("our own sound after a key that was passed on begins when the key is over") {
    rtp_timeline line;
    instant t(1h);
    rtp_header in{true, 101, 7, 1'000'000, 99};
    const auto key = line.relayed(in, false, 101, 0, t).value();
    for (int i = 1; i < 10; ++i) {
        ++in.sequence;
        t += 20ms;
        REQUIRE(line.relayed(in, false, 101, 0, t).value().timestamp == key.timestamp);
    }
    REQUIRE(line.next(8, 160, t + 20ms).timestamp == key.timestamp + 1600);
}

namespace {

/// A peer's packets, in the order in which they come.
struct arrivals {
    rtp_order order;
    instant t{1h};
    rtp_header h{false, 8, 65500, 4'294'000'000, 7};
    rtp_order::place sound(int sequence_step, int samples = 160, duration wait = 20ms) {
        h.sequence = static_cast<std::uint16_t>(h.sequence + sequence_step);
        h.timestamp += static_cast<std::uint32_t>(samples);
        t += wait;
        return order.take(h, false, t);
    }
};

} // namespace

TEST_CASE("packets that are late, doubled or lost are told from each other, also while the numbers wrap") {
    using enum rtp_order::place;
    arrivals a;
    REQUIRE(a.sound(1) == anew);
    for (int i = 0; i < 200; ++i) {
        REQUIRE(a.sound(2, 320) == next); // one is overtaken
        REQUIRE(a.sound(0, 0, 0ms) == unwanted);
        REQUIRE(a.sound(-1, -160, 1ms) == late);
        REQUIRE(a.sound(0, 0, 0ms) == unwanted);
        REQUIRE(a.sound(1, 160, 19ms) == unwanted); // a double of what overtook
    }
    REQUIRE(a.sound(3, 480, 60ms) == next);
    REQUIRE(a.sound(-1, -160, 1ms) == late);
    REQUIRE(a.sound(1000, 160000, 20s) == next); // a long hole
    REQUIRE(a.sound(-63, -63 * 160, 1ms) == late);
    REQUIRE(a.sound(-1, -160, 1ms) == unwanted); // nobody waits so long for a packet
}

TEST_CASE("a sender that counts anew is believed when two of its packets follow each other") {
    using enum rtp_order::place;
    arrivals a;
    a.sound(1);
    const int jump = GENERATE(-1000, 20000, -70);
    REQUIRE(a.sound(jump) == unwanted);
    REQUIRE(a.sound(1 - jump) == next); // one alone was a mistake
    REQUIRE(a.sound(jump) == unwanted);
    REQUIRE(a.sound(1) == anew);
    REQUIRE(a.sound(1) == next);
}

TEST_CASE("a new SSRC is believed at once, and stragglers of the old one are not while it speaks") {
    using enum rtp_order::place;
    arrivals a;
    a.sound(1);
    a.h.ssrc = 8;
    REQUIRE(a.sound(12345, 99999) == anew);
    REQUIRE(a.sound(1) == next);
    a.h.ssrc = 7;
    REQUIRE(a.sound(1, 160, 5ms) == unwanted);
    a.h.ssrc = 8;
    REQUIRE(a.sound(0, 0, 15ms) == next);
    a.h.ssrc = 7;
    REQUIRE(a.sound(1, 160, 1s) == anew); // the old one has come back
}

TEST_CASE("timestamps that leap or go back begin anew, but not those of a network that stalls, of silence, or of a key") {
    using enum rtp_order::place;
    arrivals a;
    a.sound(1);
    REQUIRE(a.sound(1, 160, 3s) == next);   // held up on the way
    REQUIRE(a.sound(1, 160, 0ms) == next);  // and what waited behind it
    REQUIRE(a.sound(1, 24000, 3s) == next); // a pause of the speaker
    REQUIRE(a.sound(1, 16000) == anew);
    REQUIRE(a.sound(1, -16000) == anew);
    REQUIRE(a.sound(1, 0) == anew);
    REQUIRE(a.sound(1) == next);
    const auto key = [&](std::uint32_t timestamp) {
        auto k = a.h;
        k.sequence = ++a.h.sequence;
        k.timestamp = timestamp;
        a.t += 20ms;
        return a.order.take(k, true, a.t);
    };
    const auto down = a.h.timestamp + 160;
    for (int i = 0; i < 300; ++i) REQUIRE(key(down) == next); // held for six seconds
    REQUIRE(a.sound(1, 301 * 160) == next);
    REQUIRE(key(a.h.timestamp - 320) == next); // found in sound that was sent as well
    REQUIRE(a.sound(1, 320) == next);
    REQUIRE(key(a.h.timestamp + 50'000'000) == anew);
}
