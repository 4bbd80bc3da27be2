// The stack's thread, its timers, and the messages that come in.
#include "channels/sip/agent_impl.hpp"

namespace strowger::sip {

namespace {

// What waits here longer than its sender waits for an answer is worth nothing: three thousand messages fit, which is a few tenths
// of a second when more come than can be set up (the kernel doubles it, and counts 1.3 kB for a message).
constexpr int receive_buffer = 2 * 1024 * 1024;

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
    arrival a{sip->sip_request->rq_method_name, {}, from.peer, false, {}};
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

} // namespace strowger::sip
