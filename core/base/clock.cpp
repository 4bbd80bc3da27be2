#include "core/base/clock.hpp"
#include <fmt/chrono.h>

namespace strowger {

clock::~clock() = default;

std::string to_text(wall_time t) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(t.time_since_epoch()).count() % 1000;
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(t)), ms);
}

instant real_clock::now() const noexcept { return std::chrono::steady_clock::now(); }
wall_time real_clock::wall() const noexcept { return std::chrono::system_clock::now(); }

wall_time virtual_clock::wall() const noexcept {
    return wall_start_ + std::chrono::duration_cast<wall_time::duration>(std::chrono::nanoseconds(elapsed_ + wall_offset_));
}

} // namespace strowger
