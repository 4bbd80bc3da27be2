// Audio files, good and bad, as they come from people's disks.
#include "core/media/codec_id.hpp"
#include "core/media/g711.hpp"
#include "core/media/prompt_source.hpp"
#include "tests/core/media/prompt_files.hpp"
#include <catch2/catch.hpp>
#include <cmath>
#include <numbers>
#include <sys/stat.h>

using namespace strowger::media;
using namespace strowger;
using Catch::Contains;
using test::wav;

namespace {

result<std::vector<std::int16_t>> load(const std::filesystem::path& path) {
    const auto file = read_audio_file(path);
    if (!file) return fail(file);
    return decode_audio(*file, path);
}

std::string reason(const test::temporary_directory& dir, std::string_view content, std::string_view name = "bad.wav") {
    test::write(dir / name, content);
    const auto samples = load(dir / name);
    REQUIRE_FALSE(samples.has_value());
    CHECK_THAT(samples.error().text, Contains((dir / name).string()));
    return samples.error().text;
}

std::vector<std::int16_t> sine(double hz, std::uint32_t rate, double seconds, double amplitude = 10000) {
    std::vector<std::int16_t> out(static_cast<std::size_t>(seconds * rate));
    for (std::size_t i = 0; i < out.size(); ++i)
        out[i] = static_cast<std::int16_t>(
            std::lround(amplitude * std::sin(2 * std::numbers::pi * hz * static_cast<double>(i) / rate)));
    return out;
}

double loudest(std::span<const std::int16_t> samples) {
    int most = 0;
    for (const auto sample : samples) most = std::max(most, std::abs(int{sample}));
    return most;
}

} // namespace

TEST_CASE("an 8 kHz WAV is taken sample by sample, whatever chunks surround its sound", "[prompt]") {
    const test::temporary_directory dir;
    const std::vector<std::int16_t> samples{0, 1, -1, 32767, -32768};
    test::write(dir / "a.wav", wav(samples));
    CHECK(load(dir / "a.wav").value() == samples);

    auto listed = wav(samples);
    listed.insert(36, "LIST" + test::number(3, 4) + "abc" + std::string(1, '\0')); // odd size, padded
    test::write(dir / "b.wav", listed + "LIST" + test::number(100, 4) + "cut");
    CHECK(load(dir / "b.wav").value() == samples);
}

TEST_CASE("WAV in either law, stereo and raw files are decoded", "[prompt]") {
    const test::temporary_directory dir;
    const std::string codes("\xff\x10\x80\x7e", 4);
    test::write(dir / "u.wav", wav(codes, 8000, 1, 7, 8));
    test::write(dir / "a.wav", wav(codes, 8000, 1, 6, 8));
    test::write(dir / "x.ulaw", codes);
    test::write(dir / "x.alaw", codes);
    for (std::size_t i = 0; i < codes.size(); ++i) {
        const auto code = static_cast<std::byte>(codes[i]);
        CHECK(load(dir / "u.wav").value().at(i) == decode_pcmu(code));
        CHECK(load(dir / "x.ulaw").value().at(i) == decode_pcmu(code));
        CHECK(load(dir / "a.wav").value().at(i) == decode_pcma(code));
        CHECK(load(dir / "x.alaw").value().at(i) == decode_pcma(code));
    }
    test::write(dir / "x.sln", test::raw({5, -6}));
    CHECK(load(dir / "x.sln").value() == std::vector<std::int16_t>{5, -6});
    test::write(dir / "s.wav", wav({100, 300, -32768, -32768, 32767, 32767}, 8000, 2));
    CHECK(load(dir / "s.wav").value() == std::vector<std::int16_t>{200, -32768, 32767});
}

