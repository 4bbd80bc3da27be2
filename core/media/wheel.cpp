#include "core/media/wheel.hpp"
#include <algorithm>

namespace strowger::media {
namespace {
constexpr std::size_t in_running = 1000; // the slot number of those whose turn is now
}

paced::~paced() {
    if (on_ != nullptr) on_->remove(*this);
}

void wheel::put(paced& p, std::int64_t slot) {
    p.slot_ = static_cast<std::size_t>(slot) % size;
    auto& list = slots_[p.slot_];
    p.index_ = list.size();
    list.push_back(&p);
}

void wheel::add(paced& p) {
    if (p.on_ != nullptr) return;
    p.on_ = this;
    if (members_++ == 0 && !is_running_) done_ = slot_at(home_.now());
    const auto from = std::max(done_, slot_at(home_.now())) + 1;
    auto best = from;
    for (auto slot = from; slot < from + spread; ++slot)
        if (slots_[static_cast<std::size_t>(slot) % size].size() < slots_[static_cast<std::size_t>(best) % size].size())
            best = slot;
    put(p, best);
    if (!is_running_) arm();
}

void wheel::remove(paced& p) noexcept {
    if (p.on_ != this) return;
    p.on_ = nullptr;
    --members_;
    if (p.slot_ == in_running) {
        running_[p.index_] = nullptr;
        return;
    }
    auto& list = slots_[p.slot_];
    list[p.index_] = list.back();
    list[p.index_]->index_ = p.index_;
    list.pop_back();
    if (members_ == 0) timer_.cancel();
}

void wheel::arm() {
    if (members_ == 0) {
        timer_.cancel();
        return;
    }
    auto slot = done_ + 1;
    while (slots_[static_cast<std::size_t>(slot) % size].empty()) ++slot;
    if (timer_.pending() && armed_for_ == slot) return;
    armed_for_ = slot;
    timer_ = home_.at(time_of(slot), [this] { run(); });
}

void wheel::run() {
    is_running_ = true;
    const auto now = home_.now();
    const auto current = slot_at(now);
    // After a long stall every slot has its turn once, not once for each 64 ms that were missed.
    done_ = std::max(done_, current - static_cast<std::int64_t>(size));
    while (done_ < current) {
        const auto slot = done_ + 1;
        running_.swap(slots_[static_cast<std::size_t>(slot) % size]);
        for (std::size_t i = 0; i < running_.size(); ++i) {
            running_[i]->slot_ = in_running;
            running_[i]->index_ = i;
        }
        done_ = slot;
        for (std::size_t i = 0; i < running_.size(); ++i) {
            if (running_[i] == nullptr) continue;
            const int next = running_[i]->tick(now);
            auto* const p = running_[i];
            if (p == nullptr) continue; // it was removed in its own turn
            if (next <= 0) {
                p->on_ = nullptr;
                --members_;
            } else {
                put(*p, std::max(slot + std::clamp<std::int64_t>(next / slot_length.count(), 1, size - 2), current - spread + 1));
            }
        }
        running_.clear();
    }
    is_running_ = false;
    arm();
}

} // namespace strowger::media
