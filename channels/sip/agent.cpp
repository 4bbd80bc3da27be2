// The only file that includes Sofia's tag builders.
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

namespace {

// What waits here longer than its sender waits for an answer is worth nothing: three thousand messages fit, which is a few tenths
// of a second when more come than can be set up (the kernel doubles it, and counts 1.3 kB for a message).
constexpr int receive_buffer = 2 * 1024 * 1024;

std::string text_of(const char* s) { return s == nullptr ? std::string() : std::string(s); }

std::string header_block(const header_list& headers) {
    std::string out;
    for (const auto& h : headers) out += fmt::format("{}: {}\r\n", clean(h.name), clean(h.value));
    return out;
}

std::string to_wire(const message& m) {
    std::string out = m.status == 0 ? fmt::format("{} {} SIP/2.0\n", m.method, m.uri) : fmt::format("SIP/2.0 {}\n", m.status);
    for (const auto& h : m.headers) out += fmt::format("{}: {}\n", h.name, h.value);
    return masked(out + "\n" + m.body);
}

} // namespace

// --- the thread ----------------------------------------------------------------------------------------------------------------

result<std::unique_ptr<agent>> agent::open(options o, agent_listener& listener, std::shared_ptr<agent_queue> queue) {
    std::unique_ptr<agent> made(new agent);
    made->impl_ = std::make_unique<impl>();
    auto& me = *made->impl_;
    me.self = made.get();
    me.set = std::move(o);
    me.listener = &listener;
    me.queue = std::move(queue);
    made->bound_ = expand_listen(me.set.listen);
    if (made->bound_.empty()) return fail("no address to listen on");
    if (const auto ok = me.open_sockets(); !ok) return fail(ok);
    return made;
}

result<> agent::impl::open_sockets() {
    root = su_root_create(nullptr);
    if (root == nullptr) return fail("Sofia has no root: {}", std::strerror(errno));
    su_root_threading(root, 0);
    const auto* no_socket_yet = reinterpret_cast<const url_string_t*>(-1); // Sofia's NONE: null would bind every address at once
    nta = nta_agent_create(root, no_socket_yet, &impl::on_stray, this, NTATAG_UA(1), NTATAG_MERGE_482(1), NTATAG_MAXSIZE(65536),
                           NTATAG_UDP_MTU(65535), NTATAG_PASS_100(1), NTATAG_USE_TIMESTAMP(0), NTATAG_EXTRA_100(0),
                           NTATAG_USE_NAPTR(0), NTATAG_USE_SRV(0), NTATAG_SERVER_RPORT(1), NTATAG_CLIENT_RPORT(1),
                           NTATAG_STATELESS(1), // new requests come to on_stray, which may make a transaction of them
                           TAG_END());
    if (nta == nullptr) return fail("Sofia has no agent: {}", std::strerror(errno));
    for (std::size_t i = 0; i < self->bound_.size(); ++i) {
        const auto& l = self->bound_[i];
        idents.push_back(fmt::format("l{}", i));
        for (const char* transport : {"udp", "tcp"}) {
            const auto one = fmt::format("sip:{}:{};transport={}", host_text(l.ip), l.port, transport);
            if (nta_agent_add_tport(nta, reinterpret_cast<const url_string_t*>(one.c_str()), TPTAG_IDENT(idents.back().c_str()),
                                    TPTAG_QUEUESIZE(1000), TPTAG_PONG2PING(1), TPTAG_UDP_RMEM(receive_buffer),
                                    TPTAG_UDP_WMEM(4 * 1024 * 1024), TAG_END()) < 0)
                return fail("cannot listen on {}:{} ({}): {}; is another program using it?", l.ip, l.port, transport,
                            std::strerror(errno));
        }
        clocks.emplace_back(l.ip, l.port);
    }
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    su_wait_t wait[1];
    if (timer_fd < 0 || su_wait_create(wait, queue->event_, SU_WAIT_IN) < 0)
        return fail("Sofia: {}", std::strerror(errno));
    queue_wait = su_root_register(root, wait, &impl::on_queue, this, 0);
    su_wait_create(wait, timer_fd, SU_WAIT_IN);
    timer_wait = su_root_register(root, wait, &impl::on_timer, this, 0);
    if (queue_wait <= 0 || timer_wait <= 0) return fail("Sofia cannot watch the queue: {}", std::strerror(errno));
    return {};
}

