// Reads audio files: WAV, and Asterisk's raw .ulaw, .alaw and .sln, into 8 kHz samples.
#pragma once
#include "core/base/result.hpp"
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace strowger::media {

/// What the file's name says about its content.
enum class audio_kind : std::uint8_t { wav, ulaw, alaw, sln };

/// The endings of audio files, in the order in which a prompt is searched.
inline constexpr std::array<std::pair<std::string_view, audio_kind>, 7> audio_endings{{{".wav", audio_kind::wav},
                                                                                       {".sln", audio_kind::sln},
                                                                                       {".ulaw", audio_kind::ulaw},
                                                                                       {".ul", audio_kind::ulaw},
                                                                                       {".pcm", audio_kind::ulaw},
                                                                                       {".alaw", audio_kind::alaw},
                                                                                       {".al", audio_kind::alaw}}};

/// A file as it is on the disk.
struct audio_file {
    audio_kind kind = audio_kind::wav;
    std::vector<std::byte> bytes;
};

/// Reads a whole regular file of at most 256 MiB with one of the endings above; blocks. Errors name the file and what to do.
result<audio_file> read_audio_file(const std::filesystem::path& path);

/// Decodes to 8 kHz, one channel. WAV may be 16-bit PCM, A-law or mu-law, mono or stereo (the channels' mean), 8 to 96 kHz; raw
/// files are 8 kHz mono, .sln little-endian. Wrong, short or empty data is an error that names `path`.
result<std::vector<std::int16_t>> decode_audio(const audio_file& file, const std::filesystem::path& path);

/// Converts from `rate` (8000 to 96000 Hz) to 8000 Hz; what a telephone cannot carry (from 4 kHz on) is filtered away.
std::vector<std::int16_t> resample_to_8k(std::span<const std::int16_t> samples, std::uint32_t rate);

} // namespace strowger::media
