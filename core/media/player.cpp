#include "core/media/player.hpp"
#include "core/media/g711.hpp"
#include <algorithm>
#include <array>
#include <cstring>

namespace strowger::media {
namespace {

constexpr std::size_t most_samples = 480; // of a tone at a time: 60 ms

std::size_t samples_in(duration d) {
    return d.count() <= 0 ? 0 : static_cast<std::size_t>(std::chrono::duration_cast<std::chrono::microseconds>(d).count() / 125);
}

} // namespace

void encode(codec_id codec, std::span<const std::int16_t> samples, std::span<std::byte> out) noexcept {
    switch (codec) {
    case codec_id::pcmu: encode_pcmu(samples, out); break;
    case codec_id::pcma: encode_pcma(samples, out); break;
    case codec_id::slin: std::memcpy(out.data(), samples.data(), std::min(samples.size_bytes(), out.size())); break;
    }
}

void decode(codec_id codec, std::span<const std::byte> in, std::span<std::int16_t> samples) noexcept {
    switch (codec) {
    case codec_id::pcmu: decode_pcmu(in, samples); break;
    case codec_id::pcma: decode_pcma(in, samples); break;
    case codec_id::slin: std::memcpy(samples.data(), in.data(), std::min(samples.size_bytes(), in.size())); break;
    }
}

void convert(codec_id from, codec_id to, std::span<std::byte> payload) noexcept {
    if (from == codec_id::pcmu && to == codec_id::pcma) pcmu_to_pcma(payload, payload);
    if (from == codec_id::pcma && to == codec_id::pcmu) pcma_to_pcmu(payload, payload);
}

void player::begin() {
    in_item_ = true;
    position_ = 0;
    tone_.reset();
    const auto& item = items_[item_];
    if (const auto* tone = std::get_if<tone_spec>(&item.what)) tone_.emplace(*tone);
    begun_ = &item.name;
}

std::size_t player::some(codec_id codec, std::span<std::byte> out) {
    const auto width = bytes_per_sample(codec);
    auto wanted = out.size() / width;
    const auto& item = items_[item_];
    if (const auto* recorded = std::get_if<std::shared_ptr<const prompt>>(&item.what)) {
        if (!*recorded) return 0;
        const auto sound = (*recorded)->data(codec);
        const auto at = std::min(position_ * width, sound.size());
        const auto bytes = std::min(wanted * width, (sound.size() - at) / width * width);
        std::memcpy(out.data(), sound.data() + at, bytes);
        return bytes / width;
    }
    const auto length = samples_in(item.length);
    if (length > 0 || !tone_) wanted = std::min(wanted, length - std::min(position_, length));
    if (!tone_) {
        std::fill_n(out.begin(), wanted * width, silence_byte(codec));
        return wanted;
    }
    std::array<std::int16_t, most_samples> samples;
    const auto made = tone_->render(std::span(samples).first(std::min(wanted, samples.size())));
    encode(codec, std::span(samples).first(made), out);
    return made;
}

bool player::render(codec_id codec, std::span<std::byte> out) {
    const auto width = bytes_per_sample(codec);
    std::size_t done = 0;
    while (done < out.size()) {
        if (item_ == items_.size()) {
            // A list in which nothing can be heard does not go round for ever.
            if (items_.empty() || !heard_any_ || times_ == 1) break;
            if (times_ > 1) --times_;
            item_ = 0;
        }
        if (!in_item_) begin();
        const auto made = some(codec, out.subspan(done));
        position_ += made;
        done += made * width;
        if (made > 0) heard_any_ = true;
        if (made == 0) {
            in_item_ = false;
            ++item_;
        }
    }
    if (done == 0) return false;
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(done), out.end(), silence_byte(codec));
    return true;
}

} // namespace strowger::media
