// One leg: whose packets it takes, what it plays, what it tells.
#include "core/media/prompt_library.hpp"
#include "core/media/rtcp.hpp"
#include "media_stage.hpp"
#include "tests/core/media/prompt_files.hpp"

using namespace strowger;
using namespace strowger::media;
using namespace strowger::media::test;

TEST_CASE("what is played comes in packets of the agreed time, continuously, and its end is told when the last was heard") {
    stage s;
    stage::leg a(s, false);
    const int ptime = GENERATE(10, 20, 30, 60);
    a.agree(a.phone.agreed("PCMU", ptime));
    s.time.settle();
    a.audio->play(3, {{find_tone("beep").value(), 60ms, "tone:beep"}, silence(60ms)}, 2);
    s.time.advance(239ms);
    REQUIRE(a.events.of<event::play_ended>().empty());
    s.time.advance(25ms);
    const auto heard = a.phone.listen();
    REQUIRE(heard.size() == static_cast<std::size_t>(240 / ptime));
    REQUIRE(heard[0].header.marker);
    require_continuous(heard, static_cast<unsigned>(ptime) * 8);
    s.time.advance(60ms);
    const auto ended = a.events.of<event::play_ended>();
    REQUIRE(ended.size() == 1);
    REQUIRE(ended[0].id == 3);
    // Nothing plays: nothing runs but RTCP, seconds from now.
    REQUIRE(s.service.workers()[0]->next_deadline().value() - s.clock.now() > 1s);
}

TEST_CASE("a newer play replaces the old one, music goes on until it is stopped, and sequence and SSRC go on") {
    stage s;
    stage::leg a(s, false);
    a.agree(a.phone.agreed());
    a.audio->play(1, {silence(1h)});
    s.time.advance(100ms);
    a.audio->play(2, {silence(40ms)}, 0);
    s.time.advance(4s);
    a.audio->stop_playing();
    s.time.advance(1s);
    const auto heard = a.phone.listen();
    REQUIRE(heard.size() >= 200);
    for (std::size_t i = 1; i < heard.size(); ++i)
        REQUIRE(static_cast<std::uint16_t>(heard[i].header.sequence - heard[i - 1].header.sequence) == 1);
    REQUIRE(a.events.of<event::play_ended>().empty());
    a.audio->play(4, {}, 0); // nothing to hear does not go on for ever
    s.time.advance(100ms);
    REQUIRE(a.events.of<event::play_ended>().size() == 1);
}

TEST_CASE("a prompt is sent byte for byte in the law of the leg, also after a change of the law, and filled up with silence") {
    strowger::test::temporary_directory dir;
    std::vector<std::int16_t> samples;
    for (int i = 0; i < 1000; ++i) samples.push_back(static_cast<std::int16_t>(i * 30 - 15000));
    strowger::test::write(dir / "sounds/en/rise.wav", strowger::test::wav(samples));
    prompt_sources sources{{dir / "sounds"}, dir / "cache", {}, {}};
    prompt_library library(sources);
    const auto rise = library.find("rise", "en").value();

    stage s;
    stage::leg a(s, false);
    a.agree(a.phone.agreed("PCMA"));
    a.audio->play(1, {{rise, {}, "rise"}, silence(20ms)});
    s.time.advance(60ms);
    a.agree(a.phone.agreed("PCMU"));
    s.time.advance(500ms);
    REQUIRE(a.events.of<event::play_ended>().size() == 1);
    const auto heard = a.phone.listen();
    REQUIRE(heard.size() == 8); // 1000 samples and 160 of silence
    bool changed = false;
    for (std::size_t i = 0; i < heard.size(); ++i) {
        const auto& [header, payload] = heard[i];
        REQUIRE(header.sequence == static_cast<std::uint16_t>(heard[0].header.sequence + i));
        changed = changed || header.payload_type == 0;
        REQUIRE(header.payload_type == (changed ? 0 : 8));
        const auto codec = changed ? codec_id::pcmu : codec_id::pcma;
        for (std::size_t k = 0; k < payload.size(); ++k) {
            const auto at = 160 * i + k;
            REQUIRE(payload[k] == (at < 1000 ? rise->data(codec)[at] : silence_byte(codec)));
        }
    }
    REQUIRE(changed);
}

