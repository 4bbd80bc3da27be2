// Waiting: a flow sleeps, or waits until something on its worker happens or a deadline passes.
#pragma once
#include "core/async/task.hpp"

namespace strowger {

class signal_wait;

/// "Something changed": wakes every flow that waits for it. It remembers nothing, so look at the state first, then wait:
/// nothing can change in between, because all of it happens on one worker.
class signal {
public:
    signal() noexcept = default;
    signal(const signal&) = delete;
    signal& operator=(const signal&) = delete;
    ~signal();
    void notify() noexcept;

private:
    friend class signal_wait;
    signal_wait* first_ = nullptr;
};

/// What `wait_for`, `wait_until` and `sleep_for` return; await it at once.
class [[nodiscard]] signal_wait final : public wait_point {
public:
    signal_wait(signal* what, std::optional<instant> deadline, std::optional<duration> delay, bool ends_with_flow) noexcept
        : signal_(what), deadline_(deadline), delay_(delay), ends_with_flow_(ends_with_flow) {}
    signal_wait(const signal_wait&) = delete;
    signal_wait& operator=(const signal_wait&) = delete;
    ~signal_wait() {
        leave();
        if (flow_ != nullptr) flow_->forget(*this);
    }

    bool await_ready() const noexcept { return false; }
    template <class P> void await_suspend(std::coroutine_handle<P> h) { enter(*h.promise().owner); }
    /// True when the signal came, false at the deadline. Throws what the flow was cancelled with.
    bool await_resume();

    void abandon() noexcept override { leave(); }
    bool ends_with_flow() const noexcept override { return ends_with_flow_; }

private:
    friend class signal;
    void enter(flow& f);
    void leave() noexcept;

    signal* signal_;
    std::optional<instant> deadline_;
    std::optional<duration> delay_;
    const bool ends_with_flow_;
    flow* flow_ = nullptr;
    signal_wait* previous_ = nullptr;
    signal_wait* next_ = nullptr;
    bool linked_ = false;
    bool notified_ = false;
    timer timer_;
};

/// Waits for the signal. `co_await wait_for(changed);`
inline signal_wait wait_for(signal& s) { return {&s, std::nullopt, std::nullopt, true}; }
/// Waits for the signal, at most so long; true when it came.
inline signal_wait wait_for(signal& s, duration at_most) { return {&s, std::nullopt, at_most, true}; }
inline signal_wait wait_until(signal& s, instant deadline) { return {&s, deadline, std::nullopt, true}; }
inline signal_wait sleep_for(duration d) { return {nullptr, std::nullopt, d, true}; }
/// Waits even when the flow has been cancelled: for what must still be finished when a call is over. Give it a deadline.
inline signal_wait wait_through_end(signal& s, duration at_most) { return {&s, std::nullopt, at_most, false}; }

} // namespace strowger
