// Two legs that hear each other: by RTP, by pipe, in other codecs and packet times, and on the way between threads.
#include "core/media/g711.hpp"
#include "media_stage.hpp"
#include <atomic>
#include <chrono>
#include <poll.h>
#include <thread>

using namespace strowger;
using namespace strowger::media;
using namespace strowger::media::test;

TEST_CASE("what one says the other hears, with our numbers, in its law, continuously across a prompt") {
    stage s;
    stage::leg a(s, false), b(s, false);
    a.agree(a.phone.agreed("PCMA"));
    b.agree(b.phone.agreed("PCMU"));
    a.audio->join(*b.audio);
    s.time.settle();
    for (int i = 0; i < 5; ++i) {
        a.talk(std::byte{0x12});
        s.time.advance(20ms);
    }
    auto heard = b.phone.listen();
    REQUIRE(heard.size() == 5);
    require_continuous(heard);
    REQUIRE(heard[0].header.marker);
    REQUIRE(heard[0].header.payload_type == 0);
    REQUIRE(heard[0].header.ssrc != a.phone.next.ssrc);
    REQUIRE(heard[0].payload[0] == pcma_to_pcmu(std::byte{0x12}));

    b.audio->play(1, {silence(100ms)});
    for (int i = 0; i < 20; ++i) {
        a.talk(std::byte{0x12});
        s.time.advance(20ms);
    }
    const auto later = b.phone.listen();
    auto last = heard.back().header;
    int changes = 0;
    for (const auto& p : later) {
        REQUIRE(p.header.ssrc == last.ssrc);
        REQUIRE(p.header.sequence == static_cast<std::uint16_t>(last.sequence + 1));
        const auto step = p.header.timestamp - last.timestamp;
        REQUIRE(step >= 160);
        REQUIRE(step <= 480);
        if (p.header.marker) ++changes;
        last = p.header;
    }
    REQUIRE(changes == 2);

    a.audio->part();
    s.time.settle();
    a.talk();
    b.talk();
    s.time.advance(20ms);
    REQUIRE(a.phone.listen().empty());
    REQUIRE(b.phone.listen().empty());
}

TEST_CASE("early media is heard one way, and a later join goes both ways") {
    stage s;
    stage::leg caller(s, false), callee(s, false);
    caller.agree(caller.phone.agreed());
    callee.agree(callee.phone.agreed());
    caller.audio->listen_to(*callee.audio);
    s.time.settle();
    const auto both_talk = [&] {
        caller.talk();
        callee.talk();
        s.time.advance(20ms);
    };
    both_talk();
    REQUIRE(caller.phone.listen().size() == 1);
    REQUIRE(callee.phone.listen().empty());
    caller.audio->join(*callee.audio);
    both_talk();
    REQUIRE(caller.phone.listen().size() == 1);
    REQUIRE(callee.phone.listen().size() == 1);
    callee.audio.reset(); // the other one lives on
    caller.talk();
    s.time.advance(20ms);
}

TEST_CASE("packets of another length are cut to the agreed one") {
    stage s;
    stage::leg a(s, false), b(s, false);
    const auto [from, to] = GENERATE(std::pair{60, 20}, std::pair{20, 30}, std::pair{10, 60});
    a.agree(a.phone.agreed());
    b.agree(b.phone.agreed("PCMA", to));
    a.audio->join(*b.audio);
    s.time.settle();
    for (int i = 0; i < 600; i += from) {
        a.talk(std::byte{1}, static_cast<std::size_t>(from) * 8);
        s.time.advance(std::chrono::milliseconds(from));
    }
    const auto heard = b.phone.listen();
    REQUIRE(heard.size() == static_cast<std::size_t>(600 / to));
    require_continuous(heard, static_cast<unsigned>(to) * 8);
    REQUIRE(heard[0].payload.size() == static_cast<std::size_t>(to) * 8);
}

TEST_CASE("a phone and a driver without sockets hear each other, prompts are announced, and keys go both ways") {
    stage s;
    stage::leg a(s, false), p(s, true);
    a.agree(a.phone.agreed());
    p.audio->play(1, {silence(40ms, "welcome"), silence(20ms, "beep")});
    s.time.advance(200ms);
    REQUIRE(p.far->announcements() == std::vector<std::string>{"welcome", "beep"});
    REQUIRE(p.events.of<event::play_ended>().size() == 1);
    linear_frame f;
    while (p.far->read(f)) {}

    p.audio->join(*a.audio);
    s.time.settle();
    a.talk(encode_pcma(8000));
    s.time.advance(20ms);
    REQUIRE(p.far->read(f));
    REQUIRE(f[80] == decode_pcma(encode_pcma(8000)));
    f.fill(-4000);
    for (int i = 0; i < 3; ++i) {
        p.far->write(f);
        s.time.advance(20ms);
    }
    const auto heard = a.phone.listen();
    REQUIRE(heard.size() == 3);
    require_continuous(heard);
    REQUIRE(heard[0].payload[7] == encode_pcma(-4000));

    p.far->send_digit('8');
    s.time.advance(200ms);
    REQUIRE(p.events.digits() == "8");
    REQUIRE(a.phone.listen()[0].header.payload_type == 101);
    p.audio->send_digits(5, "12");
    s.time.settle();
    REQUIRE(p.far->take_digits() == "12");
    REQUIRE(p.events.of<event::digits_sent>().size() == 1);
}