agent::impl::~impl() {
    if (queue) queue->close();
    timers.clear();
    for (auto& [id, s] : servers) nta_incoming_destroy(s->irq);
    for (auto& [id, c] : clients) nta_outgoing_destroy(c->orq);
    servers.clear();
    clients.clear();
    bury();
    if (nta != nullptr) nta_agent_destroy(nta);
    if (queue_wait > 0) su_root_deregister(root, queue_wait);
    if (timer_wait > 0) su_root_deregister(root, timer_wait);
    if (root != nullptr) su_root_destroy(root);
    if (timer_fd >= 0) ::close(timer_fd);
}

agent::~agent() = default;
void agent::run() { su_root_run(impl_->root); }
void agent::stop() { su_root_break(impl_->root); }

void agent::impl::drain_queue() {
    const turn running(*this);
    for (auto& work : queue->take()) work();
}

/// A timer that was cancelled leaves timer_fd as it is: waking up once for nothing costs less than every change of it.
void agent::impl::arm_timer() {
    if (timers.empty() || timers.begin()->first >= armed) return;
    armed = timers.begin()->first;
    const auto ns = std::max<std::int64_t>(1, armed.time_since_epoch().count());
    const itimerspec when{{}, {ns / 1'000'000'000, ns % 1'000'000'000}};
    timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, nullptr);
}

void agent::impl::fire_timers() {
    const turn running(*this);
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(timer_fd, &count, sizeof count);
    armed = instant::max();
    const auto now = std::chrono::steady_clock::now();
    while (!timers.empty() && timers.begin()->first <= now) {
        auto node = timers.extract(timers.begin());
        timer_times.erase(node.mapped().id);
        node.mapped().work();
    }
    arm_timer();
}

void agent::later(job work) { impl_->deferred.push_back(std::move(work)); }

std::uint64_t agent::after(duration delay, job work) {
    const auto when = std::chrono::steady_clock::now() + delay;
    const auto id = ++impl_->last_timer;
    impl_->timers.emplace(when, impl::timed{id, std::move(work)});
    impl_->timer_times.emplace(id, when);
    impl_->arm_timer();
    return id;
}

void agent::cancel_timer(std::uint64_t id) {
    const auto found = impl_->timer_times.find(id);
    if (found == impl_->timer_times.end()) return;
    const auto [first, last] = impl_->timers.equal_range(found->second);
    for (auto it = first; it != last; ++it) {
        if (it->second.id != id) continue;
        impl_->timers.erase(it);
        break;
    }
    impl_->timer_times.erase(id);
}

void agent::impl::trace(const char* direction, const message& m) const {
    if (traced() && set.wants_trace(m))
        set.trace(fmt::format("{} {}\n{}", direction, m.source.text(), to_wire(m)));
}

/// A request that fits no transaction: it makes one, unless it is refused at the door.
void agent::impl::on_request(msg_t* raw, sip_t* sip) {
    const auto method = sip->sip_request->rq_method;
    auto* through = tport_delivered_by(nta_agent_tports(nta), raw);
    if (method == sip_method_ack) { // of nobody's INVITE, or of one that was refused at the door: silence
        if (traced()) trace("<-", convert(sip, raw, through));
        return msg_destroy(raw);
    }
    if (method == sip_method_cancel) { // one that fits an INVITE never comes here
        nta_msg_treply(nta, raw, 481, nullptr, TAG_END());
        return;
    }
    if (!admitted(raw, sip, through)) return;
    auto m = convert(sip, raw, through);
    trace("<-", m);
    auto* irq = nta_incoming_create(nta, nullptr, raw, sip, NTATAG_TPORT(through), TAG_END());
    if (irq == nullptr) return;
    if (m.to_tag.empty()) nta_incoming_tag(irq, random_hex(8).c_str());
    auto s = std::make_unique<server>();
    *s = {this, ++last_id, irq, method == sip_method_invite};
    const auto id = s->id;
    nta_incoming_bind(irq, &impl::on_ack_or_cancel, s.get());
    servers.emplace(id, std::move(s));
    listener->on_request(id, std::move(m));
}

