// A media service in virtual time, legs whose events are kept, and peers with real sockets on loopback.
#pragma once
#include "core/async/virtual_time.hpp"
#include "core/media/rtp.hpp"
#include "core/media/service.hpp"
#include "core/media/stream.hpp"
#include "core/media/udp.hpp"
#include <array>
#include <catch2/catch.hpp>
#include <vector>

namespace strowger::media::test {

inline service_options some_ports(int threads = 2) {
    service_options o;
    o.threads = threads;
    o.first_port = 42000;
    o.last_port = 44999;
    return o;
}

/// A phone's RTP socket.
struct peer {
    udp_socket socket;
    rtp_header next{false, 8, 100, 5000, 0xabcd};

    explicit peer(const std::string& address = "127.0.0.1")
        : socket(bind_udp(socket_address::parse(address, 0))), address_(address) {
        REQUIRE(socket);
    }
    /// Where the engine is for this phone: on loopback, in the same family.
    const char* engine_address() const { return address_.find(':') == std::string::npos ? "127.0.0.1" : "::1"; }
    std::uint16_t port() const {
        socket_address own;
        socklen_t size = socket_address::capacity;
        REQUIRE(::getsockname(socket.fd(), own.data(), &size) == 0);
        return own.port();
    }
    sdp::agreed_audio agreed(const char* codec = "PCMA", int ptime = 20, bool events = true) const {
        sdp::agreed_audio a;
        a.receive_payload_type = a.send_payload_type = codec == std::string("PCMA") ? 8 : 0;
        a.chosen = {codec, a.receive_payload_type, 8000, 1, ""};
        if (events) a.send_telephone_event_pt = a.receive_telephone_event_pt = 101;
        a.remote_address = a.remote_rtcp_address = address_;
        a.remote_rtp_port = port();
        a.ptime = ptime;
        return a;
    }
    void send_raw(std::uint16_t to, std::span<const std::byte> bytes) const {
        const auto where = socket_address::parse(engine_address(), to);
        REQUIRE(::sendto(socket.fd(), bytes.data(), bytes.size(), 0, where.data(), where.size()) ==
                static_cast<ssize_t>(bytes.size()));
    }
    void send_rtp(std::uint16_t to, const rtp_header& h, std::span<const std::byte> payload) const {
        std::vector<std::byte> bytes(rtp_header_size);
        write_rtp(h, std::span<std::byte, rtp_header_size>(bytes.data(), rtp_header_size));
        bytes.insert(bytes.end(), payload.begin(), payload.end());
        send_raw(to, bytes);
    }
    /// The next packet of speech, all samples the same.
    void talk(std::uint16_t to, std::byte sample = std::byte{0x55}, std::size_t samples = 160) {
        const std::vector<std::byte> sound(samples, sample);
        send_rtp(to, next, sound);
        ++next.sequence;
        next.timestamp += static_cast<std::uint32_t>(samples);
    }
    struct heard {
        rtp_header header;
        std::vector<std::byte> payload;
    };
    /// Everything that has come.
    std::vector<heard> listen() const {
        std::vector<heard> all;
        std::array<std::byte, 2048> room;
        for (ssize_t n; (n = ::recv(socket.fd(), room.data(), room.size(), MSG_DONTWAIT)) != -1 || errno == ECONNREFUSED;) {
            if (n < 0) continue;
            const auto p = parse_rtp(std::span(room).first(static_cast<std::size_t>(n)));
            REQUIRE(p);
            all.push_back({p->header, {p->payload.begin(), p->payload.end()}});
        }
        return all;
    }

private:
    std::string address_;
};

/// One leg's events, by kind.
struct listener final : leg_listener {
    std::vector<leg_event> all;
    void on_event(leg_event e) override { all.push_back(std::move(e)); }
    template <class Event> std::vector<Event> of() const {
        std::vector<Event> some;
        for (const auto& e : all)
            if (const auto* it = std::get_if<Event>(&e)) some.push_back(*it);
        return some;
    }
    std::string digits() const {
        std::string keys;
        for (const auto& d : of<event::digit>()) keys += d.key;
        return keys;
    }
};

struct stage {
    virtual_clock clock;
    virtual_time time{clock};
    media_service service{clock, some_ports()};
    worker calls{"calls", clock};

    stage() {
        time.add(calls);
        for (auto* w : service.workers()) time.add(*w);
    }

    struct leg {
        listener events;
        std::shared_ptr<leg_mailbox> box;
        std::unique_ptr<stream> audio;
        peer phone;
        std::shared_ptr<frame_pipe> far; // the driver's end of a pipe

        leg(stage& s, bool pipe, std::size_t thread = 0, const char* peer_address = "127.0.0.1")
            : box(std::make_shared<leg_mailbox>(s.calls)), phone(peer_address) {
            box->open(events);
            auto& home = s.service.thread(thread);
            if (pipe) {
                auto [ours, theirs] = frame_pipe::make();
                far = theirs;
                audio = stream::open_pipe(s.service, home, ours, box, "test");
            } else {
                auto opened = stream::open_rtp(s.service, home, phone.engine_address(), box, "test");
                REQUIRE(opened);
                audio = std::move(*opened);
            }
        }
        ~leg() { box->close(); }
        std::uint16_t port() const { return audio->rtp_port(); }
        void agree(const sdp::agreed_audio& a, const source_policy& from = {}) { audio->configure(a, from); }
        void talk(std::byte sample = std::byte{0x55}, std::size_t samples = 160) { phone.talk(port(), sample, samples); }
    };
    media_figures figures(leg& l) {
        l.audio->request_figures();
        time.settle();
        return l.events.of<event::figures>().back().now;
    }
};

inline play_item silence(duration length, std::string name = "quiet") { return {std::monostate{}, length, std::move(name)}; }

/// Sequence without a gap, timestamps one packet apart, one SSRC, in this part of what was heard.
inline void require_continuous(const std::vector<peer::heard>& packets, unsigned samples = 160) {
    for (std::size_t i = 1; i < packets.size(); ++i) {
        REQUIRE(packets[i].header.ssrc == packets[0].header.ssrc);
        REQUIRE(static_cast<std::uint16_t>(packets[i].header.sequence - packets[i - 1].header.sequence) == 1);
        REQUIRE(packets[i].header.timestamp - packets[i - 1].header.timestamp == samples);
    }
}

} // namespace strowger::media::test
