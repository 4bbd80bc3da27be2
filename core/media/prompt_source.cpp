// RIFF/WAVE and raw audio. Every length in a file is checked against what is there before it is used.
#include "core/media/prompt_source.hpp"
#include "core/media/codec_id.hpp"
#include "core/media/g711.hpp"
#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace strowger::media {
namespace {

constexpr std::uint64_t largest_file = 256u << 20;
constexpr auto wanted = "a prompt is best a WAV file with 8000 Hz, 16 bit, mono";

using bytes = std::span<const std::byte>;

std::uint16_t u16(bytes in, std::size_t at) {
    return static_cast<std::uint16_t>(std::to_integer<unsigned>(in[at]) | std::to_integer<unsigned>(in[at + 1]) << 8);
}
std::uint32_t u32(bytes in, std::size_t at) { return u16(in, at) | std::uint32_t{u16(in, at + 2)} << 16; }
bool has_tag(bytes in, std::size_t at, std::string_view tag) {
    return in.size() >= at + tag.size() && std::memcmp(in.data() + at, tag.data(), tag.size()) == 0;
}

std::vector<std::int16_t> from_pcm(bytes in) {
    std::vector<std::int16_t> out(in.size() / 2);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::int16_t>(u16(in, 2 * i));
    return out;
}
std::vector<std::int16_t> from_pcmu(bytes in) {
    std::vector<std::int16_t> out(in.size());
    decode_pcmu(in, out);
    return out;
}
std::vector<std::int16_t> from_pcma(bytes in) {
    std::vector<std::int16_t> out(in.size());
    decode_pcma(in, out);
    return out;
}

struct wav_format {
    unsigned coding = 0; // 1 PCM, 6 A-law, 7 mu-law
    unsigned channels = 0;
    std::uint32_t rate = 0;
    unsigned bits = 0;
};

result<wav_format> read_format(bytes chunk) {
    if (chunk.size() < 16) return fail("its 'fmt ' chunk is too short");
    wav_format format{u16(chunk, 0), u16(chunk, 2), u32(chunk, 4), u16(chunk, 14)};
    // WAVE_FORMAT_EXTENSIBLE: the real coding is the beginning of the sub-format's GUID.
    if (format.coding == 0xfffe && chunk.size() >= 40) format.coding = u16(chunk, 24);
    const bool pcm = format.coding == 1 && format.bits == 16;
    const bool g711 = (format.coding == 6 || format.coding == 7) && format.bits == 8;
    if (!pcm && !g711) return fail("it has coding {} with {} bits; {}", format.coding, format.bits, wanted);
    if (format.channels != 1 && format.channels != 2) return fail("it has {} channels; {}", format.channels, wanted);
    if (format.rate < 8000 || format.rate > 96000) return fail("it has {} samples a second; {}", format.rate, wanted);
    return format;
}

result<std::vector<std::int16_t>> decode_wav(bytes file) {
    if (!has_tag(file, 0, "RIFF") || !has_tag(file, 8, "WAVE")) return fail("it is not a WAV file; {}", wanted);
    std::optional<wav_format> format;
    for (std::size_t at = 12; at + 8 <= file.size();) {
        const std::uint64_t size = u32(file, at + 4);
        const auto there = file.size() - at - 8;
        const bool is_data = has_tag(file, at, "data");
        if (size > there) {
            if (!is_data) break;
            return fail("it is cut off: it promises {} bytes of sound and has {}; make it anew", size, there);
        }
        const auto chunk = file.subspan(at + 8, static_cast<std::size_t>(size));
        if (has_tag(file, at, "fmt ")) {
            auto read = read_format(chunk);
            if (!read) return fail(read);
            format = *read;
        } else if (is_data) {
            if (!format) return fail("its 'data' chunk comes before its 'fmt ' chunk; {}", wanted);
            auto samples = format->coding == 1 ? from_pcm(chunk) : format->coding == 6 ? from_pcma(chunk) : from_pcmu(chunk);
            if (format->channels == 2) {
                for (std::size_t i = 0; i < samples.size() / 2; ++i)
                    samples[i] = static_cast<std::int16_t>((samples[2 * i] + samples[2 * i + 1]) / 2);
                samples.resize(samples.size() / 2);
            }
            return format->rate == sample_rate ? samples : resample_to_8k(samples, format->rate);
        }
        at += 8 + static_cast<std::size_t>(size) + (size & 1); // Chunks begin at even places.
    }
    return fail("it has no sound: there is no whole 'data' chunk; {}", wanted);
}

/// A file descriptor that is closed at the end of the scope.
struct open_file {
    int fd;
    explicit open_file(const std::filesystem::path& path) : fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
    ~open_file() {
        if (fd >= 0) ::close(fd);
    }
    open_file(const open_file&) = delete;
    open_file& operator=(const open_file&) = delete;
};

} // namespace

result<audio_file> read_audio_file(const std::filesystem::path& path) {
    const auto ending = path.extension().string();
    const auto kind = std::find_if(audio_endings.begin(), audio_endings.end(), [&](const auto& e) { return e.first == ending; });
    if (kind == audio_endings.end())
        return fail("{}: not an audio file that can be played; use .wav, .sln, .ulaw or .alaw", path.string());

    const open_file file(path);
    struct stat about {};
    if (file.fd < 0 || ::fstat(file.fd, &about) != 0) return fail("{}: cannot be read: {}", path.string(), std::strerror(errno));
    if (S_ISDIR(about.st_mode)) return fail("{}: is a directory; an audio file belongs there", path.string());
    if (!S_ISREG(about.st_mode)) return fail("{}: is not a regular file; an audio file belongs there", path.string());
    const auto size = static_cast<std::uint64_t>(about.st_size);
    if (size == 0) return fail("{}: is empty; {}", path.string(), wanted);
    if (size > largest_file)
        return fail("{}: is larger than {} MiB; play long recordings in parts", path.string(), largest_file >> 20);

    audio_file out{kind->second, std::vector<std::byte>(static_cast<std::size_t>(size))};
    std::size_t done = 0;
    while (done < out.bytes.size()) {
        const auto count = ::read(file.fd, out.bytes.data() + done, out.bytes.size() - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return fail("{}: cannot be read: {}", path.string(), std::strerror(errno));
        if (count == 0) return fail("{}: became shorter while it was read; try again", path.string());
        done += static_cast<std::size_t>(count);
    }
    return out;
}

result<std::vector<std::int16_t>> decode_audio(const audio_file& file, const std::filesystem::path& path) {
    result<std::vector<std::int16_t>> samples;
    switch (file.kind) {
    case audio_kind::wav: samples = decode_wav(file.bytes); break;
    case audio_kind::ulaw: samples = from_pcmu(file.bytes); break;
    case audio_kind::alaw: samples = from_pcma(file.bytes); break;
    case audio_kind::sln: samples = from_pcm(file.bytes); break;
    }
    if (!samples) return fail("{}: {}", path.string(), samples.error().text);
    if (samples->empty()) return fail("{}: it has no sound; {}", path.string(), wanted);
    return samples;
}

} // namespace strowger::media