/// False when it has been refused, and answered.
bool agent::impl::admitted(msg_t* raw, const sip_t* sip, tport_t* through) {
    const auto method = sip->sip_request->rq_method;
    const bool begins = method == sip_method_invite || method == sip_method_register || method == sip_method_subscribe;
    if (!begins || !set.admit || sip->sip_to->a_tag != nullptr) return true;
    const auto from = read_origin(raw, through);
    arrival a{sip->sip_request->rq_method_name, {}, from.peer.ip, false, {}};
    a.credentials = sip->sip_authorization != nullptr || sip->sip_proxy_authorization != nullptr;
    if (from.peer.transport == "udp" && from.listener < clocks.size()) a.waited = clocks[from.listener].waited();
    su_home_t home[1] = {SU_HOME_INIT(home)};
    su_home_init(home);
    const auto* target = sip->sip_request->rq_url;
    a.number = target->url_user != nullptr ? unescape(target->url_user) : text_of(url_as_string(home, target));
    const auto no = set.admit(a);
    if (no) {
        auto* to = sip_to_dup(home, sip->sip_to); // with the same tag for each repetition (RFC 3261 §8.2.7)
        const auto id = fmt::format("{}:{}:{}", tag_key, text_of(sip->sip_call_id->i_id), text_of(sip->sip_from->a_tag));
        sip_to_tag(home, to, hash_hex(digest_algorithm::md5, id).substr(0, 16).c_str());
        if (traced()) trace("<- refused", convert(sip, raw, through)); // reading all of it costs more than the refusal
        const sip_via_t* via = answered_via(home, raw);
        const auto block = header_block(no->headers);
        nta_msg_treply(nta, raw, no->status, nullptr, SIPTAG_TO(to), TAG_IF(via != nullptr, SIPTAG_VIA(via)),
                       SIPTAG_HEADER_STR(block.c_str()), TAG_END());
    }
    su_home_deinit(home);
    return !no;
}

int agent::impl::on_ack_or_cancel(server* s, nta_incoming_t* irq, const sip_t* sip) {
    auto& me = *s->owner;
    const turn running(me);
    const auto id = s->id;
    if (sip == nullptr) {
        me.listener->on_unacknowledged(id);
        me.self->forget_server(id);
        return 0;
    }
    msg_t* raw = nta_incoming_getrequest_ackcancel(irq);
    auto m = me.convert(sip, raw, nta_incoming_transport(me.nta, irq, nullptr));
    if (raw != nullptr) msg_destroy(raw);
    me.trace("<-", m);
    if (sip->sip_request->rq_method == sip_method_cancel) {
        me.listener->on_cancel(id, std::move(m));
    } else if (sip->sip_request->rq_method == sip_method_ack) {
        me.listener->on_ack(id, std::move(m));
        me.self->forget_server(id);
    }
    return 0;
}

int agent::impl::on_response(client* c, nta_outgoing_t* orq, const sip_t* sip) {
    auto& me = *c->owner;
    const turn running(me);
    const auto id = c->id;
    if (sip == nullptr) return 0;
    msg_t* raw = nta_outgoing_getresponse(orq);
    auto m = me.convert(sip, raw, nta_outgoing_transport(orq));
    if (raw != nullptr) msg_destroy(raw);
    me.trace("<-", m);
    if (m.internal && m.status == 503 && me.fall_back(*c)) return 0; // nobody takes TCP there
    c->by_udp.reset();
    const bool done = m.status >= 200 && m.method != "INVITE";
    me.listener->on_response(id, std::move(m));
    if (done) me.self->forget_client(id);
    return 0;
}

