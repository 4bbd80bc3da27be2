// Any datagram is read as RTP without a fault, and its payload lies within it, behind room for our header.
#include "core/media/rtp.hpp"
#include <cstdlib>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace strowger::media;
    std::vector<std::byte> datagram(size);
    for (std::size_t i = 0; i < size; ++i) datagram[i] = std::byte{data[i]};
    looks_like_rtcp(datagram);
    if (const auto p = parse_rtp(datagram)) {
        const auto* begin = datagram.data();
        if (p->payload.data() < begin + rtp_header_size || p->payload.data() + p->payload.size() > begin + size) std::abort();
        write_rtp(p->header, std::span<std::byte, rtp_header_size>(p->payload.data() - rtp_header_size, rtp_header_size));
    }
    return 0;
}
