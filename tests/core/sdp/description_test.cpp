#include "core/sdp/description.hpp"
#include <catch2/catch.hpp>
#include <chrono>
#include <random>

using namespace strowger;
using namespace strowger::sdp;
using Catch::Matchers::Contains;

namespace {

const std::string head = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n";

std::string why(std::string_view text) {
    const auto d = parse(text);
    return d ? "it was read" : d.error().text;
}

std::string repeated(std::string_view text, std::size_t times) {
    std::string all;
    for (std::size_t i = 0; i < times; ++i) all += text;
    return all;
}

} // namespace

TEST_CASE("what is no SDP is refused with its line") {
    CHECK_THAT(why(""), Contains("line 1"));
    CHECK_THAT(why("\r\n\r\n"), Contains("expected v=0"));
    CHECK_THAT(why("INVITE sip:100@pbx SIP/2.0\r\n"), Contains("line 1"));
    CHECK_THAT(why("v=1\r\n"), Contains("line 1: expected v=0"));
    CHECK_THAT(why("o=- 1 1 IN IP4 192.0.2.9\r\nv=0\r\n"), Contains("line 1: expected v=0"));
    CHECK_THAT(why("v=0\r\ns=-\r\n"), Contains("without an o= line"));
    CHECK_THAT(why(head + "x\r\n"), Contains("line 6: expected a letter"));
    CHECK_THAT(why(head + "a\r\n"), Contains("line 6"));
    CHECK_THAT(why(head + "a=\r\n"), Contains("line 6: a= without a name"));
    CHECK_THAT(why(head + "a=:x\r\n"), Contains("line 6: a= without a name"));
    CHECK_THAT(why(head + "9=x\r\n"), Contains("line 6"));
}

TEST_CASE("an unreadable o= line is refused") {
    CHECK_THAT(why("v=0\no=-\n"), Contains("line 2: o= needs"));
    CHECK_THAT(why("v=0\no=1 1 IN IP4 192.0.2.9\n"), Contains("line 2: o= needs"));
    CHECK_THAT(why("v=0\no=- x 1 IN IP4 192.0.2.9\n"), Contains("line 2: session id"));
    CHECK_THAT(why("v=0\no=- 1 -1 IN IP4 192.0.2.9\n"), Contains("line 2: session id"));
    CHECK_THAT(why("v=0\no=- 18446744073709551616 1 IN IP4 192.0.2.9\n"), Contains("below 2^64"));
    CHECK_THAT(why(head + "o=- 1 1 IN IP4 192.0.2.9\r\n"), Contains("line 6: a second"));
}

TEST_CASE("two descriptions glued together are refused") {
    CHECK_THAT(why(head + "m=audio 4000 RTP/AVP 0\r\n" + head), Contains("line 7: a second v= line"));
    CHECK_THAT(why(head + "m=audio 4000 RTP/AVP 0\r\ns=again\r\n"), Contains("line 7"));
}

TEST_CASE("unreadable m= and c= lines are refused") {
    CHECK_THAT(why(head + "m=audio\r\n"), Contains("line 6: m= needs"));
    CHECK_THAT(why(head + "m=audio 4000\r\n"), Contains("line 6: m= needs"));
    CHECK_THAT(why(head + "m=audio x RTP/AVP 0\r\n"), Contains("up to 65535"));
    CHECK_THAT(why(head + "m=audio 65536 RTP/AVP 0\r\n"), Contains("up to 65535"));
    CHECK_THAT(why(head + "m=audio -1 RTP/AVP 0\r\n"), Contains("up to 65535"));
    CHECK_THAT(why(head + "m=audio 4000/0 RTP/AVP 0\r\n"), Contains("up to 65535"));
    CHECK_THAT(why(head + "m=audio 4000/ RTP/AVP 0\r\n"), Contains("up to 65535"));
    CHECK_THAT(why(head + "m=audio 4000 RTP/AVP 0\r\nc=IN IP4\r\n"), Contains("line 7: c= needs"));
    CHECK_THAT(why(head + "m=audio 4000 RTP/AVP 0\r\nc=IN IP4 192.0.2.9 x\r\n"), Contains("line 7: c= needs"));
}

TEST_CASE("control characters are refused, for they hide lines") {
    CHECK_THAT(why(head + std::string("a=x\0y\r\n", 7)), Contains("line 6: has a control character"));
    CHECK_THAT(why(head + "a=x\rm=audio 4000 RTP/AVP 0\r\n"), Contains("line 6: has a control character"));
    CHECK_THAT(why(head + "a=x\x1b[2J\r\n"), Contains("line 6: has a control character"));
}

