// Any payloads in a row are taken as telephone events without a fault, and give only keys.
#include "core/media/telephone_event.hpp"
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace strowger;
    using namespace strowger::media;
    telephone_event_receiver receiver;
    instant now(1h);
    auto rest = std::as_bytes(std::span(data, size));
    while (rest.size() >= 6) {
        const auto e = parse_telephone_event(rest);
        const auto when = std::to_integer<std::uint32_t>(rest[4]);
        now += 1ms * std::to_integer<int>(rest[5]);
        if (const auto key = receiver.take(*e, (when & 1) != 0, when << 6, now))
            if (std::string_view("0123456789*#ABCD").find(*key) == std::string_view::npos) std::abort();
        rest = rest.subspan(6);
    }
    return 0;
}
