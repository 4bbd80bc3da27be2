// Our own registration at a trunk (RFC 3261 §10.2): kept up by refreshing, tried again with growing pauses, and told to people.
#pragma once
#include "channels/sip/agent.hpp"
#include "channels/sip/trunk_settings.hpp"
#include <cstdint>
#include <string>

namespace strowger::sip {

class user_agent;

class trunk_registration {
public:
    /// Both must outlive it.
    trunk_registration(user_agent& owner, const trunk_settings& set);
    trunk_registration(const trunk_registration&) = delete;
    trunk_registration& operator=(const trunk_registration&) = delete;

    /// Does nothing for a trunk that wants no registration.
    void start(duration delay);
    /// Un-registers without waiting for the answer.
    void end();

    /// Which of the trunk's hosts we talk to.
    std::size_t host() const noexcept { return host_; }
    /// Our address with its port, as the trunk saw it, where that is not the one we sent from; empty: no NAT is between.
    const std::string& seen_as() const noexcept { return seen_as_; }
    /// For people: "registered", "", and the seconds until the next REGISTER.
    void describe(std::string& state, std::string& reason, std::int64_t& seconds) const;

private:
    enum class phase { off, trying, registered, waiting, refused };
    void send(std::uint32_t expires);
    void on_final(const message& m);
    void on_success(const message& m);
    /// Sends again with credentials; false when there are none that could help.
    bool answer_challenge_of(const message& m);
    void fail_with(phase p, std::string reason, std::uint32_t retry_after, bool next_host);
    void plan(duration delay);
    /// Notes under which address we were seen; true when that changed.
    bool learn(const message& m);
    std::string credentials(std::uint32_t nc);

    user_agent& ua_;
    const trunk_settings& set_;
    phase phase_ = phase::off;
    std::string reason_;
    std::size_t host_ = 0;
    std::string call_id_, tag_;
    std::uint32_t cseq_ = 0, expires_;
    std::uint64_t timer_ = 0;
    instant next_{};
    unsigned failures_ = 0, tries_ = 0; ///< tries: with credentials, since the last answer of another kind
    bool ending_ = false;
    std::string seen_as_, local_address_;
    std::string challenge_; ///< the last one: it is answered unasked as long as it holds
    bool by_proxy_ = false;
    std::uint32_t nonce_count_ = 0;
};

} // namespace strowger::sip
