// A prompt: recorded sound, ready in every codec, in memory that all calls share.
#pragma once
#include "core/media/codec_id.hpp"
#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace strowger::media {

class mapped_audio;
class prompt_library; // prompt_library.hpp

/// Immutable; used by any thread without a lock. The sound stays mapped while anybody holds the prompt, so a call in progress
/// keeps the version it began with when the file behind it is replaced and imported again.
class prompt {
public:
    prompt(std::string key, std::string language, std::string text, std::shared_ptr<const mapped_audio> audio)
        : key_(std::move(key)), language_(std::move(language)), text_(std::move(text)), audio_(std::move(audio)) {}

    /// The name in the catalogue; the path of a file that was imported by path; the text of a spoken one.
    const std::string& key() const noexcept { return key_; }
    const std::string& language() const noexcept { return language_; }
    /// What it says, as far as that is known.
    const std::string& text() const noexcept { return text_; }
    /// The encoded sound, without any header: slices of it are RTP payloads.
    std::span<const std::byte> data(codec_id codec) const noexcept;
    std::size_t samples() const noexcept;
    std::chrono::milliseconds length() const noexcept { return std::chrono::milliseconds{samples() / samples_per_ms}; }
    /// Two prompts with the same sound share one mapping of one file; this is its name.
    const std::string& content() const noexcept;

private:
    std::string key_, language_, text_;
    std::shared_ptr<const mapped_audio> audio_;
};

} // namespace strowger::media
