#include "core/media/digit_sender.hpp"
#include <algorithm>

namespace strowger::media {

digit_sender::step digit_sender::next(bool by_event, std::span<std::int16_t> room) {
    step s;
    while (!busy() && !waiting_.empty() && waiting_.front().at < waiting_.front().digits.size()) {
        const char key = waiting_.front().digits[waiting_.front().at++];
        if (key == 'w' || key == 'W') {
            pause_left_ = static_cast<std::size_t>(pause.count()) * 8;
        } else if (const auto code = telephone_event_code(key)) {
            s.key_begins = true;
            if (by_event)
                event_.emplace(*code, static_cast<unsigned>(room.size()));
            else if (auto tone = dtmf_tone(key, telephone_event_sender::key_length, telephone_event_sender::gap))
                tone_.emplace(std::move(*tone));
        }
    }
    if (event_) {
        s.event = event_->next();
        if (event_->done()) event_.reset();
    } else if (tone_) {
        s.samples = tone_->render(room);
        std::fill(room.begin() + static_cast<std::ptrdiff_t>(s.samples), room.end(), std::int16_t{0});
        if (s.samples < room.size() || tone_->ended()) tone_.reset();
        if (s.samples > 0) s.samples = room.size();
    } else if (pause_left_ > 0) {
        pause_left_ -= std::min(pause_left_, room.size());
    }
    return s;
}

std::uint64_t digit_sender::finished() {
    while (!busy() && !waiting_.empty() && waiting_.front().at >= waiting_.front().digits.size()) {
        const auto id = waiting_.front().id;
        waiting_.pop_front();
        if (id != 0) return id;
    }
    return 0;
}

} // namespace strowger::media
