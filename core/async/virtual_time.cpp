#include "core/async/virtual_time.hpp"
#include <algorithm>

namespace strowger {

void virtual_time::settle() {
    for (bool any = true; any;) {
        any = false;
        for (std::size_t i = 0; i < workers_.size(); ++i) any |= workers_[i]->run_ready();
    }
}

void virtual_time::advance(duration d) {
    const auto target = clock_.now() + d;
    for (;;) {
        settle();
        auto next = target;
        for (const auto* w : workers_)
            if (const auto due = w->next_deadline()) next = std::min(next, *due);
        if (next >= target) break;
        clock_.move_to(std::max(next, clock_.now()));
    }
    clock_.move_to(target);
    settle();
}

} // namespace strowger
