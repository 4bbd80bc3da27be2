// The cache of encoded sound: one file per content, with every codec in it, mapped into memory.
#pragma once
#include "core/base/result.hpp"
#include "core/media/codec_id.hpp"
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>

namespace strowger::media {

/// The name of a content: SHA-256, in lower-case hexadecimal, of what it was made from.
using content_id = std::string;
/// `kind` keeps apart what is made in different ways from the same bytes.
content_id make_content_id(std::string_view kind, std::span<const std::byte> bytes);

/// One cache file in memory, unmapped with the last holder. Files are replaced by renaming, never written again, so a mapping
/// stays good even when its file is removed.
class mapped_audio {
public:
    mapped_audio(content_id content, std::span<const std::byte> mapping, std::size_t header, std::size_t samples) noexcept
        : content_(std::move(content)), mapping_(mapping), header_(header), samples_(samples) {}
    ~mapped_audio();
    mapped_audio(const mapped_audio&) = delete;
    mapped_audio& operator=(const mapped_audio&) = delete;

    const content_id& content() const noexcept { return content_; }
    std::size_t samples() const noexcept { return samples_; }
    std::span<const std::byte> data(codec_id codec) const noexcept;

private:
    content_id content_;
    std::span<const std::byte> mapping_;
    std::size_t header_, samples_;
};

/// A directory of cache files. Several threads and several engines may use one at the same time. When a new file makes it larger
/// than its limit, files go, those first that have been opened longest ago, until nine tenths are left; what this engine has
/// mapped stays.
class prompt_cache {
public:
    prompt_cache(std::filesystem::path directory, std::uint64_t limit) : directory_(std::move(directory)), limit_(limit) {}

    const std::filesystem::path& directory() const noexcept { return directory_; }
    /// The sound of that content if a whole and unharmed file of it is there, else nothing: a short, damaged or foreign file
    /// counts as absent. Reads all of the file once; blocks.
    std::shared_ptr<const mapped_audio> open(const content_id& content);
    /// Encodes and writes the sound under that name, then opens it. Makes the directory if needed; blocks.
    result<std::shared_ptr<const mapped_audio>> store(const content_id& content, std::span<const std::int16_t> samples);

private:
    std::filesystem::path file_of(const content_id& content) const;
    void keep_in_bounds(std::uint64_t added);

    const std::filesystem::path directory_;
    const std::uint64_t limit_;
    std::mutex measuring_;
    std::optional<std::uint64_t> bytes_; ///< in the directory, as far as this engine knows; guarded by measuring_
    std::mutex guard_;
    std::unordered_map<content_id, std::weak_ptr<const mapped_audio>> mapped_;
};

} // namespace strowger::media
