#include "core/base/ids.hpp"
#include "core/base/log.hpp"
#include <array>
#include <cerrno>
#include <cstdlib>
#include <sys/random.h>
#include <utility>

namespace strowger {

void random_bytes(std::span<std::byte> out) {
    while (!out.empty()) {
        const auto got = ::getrandom(out.data(), out.size(), 0);
        if (got < 0) {
            if (errno == EINTR) continue;
            log::error("core", "the kernel gives no random numbers (getrandom, errno {}); ending", errno);
            log::flush();
            std::abort();
        }
        out = out.subspan(static_cast<std::size_t>(got));
    }
}

// A call takes about ten of these: fetched by the page, a system call is one in five hundred.
std::uint64_t random_u64() {
    thread_local std::array<std::uint64_t, 512> stock;
    thread_local std::size_t left = 0;
    if (left == 0) {
        random_bytes(std::as_writable_bytes(std::span(stock)));
        left = stock.size();
    }
    return std::exchange(stock[--left], 0); // nobody can read a used one again
}

std::string random_hex(std::size_t bytes) {
    std::string out;
    out.reserve(2 * bytes);
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < 2 * bytes; ++i, word >>= 4) {
        if (i % 16 == 0) word = random_u64();
        out += "0123456789abcdef"[word & 15];
    }
    return out;
}

std::string make_call_id() { return random_hex(6); }

} // namespace strowger
