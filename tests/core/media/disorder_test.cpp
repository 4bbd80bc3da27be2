// What networks and phones do to a stream, and what the other side of a bridge gets of it: one SSRC and numbers that make sense.
#include "core/media/g711.hpp"
#include "core/media/telephone_event.hpp"
#include "media_stage.hpp"
#include <algorithm>

using namespace strowger;
using namespace strowger::media;
using namespace strowger::media::test;

namespace {

/// A speaks A-law; B hears it in his law and packet time.
struct talk : stage {
    stage::leg a{*this, false}, b{*this, false};
    std::vector<peer::heard> heard; // by b, all of it
    std::size_t checked = 0;

    explicit talk(const char* codec = "PCMA", int ptime = 20) {
        a.agree(a.phone.agreed());
        b.agree(b.phone.agreed(codec, ptime));
        a.audio->join(*b.audio);
        time.settle();
    }
    /// A packet of A, whose place in A's speech is its sound.
    void send(std::uint8_t sound, duration wait = 20ms) {
        a.talk(std::byte{sound});
        pass(wait);
    }
    void send(rtp_header header, std::uint8_t sound, duration wait = 20ms) {
        a.phone.send_rtp(a.port(), header, std::vector<std::byte>(160, std::byte{sound}));
        pass(wait);
    }
    void pass(duration wait) {
        time.settle();
        if (wait > 0s) time.advance(wait);
        for (auto& p : b.phone.listen()) heard.push_back(std::move(p));
    }
    /// What has come since the last time: A's sounds, in the order of our sequence numbers.
    std::vector<int> sounds(bool as_pcmu) {
        std::vector<peer::heard> fresh(heard.begin() + static_cast<std::ptrdiff_t>(checked), heard.end());
        checked = heard.size();
        std::stable_sort(fresh.begin(), fresh.end(), [](const auto& x, const auto& y) {
            return static_cast<std::int16_t>(x.header.sequence - y.header.sequence) < 0;
        });
        std::vector<int> all;
        for (const auto& p : fresh) {
            int sound = 0;
            for (int s = 0; s < 256; ++s)
                if (p.payload[0] == (as_pcmu ? pcma_to_pcmu(std::byte(s)) : std::byte(s))) sound = s;
            all.push_back(sound);
        }
        return all;
    }
    /// One SSRC, no number twice, none missing but those of `lost` packets, and time that goes on as the numbers do or with a
    /// marker and forwards.
    void check_numbers(int lost = 0, unsigned samples = 160) {
        std::vector<rtp_header> all;
        for (const auto& p : heard) all.push_back(p.header);
        std::stable_sort(all.begin(), all.end(), [](const rtp_header& x, const rtp_header& y) {
            return static_cast<std::int16_t>(x.sequence - y.sequence) < 0;
        });
        for (std::size_t i = 1; i < all.size(); ++i) {
            CAPTURE(i, all[i].marker);
            REQUIRE(all[i].ssrc == all[0].ssrc);
            const auto step = static_cast<std::uint16_t>(all[i].sequence - all[i - 1].sequence);
            REQUIRE(step >= 1);
            lost -= step - 1;
            const auto moved = static_cast<std::int32_t>(all[i].timestamp - all[i - 1].timestamp);
            if (!all[i].marker) REQUIRE(moved == static_cast<std::int32_t>(step * samples));
            REQUIRE(moved >= static_cast<std::int32_t>(samples));
            REQUIRE(moved <= static_cast<std::int32_t>(step * samples) + 8000);
        }
        REQUIRE(lost == 0);
    }
};

// Values that the way through the other law leaves apart.
constexpr std::uint8_t one = 0x11, two = 0x22, three = 0x33, four = 0x44, five = 0x66;

} // namespace

TEST_CASE("loss, disorder and doubles pass a bridge as a network would, in one law and from one to the other") {
    const bool other = GENERATE(false, true);
    talk t(other ? "PCMU" : "PCMA");
    t.a.phone.next.sequence = 65533; // it wraps
    t.a.phone.next.timestamp = 4'294'967'000;
    const auto next = [&] {
        const auto h = t.a.phone.next;
        ++t.a.phone.next.sequence;
        t.a.phone.next.timestamp += 160;
        return h;
    };
    t.send(next(), one);
    const auto overtaken = next();
    t.send(next(), three);
    t.send(overtaken, two, 5ms);
    t.send(overtaken, two, 5ms);
    next(); // lost
    const auto twice = next();
    t.send(twice, four);
    t.send(twice, four, 1ms);
    t.send(next(), five);
    REQUIRE(t.sounds(other) == std::vector<int>{one, two, three, four, five});
    t.check_numbers(1);
    REQUIRE(t.heard[0].header.payload_type == (other ? 0 : 8));
    REQUIRE(std::count_if(t.heard.begin(), t.heard.end(), [](const auto& p) { return p.header.marker; }) == 1);
}

