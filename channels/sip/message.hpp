// A SIP message as plain text values: what the rest of the module sees instead of Sofia's structures.
#pragma once
#include "channels/sip/nat.hpp"
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace strowger::sip {

struct header {
    std::string name;
    std::string value;
};
using header_list = std::vector<header>;

/// A message that came in. Headers keep their order; list headers come one value each.
struct message {
    std::string method;       ///< of the request, or the one in the response's CSeq
    std::string uri;          ///< of a request
    int status = 0;           ///< of a response
    bool internal = false;    ///< made by the stack itself: a time-out or an unreachable peer
    std::string from, to;     ///< whole values
    std::string from_tag, to_tag;
    std::string call_id;
    std::uint32_t cseq = 0;
    header_list headers;
    std::string body;
    peer_address source;
    std::string local_address; ///< of ours, where it arrived

    /// The first value, or null. Names in any case, always the long form.
    const std::string* find(std::string_view name) const;
    std::string get(std::string_view name) const;
    std::vector<std::string> all(std::string_view name) const;
    /// "application/sdp": lower case, without parameters.
    std::string content_type() const;
};

/// A request to be sent; Via and Max-Forwards come by themselves.
struct request {
    std::string method, uri;
    std::string from, to, call_id;
    std::uint32_t cseq = 0;
    std::vector<std::string> routes;
    header_list headers;
    std::string content_type, body;
    int max_forwards = 70;
    std::string next_hop;      ///< a URI with a numeric host
    bool is_flow = false;      ///< `next_hop` is where the peer was seen: by no other transport can it be reached
    std::string local_address; ///< from which of ours; empty: by route
    std::string sent_by;       ///< host and port in our Via; empty: those of the local address
    std::string branch;        ///< empty: a new one
};

struct response {
    int status = 0;
    header_list headers;
    std::string content_type, body;
};

/// For traces: as on the wire, but with the digests of passwords masked.
std::string masked(std::string_view message_text);

} // namespace strowger::sip
