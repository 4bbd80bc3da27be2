// The way to a leg from other threads, wherever the leg is now.
#pragma once
#include "core/async/worker.hpp"
#include "core/channel/events.hpp"
#include <atomic>
#include <map>
#include <memory>

namespace strowger {

/// Who receives a leg's events, on its worker.
class leg_listener {
public:
    virtual void on_event(leg_event e) = 0;

protected:
    ~leg_listener() = default;
};

/// Takes events from any thread and delivers them, in the order in which they were posted, on the worker where the leg lives.
/// Events for a leg that has gone are dropped. A driver and the media keep one by shared_ptr; it may outlive the leg.
class leg_mailbox final : public std::enable_shared_from_this<leg_mailbox> {
public:
    explicit leg_mailbox(worker& home) noexcept : home_(&home) {}

    /// Any thread.
    void post(leg_event e);

    // The leg's worker only.
    /// From now on `to` receives; what came before is delivered first, in later turns.
    void open(leg_listener& to);
    /// Nobody receives any more.
    void close() noexcept { listener_ = nullptr; closed_ = true; }
    /// The leg leaves for another worker, where open() is to be called; events wait until then.
    void move_to(worker& home) noexcept;

private:
    void deliver(std::uint64_t number, leg_event e);
    void flush();

    std::atomic<worker*> home_;
    std::atomic<std::uint64_t> posted_{0};
    // Only on the home worker; a move hands them over through its queue.
    std::uint64_t delivered_ = 0;
    std::map<std::uint64_t, leg_event> waiting_;
    leg_listener* listener_ = nullptr;
    bool closed_ = false;
};

} // namespace strowger
