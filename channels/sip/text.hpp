// Reading and writing the small pieces of SIP text: addresses, URIs, parameters. Takes anything, never trusts it.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace strowger::sip {

/// A sip:, sips: or other URI, in parts. Of an unknown scheme only `scheme` and `user` (the rest of the text) are set.
struct uri {
    std::string scheme;  ///< lower case
    std::string user;    ///< with escapes undone, without password
    std::string host;    ///< without the brackets of IPv6
    std::uint16_t port = 0; ///< 0: not given
    std::string params;  ///< "transport=tcp;lr"
    bool is_sip() const noexcept { return scheme == "sip" || scheme == "sips"; }
};
/// Nothing for text that is no URI, a port past 65535, or control characters and blanks inside.
std::optional<uri> parse_uri(std::string_view text);

/// What From, To, Contact, Route … hold.
struct name_addr {
    std::string display; ///< unquoted
    std::string uri;     ///< without < and >
    std::string params;  ///< of the header: "tag=1;expires=60"
};
std::optional<name_addr> parse_name_addr(std::string_view text);
/// Cuts at commas outside of quotes and angle brackets.
std::vector<std::string> split_list(std::string_view text);

/// The value of a parameter in "a=1;b;c="x"", unquoted and empty for one without value; names in any case.
std::optional<std::string> param(std::string_view params, std::string_view name);

bool same_text(std::string_view a, std::string_view b) noexcept; ///< without regard to case (ASCII)
std::string_view trim(std::string_view text) noexcept;
/// The whole text as a decimal number that fits 32 bits.
std::optional<std::uint32_t> parse_number(std::string_view digits) noexcept;
/// %XX undone, and put in for what RFC 3261 does not allow in a user part, and for the '?' that many take for the headers' begin.
std::string unescape(std::string_view text);
std::string escape_user(std::string_view text);
/// Without control characters, so that no value can begin a line of its own.
std::string clean(std::string_view text);
/// As a quoted-string (RFC 3261 §25.1).
std::string quoted(std::string_view text);
/// As a display name: in quotes, with a blank after them; nothing for no name.
std::string quoted_display(std::string_view name);
/// IPv6 addresses get their brackets.
std::string host_text(std::string_view host);
bool is_numeric_address(std::string_view host) noexcept;

} // namespace strowger::sip
