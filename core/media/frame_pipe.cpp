#include "core/media/frame_pipe.hpp"

namespace strowger::media {

/// Single producer, single consumer.
struct frame_pipe::ring {
    static constexpr std::size_t size = 128;
    std::array<linear_frame, size> frames;
    std::atomic<std::size_t> written{0};
    std::atomic<std::size_t> taken{0};
    std::atomic<std::uint64_t> dropped{0};
};

struct frame_pipe::side_band {
    std::mutex mutex;
    std::vector<std::string> announcements;
    std::string digits;
};

frame_pipe::frame_pipe(std::shared_ptr<ring> in, std::shared_ptr<ring> out, std::shared_ptr<side_band> in_band,
                       std::shared_ptr<side_band> out_band) noexcept
    : in_(std::move(in)), out_(std::move(out)), in_band_(std::move(in_band)), out_band_(std::move(out_band)) {}

std::pair<std::shared_ptr<frame_pipe>, std::shared_ptr<frame_pipe>> frame_pipe::make() {
    auto a = std::make_shared<ring>();
    auto b = std::make_shared<ring>();
    auto band_a = std::make_shared<side_band>();
    auto band_b = std::make_shared<side_band>();
    return {std::make_shared<frame_pipe>(a, b, band_a, band_b), std::make_shared<frame_pipe>(b, a, band_b, band_a)};
}

bool frame_pipe::write(const linear_frame& f) noexcept {
    const auto written = out_->written.load(std::memory_order_relaxed);
    if (written - out_->taken.load(std::memory_order_acquire) >= ring::size) {
        out_->dropped.fetch_add(1, std::memory_order_relaxed);
        return false;
    }
    out_->frames[written % ring::size] = f;
    out_->written.store(written + 1, std::memory_order_release);
    return true;
}

bool frame_pipe::read(linear_frame& f) noexcept {
    const auto taken = in_->taken.load(std::memory_order_relaxed);
    if (taken == in_->written.load(std::memory_order_acquire)) return false;
    f = in_->frames[taken % ring::size];
    in_->taken.store(taken + 1, std::memory_order_release);
    return true;
}

void frame_pipe::announce(std::string what) {
    const std::lock_guard lock(out_band_->mutex);
    if (out_band_->announcements.size() < 1000) out_band_->announcements.push_back(std::move(what));
}

std::vector<std::string> frame_pipe::announcements() {
    const std::lock_guard lock(in_band_->mutex);
    return std::exchange(in_band_->announcements, {});
}

void frame_pipe::send_digit(char digit) {
    const std::lock_guard lock(out_band_->mutex);
    if (out_band_->digits.size() < 1000) out_band_->digits += digit;
}

std::string frame_pipe::take_digits() {
    const std::lock_guard lock(in_band_->mutex);
    return std::exchange(in_band_->digits, {});
}

std::uint64_t frame_pipe::dropped() const noexcept { return out_->dropped; }

} // namespace strowger::media
