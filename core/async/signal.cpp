#include "core/async/signal.hpp"

namespace strowger {

signal::~signal() {
    // Whoever still waits is woken at its deadline; a signal should outlive its waiters.
    for (auto* w = first_; w != nullptr;) {
        auto* next = w->next_;
        w->linked_ = false;
        w->previous_ = w->next_ = nullptr;
        w = next;
    }
}

void signal::notify() noexcept {
    while (first_ != nullptr) {
        auto* w = first_;
        w->leave();
        w->notified_ = true;
        w->flow_->wake();
    }
}

void signal_wait::enter(flow& f) {
    flow_ = &f;
    if (f.cancelled() && ends_with_flow_) return; // resumes at once, and await_resume throws
    if (delay_) deadline_ = f.home().now() + *delay_;
    if (signal_ != nullptr) {
        next_ = signal_->first_;
        if (next_ != nullptr) next_->previous_ = this;
        signal_->first_ = this;
        linked_ = true;
    }
    if (deadline_) {
        timer_ = f.home().at(*deadline_, [this] {
            leave();
            flow_->wake();
        });
    }
    f.park(*this);
}

void signal_wait::leave() noexcept {
    timer_.cancel();
    if (!linked_) return;
    linked_ = false;
    if (previous_ != nullptr) previous_->next_ = next_;
    else signal_->first_ = next_;
    if (next_ != nullptr) next_->previous_ = previous_;
    previous_ = next_ = nullptr;
}

bool signal_wait::await_resume() {
    if (ends_with_flow_ && flow_->cancelled()) std::rethrow_exception(flow_->cancelled());
    return notified_;
}

} // namespace strowger
