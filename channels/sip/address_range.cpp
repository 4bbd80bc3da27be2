#include "channels/sip/address_range.hpp"
#include "channels/sip/text.hpp"
#include <algorithm>
#include <arpa/inet.h>

namespace strowger::sip {
namespace {

/// The bytes of a numeric address, 4 or 16; 0 for anything else.
std::size_t read_bytes(std::string_view numeric, std::array<std::uint8_t, 16>& out) noexcept {
    char copy[INET6_ADDRSTRLEN];
    if (numeric.empty() || numeric.size() >= sizeof copy) return 0;
    copy[numeric.copy(copy, numeric.size())] = 0;
    if (inet_pton(AF_INET, copy, out.data()) == 1) return 4;
    return inet_pton(AF_INET6, copy, out.data()) == 1 ? 16 : 0;
}

} // namespace

bool address_range::contains(std::string_view numeric, std::uint16_t from_port) const noexcept {
    std::array<std::uint8_t, 16> other{};
    if (read_bytes(numeric, other) != (v6 ? 16u : 4u)) return false;
    if (port != 0 && port != from_port) return false;
    const auto whole = bits / 8, rest = bits % 8;
    if (!std::equal(bytes.begin(), bytes.begin() + whole, other.begin())) return false;
    return rest == 0 || ((bytes[whole] ^ other[whole]) >> (8 - rest)) == 0;
}

result<address_range> parse_range(std::string_view text) {
    const auto wrong = [&] {
        return fail("\"{}\" is no address; write \"192.0.2.1\", \"192.0.2.0/24\", \"192.0.2.1:5070\" or \"2001:db8::/32\"",
                    clean(text));
    };
    address_range r;
    const auto slash = text.find('/');
    auto host = std::string(text.substr(0, slash));
    auto size = read_bytes(host, r.bytes);
    if (size == 0 && slash == std::string_view::npos) { // with a port
        const auto u = parse_uri("sip:" + host);
        if (!u || !u->user.empty() || !u->params.empty()) return wrong();
        r.port = u->port;
        size = read_bytes(u->host, r.bytes);
    }
    if (size == 0) return wrong();
    r.v6 = size == 16;
    r.bits = static_cast<unsigned>(size * 8);
    if (slash != std::string_view::npos) {
        const auto bits = parse_number(text.substr(slash + 1));
        if (!bits || *bits > r.bits) return wrong();
        r.bits = *bits;
    }
    return r;
}

bool any_contains(const std::vector<address_range>& ranges, std::string_view numeric) noexcept {
    return std::any_of(ranges.begin(), ranges.end(), [&](const address_range& r) { return r.contains(numeric); });
}

std::vector<std::string> usual_local_networks() {
    return {"10.0.0.0/8",     "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8",
            "169.254.0.0/16", "::1",           "fc00::/7",       "fe80::/10"};
}

} // namespace strowger::sip