TEST_CASE("whatever a sender does to its numbers, ours go on") {
    const bool other = GENERATE(false, true);
    talk t(other ? "PCMU" : "PCMA");
    for (int i = 0; i < 5; ++i) t.send(one);
    auto& n = t.a.phone.next;
    SECTION("a new SSRC, with stragglers of the old one") {
        auto old = n;
        n = {true, 8, 40000, 77, 0x1234};
        t.send(two);
        t.send(old, three, 1ms);
        t.send(two);
        ++old.sequence;
        t.send(old, three, 1ms);
        for (int i = 0; i < 3; ++i) t.send(two);
    }
    SECTION("a sequence that begins anew, while its time goes on") {
        n.sequence = static_cast<std::uint16_t>(n.sequence - GENERATE(90, 1500, 20000));
        for (int i = 0; i < 6; ++i) t.send(two);
    }
    SECTION("timestamps that begin anew, before or behind") {
        n.timestamp += static_cast<std::uint32_t>(GENERATE(-1600, 16000, -16000, 1'000'000'000));
        for (int i = 0; i < 5; ++i) t.send(two);
    }
    SECTION("a time that stands still") {
        for (int i = 0; i < 5; ++i) {
            t.send(two);
            n.timestamp -= 160;
        }
    }
    SECTION("a pause, with a marker behind it") {
        t.pass(600ms);
        n.timestamp += 30 * 160;
        auto h = n;
        h.marker = true;
        t.send(h, two);
        ++n.sequence;
        n.timestamp += 160;
        for (int i = 0; i < 4; ++i) t.send(two);
    }
    const auto sounds = t.sounds(other);
    REQUIRE(sounds == std::vector<int>{one, one, one, one, one, two, two, two, two, two});
    t.check_numbers();
}

TEST_CASE("packets that mean nothing leave the others alone") {
    const bool other = GENERATE(false, true);
    talk t(other ? "PCMU" : "PCMA");
    auto& n = t.a.phone.next;
    const auto nonsense = [&](std::uint8_t type, std::size_t size) {
        auto h = n;
        h.payload_type = type;
        t.a.phone.send_rtp(t.a.port(), h, std::vector<std::byte>(size, std::byte{1}));
        ++n.sequence;
        n.timestamp += 160;
        t.pass(20ms);
    };
    t.send(one);
    nonsense(8, 0);
    nonsense(8, 1400);
    nonsense(8, 1488);
    nonsense(18, 20); // G.729
    nonsense(101, 2);
    t.send(two);
    t.check_numbers(5);
    nonsense(13, 1); // comfort noise: heard, and silent
    nonsense(13, 1);
    t.send(three);
    REQUIRE(t.sounds(other) == std::vector<int>{one, two, three});
    t.heard.erase(t.heard.begin()); // its gap was looked at
    REQUIRE(static_cast<std::uint16_t>(t.heard[1].header.sequence - t.heard[0].header.sequence) == 1);
    REQUIRE(t.heard[1].header.timestamp - t.heard[0].header.timestamp == 3 * 160);
    const auto f = t.figures(t.a);
    REQUIRE(f.packets_malformed == 5);
    REQUIRE(f.packets_foreign == 0);
}

TEST_CASE("a sender that changes its packet time in mid-call is heard without a hole in our numbers") {
    const bool other = GENERATE(false, true);
    talk t(other ? "PCMU" : "PCMA");
    std::size_t sent = 0;
    const auto speak = [&](std::size_t ms, int times) {
        for (int i = 0; i < times; ++i, sent += ms) {
            t.a.talk(std::byte{0x12}, ms * 8);
            t.pass(std::chrono::milliseconds(ms));
        }
    };
    speak(20, 5);
    speak(30, 4);
    speak(20, 5);
    speak(60, 2);
    speak(10, 7);
    speak(20, 5);
    speak(120, 1);
    speak(20, 3);
    t.check_numbers();
    REQUIRE(t.heard.size() * 20 <= sent);
    REQUIRE(t.heard.size() * 20 >= sent - 40);
    for (const auto& p : t.heard)
        REQUIRE(p.payload == std::vector<std::byte>(160, other ? pcma_to_pcmu(std::byte{0x12}) : std::byte{0x12}));
}

TEST_CASE("packets cut to another length stay in time when some are lost, late or doubled") {
    talk t("PCMU", 30);
    for (int i = 0; i < 6; ++i) t.send(one);
    auto late = t.a.phone.next;
    ++t.a.phone.next.sequence;
    t.a.phone.next.timestamp += 160;
    t.send(two);
    t.send(late, three, 1ms); // its place is silence by now
    auto twice = t.a.phone.next;
    t.send(two);
    t.send(twice, three, 1ms);
    for (int i = 0; i < 9; ++i) t.send(two);
    t.check_numbers(0, 240);
    REQUIRE(t.heard.size() == 12);
    std::vector<std::byte> all;
    for (const auto& p : t.heard) all.insert(all.end(), p.payload.begin(), p.payload.end());
    std::vector<std::byte> expected(960, pcma_to_pcmu(std::byte{one}));
    expected.resize(1120, silence_byte(codec_id::pcmu));
    expected.resize(2880, pcma_to_pcmu(std::byte{two}));
    REQUIRE(all == expected);
    const auto last = t.heard.back().header.timestamp;
    t.pass(500ms);
    t.a.phone.next.timestamp += 4000; // a pause
    for (int i = 0; i < 3; ++i) t.send(two);
    REQUIRE(t.heard.size() == 14);
    REQUIRE(t.heard[12].header.marker);
    REQUIRE(t.heard[12].header.timestamp - last >= 4000); // half a second
}

TEST_CASE("a driver without sockets gets no sound twice or backwards") {
    stage s;
    stage::leg a(s, false), p(s, true);
    a.agree(a.phone.agreed());
    p.audio->join(*a.audio);
    s.time.settle();
    const auto first = a.phone.next;
    a.talk(std::byte{one});
    s.time.settle();
    a.phone.send_rtp(a.port(), first, std::vector<std::byte>(160, std::byte{one}));
    ++a.phone.next.sequence;
    a.talk(std::byte{two});
    s.time.settle();
    auto late = a.phone.next;
    late.sequence = static_cast<std::uint16_t>(late.sequence - 2);
    a.phone.send_rtp(a.port(), late, std::vector<std::byte>(160, std::byte{three}));
    s.time.settle();
    linear_frame f;
    REQUIRE(p.far->read(f));
    REQUIRE(f[0] == decode_pcma(std::byte{one}));
    REQUIRE(p.far->read(f));
    REQUIRE(f[0] == decode_pcma(std::byte{two}));
    REQUIRE_FALSE(p.far->read(f));
}

TEST_CASE("a key is heard once by the call and by the other side, whatever happens to its packets, also while a prompt plays") {
    talk t("PCMU");
    auto other_side = t.b.phone.agreed("PCMU");
    other_side.send_telephone_event_pt = other_side.receive_telephone_event_pt = 96;
    t.b.agree(other_side);
    t.time.settle();
    auto& n = t.a.phone.next;
    const auto press = [&](char key, std::vector<int> packets) { // their numbers from the first, in the order in which they come
        const auto begin = n;
        for (const int i : packets) {
            std::array<std::byte, telephone_event_size> payload;
            write_telephone_event({*telephone_event_code(key), i >= 5, 10, static_cast<std::uint16_t>(160 * std::min(i + 1, 6))},
                                  payload);
            auto h = begin;
            h.payload_type = 101;
            h.marker = i == 0;
            h.sequence = static_cast<std::uint16_t>(begin.sequence + i);
            t.a.phone.send_rtp(t.a.port(), h, payload);
            t.pass(20ms);
        }
        n.sequence = static_cast<std::uint16_t>(begin.sequence + 8);
        n.timestamp += 8 * 160;
    };
    const auto keys_of_b = [&] { // as a phone counts them: by timestamps
        std::vector<std::uint32_t> times;
        for (const auto& p : t.heard)
            if (p.header.payload_type == 96 && std::find(times.begin(), times.end(), p.header.timestamp) == times.end())
                times.push_back(p.header.timestamp);
        return times.size();
    };
    t.send(one);
    press('1', {0, 1, 2, 3, 4, 5, 6, 7});
    t.send(one);
    press('2', {2, 1, 2, 0, 4, 4, 6, 3, 7});
    t.send(one);
    press('3', {7});
    t.send(one);
    REQUIRE(t.a.events.digits() == "123");
    REQUIRE(keys_of_b() == 3);
    n = {true, 8, 60, 900, 0x9999}; // another SSRC, whose time is behind the old one's
    t.send(one);
    press('4', {0, 2, 1, 5});
    REQUIRE(t.a.events.digits() == "1234");
    REQUIRE(keys_of_b() == 4);
    n.sequence = static_cast<std::uint16_t>(n.sequence + 30000);
    n.timestamp = 200;
    t.send(one);
    t.send(one);
    press('4', {1, 5, 6});
    REQUIRE(t.a.events.digits() == "12344");

    t.a.audio->play(1, {silence(1s)}); // gather: a prompt to A, keys from A
    t.time.settle();
    press('5', {0, 3, 2, 7, 6});
    n.ssrc = 0x7777;
    n.timestamp = 3;
    t.send(one);
    press('6', {3, 4, 5});
    REQUIRE(t.a.events.digits() == "1234456");
    for (const auto& p : t.heard) REQUIRE(p.header.ssrc == t.heard[0].header.ssrc);
    const auto played = t.a.phone.listen();
    REQUIRE(played.size() >= 8);
    require_continuous(played);
}
