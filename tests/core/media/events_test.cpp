// Keys by RFC 4733 and as tones.
#include "core/media/telephone_event.hpp"
#include "media_stage.hpp"

using namespace strowger;
using namespace strowger::media;
using namespace strowger::media::test;

TEST_CASE("a key is told once, whichever of its packets are lost") {
    telephone_event_receiver r;
    instant t(1h);
    REQUIRE(r.take({5, false, 10, 160}, true, 1000, t) == '5');
    REQUIRE_FALSE(r.take({5, false, 10, 320}, false, 1000, t + 20ms));
    REQUIRE_FALSE(r.take({5, true, 10, 800}, false, 1000, t + 80ms));
    REQUIRE_FALSE(r.take({5, true, 10, 800}, false, 1000, t + 100ms));
    REQUIRE_FALSE(r.pressed(t + 100ms));
    // The same key again, its first packets lost; then another one whose predecessor's end was lost.
    REQUIRE(r.take({5, false, 10, 480}, false, 3000, t + 400ms) == '5');
    REQUIRE(r.pressed(t + 400ms));
    REQUIRE(r.take({11, true, 10, 800}, false, 5000, t + 600ms) == '#');
    REQUIRE_FALSE(r.take({5, true, 10, 800}, false, 3000, t + 620ms)); // late
    REQUIRE_FALSE(r.take({16, false, 10, 160}, true, 9000, t + 900ms)); // flash is not a key
}

TEST_CASE("a key held for longer than the duration field lasts stays one key, and a lost end is over in time") {
    telephone_event_receiver r;
    instant t(1h);
    REQUIRE(r.take({1, false, 10, 160}, true, 1000, t) == '1');
    for (int i = 1; i < 410; ++i)
        REQUIRE_FALSE(r.take({1, false, 10, static_cast<std::uint16_t>(std::min(160 * i, 65535))}, false, 1000, t + 20ms * i));
    REQUIRE_FALSE(r.take({1, false, 10, 160}, false, 1000 + 65440, t + 8200ms));
    REQUIRE(r.pressed(t + 8300ms));
    REQUIRE_FALSE(r.pressed(t + 9s));
}

TEST_CASE("keys are sent as RFC 4733 says, with a gap between, and the end is told") {
    stage s;
    stage::leg a(s, false);
    a.agree(a.phone.agreed());
    a.audio->send_digits(7, "1w#");
    s.time.advance(1500ms);
    const auto heard = a.phone.listen();
    REQUIRE(heard.size() == 14); // five growing, the last of which ends, and that twice more; two keys
    for (std::size_t i = 0; i < heard.size(); ++i) {
        const auto e = parse_telephone_event(heard[i].payload);
        REQUIRE(e);
        const auto n = i % 7;
        REQUIRE(heard[i].header.payload_type == 101);
        REQUIRE(heard[i].header.marker == (n == 0));
        REQUIRE(e->code == (i < 7 ? 1 : 11));
        REQUIRE(e->end == (n >= 4));
        REQUIRE(e->duration == 160 * std::min<std::size_t>(n + 1, 5));
        REQUIRE(heard[i].header.timestamp == heard[i / 7 * 7].header.timestamp);
        if (i > 0) REQUIRE(static_cast<std::uint16_t>(heard[i].header.sequence - heard[i - 1].header.sequence) == 1);
    }
    // The key, its gap and the pause lie between.
    REQUIRE(heard[7].header.timestamp - heard[0].header.timestamp >= 8 * 650);
    const auto sent = a.events.of<event::digits_sent>();
    REQUIRE(sent.size() == 1);
    REQUIRE(sent[0].id == 7);
}

TEST_CASE("a peer without telephone-event gets tones, and its tones are heard as keys") {
    stage s;
    stage::leg a(s, false), b(s, false);
    a.agree(a.phone.agreed("PCMA", 20, false));
    b.agree(b.phone.agreed("PCMA", 20, false));
    a.audio->send_digits(1, "159D");
    s.time.advance(2s);
    REQUIRE(a.events.of<event::digits_sent>().size() == 1);
    for (const auto& p : a.phone.listen()) {
        REQUIRE(p.header.payload_type == 8);
        b.phone.send_rtp(b.port(), p.header, p.payload);
        s.time.advance(20ms);
    }
    REQUIRE(b.events.digits() == "159D");
}

TEST_CASE("a key goes through a bridge in the way of the other side") {
    stage s;
    stage::leg a(s, false), b(s, false), c(s, false), p(s, true);
    a.agree(a.phone.agreed());
    auto other_number = b.phone.agreed();
    other_number.send_telephone_event_pt = 96;
    b.agree(other_number);
    c.agree(c.phone.agreed("PCMA", 20, false));
    a.audio->join(*b.audio);
    const auto press = [&](char key) {
        std::array<std::byte, telephone_event_size> payload;
        for (int i = 1; i <= 3; ++i) {
            write_telephone_event({*telephone_event_code(key), i == 3, 10, static_cast<std::uint16_t>(160 * i)}, payload);
            auto h = a.phone.next;
            ++a.phone.next.sequence;
            h.payload_type = 101;
            h.marker = i == 1;
            a.phone.send_rtp(a.port(), h, payload);
            s.time.advance(20ms);
        }
        a.phone.next.timestamp += 480;
    };
    a.talk();
    s.time.advance(20ms);
    press('4');
    auto heard = b.phone.listen();
    REQUIRE(heard.size() == 4);
    REQUIRE(heard[3].header.payload_type == 96);
    REQUIRE(heard[3].header.timestamp == heard[0].header.timestamp + 160);
    REQUIRE(heard[3].header.sequence == static_cast<std::uint16_t>(heard[0].header.sequence + 3));

    a.audio->join(*c.audio);
    press('5');
    s.time.advance(300ms);
    heard = c.phone.listen();
    REQUIRE_FALSE(heard.empty());
    REQUIRE(heard[0].header.payload_type == 8); // a tone

    a.audio->join(*p.audio);
    press('6');
    REQUIRE(p.far->take_digits() == "6");
    REQUIRE(a.events.digits() == "456");
    REQUIRE(b.phone.listen().empty());
}
