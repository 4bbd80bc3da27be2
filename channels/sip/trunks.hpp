// The trunks while the engine runs: whose calls are whose, how many there are, and how we are registered. On the SIP thread.
#pragma once
#include "channels/sip/message.hpp"
#include "channels/sip/trunk_registration.hpp"
#include "channels/sip/trunk_settings.hpp"
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace strowger::sip {

class user_agent;

/// One line of `trunk list`.
struct trunk_line {
    std::string name, host, state, reason;
    long calls = 0;
    unsigned max_calls = 0;
    std::int64_t seconds = 0; ///< until the next REGISTER; 0: none is planned
    std::string seen_as;      ///< our address as the trunk sees it
};

class trunk {
public:
    trunk(user_agent& owner, std::shared_ptr<const trunk_settings> set) : set_(std::move(set)), registration_(owner, *set_) {}
    const trunk_settings& set() const noexcept { return *set_; }
    trunk_registration& registration() noexcept { return registration_; }
    const trunk_registration& registration() const noexcept { return registration_; }

    /// Held by each of its calls; who holds it counts.
    std::shared_ptr<const int> count_me() const { return calls_; }
    long calls() const noexcept { return calls_.use_count() - 1; }
    bool full() const noexcept { return set_->max_calls != 0 && calls() >= static_cast<long>(set_->max_calls); }

    /// Where its next call goes: where we are registered, else its first host.
    std::string hop() const { return set_->hop(registration_.host()); }
    trunk_line describe() const;

private:
    std::shared_ptr<const trunk_settings> set_;
    std::shared_ptr<const int> calls_ = std::make_shared<const int>(0);
    trunk_registration registration_;
};

/// What a new request gets while we take none: a telephone 503 with Retry-After, a trunk what its `busy_status` says (null: not
/// from a trunk).
response busy_answer(const trunk_settings* from, int retry_after_seconds);

class trunks {
public:
    trunks(user_agent& owner, const trunk_map& all);
    /// Begins to register, spread over a few seconds when there are many.
    void start();
    /// Takes the registrations back.
    void end();
    trunk* find(std::string_view name);
    /// Whose address this is; of several trunks the one that says it more exactly.
    trunk* from(const peer_address& source);
    std::vector<trunk_line> describe() const;
    /// Our address and port as the outside sees them, as far as some registration has shown it; empty: unknown.
    std::string seen_as(bool v6) const;

private:
    std::map<std::string, std::unique_ptr<trunk>, std::less<>> all_;
};

} // namespace strowger::sip
