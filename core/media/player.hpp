// What a leg plays: items one after the other, cut into packets.
#pragma once
#include "core/media/codec_id.hpp"
#include "core/media/stream.hpp"
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace strowger::media {

class player {
public:
    /// `times` 0: for ever.
    player(std::uint64_t id, std::vector<play_item> items, int times) : id_(id), items_(std::move(items)), times_(times) {}

    std::uint64_t id() const noexcept { return id_; }
    /// Writes the next samples in that codec, filled up with silence at the end. False, and nothing written, when it is over.
    /// The codec may change between two calls.
    bool render(codec_id codec, std::span<std::byte> out);
    /// The name of the item that began with the last `render`, once; null when none did.
    const std::string* begun() noexcept { return std::exchange(begun_, nullptr); }

private:
    void begin();
    std::size_t some(codec_id codec, std::span<std::byte> out);

    const std::uint64_t id_;
    std::vector<play_item> items_;
    int times_;
    std::size_t item_ = 0;
    bool in_item_ = false, heard_any_ = false;
    std::size_t position_ = 0; // in samples, of the item
    std::optional<tone_player> tone_;
    const std::string* begun_ = nullptr;
};

/// Encodes samples; `out` has as many as `samples`.
void encode(codec_id codec, std::span<const std::int16_t> samples, std::span<std::byte> out) noexcept;
/// Decodes; as many as fit.
void decode(codec_id codec, std::span<const std::byte> in, std::span<std::int16_t> samples) noexcept;
/// From G.711 to G.711 in place.
void convert(codec_id from, codec_id to, std::span<std::byte> payload) noexcept;

} // namespace strowger::media
