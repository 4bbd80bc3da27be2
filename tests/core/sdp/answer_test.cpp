// Somebody offers, we answer.
#include "core/sdp/session.hpp"
#include "tests/core/sdp/peers.hpp"
#include <random>

using namespace strowger;
using namespace strowger::sdp;
using Catch::Matchers::Contains;

namespace {

/// How SIP refuses the offer, and why.
std::pair<int, std::string> refused_with(const description& offer, const audio_capabilities& caps = our_side()) {
    session us(5);
    const auto a = us.answer(offer, caps);
    CHECK(us == session(5));
    return a ? std::pair<int, std::string>{200, ""} : std::pair{sip_status(a.error().kind), a.error().text};
}

answered answer_to(const description& offer, const audio_capabilities& caps = our_side()) {
    session us(5);
    auto a = us.answer(offer, caps);
    if (!a) FAIL(a.error().text);
    return *std::move(a);
}

} // namespace

TEST_CASE("an offer without audio for us is 488 and changes nothing") {
    CHECK(refused_with(phone("")) == std::pair<int, std::string>{488, "the SDP offer has no audio"});
    CHECK(refused_with(phone("m=video 5000 RTP/AVP 31\n")).first == 488);
    CHECK(refused_with(phone("m=audio 0 RTP/AVP 0 8\n")).first == 488);
    CHECK(refused_with(phone("m=audio 5000 RTP/AVP\n")).first == 488);
    CHECK(refused_with(phone("m=audio 5000 RTP/SAVP 0 8\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\n")).first == 488);
    CHECK_THAT(refused_with(phone("m=audio 5000 RTP/AVP 18 4\n")).second, Contains("none of the offered audio codecs"));
    CHECK(refused_with(phone("m=audio 5000 RTP/AVP 99\n")).first == 488);
    CHECK(refused_with(phone("m=audio 5000 RTP/AVP 101\na=rtpmap:101 telephone-event/8000\n")).first == 488);
}

TEST_CASE("a codec of the same name at another rate is another codec") {
    CHECK(refused_with(phone("m=audio 5000 RTP/AVP 96\na=rtpmap:96 PCMA/16000\n")).first == 488);
    CHECK(refused_with(phone("m=audio 5000 RTP/AVP 96\na=rtpmap:96 opus/48000\n")).first == 488);
    CHECK(refused_with(phone("m=audio 5000 RTP/AVP 0\na=rtpmap:0 speex/8000\n")).first == 488);
}

TEST_CASE("addresses that we cannot or must not send to are refused with the reason") {
    const std::string audio = "m=audio 5000 RTP/AVP 8\n";
    CHECK_THAT(refused_with(phone(audio, 1, "IP4 pbx.example.com")).second, Contains("names are not resolved"));
    CHECK(refused_with(phone(audio, 1, "IP4 pbx.example.com")).first == 488);
    CHECK_THAT(refused_with(phone(audio, 1, "IP6 fe80::1%eth0")).second, Contains("zone"));
    CHECK(refused_with(phone(audio, 1, "IP6 fe80::1%eth0")).first == 400);
    CHECK(refused_with(phone(audio, 1, "IP4 2001:db8::9")).first == 400);
    CHECK(refused_with(phone(audio, 1, "X25 192.0.2.9")).first == 400);
    CHECK(refused_with(phone(audio, 1, "IP4 224.2.1.1/127")).first == 488);
    CHECK(refused_with(phone(audio, 1, "IP4 239.1.2.3")).first == 488);
    CHECK(refused_with(phone(audio, 1, "IP4 255.255.255.255")).first == 488);
    CHECK(refused_with(phone(audio, 1, "IP6 ff02::1")).first == 488);
    CHECK_THAT(refused_with(phone(audio, 1, "IP6 ::ffff:224.0.0.1")).second, Contains("has to come as IP4"));
    CHECK_THAT(refused_with(phone(audio, 1, "IP6 2001:db8::9")).second, Contains("not the same family"));
    const auto nowhere = parse("v=0\no=- 1 1 IN IP4 192.0.2.9\n" + audio);
    REQUIRE(nowhere);
    CHECK(refused_with(*nowhere).first == 400);
    CHECK_THAT(refused_with(*nowhere).second, Contains("no c= line"));
}

TEST_CASE("an offer that crosses ours is 491 and ours stays open") {
    session us(5);
    us.make_offer(our_side());
    const auto a = us.answer(phone("m=audio 5000 RTP/AVP 8\n"), our_side());
    REQUIRE_FALSE(a);
    CHECK(sip_status(a.error().kind) == 491);
    CHECK(us.offer_pending());
}

