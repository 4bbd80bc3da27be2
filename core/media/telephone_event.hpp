// Keys as RTP packets of their own (RFC 4733): the payload, who sends it and who receives it. The clock is 8000 Hz.
#pragma once
#include "core/base/clock.hpp"
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace strowger::media {

inline constexpr std::size_t telephone_event_size = 4;

struct telephone_event {
    std::uint8_t code = 0; ///< 0-9, 10 is *, 11 is #, 12-15 are A-D; more are not keys
    bool end = false;
    std::uint8_t volume = 10;   ///< dBm0 without its minus, 0 to 63
    std::uint16_t duration = 0; ///< in units of the timestamp
    bool operator==(const telephone_event&) const = default;
};

/// Nothing when it is too short. More than one event in a packet is not read.
std::optional<telephone_event> parse_telephone_event(std::span<const std::byte> payload) noexcept;
void write_telephone_event(const telephone_event& e, std::span<std::byte, telephone_event_size> out) noexcept;

/// The code of a key, in either case; nothing for what is not a key.
std::optional<std::uint8_t> telephone_event_code(char key) noexcept;
/// Nothing for events that are not keys (flash, fax tones).
std::optional<char> telephone_event_key(std::uint8_t code) noexcept;

/// The packets of one key: one each time that `next` is called, which should be every packet time.
class telephone_event_sender {
public:
    static constexpr auto key_length = std::chrono::milliseconds{100};
    static constexpr auto gap = std::chrono::milliseconds{50};

    struct packet {
        telephone_event event;
        bool marker = false; ///< the first of this key
    };
    /// `timestamp_step` is a packet time in units of the timestamp.
    telephone_event_sender(std::uint8_t code, unsigned timestamp_step) noexcept : step_(timestamp_step) { event_.code = code; }

    /// Grows until the key is over, comes three times with the end bit, then pauses (nothing) until done().
    std::optional<packet> next() noexcept;
    bool done() const noexcept;

private:
    telephone_event event_;
    unsigned step_;
    unsigned elapsed_ = 0; // since the key began, in units of the timestamp
    int ends_sent_ = 0;
};

/// Finds the keys in the packets received: each is told once, when its first packet comes, whichever of its packets are lost.
class telephone_event_receiver {
public:
    /// A key is taken for over when nothing comes of it for so long.
    static constexpr auto lost_after = std::chrono::milliseconds{500};

    /// The key when a new one begins with this packet.
    std::optional<char> take(const telephone_event& e, bool marker, std::uint32_t timestamp, instant now) noexcept;
    /// A key is held down.
    bool pressed(instant now) const noexcept { return open_ && now - heard_ < lost_after; }

private:
    bool started_ = false, open_ = false;
    std::uint8_t code_ = 0;
    std::uint32_t timestamp_ = 0, duration_ = 0;
    instant heard_{};
};

} // namespace strowger::media
