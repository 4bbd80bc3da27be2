#include "core/base/ids.hpp"
#include "core/base/log.hpp"
#include <cerrno>
#include <cstdlib>
#include <sys/random.h>

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

std::uint64_t random_u64() {
    std::uint64_t v = 0;
    random_bytes(std::as_writable_bytes(std::span(&v, 1)));
    return v;
}

std::string random_hex(std::size_t bytes) {
    std::string raw(bytes, '\0');
    random_bytes(std::as_writable_bytes(std::span(raw)));
    std::string out;
    out.reserve(2 * bytes);
    for (const char c : raw) {
        out += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
        out += "0123456789abcdef"[static_cast<unsigned char>(c) & 15];
    }
    return out;
}

std::string make_call_id() { return random_hex(6); }

} // namespace strowger