TEST_CASE("too much of anything is refused") {
    CHECK_THAT(why(head + repeated("a=x\r\n", 1000)), Contains("line 262: more than 256 attributes"));
    CHECK_THAT(why(head + repeated("i=x\r\n", 1000)), Contains("line 501: more than 500 lines"));
    CHECK_THAT(why(head + repeated("\n", 1000)), Contains("line 501: more than 500 lines"));
    CHECK_THAT(why(head + "a=" + std::string(limits::bytes, 'x')), Contains("more than 65536"));
    CHECK_THAT(why(head + repeated("m=audio 0 RTP/AVP 0\r\n", 17)), Contains("line 22: more than 16 m= lines"));
    CHECK_THAT(why(head + "m=audio 4000 RTP/AVP" + repeated(" 0", 65)), Contains("line 6: more than 64 formats"));
}

TEST_CASE("what is just within the limits can be written and read again") {
    auto text = "v=0\no=- 1 1 IN IP4 192.0.2.9\n" + repeated("i=x\n", 498);
    CHECK_THAT(why(text), Contains("written out again"));
    text = "v=0\no=- 1 1 IN IP4 192.0.2.9\n" + repeated("i=x\n", 496);
    const auto d = parse(text);
    REQUIRE(d);
    const auto again = parse(write(*d));
    REQUIRE(again);
    CHECK(*again == *d);
    text = "v=0\no=- 1 1 IN IP4 192.0.2.9\na=";
    text += std::string(limits::bytes - text.size(), 'x');
    CHECK_THAT(why(text), Contains("written out again"));
}

TEST_CASE("phones that end lines with LF, forget t= and s=, leave spaces and the last line end are understood") {
    const auto d = parse("v=0 \no=- 12 34 IN IP4 192.0.2.9  \n\nc=IN  IP4 192.0.2.9 \nm=audio  4000 RTP/AVP 0  8 \na=sendonly ");
    REQUIRE(d);
    CHECK(d->origin.session_id == 12);
    CHECK(d->origin.version == 34);
    CHECK(d->session_name == "-");
    REQUIRE(d->times.size() == 1);
    REQUIRE(d->sections.size() == 1);
    const auto& audio = d->sections[0];
    CHECK(audio.formats == std::vector<std::string>{"0", "8"});
    CHECK(d->direction_of(audio) == direction::sendonly);
    REQUIRE(d->connection_of(audio));
    CHECK(d->connection_of(audio)->address == "192.0.2.9");
    CHECK(write(*d) == "v=0\r\no=- 12 34 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"
                       "m=audio 4000 RTP/AVP 0 8\r\na=sendonly\r\n");
}

TEST_CASE("a user name with spaces does not spoil the o= line") {
    const auto d = parse("v=0\r\no=Desk Phone 7 1 2 IN IP4 192.0.2.9\r\n");
    REQUIRE(d);
    CHECK(d->origin.username == "Desk Phone 7");
    CHECK(d->origin.version == 2);
}

TEST_CASE("unknown lines and attributes stay, in the order of the RFC") {
    const auto d =
        parse("v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=Lunch\r\nk=prompt\r\ne=a@example.com\r\ni=about\r\nb=AS:84\r\n"
              "t=1 2\r\nr=604800 3600 0\r\nt=3 4\r\nz=0 0\r\na=tool:x:y\r\nX=1\r\nm=audio 4000/2 RTP/AVP 0\r\ni=voice\r\n"
              "c=IN IP4 192.0.2.9\r\nb=TIAS:64000\r\na=foo\r\na=bar:\r\nk=clear:x\r\n");
    REQUIRE(d);
    CHECK(write(*d) ==
          "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=Lunch\r\ni=about\r\ne=a@example.com\r\nb=AS:84\r\n"
          "t=1 2\r\nr=604800 3600 0\r\nt=3 4\r\nk=prompt\r\nz=0 0\r\nX=1\r\na=tool:x:y\r\nm=audio 4000/2 RTP/AVP 0\r\n"
          "i=voice\r\nc=IN IP4 192.0.2.9\r\nb=TIAS:64000\r\nk=clear:x\r\na=foo\r\na=bar:\r\n");
    CHECK(*parse(write(*d)) == *d);
    CHECK(d->sections[0].has("foo"));
    CHECK(d->sections[0].value_of("foo") == "");
    CHECK_FALSE(d->sections[0].value_of("baz"));
}