TEST_CASE("a stream moves with what it plays, what it counts and what waits in its socket") {
    stage s;
    stage::leg a(s, false), b(s, false, 1);
    a.agree(a.phone.agreed());
    b.agree(b.phone.agreed());
    a.audio->play(1, {silence(200ms)});
    s.time.advance(100ms);
    a.talk();
    a.audio->move_to(s.service.thread(1));
    a.audio->send_digits(2, "1");
    s.time.advance(600ms);
    REQUIRE(&a.audio->home() == &s.service.thread(1));
    REQUIRE(s.service.thread(0).streams() == 0);
    REQUIRE(a.events.of<event::play_ended>().size() == 1);
    REQUIRE(a.events.of<event::digits_sent>().size() == 1);
    const auto heard = a.phone.listen();
    REQUIRE(heard.size() >= 17);
    for (std::size_t i = 1; i < heard.size(); ++i)
        REQUIRE(static_cast<std::uint16_t>(heard[i].header.sequence - heard[i - 1].header.sequence) == 1);
    REQUIRE(s.figures(a).packets_received == 1);
    a.audio->join(*b.audio);
    s.time.settle();
    b.talk();
    s.time.settle();
    REQUIRE(a.phone.listen().size() == 1);
}

// With real threads: RTP flows all the time while both legs move together fifty times. They are apart only while they move.
TEST_CASE(
    "a bridged pair moves between media threads while packets flow, and loses none but those that came while it was apart") {
    real_clock clock;
    media_service service(clock, some_ports());
    worker calls("calls", clock);
    listener ignored;
    const auto box = std::make_shared<leg_mailbox>(calls);
    service.start();
    {
        peer left, right;
        auto a = std::move(*stream::open_rtp(service, service.thread(0), "127.0.0.1", box, "a"));
        auto b = std::move(*stream::open_rtp(service, service.thread(0), "127.0.0.1", box, "b"));
        a->configure(left.agreed(), {});
        b->configure(right.agreed(), {});
        a->join(*b);
        std::size_t heard = 0;
        const auto send_and_hear = [&](std::size_t count) {
            for (std::size_t i = 0; i < count; ++i) left.talk(a->rtp_port());
            std::size_t got = 0;
            pollfd wait{right.socket.fd(), POLLIN, 0};
            while (got < count && ::poll(&wait, 1, 500) == 1) got += right.listen().size();
            heard += got;
            return got;
        };
        // The commands are in effect once a packet gets through.
        const auto through = [&] {
            for (int tries = 0; tries < 1000; ++tries) {
                left.talk(a->rtp_port());
                pollfd wait{right.socket.fd(), POLLIN, 0};
                if (::poll(&wait, 1, 20) == 1) {
                    while (::poll(&wait, 1, 20) == 1) right.listen();
                    return true;
                }
            }
            return false;
        };
        REQUIRE(through());
        std::size_t at_rest_sent = 0;
        for (int i = 0; i < 50; ++i) {
            auto& to = service.thread(static_cast<std::size_t>(1 - i % 2));
            a->part();
            a->move_to(to);
            left.talk(a->rtp_port()); // flows while it moves
            b->move_to(to);
            left.talk(a->rtp_port());
            a->join(*b);
            REQUIRE(through());
            send_and_hear(10);
            at_rest_sent += 10;
        }
        REQUIRE(heard == at_rest_sent);
        REQUIRE(service.thread(0).streams() == 2);
    }
    service.stop();
}

// With real threads: a phone speaks all the time while its leg goes to and fro, and what came on the way is counted, none twice.
TEST_CASE("packets that come while a stream moves wait for it") {
    real_clock clock;
    media_service service(clock, some_ports());
    worker calls("calls", clock);
    listener events;
    const auto box = std::make_shared<leg_mailbox>(calls);
    box->open(events);
    service.start();
    std::uint64_t sent = 0;
    {
        peer phone;
        auto leg = std::move(*stream::open_rtp(service, service.thread(0), "127.0.0.1", box, "moves"));
        leg->configure(phone.agreed(), {});
        const auto received = [&] {
            leg->request_figures();
            const auto limit = clock.now() + 5s;
            while (events.of<event::figures>().empty() && clock.now() < limit) {
                calls.run_ready();
                std::this_thread::yield();
            }
            const auto all = events.of<event::figures>();
            events.all.clear();
            REQUIRE(all.size() == 1);
            REQUIRE(all[0].now.packets_lost == 0);
            return all[0].now.packets_received;
        };
        REQUIRE(received() == 0); // it is configured
        for (std::size_t i = 0; i < 200; ++i) {
            phone.talk(leg->rtp_port());
            leg->move_to(service.thread(1 - i % 2));
            phone.talk(leg->rtp_port());
            sent += 2;
            if (i % 10 == 9)
                for (int tries = 0; tries < 1000 && received() < sent; ++tries) {}
        }
        REQUIRE(received() == sent);
    }
    service.stop();
    box->close();
}