TEST_CASE("a payload type that comes twice counts once, by its first meaning") {
    const auto a = answer_to(phone("m=audio 5000 RTP/AVP 96 96 8 8\na=rtpmap:96 opus/48000/2\na=rtpmap:96 PCMU/8000\n"));
    CHECK(m_line(a.answer) == "m=audio 4000 RTP/AVP 96");
    CHECK(a.audio.chosen.name == "opus");
}

TEST_CASE("the answer is one codec, the first of the offer that we know, and telephone-event, with the offer's numbers") {
    const auto a = answer_to(phone("m=audio 5000 RTP/AVP 18 0 8 97\na=rtpmap:97 telephone-event/8000\na=fmtp:97 0-15\n"));
    CHECK(write(a.answer) == "v=0\r\no=- 5 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
                             "m=audio 4000 RTP/AVP 0 97\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:97 telephone-event/8000\r\n"
                             "a=fmtp:97 0-16\r\na=ptime:20\r\na=sendrecv\r\n");
    CHECK(a.audio.chosen.name == "PCMU");
    CHECK(a.audio.send_payload_type == 0);
    CHECK(a.audio.send_telephone_event_pt == 97);
    CHECK(a.audio.receive_telephone_event_pt == 97);
    CHECK(a.audio.remote_address == "192.0.2.9");
    CHECK(a.audio.remote_rtp_port == 5000);
    CHECK(a.audio.remote_rtcp_port == 5001);
    CHECK(a.audio.also_agreed.empty());
    CHECK(a.audio.dir == direction::sendrecv);
    CHECK_FALSE(a.audio.held_by_peer);
}

TEST_CASE("an answer may keep all codecs that both know") {
    auto caps = our_side();
    caps.answers_with_one_codec = false;
    const auto a = answer_to(phone("m=audio 5000 RTP/AVP 0 18 96 8 101 102\na=rtpmap:96 OPUS/48000/2\na=fmtp:96 stereo=1\n"
                                   "a=rtpmap:101 telephone-event/8000\na=rtpmap:102 telephone-event/48000\n"),
                             caps);
    CHECK(m_line(a.answer) == "m=audio 4000 RTP/AVP 0 96 8 101 102");
    CHECK(has_line(a.answer, "a=fmtp:96 useinbandfec=1"));
    REQUIRE(a.audio.also_agreed.size() == 2);
    CHECK(a.audio.also_agreed[0] == codec{"OPUS", 96, 48000, 2, "stereo=1"});
    CHECK(a.audio.also_agreed[1].name == "PCMA");
    CHECK(a.audio.send_telephone_event_pt == 101);
}

TEST_CASE("telephone-event is not answered when it was not offered or we do not want it") {
    CHECK(m_line(answer_to(phone("m=audio 5000 RTP/AVP 8\n")).answer) == "m=audio 4000 RTP/AVP 8");
    auto caps = our_side();
    caps.offers_telephone_event = false;
    const auto a = answer_to(phone("m=audio 5000 RTP/AVP 8 101\na=rtpmap:101 telephone-event/8000\n"), caps);
    CHECK(m_line(a.answer) == "m=audio 4000 RTP/AVP 8");
    CHECK_FALSE(a.audio.send_telephone_event_pt);
}

TEST_CASE("telephone-event goes by the codec's clock, and by 8000 Hz where a browser offers only that") {
    const std::string opus = "m=audio 5000 RTP/AVP 111 110 126\na=rtpmap:111 opus/48000/2\na=rtpmap:126 telephone-event/8000\n";
    auto a = answer_to(phone(opus + "a=rtpmap:110 telephone-event/48000\n"));
    CHECK(m_line(a.answer) == "m=audio 4000 RTP/AVP 111 110");
    CHECK(a.audio.telephone_event_clock_rate == 48000);
    a = answer_to(phone(opus));
    CHECK(m_line(a.answer) == "m=audio 4000 RTP/AVP 111 126");
    CHECK(a.audio.send_telephone_event_pt == 126);
    CHECK(a.audio.telephone_event_clock_rate == 8000);
}

TEST_CASE("packets are as long as the peer wishes, within 10 to 60 ms") {
    const auto ptime = [](const std::string& lines) { return answer_to(phone("m=audio 5000 RTP/AVP 8\n" + lines)).audio.ptime; };
    CHECK(ptime("") == 20);
    CHECK(ptime("a=ptime:30\n") == 30);
    CHECK(ptime("a=ptime:60\n") == 60);
    CHECK(ptime("a=ptime:10\n") == 10);
    CHECK(ptime("a=ptime:25\n") == 20);
    CHECK(ptime("a=ptime:200\n") == 20);
    CHECK(ptime("a=ptime:0\n") == 20);
    CHECK(ptime("a=ptime:40\na=maxptime:35\n") == 30);
    CHECK(ptime("a=maxptime:5\n") == 10);
}

