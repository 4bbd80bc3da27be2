// The phones of many calls as far as sound goes: sends 50 packets a second from each of its sockets, and tells what came back.
//
//   rtp_generator SOCKETS     prints its ports, one a line, then "ready", and reads commands:
//   to LOCAL REMOTE TYPE      from now on the socket on port LOCAL sends to 127.0.0.1:REMOTE, in PCMU (0) or PCMA (8)
//   run WARM SECONDS          sends; prints "begin" after WARM seconds, "end" SECONDS later, then one line of figures, and ends
//
// Figures, all of the time between begin and end:
//   sent received             our own packets; each carries its sender and its moment
//   mixed                     own packets from another sender than the first that this socket heard
//   played gaps               packets of the other side's making (prompts, music), and how many their sequence numbers lack
//   silent                    sockets that heard nothing at all
//   p50 p99 p999 max          microseconds from sending to the kernel's receiving
//   stalls                    how often this program itself was more than 100 ms late
#include "tests/bench/loopback.hpp"
#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>
#include <iostream>
#include <sstream>
#include <string>
#include <sys/prctl.h>
#include <tuple>
#include <vector>

using namespace strowger::bench;

namespace {

using nanoseconds = std::int64_t;
constexpr nanoseconds second = 1'000'000'000;
constexpr nanoseconds packet_time = second / 50;
constexpr std::size_t phases = 20; ///< the sockets take turns, so that packets leave evenly
constexpr nanoseconds phase_time = packet_time / static_cast<nanoseconds>(phases);

nanoseconds now(clockid_t clock) {
    timespec t{};
    clock_gettime(clock, &t);
    return t.tv_sec * second + t.tv_nsec;
}
std::uint32_t microseconds(nanoseconds t) { return static_cast<std::uint32_t>(t / 1000); }
void sleep_until(nanoseconds moment) {
    const timespec t{static_cast<time_t>(moment / second), static_cast<long>(moment % second)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, nullptr);
}

constexpr std::uint8_t pcma = 8; ///< payload type
constexpr std::uint32_t own_mark = 0x62656e63;

/// What a packet tells of itself.
struct label {
    std::uint32_t mark = 0;
    std::uint32_t sender = 0;
    std::uint32_t counts = 0;  ///< sent between begin and end
    std::uint32_t sent_at = 0; ///< microseconds of the wall clock, which the kernel's receive time follows; wraps
};

/// An RTP packet (RFC 3550 §5.1) of 20 ms of G.711. Its sound is a label, four bits a sample, in samples so loud that both laws
/// number them alike: so the label comes through a change of the law.
struct packet {
    std::uint8_t version = 0x80, payload_type = 0;
    std::uint16_t sequence = 0;
    std::uint32_t timestamp = 0, source = 0;
    std::array<std::uint8_t, 2 * sizeof(label)> samples{};
    std::array<std::uint8_t, 160 - 2 * sizeof(label)> rest{};

    void write(const label& l) {
        std::array<std::uint8_t, sizeof l> bytes;
        std::memcpy(bytes.data(), &l, sizeof l);
        for (std::size_t i = 0; i < samples.size(); ++i)
            samples[i] = static_cast<std::uint8_t>((loud + (bytes[i / 2] >> (i % 2 * 4) & 15)) ^ line());
        rest.fill(static_cast<std::uint8_t>(line()));
    }
    label read() const {
        std::array<std::uint8_t, sizeof(label)> bytes{};
        for (std::size_t i = 0; i < samples.size(); ++i)
            bytes[i / 2] = static_cast<std::uint8_t>(bytes[i / 2] | (((samples[i] ^ line()) - loud) & 15) << (i % 2 * 4));
        label l;
        std::memcpy(&l, bytes.data(), sizeof l);
        return l;
    }

private:
    static constexpr unsigned loud = 96;
    unsigned line() const { return (payload_type & 0x7f) == pcma ? 0xd5 : 0xff; } ///< the bits inverted on the line, and the sign
};
static_assert(sizeof(packet) == 12 + 160);

struct phone {
    int socket = -1;
    std::uint16_t port = 0;
    bool sends = false;
    std::uint8_t payload_type = 0;
    sockaddr_in to{};
    std::uint16_t sequence = 0;
    std::int64_t heard_sender = -1;
    bool heard = false;
    std::int32_t last_played = -1; ///< sequence number of the latest packet of the other side's making
};

struct figures {
    std::uint64_t sent = 0, received = 0, mixed = 0, played = 0, gaps = 0, stalls = 0;
    std::vector<std::uint32_t> delays; ///< microseconds
};

class generator {
public:
    explicit generator(std::size_t count) : phones_(count) {
        std::uint16_t port = 40000;
        for (auto& p : phones_) {
            std::tie(p.socket, p.port) = open_socket(port);
            port = static_cast<std::uint16_t>(p.port + 2);
            const int on = 1;
            if (setsockopt(p.socket, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) != 0) give_up("SO_TIMESTAMPNS");
            std::printf("%u\n", unsigned{p.port});
        }
        std::printf("ready\n");
        std::fflush(stdout);
    }

    bool aim(std::uint16_t local, std::uint16_t remote, unsigned payload_type) {
        const auto p = std::find_if(phones_.begin(), phones_.end(), [&](const phone& x) { return x.port == local; });
        if (p == phones_.end()) return false;
        p->to = loopback(remote);
        p->payload_type = static_cast<std::uint8_t>(payload_type);
        return p->sends = true;
    }

