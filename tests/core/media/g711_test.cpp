// G.711, all values, against SpanDSP.
#include "core/media/codec_id.hpp"
#include "core/media/g711.hpp"
#include <catch2/catch.hpp>
#include <limits>
#include <spandsp.h>
#include <vector>

using namespace strowger::media;

TEST_CASE("every linear value is encoded as G.711 says", "[g711]") {
    int wrong = 0;
    for (int value = std::numeric_limits<std::int16_t>::min(); value <= std::numeric_limits<std::int16_t>::max(); ++value) {
        const auto sample = static_cast<std::int16_t>(value);
        wrong += encode_pcmu(sample) != std::byte{linear_to_ulaw(value)};
        wrong += encode_pcma(sample) != std::byte{linear_to_alaw(value)};
    }
    REQUIRE(wrong == 0);
}

TEST_CASE("every code is decoded and converted as G.711 says", "[g711]") {
    for (unsigned value = 0; value < 256; ++value) {
        const auto code = static_cast<std::uint8_t>(value);
        CAPTURE(value);
        CHECK(decode_pcmu(std::byte{code}) == ulaw_to_linear(code));
        CHECK(decode_pcma(std::byte{code}) == alaw_to_linear(code));
        CHECK(pcmu_to_pcma(std::byte{code}) == std::byte{ulaw_to_alaw(code)});
        CHECK(pcma_to_pcmu(std::byte{code}) == std::byte{alaw_to_ulaw(code)});
    }
}

TEST_CASE("decoding and encoding again keeps every code but mu-law's negative zero", "[g711]") {
    for (unsigned value = 0; value < 256; ++value) {
        const auto code = static_cast<std::byte>(value);
        CAPTURE(value);
        CHECK(encode_pcma(decode_pcma(code)) == code);
        CHECK(encode_pcmu(decode_pcmu(code)) == (value == 0x7f ? std::byte{0xff} : code));
    }
}

TEST_CASE("spans of different lengths convert as many samples as the shorter holds", "[g711]") {
    const std::vector<std::int16_t> samples{0, 1000, -1000, 32767, -32768};
    std::vector<std::byte> codes(3, std::byte{1});
    encode_pcmu(samples, codes);
    CHECK(codes[1] == encode_pcmu(std::int16_t{1000}));
    CHECK(codes[2] == encode_pcmu(std::int16_t{-1000}));
    std::vector<std::int16_t> back(5, 7);
    decode_pcmu(codes, back);
    CHECK(back[1] == decode_pcmu(codes[1]));
    CHECK(back[3] == 7);
    pcmu_to_pcma(codes, codes);
    CHECK(codes[1] == encode_pcma(std::int16_t{1000}));
}

TEST_CASE("a codec knows its name, payload type, size and silence", "[codec]") {
    for (const auto codec : all_codecs) CHECK(find_codec(name(codec)) == codec);
    CHECK_FALSE(find_codec("opus"));
    CHECK(rtp_payload_type(codec_id::pcmu) == 0);
    CHECK(rtp_payload_type(codec_id::pcma) == 8);
    CHECK_FALSE(rtp_payload_type(codec_id::slin));
    CHECK(bytes_per_ms(codec_id::pcma) == 8);
    CHECK(bytes_per_ms(codec_id::slin) == 16);
    CHECK(silence_byte(codec_id::pcmu) == encode_pcmu(std::int16_t{0}));
    CHECK(silence_byte(codec_id::pcma) == encode_pcma(std::int16_t{0}));
}