TEST_CASE("RTCP goes where the peer says") {
    const auto rtcp = [](const std::string& lines, int port = 5000) {
        const auto audio = answer_to(phone(fmt::format("m=audio {} RTP/AVP 8\n{}", port, lines))).audio;
        return fmt::format("{} {} {}", audio.remote_rtcp_address, audio.remote_rtcp_port, audio.rtcp_mux ? "mux" : "own");
    };
    CHECK(rtcp("") == "192.0.2.9 5001 own");
    CHECK(rtcp("", 65535) == "192.0.2.9 0 own");
    CHECK(rtcp("a=rtcp:6000\n") == "192.0.2.9 6000 own");
    CHECK(rtcp("a=rtcp:6000 IN IP4 192.0.2.10\n") == "192.0.2.10 6000 own");
    CHECK(rtcp("a=rtcp:6000 IN IP4 evil.example.com\n") == "192.0.2.9 5001 own");
    CHECK(rtcp("a=rtcp:6000 IN IP4 0.0.0.0\n") == "192.0.2.9 5001 own");
    CHECK(rtcp("a=rtcp:6000\na=rtcp-mux\n") == "192.0.2.9 5000 mux");
    auto caps = our_side();
    caps.accepts_rtcp_mux = false;
    caps.rtcp_port = 4100;
    const auto a = answer_to(phone("m=audio 5000 RTP/AVP 8\na=rtcp-mux\n"), caps);
    CHECK_FALSE(a.audio.rtcp_mux);
    CHECK(a.audio.remote_rtcp_port == 5001);
    CHECK(has_line(a.answer, "a=rtcp:4100"));
    CHECK_FALSE(has_line(a.answer, "a=rtcp-mux"));
}

TEST_CASE("a call over IPv6") {
    auto caps = our_side();
    caps.address = "2001:db8::1";
    const auto a = answer_to(phone("m=audio 5000 RTP/AVP 8\n", 1, "IP6 2001:db8::9"), caps);
    CHECK(has_line(a.answer, "c=IN IP6 2001:db8::1"));
    CHECK(has_line(a.answer, "o=- 5 1 IN IP6 2001:db8::1"));
    CHECK(a.audio.remote_address == "2001:db8::9");
}

TEST_CASE("video, fax and a second audio stream are refused in their places") {
    const auto a =
        answer_to(phone("m=image 6000 udptl t38\nm=audio 5000 RTP/AVP 8\nm=video 6002 RTP/AVP 31 34\nm=audio 5002 RTP/AVP 8\n"
                        "m=application 9 UDP/BFCP *\nm=text 0 RTP/AVP\n"));
    REQUIRE(a.answer.sections.size() == 6);
    CHECK(m_line(a.answer, 0) == "m=image 0 udptl t38");
    CHECK(m_line(a.answer, 1) == "m=audio 4000 RTP/AVP 8");
    CHECK(m_line(a.answer, 2) == "m=video 0 RTP/AVP 31 34");
    CHECK(m_line(a.answer, 3) == "m=audio 0 RTP/AVP 8");
    CHECK(m_line(a.answer, 4) == "m=application 0 UDP/BFCP *");
    CHECK(m_line(a.answer, 5) == "m=text 0 RTP/AVP 0");
    CHECK(a.audio.remote_rtp_port == 5000);
}

TEST_CASE("a phone that offers encrypted audio first and plain audio second gets the plain one") {
    const auto a =
        answer_to(phone("m=audio 5000 RTP/SAVP 8\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\nm=audio 5002 RTP/AVP 8\n"));
    CHECK(m_line(a.answer, 0) == "m=audio 0 RTP/SAVP 8");
    CHECK(m_line(a.answer, 1) == "m=audio 4000 RTP/AVP 8");
    CHECK(a.audio.remote_rtp_port == 5002);
}

