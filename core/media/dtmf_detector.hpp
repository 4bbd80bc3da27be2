// Finds DTMF keys in the audio of a peer that sends them as tones.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace strowger::media {

class dtmf_detector {
public:
    dtmf_detector();
    ~dtmf_detector();
    /// The keys that these samples complete; valid until the next call.
    std::string_view take(std::span<const std::int16_t> samples);

private:
    struct state;
    std::unique_ptr<state> state_;
};

} // namespace strowger::media
