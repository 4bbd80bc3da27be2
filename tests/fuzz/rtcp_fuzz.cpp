// Any datagram is read as RTCP without a fault, and what was read can be written.
#include "core/media/rtcp.hpp"
#include <array>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace strowger::media;
    const auto report = parse_rtcp(std::as_bytes(std::span(data, size)), 0x01020304);
    if (!report) return 0;
    std::array<std::byte, largest_rtcp_packet> out;
    const auto length = write_rtcp(*report, out);
    if (length == 0 || !parse_rtcp(std::span(out).first(length), 0x01020304)) std::abort();
    return 0;
}