TEST_CASE("an IPv6 phone is heard, played to and guarded as others are, and the mapped address of an IPv4 one is not taken") {
    if (!bind_udp(socket_address::parse("::1", 0))) {
        WARN("this machine has no IPv6: not tested");
        return;
    }
    stage s;
    stage::leg a(s, false, 0, "::1");
    a.agree(a.phone.agreed());
    a.audio->listen_to(*a.audio);
    s.time.settle();
    peer stranger("::1");
    stranger.talk(a.port());
    s.time.settle();
    for (int i = 0; i < 3; ++i) {
        a.talk(std::byte{0x21});
        s.time.advance(20ms);
    }
    const auto heard = a.phone.listen();
    REQUIRE(heard.size() == 3);
    REQUIRE(heard[0].payload == std::vector<std::byte>(160, std::byte{0x21}));
    const auto f = s.figures(a);
    REQUIRE(f.packets_received == 3);
    REQUIRE(f.packets_foreign == 1);
    REQUIRE(f.local_address == fmt::format("[::1]:{}", a.port()));
    REQUIRE(f.remote_address == fmt::format("[::1]:{}", a.phone.port()));
    peer four; // its packets do not reach a socket of IPv6 alone
    four.talk(a.port());
    s.time.advance(20ms);
    REQUIRE(s.figures(a).packets_foreign == 1);
    REQUIRE(a.phone.listen().empty());
}

TEST_CASE("on hold nothing is sent, and afterwards our stream goes on by the time that passed") {
    stage s;
    stage::leg a(s, false);
    auto agreed = a.phone.agreed();
    a.agree(agreed);
    a.audio->play(1, {silence(1h)});
    s.time.advance(100ms);
    const auto before = a.phone.listen();
    agreed.dir = sdp::direction::recvonly;
    agreed.held_by_peer = true;
    a.agree(agreed);
    s.time.advance(1s);
    REQUIRE(a.phone.listen().empty());
    agreed.dir = sdp::direction::sendrecv;
    agreed.held_by_peer = false;
    a.agree(agreed);
    s.time.advance(100ms);
    const auto after = a.phone.listen();
    REQUIRE_FALSE(after.empty());
    REQUIRE(after[0].header.marker);
    REQUIRE(after[0].header.ssrc == before[0].header.ssrc);
    REQUIRE(after[0].header.sequence == static_cast<std::uint16_t>(before.back().header.sequence + 1));
    const auto step = after[0].header.timestamp - before.back().header.timestamp;
    REQUIRE(step >= 8000);
    REQUIRE(step <= 8000 + 480);
}

TEST_CASE("only the SDP's address and port are taken; others and nonsense are counted") {
    stage s;
    stage::leg a(s, false);
    a.agree(a.phone.agreed());
    s.time.settle();
    peer stranger;
    stranger.talk(a.port());
    s.time.settle();
    REQUIRE(a.events.of<event::first_packet>().empty());
    a.phone.send_raw(a.port(), std::array<std::byte, 5>{});
    a.phone.send_raw(a.port(), std::vector<std::byte>(1501));
    a.phone.send_rtp(a.port(), {false, 77, 1, 1, 1}, std::array<std::byte, 160>{});
    a.phone.send_rtp(a.port(), {false, 8, 1, 1, 1}, std::array<std::byte, 3>{});
    a.phone.send_rtp(a.port(), {false, 101, 1, 1, 1}, std::array<std::byte, 3>{});
    s.time.settle();
    a.talk();
    a.talk();
    s.time.settle();
    const auto f = s.figures(a);
    REQUIRE(f.packets_received == 2);
    REQUIRE(f.packets_foreign == 1);
    REQUIRE(f.packets_malformed == 5);
    REQUIRE(f.codec == "PCMA");
    REQUIRE(a.events.of<event::first_packet>().size() == 1);
    a.agree(a.phone.agreed());
    a.talk();
    s.time.settle();
    REQUIRE(a.events.of<event::first_packet>().size() == 1 + 1);
}