TEST_CASE("other rates become 8 kHz: speech stays, what a telephone cannot carry goes", "[prompt]") {
    const test::temporary_directory dir;
    for (const std::uint32_t rate : {11025u, 16000u, 22050u, 44100u, 48000u}) {
        CAPTURE(rate);
        test::write(dir / "speech.wav", wav(sine(1000, rate, 0.5), rate));
        const auto speech = load(dir / "speech.wav").value();
        REQUIRE(std::abs(static_cast<double>(speech.size()) - 4000) <= 1);
        const auto expected = sine(1000, 8000, 0.5);
        double worst = 0;
        for (std::size_t i = 200; i < 3700; ++i) worst = std::max(worst, std::abs(static_cast<double>(speech[i] - expected[i])));
        CHECK(worst < 30); // of 10000: below -50 dB, and neither early nor late

        test::write(dir / "high.wav", wav(sine(4600, rate, 0.5), rate));
        const auto high = load(dir / "high.wav").value();
        CHECK(loudest(std::span(high).subspan(200, 3500)) < 30);
    }
    CHECK(resample_to_8k({}, 48000).empty());
    const std::vector<std::int16_t> one(7, 1000);
    CHECK(resample_to_8k(one, 48000).size() == 1);
}

TEST_CASE("a bad WAV is refused with its name, what is wrong and what would be right", "[prompt]") {
    const test::temporary_directory dir;
    const auto good = wav({1, 2, 3, 4});
    CHECK_THAT(reason(dir, good.substr(0, good.size() - 3)),
               Contains("cut off") && Contains("promises 8 bytes") && Contains("has 5"));
    auto huge = good;
    huge.replace(40, 4, "\xff\xff\xff\xff");
    huge.replace(4, 4, "\xff\xff\xff\xff");
    CHECK_THAT(reason(dir, huge), Contains("promises 4294967295 bytes"));
    CHECK_THAT(reason(dir, "this is a text, no sound"), Contains("not a WAV file") && Contains("8000 Hz, 16 bit, mono"));
    CHECK_THAT(reason(dir, "RIFF"), Contains("not a WAV file"));
    CHECK_THAT(reason(dir, ""), Contains("empty"));
    CHECK_THAT(reason(dir, wav(std::vector<std::int16_t>{})), Contains("no sound"));
    CHECK_THAT(reason(dir, good.substr(0, 12) + good.substr(36)), Contains("before its 'fmt ' chunk"));
    CHECK_THAT(reason(dir, good.substr(0, 36)), Contains("no whole 'data' chunk"));
    CHECK_THAT(reason(dir, good.substr(0, 30)), Contains("no whole 'data' chunk"));
    CHECK_THAT(reason(dir, wav("abcd", 8000, 6)), Contains("6 channels"));
    CHECK_THAT(reason(dir, wav("abcd", 8000, 0)), Contains("0 channels"));
    CHECK_THAT(reason(dir, wav("abcd", 0)), Contains("0 samples a second"));
    CHECK_THAT(reason(dir, wav("abcd", 4'000'000'000)), Contains("4000000000 samples"));
    CHECK_THAT(reason(dir, wav("abcd", 8000, 1, 1, 24)), Contains("coding 1 with 24 bits"));
    CHECK_THAT(reason(dir, wav("abcd", 8000, 1, 85, 16)), Contains("coding 85"));
    CHECK_THAT(reason(dir, "x", "half.sln"), Contains("no sound"));
    CHECK_THAT(reason(dir, "x", "song.mp3"), Contains("use .wav, .sln, .ulaw or .alaw"));
}

TEST_CASE("what is not a file is refused and never waited for", "[prompt]") {
    const test::temporary_directory dir;
    std::filesystem::create_directory(dir / "folder.wav");
    CHECK_THAT(load(dir / "folder.wav").error().text, Contains("is a directory"));
    REQUIRE(::mkfifo((dir / "pipe.wav").c_str(), 0600) == 0);
    CHECK_THAT(load(dir / "pipe.wav").error().text, Contains("not a regular file"));
    CHECK_THAT(load(dir / "absent.wav").error().text, Contains("absent.wav") && Contains("No such file"));
}

TEST_CASE("no cut of a WAV file is read past its end", "[prompt]") {
    const test::temporary_directory dir;
    const auto good = wav(sine(440, 16000, 0.01), 16000, 2);
    for (std::size_t size = 0; size < good.size(); ++size) {
        audio_file file;
        const auto part = good.substr(0, size);
        for (const char c : part) file.bytes.push_back(static_cast<std::byte>(c));
        REQUIRE_FALSE(decode_audio(file, "cut.wav").has_value());
    }
}
