// Reading and writing numbers in network byte order. For the inside of core/media only.
#pragma once
#include <cstddef>
#include <cstdint>

namespace strowger::media {

inline std::uint16_t read_u16(const std::byte* p) noexcept {
    return static_cast<std::uint16_t>(std::to_integer<unsigned>(p[0]) << 8 | std::to_integer<unsigned>(p[1]));
}
inline std::uint32_t read_u32(const std::byte* p) noexcept {
    return std::uint32_t{read_u16(p)} << 16 | read_u16(p + 2);
}
inline void write_u16(std::byte* p, std::uint16_t n) noexcept {
    p[0] = static_cast<std::byte>(n >> 8);
    p[1] = static_cast<std::byte>(n & 0xff);
}
inline void write_u32(std::byte* p, std::uint32_t n) noexcept {
    write_u16(p, static_cast<std::uint16_t>(n >> 16));
    write_u16(p + 2, static_cast<std::uint16_t>(n & 0xffff));
}

} // namespace strowger::media
