// RTCP: what is written is read back, what does not fit is refused, and what it says of the way there and back.
#include "core/media/rtcp.hpp"
#include <array>
#include <catch2/catch.hpp>
#include <vector>

using namespace strowger::media;

TEST_CASE("an RTCP compound of SR, CNAME and BYE is read back as it was written") {
    rtcp_report r;
    r.ssrc = 0x11111111;
    r.sender = sender_info{0x0123456789abcdef, 4000, 50, 8000};
    r.block = report_block{0x22222222, 64, -5, 0x10007, 33, 0x456789ab, 65536};
    r.cname = "abcdefgh";
    r.bye = true;
    std::array<std::byte, largest_rtcp_packet> out;
    const auto size = write_rtcp(r, out);
    REQUIRE(size % 4 == 0);
    const auto back = parse_rtcp(std::span(out).first(size), 0x22222222);
    REQUIRE(back);
    REQUIRE(back->ssrc == r.ssrc);
    REQUIRE(back->sender == r.sender);
    REQUIRE(back->block == r.block);
    REQUIRE(back->cname == r.cname);
    REQUIRE(back->bye);
    // A block about somebody else is not ours.
    REQUIRE_FALSE(parse_rtcp(std::span(out).first(size), 0x33333333)->block);
    REQUIRE(write_rtcp(r, std::span(out).first(size - 1)) == 0);
}

TEST_CASE("a receiver report without a sender has neither sender information nor BYE") {
    rtcp_report r;
    r.ssrc = 5;
    r.cname = "x";
    std::array<std::byte, largest_rtcp_packet> out;
    const auto back = parse_rtcp(std::span(out).first(write_rtcp(r, out)), 1);
    REQUIRE(back);
    REQUIRE_FALSE(back->sender);
    REQUIRE_FALSE(back->block);
    REQUIRE_FALSE(back->bye);
}

TEST_CASE("an RTCP packet that is cut off anywhere is refused") {
    rtcp_report r;
    r.sender = sender_info{1, 2, 3, 4};
    r.block = report_block{};
    r.cname = "abcd";
    std::array<std::byte, largest_rtcp_packet> out;
    const auto size = write_rtcp(r, out);
    for (std::size_t part = 0; part < size; ++part)
        if (part != 52) REQUIRE_FALSE(parse_rtcp(std::span(out).first(part), 0)); // 52: exactly the report alone, which is whole
    out[0] = std::byte{0x9f}; // 31 blocks that are not there
    REQUIRE_FALSE(parse_rtcp(std::span(out).first(size), 0));
}

TEST_CASE("the round trip is the time since our report less the time that it lay at the peer") {
    report_block b;
    const std::uint64_t sent = 100ull << 32;
    REQUIRE_FALSE(round_trip_seconds(b, sent));
    b.last_sr = ntp_middle(sent);
    b.delay_since_last_sr = 2 * 65536;
    REQUIRE(*round_trip_seconds(b, sent + (2ull << 32) + (1ull << 30)) == Approx(0.25));
    REQUIRE_FALSE(round_trip_seconds(b, sent + (200ull << 32)));
}

TEST_CASE("a report without a name is written too") {
    rtcp_report nameless;
    nameless.ssrc = 7;
    std::array<std::byte, largest_rtcp_packet> out{};
    const auto length = write_rtcp(nameless, out);
    REQUIRE(length != 0);
    const auto back = parse_rtcp(std::span(out).first(length), 1);
    REQUIRE(back);
    CHECK(back->ssrc == 7);
    CHECK(back->cname.empty());
}