/// What fits no transaction. Of answers only a 2xx to INVITE says something yet: it is repeated until it has its ACK.
int agent::impl::on_stray(impl* me, nta_agent_t*, msg_t* raw, sip_t* sip) {
    const turn running(*me);
    if (sip != nullptr && sip->sip_request != nullptr) {
        me->on_request(raw, sip);
        return 0;
    }
    if (sip != nullptr && sip->sip_status != nullptr && sip->sip_cseq != nullptr &&
        sip->sip_cseq->cs_method == sip_method_invite && sip->sip_status->st_status / 100 == 2) {
        auto m = me->convert(sip, raw, nullptr);
        me->trace("<-", m);
        me->listener->on_stray_success(std::move(m));
    }
    msg_destroy(raw);
    return 0;
}

// --- messages out --------------------------------------------------------------------------------------------------------------

namespace {


} // namespace

/// The Vias of an answer where Sofia's own would lack `received`, which RFC 3581 §4 wants beside rport in any case; else null.
const sip_via_t* agent::impl::answered_via(su_home_t* home, msg_t* raw) {
    const auto* via = raw == nullptr ? nullptr : sip_object(raw)->sip_via;
    const auto* from = raw == nullptr ? nullptr : msg_addr(raw);
    if (via == nullptr || via->v_rport == nullptr || via->v_received != nullptr || from == nullptr) return nullptr;
    auto* out = sip_via_dup(home, via);
    if (out != nullptr)
        msg_header_replace_param(home, out->v_common, su_sprintf(home, "received=%s", read_origin(raw, nullptr).peer.ip.c_str()));
    return out;
}

void agent::reply(transaction_id id, response r) {
    const auto it = impl_->servers.find(id);
    if (it == impl_->servers.end()) return;
    auto* irq = it->second->irq;
    if (nta_incoming_status(irq) >= 200) return; // too late, as when a CANCEL was faster
    if (!impl_->set.user_agent.empty() && r.status > 100) r.headers.push_back({"Server", impl_->set.user_agent});
    const auto block = header_block(r.headers);
    const bool with_body = !r.body.empty();
    const auto type = clean(r.content_type);
    su_home_t home[1] = {SU_HOME_INIT(home)};
    su_home_init(home);
    msg_t* asked = nta_incoming_getrequest(irq);
    const sip_via_t* via = impl::answered_via(home, asked);
    nta_incoming_treply(irq, r.status, nullptr, TAG_IF(via != nullptr, SIPTAG_VIA(via)),
                        TAG_IF(!block.empty(), SIPTAG_HEADER_STR(block.c_str())),
                        TAG_IF(with_body, SIPTAG_CONTENT_TYPE_STR(type.c_str())),
                        TAG_IF(with_body, SIPTAG_PAYLOAD_STR(r.body.c_str())), TAG_END());
    su_home_deinit(home);
    if (impl_->traced()) {
        if (msg_t* sent = nta_incoming_getresponse(irq)) {
            if (const auto* sip = sip_object(sent))
                impl_->trace("->", impl_->convert(sip, asked, nta_incoming_transport(impl_->nta, irq, asked)));
            msg_destroy(sent);
        }
    }
    if (asked != nullptr) msg_destroy(asked);
    if (r.status >= 300 || (r.status >= 200 && !it->second->invite)) forget_server(id);
}

std::string agent::tag(transaction_id id) const {
    const auto it = impl_->servers.find(id);
    return it == impl_->servers.end() ? std::string() : text_of(nta_incoming_gettag(it->second->irq));
}

void agent::forget_server(transaction_id id) {
    const auto it = impl_->servers.find(id);
    if (it == impl_->servers.end()) return;
    auto gone = std::move(it->second);
    impl_->servers.erase(it);
    nta_incoming_destroy(gone->irq);
    impl_->dead_servers.push_back(std::move(gone));
}

std::string new_branch() { return "z9hG4bK" + random_hex(12); }

