#include "core/channel/mailbox.hpp"

namespace strowger {

void leg_mailbox::post(leg_event e) {
    const auto number = posted_.fetch_add(1);
    home_.load()->post([self = shared_from_this(), number, e = std::move(e)]() mutable { self->deliver(number, std::move(e)); });
}

void leg_mailbox::deliver(std::uint64_t number, leg_event e) {
    if (auto* home = home_.load(); !home->is_current()) { // the leg moved while this was under way
        home->post([self = shared_from_this(), number, e = std::move(e)]() mutable { self->deliver(number, std::move(e)); });
        return;
    }
    if (closed_) return;
    waiting_.emplace(number, std::move(e));
    flush();
}

void leg_mailbox::flush() {
    const auto keep = shared_from_this(); // a listener may end the leg
    while (listener_ != nullptr && !waiting_.empty() && waiting_.begin()->first == delivered_) {
        auto e = std::move(waiting_.begin()->second);
        waiting_.erase(waiting_.begin());
        ++delivered_;
        listener_->on_event(std::move(e));
    }
}

void leg_mailbox::open(leg_listener& to) {
    listener_ = &to;
    if (!waiting_.empty()) home_.load()->post([self = shared_from_this()] { self->flush(); });
}

void leg_mailbox::move_to(worker& home) noexcept {
    listener_ = nullptr;
    home_ = &home;
}

} // namespace strowger
