// Identifiers and randomness that nobody can guess.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace strowger {

/// Fills from the kernel's generator (getrandom); ends the process if there is none, for every key would be weak.
void random_bytes(std::span<std::byte> out);
std::uint64_t random_u64();
/// Lower-case hexadecimal of `bytes` random bytes.
std::string random_hex(std::size_t bytes);
/// An id for a call: 12 hexadecimal digits, unique across nodes for all practical purposes and short enough to type.
std::string make_call_id();

} // namespace strowger
