#include "core/sdp/description.hpp"
#include "core/sdp/text.hpp"
#include <algorithm>
#include <array>

namespace strowger::sdp {
namespace {

struct static_type {
    int payload_type;
    std::string_view name;
    int clock_rate;
    int channels;
};

// RFC 3551, tables 4 and 5. G722 says 8000 although it samples at 16000.
constexpr std::array static_types{
    static_type{0, "PCMU", 8000, 1},   static_type{3, "GSM", 8000, 1},    static_type{4, "G723", 8000, 1},
    static_type{5, "DVI4", 8000, 1},   static_type{6, "DVI4", 16000, 1},  static_type{7, "LPC", 8000, 1},
    static_type{8, "PCMA", 8000, 1},   static_type{9, "G722", 8000, 1},   static_type{10, "L16", 44100, 2},
    static_type{11, "L16", 44100, 1},  static_type{12, "QCELP", 8000, 1}, static_type{13, "CN", 8000, 1},
    static_type{14, "MPA", 90000, 1},  static_type{15, "G728", 8000, 1},  static_type{16, "DVI4", 11025, 1},
    static_type{17, "DVI4", 22050, 1}, static_type{18, "G729", 8000, 1},
};

const attribute* find(const std::vector<attribute>& attributes, std::string_view name) {
    const auto found =
        std::find_if(attributes.begin(), attributes.end(), [&](const attribute& a) { return equal_without_case(a.name, name); });
    return found == attributes.end() ? nullptr : &*found;
}

std::optional<direction> direction_in(const std::vector<attribute>& attributes) {
    for (const auto& a : attributes)
        if (const auto d = direction_named(a.name)) return d;
    return std::nullopt;
}

/// The rest of the value of the first attribute `name` that begins with this payload type.
std::optional<std::string_view> value_for(const std::vector<attribute>& attributes, std::string_view name, int payload_type) {
    for (const auto& a : attributes) {
        if (!a.value || !equal_without_case(a.name, name)) continue;
        std::string_view rest = *a.value;
        if (number<int>(next_word(rest)) == payload_type) return trimmed(rest);
    }
    return std::nullopt;
}

std::optional<rtp_mapping> read_mapping(std::string_view text) {
    text = next_word(text);
    const auto slash = text.find('/');
    if (slash == 0 || slash == std::string_view::npos) return std::nullopt;
    rtp_mapping m;
    m.name = text.substr(0, slash);
    text.remove_prefix(slash + 1);
    const auto second = text.find('/');
    const auto rate = number<int>(text.substr(0, second));
    const auto channels = second == std::string_view::npos ? 1 : number<int>(text.substr(second + 1));
    if (!rate || *rate < 1 || *rate > 1'000'000 || !channels || *channels < 1 || *channels > 32) return std::nullopt;
    m.clock_rate = *rate;
    m.channels = *channels;
    return m;
}

std::optional<int> milliseconds(std::optional<std::string_view> text) {
    const auto n = text ? number<int>(trimmed(*text)) : std::nullopt;
    return n && *n >= 1 && *n <= 1000 ? n : std::nullopt;
}

} // namespace

std::optional<direction> direction_named(std::string_view attribute_name) {
    for (const auto d : std::array{direction::sendrecv, direction::sendonly, direction::recvonly, direction::inactive})
        if (equal_without_case(attribute_name, to_string(d))) return d;
    return std::nullopt;
}

bool media::is(std::string_view wanted_kind) const { return equal_without_case(kind, wanted_kind); }

bool media::has(std::string_view attribute_name) const { return find(attributes, attribute_name) != nullptr; }

std::optional<std::string_view> media::value_of(std::string_view attribute_name) const {
    const auto* found = find(attributes, attribute_name);
    if (!found) return std::nullopt;
    return found->value ? std::string_view(*found->value) : std::string_view();
}

std::vector<int> media::payload_types() const {
    std::vector<int> types;
    for (const auto& format : formats) {
        const auto n = number<int>(format);
        if (n && *n >= 0 && *n <= 127 && std::find(types.begin(), types.end(), *n) == types.end()) types.push_back(*n);
    }
    return types;
}

std::optional<rtp_mapping> media::rtpmap(int payload_type) const {
    if (const auto text = value_for(attributes, "rtpmap", payload_type)) return read_mapping(*text);
    for (const auto& t : static_types)
        if (t.payload_type == payload_type) return rtp_mapping{std::string(t.name), t.clock_rate, t.channels};
    return std::nullopt;
}

std::string_view media::fmtp(int payload_type) const { return value_for(attributes, "fmtp", payload_type).value_or(""); }

std::optional<int> media::ptime() const { return milliseconds(value_of("ptime")); }

std::optional<int> media::maxptime() const { return milliseconds(value_of("maxptime")); }

std::optional<rtcp_data> media::rtcp() const {
    auto text = value_of("rtcp");
    if (!text) return std::nullopt;
    const auto number_said = number<std::uint16_t>(next_word(*text));
    if (!number_said || *number_said == 0) return std::nullopt;
    rtcp_data r{*number_said, std::nullopt};
    const auto network = next_word(*text), family = next_word(*text), address = next_word(*text);
    if (!address.empty()) r.address = net_address{std::string(network), std::string(family), std::string(address)};
    return r;
}

const net_address* description::connection_of(const media& section) const {
    if (section.connection) return &*section.connection;
    return connection ? &*connection : nullptr;
}

direction description::direction_of(const media& section) const {
    if (const auto own = direction_in(section.attributes)) return *own;
    return direction_in(attributes).value_or(direction::sendrecv);
}

} // namespace strowger::sdp
