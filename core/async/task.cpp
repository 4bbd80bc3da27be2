#include "core/async/task.hpp"

namespace strowger {

flow::~flow() { root_.reset(); }

void flow::start(task<void> root, job on_finished) {
    root_.emplace(std::move(root));
    on_finished_ = std::move(on_finished);
    started_ = true;
    push(*root_->promise_);
    home_.ready(*this);
}

void flow::cancel(std::exception_ptr why) {
    if (cancelled_) return;
    cancelled_ = std::move(why);
    if (waiting_ == nullptr || !waiting_->ends_with_flow()) return;
    waiting_->abandon();
    wake();
}

std::exception_ptr flow::error() const noexcept { return root_ ? root_->promise_->error : nullptr; }

void flow::run() {
    while (top_ != nullptr && waiting_ == nullptr) top_->handle.resume();
    if (top_ != nullptr) return;
    auto done = std::move(on_finished_);
    if (done) done();
}

} // namespace strowger
