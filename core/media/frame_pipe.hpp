// Audio between the engine and a driver that has no sockets: 20 ms frames of 8 kHz 16-bit linear samples, both ways.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace strowger::media {

using linear_frame = std::array<std::int16_t, 160>;

/// One end of a pipe; thread-safe. What is not read within 500 ms is lost, the oldest first, and counted. Lives in the core, so
/// that a driver's module may leave while the media still holds it.
class frame_pipe {
public:
    /// The two ends of a new pipe: what one writes the other reads.
    static std::pair<std::shared_ptr<frame_pipe>, std::shared_ptr<frame_pipe>> make();

    void write(const linear_frame& f) noexcept;
    /// False when there is nothing.
    bool read(linear_frame& f) noexcept;
    /// From now on the other end reads a tone of so many hertz whenever nothing else was written; 0 ends that.
    void speak(double hertz) noexcept;

    /// Tells the other end what begins to be played (a prompt's key, "tone:busy"), for drivers that show or test it.
    void announce(std::string what);
    /// What the other end announced since the last time.
    std::vector<std::string> announcements();

    /// A key pressed at this end. Digits travel beside the audio.
    void send_digit(char digit);
    std::string take_digits();

    /// Frames that the other end has not read in time.
    std::uint64_t dropped() const noexcept;

    struct lane;
    frame_pipe(std::shared_ptr<lane> in, std::shared_ptr<lane> out) noexcept : in_(std::move(in)), out_(std::move(out)) {}

private:
    std::shared_ptr<lane> in_, out_;
};

} // namespace strowger::media
