// Feeds arbitrary bytes to the SDP parser, the writer and both sides of offer and answer.
#include "core/sdp/session.hpp"
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace strowger::sdp;

void require(bool holds) {
    if (!holds) std::abort();
}

audio_capabilities capabilities() {
    audio_capabilities caps;
    caps.address = "192.0.2.1";
    caps.rtp_port = 4000;
    caps.codecs = {{"PCMA", 8, 8000, 1, ""}, {"PCMU", 0, 8000, 1, ""}, {"opus", 107, 48000, 2, "useinbandfec=1"}};
    return caps;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto parsed = parse(text);
    if (!parsed) return 0;
    const auto again = parse(write(*parsed));
    require(again && *again == *parsed);

    session callee(1);
    if (const auto answered = callee.answer(*parsed, capabilities())) {
        require(answered->answer.sections.size() == parsed->sections.size());
        const auto written = parse(write(answered->answer));
        require(written && *written == answered->answer);
        const auto repeated = callee.answer(*parsed, capabilities());
        require(repeated && write(repeated->answer) == write(answered->answer));
        const auto restored = session::from_text(callee.to_text());
        require(restored && *restored == callee);
        require(callee.make_offer(capabilities()).sections.size() == parsed->sections.size());
    }

    session caller(1);
    caller.make_offer(capabilities());
    if (caller.accept_answer(*parsed)) require(caller.agreed().has_value());
    (void)session::from_text(text);
    return 0;
}
