// Audio between the engine and a driver that has no sockets: two rings of 20 ms frames of 8 kHz 16-bit linear samples.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace strowger::media {

using linear_frame = std::array<std::int16_t, 160>;

/// One end of a pipe. Each end has one reader thread and one writer thread. A full ring (2.5 s) takes no more:
/// the new frame is lost and counted. Lives in the core, so that a driver's module may leave while the media still holds it.
class frame_pipe {
public:
    /// The two ends of a new pipe: what one writes the other reads.
    static std::pair<std::shared_ptr<frame_pipe>, std::shared_ptr<frame_pipe>> make();

    /// False when the ring was full.
    bool write(const linear_frame& f) noexcept;
    /// False when there is nothing.
    bool read(linear_frame& f) noexcept;

    /// Tells the other end what begins to be played (a prompt's key, "tone:busy"), for drivers that show or test it.
    void announce(std::string what);
    /// What the other end announced since the last time.
    std::vector<std::string> announcements();

    /// A key pressed at the other end, in order. Digits travel beside the audio.
    void send_digit(char digit);
    std::string take_digits();

    std::uint64_t dropped() const noexcept;

    struct ring;
    struct side_band;
    frame_pipe(std::shared_ptr<ring> in, std::shared_ptr<ring> out, std::shared_ptr<side_band> in_band,
               std::shared_ptr<side_band> out_band) noexcept;

private:
    std::shared_ptr<ring> in_, out_;
    std::shared_ptr<side_band> in_band_, out_band_;
};

} // namespace strowger::media
