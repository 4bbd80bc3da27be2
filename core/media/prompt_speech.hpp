// Speech made by espeak-ng, for what nobody has recorded.
#pragma once
#include "core/base/result.hpp"
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace strowger::media {

/// How to speak.
struct speech_options {
    std::string program = "espeak-ng"; ///< a path, or a name that is searched in PATH
    std::chrono::milliseconds timeout{10'000};
};

/// The longest text that is spoken, in bytes.
inline constexpr std::size_t longest_speech = 2000;

/// espeak-ng's voice for a language: `de` for de, `pt-br` for pt_BR, and `en-us` for en and en_US_f_Allison, as in the
/// recorded English prompts.
std::string voice_of(std::string_view language);

/// The text as it is given to the voice: control characters are spaces, none at the ends, and nothing is taken for phonemes. An
/// empty or too long one is an error.
result<std::string> speakable(std::string_view text);

/// Runs the program without a shell, the text on its standard input, and returns 8 kHz samples; blocks up to the timeout. A
/// temporary file is made in `scratch`. The error says whether the program is missing, failed or took too long.
result<std::vector<std::int16_t>> speak_text(std::string_view text, std::string_view voice, const std::filesystem::path& scratch,
                                             const speech_options& options);

} // namespace strowger::media