TEST_CASE("a section's codecs are found in every form that phones use") {
    const auto d =
        parse(head + "m=audio 4000 RTP/AVP 0 8 0 101 x 128 96 97 98 09\r\n"
                     "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=rtpmap: 96  opus/48000/2 \r\n"
                     "a=rtpmap:96 PCMU/8000\r\na=rtpmap:97 broken\r\na=rtpmap:98 x/0\r\na=ptime:30\r\na=maxptime:60\r\n"
                     "a=rtcp:4005 IN IP4 192.0.2.10\r\na=RTCP-mux\r\n");
    REQUIRE(d);
    const auto& audio = d->sections[0];
    CHECK(audio.payload_types() == std::vector<int>{0, 8, 101, 96, 97, 98, 9});
    CHECK(audio.rtpmap(0) == rtp_mapping{"PCMU", 8000, 1});
    CHECK(audio.rtpmap(9) == rtp_mapping{"G722", 8000, 1});
    CHECK(audio.rtpmap(96) == rtp_mapping{"opus", 48000, 2});
    CHECK_FALSE(audio.rtpmap(97));
    CHECK_FALSE(audio.rtpmap(98));
    CHECK_FALSE(audio.rtpmap(99));
    CHECK(audio.fmtp(101) == "0-15");
    CHECK(audio.fmtp(0).empty());
    CHECK(audio.ptime() == 30);
    CHECK(audio.maxptime() == 60);
    CHECK(audio.rtcp_mux());
    REQUIRE(audio.rtcp());
    CHECK(audio.rtcp()->port == 4005);
    REQUIRE(audio.rtcp()->address);
    CHECK(audio.rtcp()->address->address == "192.0.2.10");
}

TEST_CASE("a section inherits address and direction of the session and may say otherwise") {
    const auto d = parse(head + "a=inactive\r\nm=audio 4000 RTP/AVP 0\r\nm=audio 4002 RTP/AVP 0\r\nc=IN IP6 2001:db8::1\r\n"
                                "a=recvonly\r\n");
    REQUIRE(d);
    CHECK(d->direction_of(d->sections[0]) == direction::inactive);
    CHECK(d->connection_of(d->sections[0])->address == "192.0.2.9");
    CHECK(d->direction_of(d->sections[1]) == direction::recvonly);
    CHECK(d->connection_of(d->sections[1])->address == "2001:db8::1");
}

TEST_CASE("nonsense in numbers of attributes is as good as silence") {
    const auto d = parse(head + "m=audio 4000 RTP/AVP 0\r\na=ptime:-20\r\na=maxptime:99999999999\r\na=rtcp:70000\r\n");
    REQUIRE(d);
    CHECK_FALSE(d->sections[0].ptime());
    CHECK_FALSE(d->sections[0].maxptime());
    CHECK_FALSE(d->sections[0].rtcp());
}

TEST_CASE("no value that is written can begin a line of its own") {
    description d;
    d.origin.address.address = "192.0.2.1";
    d.session_name = "x\r\nm=audio 4000 RTP/AVP 0";
    d.attributes.push_back({"tool", "y\nc=IN IP4 192.0.2.66"});
    const auto again = parse(write(d));
    REQUIRE(again);
    CHECK(again->sections.empty());
    CHECK_FALSE(again->connection);
}

TEST_CASE("directions turn round and narrow") {
    CHECK(reversed(direction::sendonly) == direction::recvonly);
    CHECK(reversed(direction::recvonly) == direction::sendonly);
    CHECK(reversed(direction::sendrecv) == direction::sendrecv);
    CHECK(reversed(direction::inactive) == direction::inactive);
    CHECK(narrowed(direction::sendonly, direction::recvonly) == direction::inactive);
    CHECK(narrowed(direction::sendrecv, direction::recvonly) == direction::recvonly);
    CHECK(direction_named("SendOnly") == direction::sendonly);
    CHECK_FALSE(direction_named("send"));
}

TEST_CASE("whatever is read is the same after writing and reading it again") {
    std::mt19937 dice(8866);
    const auto roll = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(dice); };
    const std::vector<std::string> lines{"s= Talk ",
                                         "s=",
                                         "i=x",
                                         "u=http://x/",
                                         "e=y",
                                         "p= 1",
                                         "c=IN IP4 192.0.2.1",
                                         "c=IN IP6 ::1",
                                         "b=AS:64",
                                         "b=",
                                         "t=0 0",
                                         "t=1  2",
                                         "r=7d 1h 0",
                                         "z=1",
                                         "k=prompt",
                                         "a=sendonly",
                                         "a=rtpmap:96 opus/48000/2",
                                         "a= x : y ",
                                         "a=z:",
                                         "q=?",
                                         "m=audio 4000 RTP/AVP 0 96",
                                         "m=image  0 udptl t38",
                                         "m=video 5000/2 RTP/AVP",
                                         ""};
    const std::vector<std::string> ends{"\n", "\r\n", " \r\n", "\n\n"};
    std::size_t read = 0;
    for (int round = 0; round < 2000; ++round) {
        std::string text = "v=0\no=a b 1 2 IN IP4 x\n";
        for (auto n = roll(25); n > 0; --n) text += lines[roll(lines.size())] + ends[roll(ends.size())];
        if (roll(4) == 0) text[roll(text.size())] = static_cast<char>(roll(256));
        const auto d = parse(text);
        if (!d) continue;
        ++read;
        const auto again = parse(write(*d));
        INFO(text);
        REQUIRE(again);
        REQUIRE(*again == *d);
    }
    CHECK(read > 500);
}
