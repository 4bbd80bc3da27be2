// Coroutines: `task<T>` is a lazily started computation, a `flow` is the stack of frames that runs one on a worker.
//
// The stack is driven by a loop instead of by symmetric transfer, which overflows the machine's stack under GCC 12 at -O0
// and under AddressSanitizer. See contrib/docs/decisions/0002.
#pragma once
#include "core/async/worker.hpp"
#include <coroutine>
#include <exception>
#include <optional>
#include <utility>
#include <variant>

namespace strowger {

class flow;
class wait_point;
template <class T> class task;

namespace detail {

/// The common part of every coroutine frame: who runs it and which frame waits for it.
struct frame {
    std::coroutine_handle<> handle;
    frame* caller = nullptr;
    flow* owner = nullptr;
};

struct promise_base : frame {
    std::exception_ptr error;

    std::suspend_always initial_suspend() const noexcept { return {}; }
    struct hand_back {
        bool await_ready() const noexcept { return false; }
        template <class P> void await_suspend(std::coroutine_handle<P> h) const noexcept;
        void await_resume() const noexcept {}
    };
    hand_back final_suspend() const noexcept { return {}; }
    void unhandled_exception() noexcept { error = std::current_exception(); }
};

template <class T> struct promise : promise_base {
    std::optional<T> value;
    task<T> get_return_object() noexcept;
    template <class U> void return_value(U&& v) { value.emplace(std::forward<U>(v)); }
    T take() {
        if (error) std::rethrow_exception(error);
        return std::move(*value);
    }
};

template <> struct promise<void> : promise_base {
    task<void> get_return_object() noexcept;
    void return_void() const noexcept {}
    void take() const {
        if (error) std::rethrow_exception(error);
    }
};

} // namespace detail

/// A computation that starts when it is awaited. Owns its frame: destroying it unwinds whatever is suspended inside.
template <class T = void> class [[nodiscard]] task {
public:
    using promise_type = detail::promise<T>;

    explicit task(promise_type& p) noexcept : promise_(&p) {}
    task(task&& other) noexcept : promise_(std::exchange(other.promise_, nullptr)) {}
    task& operator=(task&&) = delete;
    ~task() {
        if (promise_ != nullptr) promise_->handle.destroy();
    }

    bool await_ready() const noexcept { return false; }
    template <class P> void await_suspend(std::coroutine_handle<P> waiting) noexcept;
    T await_resume() { return promise_->take(); }

private:
    friend class flow;
    promise_type* promise_;
};

/// Runs one task on a worker, from start to end. Worker's thread only; it may not be destroyed by its own frames.
class flow final : public runnable {
public:
    explicit flow(worker& home) noexcept : home_(home) {}
    ~flow() override;

    /// Starts `root` in the worker's next turn. `on_finished` runs last and may destroy the flow.
    void start(task<void> root, job on_finished = {});
    /// Ends the flow: what it waits for now throws `why` in a later turn, and so does every later wait. The first cause stays.
    void cancel(std::exception_ptr why);

    bool finished() const noexcept { return started_ && top_ == nullptr; }
    const std::exception_ptr& cancelled() const noexcept { return cancelled_; }
    /// What the root ended with, if not well.
    std::exception_ptr error() const noexcept;
    worker& home() const noexcept { return home_; }

    // For awaitables.
    void push(detail::frame& f) noexcept {
        f.owner = this;
        top_ = &f;
    }
    void pop(detail::frame& f) noexcept { top_ = f.caller; }
    void park(wait_point& at) noexcept { waiting_ = &at; }
    /// The wait is over: the flow goes on in the worker's next turn.
    void wake() noexcept {
        waiting_ = nullptr;
        home_.ready(*this);
    }
    void forget(wait_point& at) noexcept {
        if (waiting_ == &at) waiting_ = nullptr;
    }

private:
    void run() override;

    worker& home_;
    detail::frame* top_ = nullptr;
    wait_point* waiting_ = nullptr;
    std::exception_ptr cancelled_;
    std::optional<task<void>> root_;
    job on_finished_;
    bool started_ = false;
};

/// A place where a flow waits; lives in the awaiting frame.
class wait_point {
public:
    /// The flow is cancelled: undo what was started for this wait.
    virtual void abandon() noexcept = 0;
    virtual bool ends_with_flow() const noexcept { return true; }

protected:
    ~wait_point() = default;
};

/// `flow& f = co_await this_flow();`
struct this_flow {
    flow* found = nullptr;
    bool await_ready() const noexcept { return false; }
    template <class P> void await_suspend(std::coroutine_handle<P> h) noexcept { found = h.promise().owner; }
    flow& await_resume() const noexcept { return *found; }
};

namespace detail {
template <class P> void promise_base::hand_back::await_suspend(std::coroutine_handle<P> h) const noexcept {
    auto& p = h.promise();
    p.owner->pop(p);
}
template <class T> task<T> promise<T>::get_return_object() noexcept {
    handle = std::coroutine_handle<promise<T>>::from_promise(*this);
    return task<T>(*this);
}
inline task<void> promise<void>::get_return_object() noexcept {
    handle = std::coroutine_handle<promise<void>>::from_promise(*this);
    return task<void>(*this);
}
} // namespace detail

template <class T> template <class P> void task<T>::await_suspend(std::coroutine_handle<P> waiting) noexcept {
    promise_->caller = &waiting.promise();
    waiting.promise().owner->push(*promise_);
}

} // namespace strowger
