// Sofia's stack and what the agent keeps for it: shared by agent.cpp and agent_send.cpp, which alone know Sofia's tags.
#pragma once
#include "channels/sip/agent.hpp"
#include "channels/sip/digest.hpp"
#include "channels/sip/sofia_message.hpp"
#include "channels/sip/text.hpp"
#include "core/base/ids.hpp"
#include "core/base/log.hpp"
#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <deque>
#include <ifaddrs.h>
#include <map>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <unordered_map>

#define NTA_AGENT_MAGIC_T strowger::sip::agent::impl
#define NTA_INCOMING_MAGIC_T struct strowger_sip_server
#define NTA_OUTGOING_MAGIC_T struct strowger_sip_client
#define SU_WAKEUP_ARG_T strowger::sip::agent::impl
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <sofia-sip/msg_addr.h>
#include <sofia-sip/nta.h>
#include <sofia-sip/nta_stateless.h>
#include <sofia-sip/nta_tag.h>
#include <sofia-sip/nta_tport.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/su.h>
#include <sofia-sip/su_wait.h>
#include <sofia-sip/tport.h>
#include <sofia-sip/tport_tag.h>
#pragma GCC diagnostic pop

struct strowger_sip_server {
    strowger::sip::agent::impl* owner;
    strowger::sip::transaction_id id;
    nta_incoming_t* irq;
    bool invite;
};
struct strowger_sip_client {
    strowger::sip::agent::impl* owner;
    strowger::sip::transaction_id id;
    nta_outgoing_t* orq;
    std::unique_ptr<strowger::sip::request> by_udp; ///< large and sent by TCP: how to go on where nobody takes TCP
};

namespace strowger::sip {

inline std::string text_of(const char* s) { return s == nullptr ? std::string() : std::string(s); }

inline std::string header_block(const header_list& headers) {
    std::string out;
    for (const auto& h : headers) out += fmt::format("{}: {}\r\n", clean(h.name), clean(h.value));
    return out;
}

struct agent::impl {
    using server = strowger_sip_server;
    using client = strowger_sip_client;
    struct timed {
        std::uint64_t id;
        job work;
    };

    agent* self = nullptr;
    options set;
    agent_listener* listener = nullptr;
    std::shared_ptr<agent_queue> queue;
    su_root_t* root = nullptr;
    nta_agent_t* nta = nullptr;
    std::vector<arrival_clock> clocks; ///< of the UDP sockets, in the order of the addresses
    const std::string tag_key = random_hex(8);
    std::deque<std::string> idents; ///< Sofia keeps pointers to these, in transactions too
    int queue_wait = -1, timer_wait = -1, timer_fd = -1;
    transaction_id last_id = 0;
    std::uint64_t last_timer = 0;
    std::unordered_map<transaction_id, std::unique_ptr<server>> servers;
    std::unordered_map<transaction_id, std::unique_ptr<client>> clients;
    std::multimap<instant, timed> timers;
    std::unordered_map<std::uint64_t, instant> timer_times;
    instant armed = instant::max(); ///< when timer_fd will tell
    std::vector<std::unique_ptr<client>> dead_clients; ///< their callbacks may still be on the stack
    std::vector<std::unique_ptr<server>> dead_servers;
    std::vector<job> deferred;
    int depth = 0;

    ~impl();
    result<> open_sockets();
    void arm_timer();
    void fire_timers();
    void drain_queue();
    void bury() {
        dead_clients.clear();
        dead_servers.clear();
    }
    /// One call from Sofia to us, or several within each other.
    class turn {
    public:
        explicit turn(impl& me) noexcept : me_(me) {
            if (me_.depth++ == 0) me_.bury();
        }
        turn(const turn&) = delete;
        turn& operator=(const turn&) = delete;
        ~turn() {
            while (me_.depth == 1 && !me_.deferred.empty())
                for (auto& work : std::exchange(me_.deferred, {})) work();
            --me_.depth;
        }

    private:
        impl& me_;
    };
    bool traced() const { return set.tracing && set.wants_trace && set.trace && set.tracing(); }

    message convert(const sip_t* sip, msg_t* raw, tport_t* through) const {
        return read_message(sip, raw, through, self->bound_);
    }
    void trace(const char* direction, const message& m) const;

    /// Makes its transaction; false with a log line when it cannot be sent at all.
    bool start(client& c, const request& r, bool tcp);
    /// By UDP after all, as the same transaction; false when that is no choice.
    bool fall_back(client& c);

    static const sip_via_t* answered_via(su_home_t* home, msg_t* raw);
    bool admitted(msg_t* raw, const sip_t* sip, tport_t* through);

    // Sofia's callbacks.
    void on_request(msg_t* raw, sip_t* sip);
    static int on_ack_or_cancel(server* s, nta_incoming_t* irq, const sip_t* sip);
    static int on_response(client* c, nta_outgoing_t* orq, const sip_t* sip);
    static int on_stray(impl* me, nta_agent_t*, msg_t* raw, sip_t* sip);
    static int on_queue(su_root_magic_t*, su_wait_t*, impl* me) {
        me->drain_queue();
        return 0;
    }
    static int on_timer(su_root_magic_t*, su_wait_t*, impl* me) {
        me->fire_timers();
        return 0;
    }
};

} // namespace strowger::sip
