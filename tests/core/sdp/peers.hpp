// The two sides of the SDP stories: what we can do, and what a phone says.
#pragma once
#include "core/sdp/session.hpp"
#include <catch2/catch.hpp>
#include <fmt/format.h>

namespace strowger::sdp {

/// Our side: G.711 and Opus at 192.0.2.1:4000.
inline audio_capabilities our_side(direction dir = direction::sendrecv) {
    audio_capabilities caps;
    caps.address = "192.0.2.1";
    caps.rtp_port = 4000;
    caps.rtcp_port = 4001;
    caps.codecs = {{"PCMA", 8, 8000, 1, ""}, {"PCMU", 0, 8000, 1, ""}, {"opus", 107, 48000, 2, "useinbandfec=1"}};
    caps.dir = dir;
    return caps;
}

/// A phone's description at 192.0.2.9, from its m= lines on.
inline description phone(std::string_view sections, int version = 1, std::string_view address = "IP4 192.0.2.9") {
    auto d = parse(fmt::format("v=0\no=phone 77 {} IN {}\ns=call\nc=IN {}\nt=0 0\n{}", version, address, address, sections));
    REQUIRE(d);
    return *std::move(d);
}

/// The m= line of a section, as it is written.
inline std::string m_line(const description& d, std::size_t section = 0) {
    const auto text = write(d);
    std::size_t at = 0;
    for (std::size_t i = 0; i <= section; ++i) at = text.find("\r\nm=", at) + 2;
    return text.substr(at, text.find("\r\n", at) - at);
}

/// Whether the description has this line.
inline bool has_line(const description& d, std::string_view line) {
    return write(d).find(fmt::format("\r\n{}\r\n", line)) != std::string::npos;
}

} // namespace strowger::sdp
