#include "core/base/clock.hpp"

namespace strowger {

clock::~clock() = default;

instant real_clock::now() const noexcept { return std::chrono::steady_clock::now(); }
wall_time real_clock::wall() const noexcept { return std::chrono::system_clock::now(); }

wall_time virtual_clock::wall() const noexcept {
    return wall_start_ + std::chrono::duration_cast<wall_time::duration>(std::chrono::nanoseconds(elapsed_ + wall_offset_));
}

} // namespace strowger