bool agent::impl::start(client& c, const request& r, bool tcp) {
    const auto hop = parse_uri(r.next_hop).value_or(uri{});
    const char* ident = nullptr;
    for (std::size_t i = 0; i < self->bound_.size(); ++i)
        if (self->bound_[i].ip == r.local_address && ident == nullptr) ident = idents[i].c_str();
    const bool is_ack = r.method == "ACK";
    auto block = header_block(r.headers);
    for (const auto& route : r.routes) block += fmt::format("Route: {}\r\n", clean(route));
    block += fmt::format("Max-Forwards: {}\r\n", r.max_forwards);
    if (!set.user_agent.empty()) block += fmt::format("User-Agent: {}\r\n", set.user_agent);
    const auto start = fmt::format("{} {} SIP/2.0", r.method, clean(r.uri));
    const auto cseq = fmt::format("{} {}", r.cseq, r.method);
    const auto from = clean(r.from), to = clean(r.to), type = clean(r.content_type);
    const bool with_body = !r.body.empty();
    const auto next =
        fmt::format("sip:{}:{};transport={}", host_text(hop.host), hop.port == 0 ? 5060 : hop.port, tcp ? "tcp" : "udp");
    const auto here = fmt::format("{}:{}", host_text(r.local_address), self->port_on(r.local_address));
    // Sofia knows the addresses of its sockets only, not the one by which a NAT shows us.
    const auto via = r.sent_by.empty() || r.sent_by == here
                         ? std::string()
                         : fmt::format("SIP/2.0/{} {};branch={};rport", tcp ? "TCP" : "UDP", clean(r.sent_by), r.branch);
    msg_t* msg = nta_msg_create(nta, 0);
    auto* sip = msg == nullptr ? nullptr : sip_object(msg);
    if (sip == nullptr) return false;
    if (sip_add_tl(msg, sip, SIPTAG_REQUEST_STR(start.c_str()), TAG_IF(!via.empty(), SIPTAG_VIA_STR(via.c_str())),
                   SIPTAG_FROM_STR(from.c_str()), SIPTAG_TO_STR(to.c_str()), SIPTAG_CALL_ID_STR(r.call_id.c_str()),
                   SIPTAG_CSEQ_STR(cseq.c_str()), SIPTAG_HEADER_STR(block.c_str()),
                   TAG_IF(with_body, SIPTAG_CONTENT_TYPE_STR(type.c_str())),
                   TAG_IF(with_body, SIPTAG_PAYLOAD_STR(r.body.c_str())), TAG_END()) < 0 ||
        sip->sip_request == nullptr || sip->sip_from == nullptr || sip->sip_to == nullptr || sip->sip_cseq == nullptr) {
        log::warn("sip", "{} {}: cannot be written as a SIP message", r.method, clean(r.uri));
        msg_destroy(msg);
        return false;
    }
    // To a user agent Sofia hides what comes after the first 2xx of an INVITE, and ends other forks by a BYE that it does not
    // repeat. Seen as a proxy's, the INVITE brings every 2xx here. The ACK then must not be looked for among the INVITEs either.
    const bool is_invite = r.method == "INVITE";
    if (is_invite) nta_agent_set_params(nta, NTATAG_UA(0), TAG_END());
    c.orq =
        nta_outgoing_mcreate(nta, is_ack ? nullptr : &impl::on_response, &c, reinterpret_cast<const url_string_t*>(next.c_str()),
                             msg, TAG_IF(ident != nullptr, TPTAG_IDENT(ident)), NTATAG_USER_VIA(!via.empty()),
                             NTATAG_BRANCH_KEY(r.branch.c_str()), TAG_IF(is_ack, NTATAG_ACK_BRANCH(r.branch.c_str())), TAG_END());
    if (is_invite) nta_agent_set_params(nta, NTATAG_UA(1), TAG_END());
    if (c.orq == nullptr) {
        msg_destroy(msg);
        log::warn("sip", "{} {}: Sofia would not send it to {}", r.method, clean(r.uri), next);
        return false;
    }
    if (traced()) {
        if (msg_t* sent = nta_outgoing_getrequest(c.orq)) {
            auto m = convert(sip_object(sent), nullptr, nta_outgoing_transport(c.orq));
            m.source.ip = hop.host;
            m.source.port = hop.port == 0 ? 5060 : hop.port;
            trace("->", m);
            msg_destroy(sent);
        }
    }
    return true;
}

bool agent::impl::fall_back(client& c) {
    const auto again = std::move(c.by_udp);
    if (!again) return false;
    auto* const refused = c.orq;
    if (!start(c, *again, false)) {
        c.orq = refused;
        return false;
    }
    nta_outgoing_destroy(refused);
    return true;
}