TEST_CASE("behind a NAT the first source of the right address is followed, another one only after silence or a new description") {
    stage s;
    stage::leg a(s, false);
    auto agreed = a.phone.agreed();
    agreed.remote_address = "192.0.2.9"; // what the phone believes
    a.agree(agreed, {true, "127.0.0.1"});
    s.time.settle();
    peer elsewhere("127.0.0.2"), second;
    elsewhere.talk(a.port());
    s.time.settle();
    a.talk();
    s.time.settle();
    second.talk(a.port());
    s.time.settle();
    a.audio->play(1, {silence(1h)});
    s.time.advance(40ms);
    REQUIRE_FALSE(a.phone.listen().empty());
    REQUIRE(s.figures(a).packets_received == 1);

    s.time.advance(3s); // the NAT has given it another port
    second.talk(a.port());
    a.phone.listen();
    s.time.advance(40ms);
    REQUIRE_FALSE(second.listen().empty());
    REQUIRE(a.phone.listen().empty());

    a.agree(agreed, {true, "127.0.0.1"});
    s.time.settle();
    a.talk();
    s.time.advance(40ms);
    REQUIRE_FALSE(a.phone.listen().empty());
    REQUIRE(s.figures(a).packets_foreign == 1); // and one that the kernel dropped
}

TEST_CASE("silence is told once until packets come again, and not while the peer holds") {
    stage s;
    stage::leg a(s, false);
    a.agree(a.phone.agreed());
    a.audio->set_silence_limit(5s);
    s.time.advance(4s);
    a.talk();
    s.time.advance(4s);
    REQUIRE(a.events.of<event::media_silent>().empty());
    s.time.advance(1min);
    REQUIRE(a.events.of<event::media_silent>().size() == 1);
    a.talk();
    s.time.advance(6s);
    REQUIRE(a.events.of<event::media_silent>().size() == 2);
    auto held = a.phone.agreed();
    held.dir = sdp::direction::inactive;
    held.held_by_peer = true;
    a.agree(held);
    s.time.advance(1min);
    REQUIRE(a.events.of<event::media_silent>().size() == 2);
}

TEST_CASE("RTCP reports go out, theirs give round trip and loss, and the end says BYE") {
    const bool mux = GENERATE(false, true);
    stage s;
    stage::leg a(s, false);
    peer control;
    auto agreed = a.phone.agreed();
    agreed.rtcp_mux = mux;
    agreed.remote_rtcp_port = control.port();
    a.agree(agreed);
    a.audio->play(1, {silence(1h)});
    a.talk();
    const auto& at = mux ? a.phone : control;
    const auto hear = [&] {
        std::optional<rtcp_report> last;
        std::array<std::byte, 2048> room;
        for (ssize_t n; (n = ::recv(at.socket.fd(), room.data(), room.size(), MSG_DONTWAIT)) > 0;)
            if (const auto d = std::span(room).first(static_cast<std::size_t>(n)); looks_like_rtcp(d)) {
                last = parse_rtcp(d, a.phone.next.ssrc);
                REQUIRE(last);
            }
        return last;
    };
    std::optional<rtcp_report> first;
    int waited = 0;
    for (; !first && waited < 80; ++waited) {
        s.time.advance(100ms);
        first = hear();
    }
    REQUIRE(first);
    REQUIRE(waited >= 25); // 5 s, half of it more or less
    REQUIRE(waited <= 76);
    REQUIRE(first->sender);
    REQUIRE(first->block);
    s.time.advance(1ms);
    rtcp_report answer;
    answer.ssrc = a.phone.next.ssrc;
    answer.cname = "peer";
    answer.block = report_block{first->ssrc, 128, 3, 9, 80, ntp_middle(first->sender->ntp_time), 0};
    std::array<std::byte, largest_rtcp_packet> out;
    const auto size = write_rtcp(answer, out);
    at.send_raw(mux ? a.port() : a.audio->rtcp_port(), std::span(out).first(size));
    s.time.settle();
    const auto f = s.figures(a);
    REQUIRE(f.round_trip_ms);
    REQUIRE(*f.round_trip_ms <= 102);
    REQUIRE(f.peer_loss == 0.5);
    REQUIRE(f.peer_jitter_ms == 10.0);
    const auto port = a.port();
    a.audio.reset();
    s.time.settle();
    REQUIRE(hear()->bye);
    REQUIRE(s.service.ports().in_use == 0);
    REQUIRE(s.service.thread(0).streams() == 0);
    a.phone.talk(port);
    s.time.advance(10s);
}
