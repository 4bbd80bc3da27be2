// A dialog (RFC 3261 §12) as a plain value: all that is needed to go on with it, also in another build of this module.
#pragma once
#include "core/base/result.hpp"
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace strowger::sip {

/// Nothing else knows the dialog: every request in it is made from this value alone.
struct dialog_state {
    std::string call_id;
    std::string local_tag, remote_tag;
    std::string local_party;   ///< our From or To without its tag: `"Anna" <sip:200@10.0.0.1>`
    std::string remote_party;  ///< theirs
    std::uint32_t local_cseq = 0, remote_cseq = 0;
    bool remote_cseq_known = false;
    bool we_called = false;    ///< we own the Call-ID, which decides about retries after 491
    std::vector<std::string> route_set; ///< as Route headers are to be sent: `<sip:proxy;lr>`
    std::string remote_target; ///< URI of their Contact
    std::string local_contact; ///< our Contact header
    std::string local_sdp;     ///< what we sent last
    std::string flow;          ///< where packets really go when there is no route set: a URI with a numeric host
    std::string local_address; ///< ours, numeric: from where we send

    bool operator==(const dialog_state&) const = default;

    /// The request-URI and the Route headers of a request in the dialog (§12.2.1.1), strict first routers included.
    std::string request_uri() const;
    std::vector<std::string> routes() const;
    /// Host and port of our Contact.
    std::string local_host() const;
    /// Where it goes.
    std::string next_hop() const;
};

/// One JSON object.
std::string to_text(const dialog_state& d);
/// Fails for text of another kind; what is read is complete enough to send a BYE.
result<dialog_state> dialog_from_text(std::string_view text);

} // namespace strowger::sip
