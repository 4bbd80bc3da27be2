// Tones made, not recorded: call progress by name and country, and DTMF.
#pragma once
#include "core/base/result.hpp"
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace strowger::media {

/// One sine wave, at most 3400 Hz; 3.14 dBm0 is the loudest that a line carries.
struct tone_part {
    double hz;
    double dbm0;
};

/// Sine waves together for a while; without parts, silence. A length of zero lasts for ever.
struct tone_segment {
    std::vector<tone_part> parts;
    std::chrono::milliseconds length{};
};

/// Segments one after the other, and again from the first when `repeat` is set.
struct tone_spec {
    std::vector<tone_segment> segments;
    bool repeat = false;
};

/// A tone by its name: dial, ring, busy, congestion, call_waiting, unobtainable, howler (cadences of the country), and sit, beep,
/// error, confirm (the same everywhere). `country` is a lower-case ISO 3166 code: us, gb, de, at, ch, fr, it, es, nl; another one
/// gets the tones that ITU-T E.180 recommends. An unknown name is an error that lists the names.
result<tone_spec> find_tone(std::string_view name, std::string_view country = "us");

/// One DTMF digit (0-9 * # A-D, in either case) and the pause after it: -9 dBm0 for the row and -7 for the column, ETSI ES 201
/// 235-2's -11 and -9 dBV over 600 ohms.
result<tone_spec> dtmf_tone(char digit, std::chrono::milliseconds on = std::chrono::milliseconds{100},
                            std::chrono::milliseconds off = std::chrono::milliseconds{100});

/// Plays one tone as 8 kHz samples. Cheap enough for a media thread; it allocates only when it is made.
class tone_player {
public:
    explicit tone_player(tone_spec spec);
    /// Fills `out` with the next samples; fewer than asked for, and then none, after the end of a tone that does not repeat.
    std::size_t render(std::span<std::int16_t> out) noexcept;
    bool ended() const noexcept { return segment_ == spec_.segments.size(); }

private:
    struct wave { // A rotating pointer: its imaginary part is the sine.
        double real, imag, step_real, step_imag, amplitude;
    };
    void enter(std::size_t segment) noexcept;

    tone_spec spec_;
    std::vector<wave> waves_;
    std::size_t segment_ = 0;
    std::size_t left_ = 0; // samples of this segment; `forever` for no end
};

/// All of a tone that does not repeat, or of one that does its first `length`.
std::vector<std::int16_t> render_tone(const tone_spec& spec, std::chrono::milliseconds length = std::chrono::seconds{60});

} // namespace strowger::media
