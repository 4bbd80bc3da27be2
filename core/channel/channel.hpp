// The channel driver interface: what a module in channels/ implements.
#pragma once
#include "core/base/result.hpp"
#include "core/channel/events.hpp"
#include "core/channel/mailbox.hpp"
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace strowger {

/// Where a call came from. Scripts see it as `call.source`.
enum class source_kind { user, trunk, line, test, originated };
std::string_view to_string(source_kind k) noexcept;

/// A party that redirected the call before it came to us, and why ("busy", "no_answer", "unconditional" …).
struct diversion {
    std::string number;
    std::string reason;
};

/// A call that arrives.
struct incoming_call {
    std::string driver;                  ///< "sip"
    source_kind source = source_kind::line;
    std::string source_name;             ///< the user's, trunk's or line's name
    std::string user;                    ///< the authenticated user, or empty
    std::string context;                 ///< where it enters the dialplan; empty: the user's or the default one
    party from;
    std::string to_number;               ///< as dialled
    std::string to_name;
    std::vector<diversion> diversions;   ///< first redirector first
    std::map<std::string, std::string> headers; ///< X-… headers, for scripts
    media_description offer;             ///< empty: the peer wants us to offer
    std::string peer;                    ///< address of the peer, for people
    std::string protocol_id;             ///< the protocol's own id of the call (SIP Call-ID), for people
    int hops_left = 70;                  ///< Max-Forwards or the like; a call that would leave with 0 is refused
    std::vector<std::string> passed;     ///< marks of the systems it came through, so that drivers notice loops
};

/// Something that can be rung: made from a location binding or from a target such as "loop/100".
struct endpoint {
    std::string driver;
    std::string address;   ///< in the driver's own form (a SIP URI)
    std::string received;  ///< how a registered device is really reached, in the driver's own form; may be empty
    std::string path;      ///< Path of the registration; may be empty
    std::string user;      ///< whose device it is; may be empty
    std::string trunk = {}; ///< the trunk by which `address`, then a number, is called; may be empty
};

/// A call to be made.
struct outgoing_call {
    endpoint to;
    std::string number;    ///< the dialled number or extension, for display
    party caller;          ///< shown to the callee
    media_description offer;
    std::map<std::string, std::string> headers;
    std::vector<diversion> diversions;
    std::string call_id;   ///< our call's id, for logs
    int hops_left = 70;
    std::vector<std::string> passed; ///< of the incoming call
};

/// One connection to the outside. Every function may be called from any thread, because it only posts; what comes back comes as
/// events to the leg's mailbox. Destroying it hangs up, whatever the state.
class channel {
public:
    virtual ~channel();

    virtual void ring() = 0;
    virtual void progress(media_description media) = 0;
    virtual void answer(media_description media) = 0;
    /// Offers other media in mid-call; ends with event::offer_result of the same id.
    virtual void offer(std::uint64_t id, media_description media) = 0;
    /// Answers event::offered; or, when that asked for an offer, makes it, and event::offer_result brings the peer's answer.
    virtual void accept(std::uint64_t id, media_description media) = 0;
    virtual void refuse(std::uint64_t id, hangup_cause why) = 0;
    /// Sends a key by signalling, for drivers that do not carry digits in the media. Keys in RTP are the media's business.
    virtual void send_digit(char key) = 0;
    /// Tells the peer with whom it is connected now.
    virtual void identity(party who) = 0;
    /// How the transfer that the peer asked for went: nullopt for success.
    virtual void transfer_result(std::uint64_t id, std::optional<hangup_cause> failed) = 0;
    /// Ends it: a refusal before the answer, else a hang-up. Harmless when already over.
    virtual void hang_up(hangup_cause why) noexcept = 0;
};

/// One way to reach the outside. A module in channels/ registers one.
class channel_driver {
public:
    virtual ~channel_driver();
    /// "sip", "loop": the first part of a target.
    virtual std::string_view technology() const noexcept = 0;
    /// True when media goes by RTP, so that the core opens ports and makes an offer; false when the driver brings a pipe.
    virtual bool uses_rtp() const noexcept = 0;
    /// Our address towards that endpoint. Must not block.
    virtual result<std::string> local_address(const endpoint& to) = 0;
    /// Starts a call; what becomes of it comes to `events`. Must not block.
    virtual result<std::unique_ptr<channel>> originate(outgoing_call what, std::shared_ptr<leg_mailbox> events) = 0;
};

/// Why a new call was not taken.
struct refusal {
    hangup_cause cause = hangup_cause::congestion;
    int retry_after_seconds = 0; ///< 0: do not say
    std::string why;
};

} // namespace strowger