    void run(nanoseconds warm, nanoseconds measured) {
        const auto start = now(CLOCK_MONOTONIC);
        send_until(start + warm, false);
        say("begin");
        begin_ = now(CLOCK_REALTIME);
        send_until(start + warm + measured, true);
        end_ = now(CLOCK_REALTIME);
        say("end");
        send_until(start + warm + measured + second / 2, false); // what is still on its way
        report();
    }

private:
    static void say(const char* what) {
        std::puts(what);
        std::fflush(stdout);
    }

    void send_until(nanoseconds end, bool counts) {
        auto next = now(CLOCK_MONOTONIC);
        for (; next < end; next += phase_time) {
            for (auto i = turn_; i < phones_.size(); i += phases) {
                receive(phones_[i]);
                if (phones_[i].sends) send(i, counts);
            }
            turn_ = (turn_ + 1) % phases;
            if (now(CLOCK_MONOTONIC) > next + second / 10) {
                next = now(CLOCK_MONOTONIC);
                ++figures_.stalls;
            }
            sleep_until(next + phase_time);
        }
    }

    void send(std::size_t index, bool counts) {
        auto& p = phones_[index];
        packet out;
        out.payload_type = p.payload_type;
        out.sequence = htons(p.sequence);
        out.timestamp = htonl(std::uint32_t{p.sequence} * 160);
        out.source = htonl(static_cast<std::uint32_t>(index + 1));
        out.write({own_mark, static_cast<std::uint32_t>(index), counts, microseconds(now(CLOCK_REALTIME))});
        ++p.sequence;
        (void)sendto(p.socket, &out, sizeof out, 0, as_sockaddr(p.to), sizeof p.to);
        figures_.sent += counts;
    }

    void receive(phone& p) {
        alignas(packet) std::array<char, 2048> data{};
        alignas(cmsghdr) std::array<char, 64> control{};
        iovec where{data.data(), data.size()};
        msghdr message{};
        message.msg_iov = &where;
        message.msg_iovlen = 1;
        for (;;) {
            message.msg_control = control.data();
            message.msg_controllen = control.size();
            const auto size = recvmsg(p.socket, &message, 0);
            if (size < 0) return;
            nanoseconds at = 0;
            for (auto* c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
                timespec t{};
                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS) continue;
                std::memcpy(&t, CMSG_DATA(c), sizeof t);
                at = t.tv_sec * second + t.tv_nsec;
            }
            packet in;
            std::memcpy(static_cast<void*>(&in), data.data(), std::min(sizeof in, static_cast<std::size_t>(size)));
            if (size < 12 || (in.payload_type & 0x7f) >= 64) continue; // not RTP, or RTCP (RFC 5761 §4)
            p.heard = true;
            const auto said = in.read();
            if (static_cast<std::size_t>(size) == sizeof in && said.mark == own_mark)
                take_own(p, said, at);
            else
                take_played(p, ntohs(in.sequence), at);
        }
    }

    void take_own(phone& p, const label& in, nanoseconds at) {
        if (p.heard_sender < 0) p.heard_sender = in.sender;
        if (!in.counts) return;
        ++figures_.received;
        figures_.mixed += p.heard_sender != in.sender;
        figures_.delays.push_back(microseconds(at) - in.sent_at);
    }

    void take_played(phone& p, std::uint16_t sequence, nanoseconds at) {
        if (begin_ == 0 || at < begin_ || (end_ != 0 && at > end_)) return;
        ++figures_.played;
        if (p.last_played >= 0) figures_.gaps += static_cast<std::uint16_t>(sequence - p.last_played - 1);
        p.last_played = sequence;
    }

    void report() {
        auto& d = figures_.delays;
        std::sort(d.begin(), d.end());
        const auto part = [&](std::size_t thousandths) {
            return d.empty() ? 0u : d[std::min(d.size() - 1, d.size() * thousandths / 1000)];
        };
        const auto silent = std::count_if(phones_.begin(), phones_.end(), [](const phone& p) { return p.sends && !p.heard; });
        std::cout << "sent=" << figures_.sent << " received=" << figures_.received << " mixed=" << figures_.mixed
                  << " played=" << figures_.played << " gaps=" << figures_.gaps << " silent=" << silent << " p50=" << part(500)
                  << " p99=" << part(990) << " p999=" << part(999) << " max=" << part(1000) << " stalls=" << figures_.stalls
                  << std::endl;
    }

    std::vector<phone> phones_;
    std::size_t turn_ = 0;
    nanoseconds begin_ = 0, end_ = 0; ///< wall clock; 0: not yet
    figures figures_;
};

} // namespace

int main(int argc, char** argv) {
    const auto count = static_cast<std::size_t>(argument(argc, argv, 1, 10000, "SOCKETS"));
    allow_many_sockets();
    prctl(PR_SET_TIMERSLACK, 1000); // nanoseconds
    generator phones(count);
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream words(line);
        std::string command;
        words >> command;
        std::uint16_t local = 0, remote = 0;
        unsigned payload_type = 0;
        double warm = 0, measured = 0;
        if (command == "to" && words >> local >> remote >> payload_type && phones.aim(local, remote, payload_type)) continue;
        if (command == "run" && words >> warm >> measured && warm >= 0 && measured > 0) {
            phones.run(static_cast<nanoseconds>(warm * 1e9), static_cast<nanoseconds>(measured * 1e9));
            return 0;
        }
        std::cerr << "not understood: " << line << '\n';
        return 2;
    }
}
