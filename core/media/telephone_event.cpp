#include "core/media/telephone_event.hpp"
#include "core/media/byte_order.hpp"
#include <algorithm>
#include <string_view>

namespace strowger::media {
namespace {

constexpr std::string_view keys = "0123456789*#ABCD";
constexpr unsigned units(std::chrono::milliseconds t) { return static_cast<unsigned>(t.count()) * 8; }

} // namespace

std::optional<telephone_event> parse_telephone_event(std::span<const std::byte> payload) noexcept {
    if (payload.size() < telephone_event_size) return std::nullopt;
    const auto flags = std::to_integer<unsigned>(payload[1]);
    return telephone_event{std::to_integer<std::uint8_t>(payload[0]), (flags & 0x80) != 0,
                           static_cast<std::uint8_t>(flags & 0x3f), read_u16(payload.data() + 2)};
}

void write_telephone_event(const telephone_event& e, std::span<std::byte, telephone_event_size> out) noexcept {
    out[0] = static_cast<std::byte>(e.code);
    out[1] = static_cast<std::byte>((e.end ? 0x80u : 0u) | (e.volume & 0x3fu));
    write_u16(out.data() + 2, e.duration);
}

std::optional<std::uint8_t> telephone_event_code(char key) noexcept {
    if (key >= 'a' && key <= 'd') key = static_cast<char>(key - 'a' + 'A');
    const auto at = keys.find(key);
    if (at == std::string_view::npos) return std::nullopt;
    return static_cast<std::uint8_t>(at);
}

std::optional<char> telephone_event_key(std::uint8_t code) noexcept {
    if (code >= keys.size()) return std::nullopt;
    return keys[code];
}

std::optional<telephone_event_sender::packet> telephone_event_sender::next() noexcept {
    const bool first = elapsed_ == 0;
    elapsed_ += step_;
    if (ends_sent_ == 0) {
        event_.duration = static_cast<std::uint16_t>(elapsed_);
        event_.end = elapsed_ >= units(key_length);
    }
    if (!event_.end) return packet{event_, first};
    if (ends_sent_ == 3) return std::nullopt;
    ++ends_sent_;
    return packet{event_, first};
}

bool telephone_event_sender::done() const noexcept { return ends_sent_ == 3 && elapsed_ >= event_.duration + units(gap); }

std::optional<char> telephone_event_receiver::take(const telephone_event& e, bool marker, std::uint32_t timestamp,
                                                   instant now) noexcept {
    const auto ahead = static_cast<std::int32_t>(timestamp - timestamp_);
    const bool recent = started_ && now - heard_ < std::chrono::seconds{10};
    if (recent && ahead <= 0 && ahead > -80000) { // of this key, or late from one before
        if (ahead == 0) {
            heard_ = now;
            duration_ = std::max<std::uint32_t>(duration_, e.duration);
            if (e.end) open_ = false;
        }
        return std::nullopt;
    }
    // A key held for longer than the field can say goes on in a new segment, where the last one ended (RFC 4733 §2.5.1.3).
    const bool goes_on =
        recent && pressed(now) && !marker && e.code == code_ && duration_ > 0 && timestamp == timestamp_ + duration_;
    started_ = true;
    open_ = !e.end;
    code_ = e.code;
    timestamp_ = timestamp;
    duration_ = e.duration;
    heard_ = now;
    if (goes_on) return std::nullopt;
    return telephone_event_key(e.code);
}

} // namespace strowger::media
