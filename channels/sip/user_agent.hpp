// The SIP user agent: dispatches what the stack hears to dialogs and to the registrar. Lives on the SIP thread.
#pragma once
#include "channels/sip/admission.hpp"
#include "channels/sip/agent.hpp"
#include "channels/sip/authenticator.hpp"
#include "channels/sip/dialog.hpp"
#include "channels/sip/host.hpp"
#include "channels/sip/sent_acks.hpp"
#include "channels/sip/trunks.hpp"
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace strowger::sip {

struct gate;

/// Which messages are traced. Any thread.
class trace_filter {
public:
    /// "on", "off", an address, or "call" and a Call-ID.
    void set(std::string what) {
        const std::lock_guard lock(mutex_);
        what_ = std::move(what);
        active_ = what_ != "off";
    }
    bool active() const noexcept { return active_; }
    bool wants(const message& m) const;

private:
    mutable std::mutex mutex_;
    std::string what_ = "off";
    std::atomic<bool> active_{false};
};

/// One line of `sip show`.
struct dialog_line {
    std::string call_id, local, remote, phase, flow;
};

constexpr std::string_view loop_header = "X-Strowger-Path";

class user_agent final : public agent_listener, public std::enable_shared_from_this<user_agent> {
public:
    /// `key` makes nonces. The queue and the filter may be shared with other threads.
    user_agent(host& core, settings set, std::string key, std::shared_ptr<agent_queue> queue,
               std::shared_ptr<trace_filter> trace);

    /// On the SIP thread, all of it, which has called strowger_sip_support_start().
    result<> open();
    void run() { stack_->run(); }
    /// Hangs up what is left and ends run() when that is told, at the latest after `limit`.
    void shut_down(duration limit);
    /// Destroys every transaction and socket.
    void close();

    /// Completions of the store that hold code of this module and have not been destroyed yet. Any thread.
    long under_way() const noexcept { return under_way_.use_count() - 1; }

    agent& stack() noexcept { return *stack_; }
    /// What it has refused for want of room or time.
    std::uint64_t refused_at_the_door() const noexcept { return admission_.refused(); }
    host& core() noexcept { return core_; }
    const settings& options() const noexcept { return settings_; }
    /// Of the channels that it makes; null until somebody set it.
    std::shared_ptr<gate> door() const noexcept { return door_; }
    void set_door(std::shared_ptr<gate> door) { door_ = std::move(door); }

    void add(std::shared_ptr<dialog> d);
    void remove(const dialog& d);
    /// Its tag is known now: requests in the dialog find it.
    void index(const dialog& d) { by_tag_[d.state().local_tag] = d.id(); }
    std::shared_ptr<dialog> find(dialog_id id) const;
    /// Whose transaction it is from now on.
    void own_server(transaction_id t, dialog& d) { own(servers_, t, d); }
    void own_client(transaction_id t, dialog& d) {
        if (t != 0) own(clients_, t, d);
    }
    /// A request of no dialog; `on_final` hears its final answer. False when it cannot be sent at all.
    bool ask(request r, std::function<void(const message&)> on_final);
    sip::trunks& all_trunks() noexcept { return trunks_; }
    /// "192.0.2.1:5060": how that peer reaches us on a local address of ours. Outside the local networks that is the configured
    /// public address, else the one which a trunk has seen (`seen` for that trunk itself; null: any).
    std::string contact_host(std::string_view local, std::string_view peer, const std::string* seen = nullptr) const;

    /// Sends an ACK, and sends it again whenever this 2xx comes again.
    void acknowledge(const message& success, request ack);
    /// What a call to this number leaves in its header `loop_header`: who comes back with it goes in circles (after RFC 5393; Via
    /// cannot show it, as each of our calls has a Call-ID of its own).
    std::string loop_mark(std::string_view number) const;
    /// True for an address or name that means us.
    bool is_ours(std::string_view host) const;
    std::vector<dialog_line> dialogs() const;
    /// Who has said that he wants no calls for a while (Retry-After) gets none, by the URI of the next hop; ten minutes at most.
    void pause(const std::string& hop, std::chrono::seconds time);
    std::chrono::seconds pauses(const std::string& hop);

    // agent_listener
    void on_request(transaction_id id, message m) override;
    void on_ack(transaction_id id, message m) override;
    void on_cancel(transaction_id id, message m) override;
    void on_unacknowledged(transaction_id id) override;
    void on_response(transaction_id id, message m) override;
    void on_stray_success(message m) override;

private:
    void on_invite(transaction_id id, message m);
    void on_register(transaction_id id, message m);
    void on_options(transaction_id id, const message& m);
    bool idle() const noexcept { return dialogs_.empty() && asked_.empty(); }
    /// Refuses what no request may be; false when it did.
    bool well_formed(transaction_id id, const message& m);
    std::string registered_user_at(std::string_view ip);
    std::shared_ptr<dialog> dialog_of(const message& m) const;
    using owners = std::unordered_map<transaction_id, dialog_id>;
    std::shared_ptr<dialog> owner(const owners& in, transaction_id t) const;
    void own(owners& in, transaction_id t, const dialog& d);

    host& core_;
    settings settings_;
    const std::string key_;
    authenticator auth_;
    admission admission_;
    std::shared_ptr<agent_queue> queue_;
    std::shared_ptr<trace_filter> trace_;
    std::shared_ptr<const int> under_way_ = std::make_shared<const int>(0);
    std::shared_ptr<gate> door_;
    std::unique_ptr<agent> stack_;
    struct entry {
        std::shared_ptr<dialog> kept;
        std::vector<transaction_id> transactions; ///< all that are among the owners, and some that were
    };
    std::unordered_map<dialog_id, entry> dialogs_;
    std::unordered_map<std::string, dialog_id> by_tag_; ///< our tags are unique, and only we make them
    owners servers_, clients_;
    std::unordered_map<transaction_id, std::function<void(const message&)>> asked_;
    sip::trunks trunks_;
    sent_acks acks_;
    std::unordered_map<std::string, instant> pauses_;
    std::atomic<bool> closing_{false};
};

/// Never used twice in this process. Any thread.
dialog_id next_dialog_id() noexcept;
std::string allowed_methods();

} // namespace strowger::sip