TEST_CASE("a browser's stream is read and, beside a plain one, refused with port 0") {
    const std::string browser =
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 0 110\na=rtcp:9 IN IP4 0.0.0.0\na=ice-ufrag:abcd\na=ice-pwd:0123456789\n"
        "a=fingerprint:sha-256 AA:BB\na=setup:actpass\na=mid:0\na=sendrecv\na=rtcp-mux\n"
        "a=rtpmap:111 opus/48000/2\na=rtcp-fb:111 transport-cc\na=candidate:1 1 udp 1 10.0.0.1 5000 typ host\n";
    CHECK(refused_with(phone(browser)).first == 488);
    CHECK(phone(browser).sections[0].rtpmap(111)->name == "opus");
    const auto a = answer_to(phone(browser + "m=audio 5000 RTP/AVP 8\n"));
    CHECK(m_line(a.answer, 0) == "m=audio 0 UDP/TLS/RTP/SAVPF 111 0 110");
    CHECK(a.answer.sections[0].attributes.empty());
    CHECK(m_line(a.answer, 1) == "m=audio 4000 RTP/AVP 8");
}

TEST_CASE("an old gateway that names no rtpmap and keeps c= in the section") {
    const auto offer =
        parse("v=0\r\no=CiscoSystemsSIP-GW-UserAgent 5423 8866 IN IP4 192.0.2.20\r\ns=SIP Call\r\n"
              "c=IN IP4 192.0.2.20\r\nt=0 0\r\nm=audio 17010 RTP/AVP 18 0 101\r\nc=IN IP4 192.0.2.21\r\n"
              "a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n");
    REQUIRE(offer);
    const auto a = answer_to(*offer);
    CHECK(m_line(a.answer) == "m=audio 4000 RTP/AVP 0 101");
    CHECK(a.audio.remote_address == "192.0.2.21");
}

TEST_CASE("a desk phone with many codecs, frames of its own and lower-case names") {
    const auto offer = parse("v=0\no=1001 8000 8000 IN IP4 192.0.2.30\ns=SIP Call\nc=IN IP4 192.0.2.30\nt=0 0\n"
                             "m=audio 5004 RTP/AVP 97 2 9 8 101\na=sendrecv\na=rtpmap:97 iLBC/8000\na=fmtp:97 mode=20\n"
                             "a=rtpmap:2 G726-32/8000\na=rtpmap:9 G722/8000\na=rtpmap:8 pcma/8000\na=ptime:20\n"
                             "a=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15");
    REQUIRE(offer);
    const auto a = answer_to(*offer);
    CHECK(m_line(a.answer) == "m=audio 4000 RTP/AVP 8 101");
    CHECK(a.audio.chosen.payload_type == 8);
}

TEST_CASE("the answer's t= is that of the offer") {
    const auto offer = parse("v=0\no=- 1 1 IN IP4 192.0.2.9\nc=IN IP4 192.0.2.9\nt=5 9\nm=audio 5000 RTP/AVP 8\n");
    REQUIRE(offer);
    CHECK(has_line(answer_to(*offer).answer, "t=5 9"));
}

TEST_CASE("an answer always has as many m= lines as its offer, of the same kinds") {
    std::mt19937 dice(3264);
    const auto roll = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(dice); };
    const std::vector<std::string> sections{"m=audio 5000 RTP/AVP 0 8\n",    "m=audio 0 RTP/AVP 0 8\n",
                                            "m=audio 5000 RTP/SAVP 8\n",     "m=audio 5000 UDP/TLS/RTP/SAVPF 8\na=mid:0\n",
                                            "m=video 5000 RTP/AVP 31\n",     "m=image 5000 udptl t38\n",
                                            "m=audio 5000 RTP/AVP 18\n",     "m=audio 5000 RTP/AVP 8\na=inactive\n",
                                            "m=audio 5000 RTP/AVPF 0 101\n", "m=audio 5000 RTP/AVP 8\nc=IN IP4 x.example\n"};
    session us(5);
    int answers = 0;
    for (int round = 0; round < 500; ++round) {
        std::string text;
        for (auto n = roll(7); n > 0; --n) text += sections[roll(sections.size())];
        const auto offer = phone(text, round);
        const auto version_before = us.local() ? us.local()->origin.version : 0;
        const auto a = us.answer(offer, our_side());
        if (!a) continue;
        ++answers;
        INFO(text);
        REQUIRE(a->answer.sections.size() == offer.sections.size());
        for (std::size_t i = 0; i < offer.sections.size(); ++i) {
            REQUIRE(a->answer.sections[i].kind == offer.sections[i].kind);
            REQUIRE(a->answer.sections[i].protocol == offer.sections[i].protocol);
            REQUIRE((offer.sections[i].port != 0 || a->answer.sections[i].port == 0));
        }
        REQUIRE((a->answer.origin.version == version_before || a->answer.origin.version == version_before + 1));
        REQUIRE(*parse(write(a->answer)) == a->answer);
    }
    CHECK(answers > 200);
}
