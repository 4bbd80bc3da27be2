// A session description (RFC 8866) as plain values, with its parser and writer.
#pragma once
#include "core/base/result.hpp"
#include "core/sdp/direction.hpp"
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace strowger::sdp {

/// What `parse` refuses to read more of. A browser's offer of audio and video has about 200 lines.
struct limits {
    static constexpr std::size_t bytes = 64 * 1024;
    static constexpr std::size_t lines = 500;
    static constexpr std::size_t sections = 16;
    static constexpr std::size_t attributes = 256; ///< Per section, and for the session.
    static constexpr std::size_t formats = 64;     ///< Per m= line.
};

/// The three words that end o= and make up c=. The address is text as received: it may be a name or have a multicast suffix.
struct net_address {
    std::string network = "IN";
    std::string family = "IP4";
    std::string address;
    bool operator==(const net_address&) const = default;
};

/// o=, which names the session and its version.
struct origin_data {
    std::string username = "-";
    std::uint64_t session_id = 0;
    std::uint64_t version = 0;
    net_address address;
    bool operator==(const origin_data&) const = default;
};

/// a=name or a=name:value.
struct attribute {
    std::string name;
    std::optional<std::string> value;
    bool operator==(const attribute&) const = default;
};

/// t= and the r= lines that belong to it, not interpreted.
struct active_time {
    std::string when = "0 0";
    std::vector<std::string> repeats;
    bool operator==(const active_time&) const = default;
};

/// A line that nothing here interprets, kept for those who pass descriptions on.
struct other_line {
    char type = 'i';
    std::string value;
    bool operator==(const other_line&) const = default;
};

/// a=rtpmap, or what RFC 3551 says of a static payload type.
struct rtp_mapping {
    std::string name;
    int clock_rate = 8000;
    int channels = 1;
    bool operator==(const rtp_mapping&) const = default;
};

/// a=rtcp (RFC 3605).
struct rtcp_data {
    std::uint16_t port = 0;
    std::optional<net_address> address;
    bool operator==(const rtcp_data&) const = default;
};

/// One m= line and what follows it.
struct media {
    std::string kind = "audio"; ///< "audio", "video", "image" …
    std::uint16_t port = 0;     ///< 0: refused or ended (RFC 3264 §6).
    std::uint16_t port_count = 1;
    std::string protocol = "RTP/AVP";
    std::vector<std::string> formats;
    std::optional<net_address> connection;
    std::vector<std::string> bandwidth; ///< "AS:64"
    std::vector<attribute> attributes;
    std::vector<other_line> others;

    /// Whether the m= line is of this kind, in any case of letters.
    bool is(std::string_view wanted_kind) const;
    bool has(std::string_view attribute_name) const;
    /// The value of the first attribute of that name, empty for one without value. Looks into this section.
    std::optional<std::string_view> value_of(std::string_view attribute_name) const;

    /// The formats that are RTP payload types (0–127), each once, in order.
    std::vector<int> payload_types() const;
    /// The first a=rtpmap that maps this payload type, else its static meaning; none when unknown or unreadable.
    std::optional<rtp_mapping> rtpmap(int payload_type) const;
    /// The parameters of the first a=fmtp for this payload type, empty when there are none. Looks into this section.
    std::string_view fmtp(int payload_type) const;
    /// Milliseconds; none when missing or not a number from 1 to 1000.
    std::optional<int> ptime() const;
    std::optional<int> maxptime() const;
    std::optional<rtcp_data> rtcp() const;
    bool rtcp_mux() const { return has("rtcp-mux"); }

    bool operator==(const media&) const = default;
};

/// A whole session description. Equality compares every line, so it sees a change of the o= version too.
struct description {
    origin_data origin;
    std::string session_name = "-";
    std::optional<net_address> connection;
    std::vector<std::string> bandwidth;
    std::vector<active_time> times;
    std::vector<attribute> attributes;
    std::vector<other_line> others;
    std::vector<media> sections;

    /// The c= that holds for a section: its own, else that of the session, else null.
    const net_address* connection_of(const media& section) const;
    /// The section's direction, else that of the session, else sendrecv (RFC 8866 §6.7).
    direction direction_of(const media& section) const;

    bool operator==(const description&) const = default;
};

/// Reads a description from the network. Takes what real phones send (LF alone, no last line end, empty lines, spaces at line
/// ends, no t= or s=, session lines in any order); refuses what passes `limits`, control characters and unreadable o=, c=
/// and m= lines. The error names the line.
result<description> parse(std::string_view text);

/// Lines in the order of RFC 8866 §5, ended by CRLF. A missing t= becomes "t=0 0". Control characters in a value are left out, so
/// that no value can begin a line of its own. `parse(write(d)) == d` for every `d` that came from `parse`.
std::string write(const description& d);

} // namespace strowger::sdp
