// Keys that wait to be sent to a peer, and the one that is being sent, as events or as tones.
#pragma once
#include "core/media/telephone_event.hpp"
#include "core/media/tone.hpp"
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>

namespace strowger::media {

class digit_sender {
public:
    static constexpr auto pause = std::chrono::milliseconds{500}; ///< of a `w`

    /// What goes out in one packet time: an event packet, tone samples, or nothing.
    struct step {
        std::optional<telephone_event_sender::packet> event;
        bool key_begins = false;
        std::size_t samples = 0; ///< written to the buffer
    };

    /// Characters that are neither keys nor `w` are left out.
    void push(std::uint64_t id, std::string digits) { waiting_.push_back({id, std::move(digits), 0}); }
    bool active() const noexcept { return !waiting_.empty(); }
    /// One packet time of `room.size()` samples. `by_event`: a key that begins now is sent by RFC 4733, else as a tone.
    step next(bool by_event, std::span<std::int16_t> room);
    /// The id of a request that is over since the last call; 0 for none.
    std::uint64_t finished();

private:
    struct request {
        std::uint64_t id;
        std::string digits;
        std::size_t at;
    };
    bool busy() const noexcept { return event_ || tone_ || pause_left_ > 0; }

    std::deque<request> waiting_;
    std::optional<telephone_event_sender> event_;
    std::optional<tone_player> tone_;
    std::size_t pause_left_ = 0; // samples
};

} // namespace strowger::media
