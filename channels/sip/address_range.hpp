// Ranges of addresses, IPv4 and IPv6: local networks, and from where a trunk may call.
#pragma once
#include "core/base/result.hpp"
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace strowger::sip {

/// "192.0.2.0/24", "2001:db8::/32", or one address; with a port only that one: "192.0.2.1:5070", "[2001:db8::1]:5070".
struct address_range {
    std::array<std::uint8_t, 16> bytes{};
    bool v6 = false;
    unsigned bits = 0;      ///< how many of the first bits count
    std::uint16_t port = 0; ///< 0: any
    /// False for anything but a numeric address of its own family.
    bool contains(std::string_view numeric, std::uint16_t from_port = 0) const noexcept;
    /// Of two ranges that hold an address the one that says more is meant.
    unsigned weight() const noexcept { return bits * 2 + (port != 0 ? 1 : 0); }
};

result<address_range> parse_range(std::string_view text);

bool any_contains(const std::vector<address_range>& ranges, std::string_view numeric) noexcept;

/// Where a NAT never stands between: RFC 1918, RFC 6598, loopback, link-local, and unique local IPv6 addresses.
std::vector<std::string> usual_local_networks();

} // namespace strowger::sip
