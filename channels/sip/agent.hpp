// The SIP stack: one thread with Sofia's transactions and transports. The only part that knows Sofia; its types stay in
// agent_impl.hpp.
#pragma once
#include "channels/sip/admission.hpp"
#include "channels/sip/listen_address.hpp"
#include "channels/sip/message.hpp"
#include "core/async/job.hpp"
#include "core/base/clock.hpp"
#include "core/base/result.hpp"
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace strowger::sip {

/// Names a transaction; never used twice. A number whose transaction has gone is harmless: what is asked of it does nothing.
using transaction_id = std::uint64_t;

/// Hears what arrives, on the stack's thread.
class agent_listener {
public:
    /// A new request: not CANCEL, not ACK, not a retransmission.
    virtual void on_request(transaction_id id, message m) = 0;
    /// The ACK to our final answer to an INVITE.
    virtual void on_ack(transaction_id id, message m) = 0;
    /// The INVITE was cancelled; the stack answers the CANCEL, and the INVITE with 487 if the listener does not.
    virtual void on_cancel(transaction_id id, message m) = 0;
    /// No ACK came within 64·T1 (RFC 3261 §13.3.1.4).
    virtual void on_unacknowledged(transaction_id id) = 0;
    /// Any response, 100 included, and the stack's own 408 and 503. To an INVITE every 2xx, repeated ones and other forks' too.
    virtual void on_response(transaction_id id, message m) = 0;
    /// A 2xx to an INVITE whose transaction has gone, or that was never ours.
    virtual void on_stray_success(message m) = 0;

protected:
    ~agent_listener() = default;
};

/// Where jobs for the stack's thread are left, from any thread; it may outlive the stack, and then drops them.
class agent_queue {
public:
    agent_queue();
    ~agent_queue();
    agent_queue(const agent_queue&) = delete;
    agent_queue& operator=(const agent_queue&) = delete;
    void post(job work);

private:
    friend class agent;
    std::vector<job> take();
    void close();
    std::mutex mutex_;
    std::vector<job> jobs_;
    bool armed_ = false, closed_ = false;
    int event_ = -1;
};

/// Of a request; unguessable.
std::string new_branch();

class agent {
public:
    /// `admit` gives the answer to a request that would begin something and may not; no transaction is made then.
    /// `trace` gets each message as text when it is set and says so: direction, peer, text.
    struct options {
        std::vector<listen_address> listen;
        std::string user_agent;
        std::function<bool()> tracing; ///< false: no message is wanted, so that none need be made for it
        std::function<std::optional<response>(const arrival&)> admit;
        std::function<bool(const message&)> wants_trace;
        std::function<void(std::string)> trace;
    };

    /// Binds UDP and TCP on every address. To be called, and destroyed, on the stack's thread; strowger_sip_support_start() was
    /// called before.
    static result<std::unique_ptr<agent>> open(options o, agent_listener& listener, std::shared_ptr<agent_queue> queue);
    ~agent();

    /// Runs until `stop`. Jobs of the queue and timers run here.
    void run();
    /// On the stack's thread only, as everything below.
    void stop();

    /// Answers a request. After a final answer to anything but INVITE, or one above 299, the id is forgotten.
    void reply(transaction_id id, response r);
    /// The To tag of its answers: ours, or the one that the request had.
    std::string tag(transaction_id id) const;
    /// No more callbacks for this server transaction; unanswered it is refused with 500.
    void forget_server(transaction_id id);

    /// 0 with a log line when it cannot be sent at all; else on_response comes. An ACK gives 0 always.
    transaction_id send(request r);
    /// Cancels an INVITE; waits for the first 1xx by itself (RFC 3261 §9.1).
    void cancel(transaction_id id, header_list extra);
    void forget_client(transaction_id id);
    /// Forgets it 64·T1 from now, when the last repeated 2xx of the last fork must have come.
    void retire_client(transaction_id id);

    /// Runs `work` when the callback or the job that runs now has ended.
    void later(job work);
    /// Runs `work` after this time; once.
    std::uint64_t after(duration delay, job work);
    void cancel_timer(std::uint64_t id);

    /// The port on which we listen on that address of ours; 0: on none.
    std::uint16_t port_on(std::string_view ip) const;
    /// The address to send from, towards a numeric address: by the routes, among those on which we listen.
    result<std::string> local_towards(std::string_view numeric) const;
    const std::vector<listen_address>& bound() const noexcept { return bound_; }

    struct figures {
        std::uint64_t requests = 0, responses = 0, bad = 0, retransmitted = 0, sent = 0;
        std::size_t servers = 0, clients = 0, timers = 0;
    };
    figures load() const;

    struct impl; ///< Sofia's side

private:
    agent() = default;
    std::vector<listen_address> bound_;
    std::unique_ptr<impl> impl_;
};

} // namespace strowger::sip
