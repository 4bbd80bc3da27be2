// What the process takes of the machine: memory and descriptors, and how much of them it may take.
#pragma once
#include <cstddef>
#include <cstdint>

namespace strowger {

/// Bytes of memory that the process holds now (its resident set); 0 when that cannot be read.
std::uint64_t resident_bytes() noexcept;
/// Bytes that its control group, or one above it, may hold (cgroups of version 1 and 2); 0: no limit.
std::uint64_t memory_limit_of_group();
/// Descriptors that are open now; may walk through all of them.
std::size_t open_descriptors() noexcept;
/// How many may be open.
std::size_t descriptor_limit() noexcept;

} // namespace strowger
