#include "core/media/frame_pipe.hpp"
#include <cmath>
#include <numbers>

namespace strowger::media {
namespace {

constexpr std::size_t most_frames = 25;
constexpr std::size_t most_notes = 1000; // announcements or digits that nobody fetches

} // namespace

/// One direction.
struct frame_pipe::lane {
    mutable std::mutex mutex;
    std::array<linear_frame, most_frames> frames;
    std::size_t first = 0, count = 0;
    std::uint64_t dropped = 0;
    double hertz = 0, phase = 0;
    std::vector<std::string> announcements;
    std::string digits;
};

std::pair<std::shared_ptr<frame_pipe>, std::shared_ptr<frame_pipe>> frame_pipe::make() {
    auto a = std::make_shared<lane>();
    auto b = std::make_shared<lane>();
    return {std::make_shared<frame_pipe>(a, b), std::make_shared<frame_pipe>(b, a)};
}

void frame_pipe::write(const linear_frame& f) noexcept {
    const std::lock_guard lock(out_->mutex);
    if (out_->count == most_frames) {
        out_->first = (out_->first + 1) % most_frames;
        --out_->count;
        ++out_->dropped;
    }
    out_->frames[(out_->first + out_->count) % most_frames] = f;
    ++out_->count;
}

bool frame_pipe::read(linear_frame& f) noexcept {
    const std::lock_guard lock(in_->mutex);
    if (in_->count != 0) {
        f = in_->frames[in_->first];
        in_->first = (in_->first + 1) % most_frames;
        --in_->count;
        return true;
    }
    if (in_->hertz <= 0) return false;
    for (auto& sample : f) {
        sample = static_cast<std::int16_t>(8000 * std::sin(in_->phase));
        in_->phase += 2 * std::numbers::pi * in_->hertz / 8000;
    }
    in_->phase = std::fmod(in_->phase, 2 * std::numbers::pi);
    return true;
}

void frame_pipe::speak(double hertz) noexcept {
    const std::lock_guard lock(out_->mutex);
    out_->hertz = hertz;
}

void frame_pipe::announce(std::string what) {
    const std::lock_guard lock(out_->mutex);
    if (out_->announcements.size() < most_notes) out_->announcements.push_back(std::move(what));
}

std::vector<std::string> frame_pipe::announcements() {
    const std::lock_guard lock(in_->mutex);
    return std::exchange(in_->announcements, {});
}

void frame_pipe::send_digit(char digit) {
    const std::lock_guard lock(out_->mutex);
    if (out_->digits.size() < most_notes) out_->digits += digit;
}

std::string frame_pipe::take_digits() {
    const std::lock_guard lock(in_->mutex);
    return std::exchange(in_->digits, {});
}

std::uint64_t frame_pipe::dropped() const noexcept {
    const std::lock_guard lock(out_->mutex);
    return out_->dropped;
}

} // namespace strowger::media
