// What the SIP stack needs of the engine, so that tests can be the engine.
#pragma once
#include "channels/sip/trunk_settings.hpp"
#include "core/channel/channel.hpp"
#include "core/location/location_table.hpp"
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace strowger::sip {

/// What proves who a user is.
struct user_secret {
    std::string password;
    std::string ha1_md5, ha1_sha256; ///< in place of a password
    bool md5 = true, sha256 = false; ///< the digests that it is asked for, and may answer with
};

/// Every function may be called from the SIP thread and must not block.
class host {
public:
    virtual ~host() = default;
    virtual tl::expected<std::shared_ptr<leg_mailbox>, refusal> incoming(incoming_call what, std::unique_ptr<channel> line) = 0;
    virtual std::optional<refusal> would_refuse(std::string_view to_number) = 0;
    virtual bool is_emergency(std::string_view number) = 0;
    /// Why nothing may begin that takes memory, if so.
    virtual std::optional<refusal> short_of_memory() { return std::nullopt; }
    /// How long a request may wait before it is refused for that.
    virtual duration queue_delay() const { return std::chrono::milliseconds(100); }
    /// Seconds, at random: those who are refused shall not come back together.
    virtual int retry_after() { return 5; }
    /// What a user's devices must know. For an unknown one, or one without a secret, who can never authenticate: nothing but
    /// the digests that it is asked for, which tell it from no known one.
    virtual user_secret secret_of(std::string_view user) = 0;

    /// Completions may run on any thread.
    virtual void apply(std::string user, std::vector<binding_change> changes, location_table::registered done) = 0;
    virtual void remove_all(std::string user, std::string call_id, std::uint32_t cseq, location_table::registered done) = 0;
    virtual std::vector<binding> bindings() = 0;

    virtual instant now() const = 0;
    virtual wall_time wall() const = 0;
};

/// What a trunk or a proxy wants to know of us, by the realm of its challenge.
struct credentials {
    std::string realm, user, password;
};

/// `[sip]` of strowger.toml.
struct settings {
    std::vector<std::string> listen = {"0.0.0.0:5060"};
    std::string realm = "strowger";
    std::string user_agent = "Strowger";
    bool trace = false;
    std::size_t max_contacts = 10;
    std::uint32_t min_expires = 60, max_expires = 3600;
    std::uint32_t nonce_seconds = 300;
    std::uint32_t first_answer_ms = 4000; ///< how long a called device may be silent altogether
    int overload_status = 503; ///< what is refused for want of room or time gets this
    std::vector<sip::credentials> credentials;
    std::string public_address; ///< host, or host and port, by which peers outside the local networks reach us; empty: ours
    std::vector<address_range> local_networks;
    trunk_map trunks;
};

} // namespace strowger::sip