transaction_id agent::send(request r) {
    constexpr std::size_t most_by_udp = 1300, about_the_rest = 250; // RFC 3261 §18.1.1; start line, Via, Call-ID and the like
    constexpr auto patience = std::chrono::milliseconds(1500);      // for who drops what asks for a connection
    auto& me = *impl_;
    const auto hop = parse_uri(r.next_hop);
    if (!hop || !is_numeric_address(hop->host)) {
        log::warn("sip", "{} {}: the next hop {} is no numeric address", r.method, clean(r.uri), clean(r.next_hop));
        return 0;
    }
    if (r.local_address.empty() || port_on(r.local_address) == 0) r.local_address = local_towards(hop->host).value_or("");
    if (r.branch.empty()) r.branch = new_branch();
    const auto said = param(hop->params, "transport");
    auto size = about_the_rest + r.uri.size() + r.from.size() + r.to.size() + r.body.size();
    for (const auto& h : r.headers) size += h.name.size() + h.value.size() + 4;
    for (const auto& route : r.routes) size += route.size() + 9;
    const bool large = size > most_by_udp && !said && !r.is_flow && r.method != "ACK";
    auto c = std::make_unique<impl::client>(impl::client{&me, ++me.last_id, nullptr, nullptr});
    if (large) c->by_udp = std::make_unique<request>(r);
    if (!me.start(*c, r, large || same_text(said.value_or("udp"), "tcp"))) return 0;
    if (r.method == "ACK") {
        nta_outgoing_destroy(c->orq);
        return 0;
    }
    const auto id = c->id;
    me.clients.emplace(id, std::move(c));
    if (large)
        after(patience, [this, id] {
            if (const auto it = impl_->clients.find(id); it != impl_->clients.end()) impl_->fall_back(*it->second);
        });
    return id;
}

void agent::cancel(transaction_id id, header_list extra) {
    const auto it = impl_->clients.find(id);
    if (it == impl_->clients.end()) return;
    const auto block = header_block(extra);
    nta_outgoing_tcancel(it->second->orq, nullptr, nullptr, TAG_IF(!block.empty(), SIPTAG_HEADER_STR(block.c_str())), TAG_END());
}

void agent::forget_client(transaction_id id) {
    const auto it = impl_->clients.find(id);
    if (it == impl_->clients.end()) return;
    auto gone = std::move(it->second);
    impl_->clients.erase(it);
    nta_outgoing_destroy(gone->orq);
    impl_->dead_clients.push_back(std::move(gone));
}

void agent::retire_client(transaction_id id) {
    constexpr auto t1_64 = std::chrono::seconds(32);
    after(t1_64, [this, id] { forget_client(id); });
}

std::uint16_t agent::port_on(std::string_view ip) const {
    for (const auto& l : bound_)
        if (l.ip == ip) return l.port;
    return 0;
}

result<std::string> agent::local_towards(std::string_view numeric) const {
    auto own = local_address_towards(numeric);
    if (!own) return own;
    if (port_on(*own) != 0) return own;
    const bool v6 = numeric.find(':') != std::string_view::npos;
    for (const auto& l : bound_)
        if ((l.ip.find(':') != std::string::npos) == v6) return l.ip;
    return fail("we listen on no address from which {} can be reached", numeric);
}

agent::figures agent::load() const {
    figures f;
    usize_t requests = 0, responses = 0, bad = 0, retransmitted = 0, sent = 0;
    nta_agent_get_stats(impl_->nta, NTATAG_S_RECV_REQUEST_REF(requests), NTATAG_S_RECV_RESPONSE_REF(responses),
                        NTATAG_S_BAD_MESSAGE_REF(bad), NTATAG_S_RETRY_REQUEST_REF(retransmitted), NTATAG_S_SENT_MSG_REF(sent),
                        TAG_END());
    f.requests = requests;
    f.responses = responses;
    f.bad = bad;
    f.retransmitted = retransmitted;
    f.sent = sent;
    f.servers = impl_->servers.size();
    f.clients = impl_->clients.size();
    f.timers = impl_->timers.size();
    return f;
}

} // namespace strowger::sip
