#include "core/media/dtmf_detector.hpp"
#include <array>
#include <new>
#include <spandsp.h>

namespace strowger::media {

struct dtmf_detector::state {
    dtmf_rx_state_t* rx = dtmf_rx_init(nullptr, nullptr, nullptr);
    std::array<char, 32> keys{};
    ~state() { dtmf_rx_free(rx); }
};

dtmf_detector::dtmf_detector() : state_(new state) {
    if (state_->rx == nullptr) throw std::bad_alloc();
}
dtmf_detector::~dtmf_detector() = default;

std::string_view dtmf_detector::take(std::span<const std::int16_t> samples) {
    dtmf_rx(state_->rx, samples.data(), static_cast<int>(samples.size()));
    const auto count = dtmf_rx_get(state_->rx, state_->keys.data(), static_cast<int>(state_->keys.size()) - 1);
    return {state_->keys.data(), static_cast<std::size_t>(count)};
}

} // namespace strowger::media
