// One thread's event loop: its own queue, timers over the engine's clock, and file descriptors.
#pragma once
#include "core/async/job.hpp"
#include "core/base/clock.hpp"
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace strowger {

class worker;

/// Something a worker runs in its next turn without an allocation. Leaves the worker's list when destroyed.
class runnable {
public:
    runnable() noexcept = default;
    runnable(const runnable&) = delete;
    runnable& operator=(const runnable&) = delete;

protected:
    virtual ~runnable();
    virtual void run() = 0;

private:
    friend class worker;
    worker* queued_on_ = nullptr;
};

/// A pending timer; destroying it cancels it, and then its job surely does not run. Worker's thread only.
class [[nodiscard]] timer {
public:
    timer() noexcept = default;
    timer(timer&& other) noexcept;
    timer& operator=(timer&& other) noexcept;
    ~timer() { cancel(); }
    void cancel() noexcept;
    bool pending() const noexcept;

private:
    friend class worker;
    using key = std::pair<instant, std::uint64_t>;
    timer(worker& home, key k) noexcept : home_(&home), key_(k) {}
    worker* home_ = nullptr;
    key key_{};
};

/// Keeps a file descriptor watched; destroying it ends that. It does not own the descriptor. Worker's thread only.
class [[nodiscard]] fd_watch {
public:
    fd_watch() noexcept = default;
    fd_watch(fd_watch&& other) noexcept;
    fd_watch& operator=(fd_watch&& other) noexcept;
    ~fd_watch() { stop(); }
    void stop() noexcept;

private:
    friend class worker;
    struct entry;
    fd_watch(worker& home, std::shared_ptr<entry> e) noexcept;
    worker* home_ = nullptr;
    std::shared_ptr<entry> entry_;
};

/// An event loop. Either start() gives it a thread, or a test drives it with run_ready() from one thread.
class worker {
public:
    worker(std::string name, const clock& time);
    worker(const worker&) = delete;
    worker& operator=(const worker&) = delete;
    /// Stops and joins the thread; jobs still queued are destroyed, not run.
    ~worker();

    /// Runs the loop in a thread of its own, named for debuggers and `top -H`.
    void start();
    /// Ends the loop after the job that runs now, and joins. Harmless when not started.
    void stop();

    /// Destroys what is queued without running it, when no thread runs the loop any more: jobs may hold what must go before the
    /// code or the services that it needs.
    void discard();

    /// Queues a job. Any thread. Jobs of one poster keep their order.
    void post(job work);
    /// Runs `r` in the next turn; once, however often it is asked for. Worker's thread only.
    void ready(runnable& r);
    timer at(instant when, job work);
    timer after(duration delay, job work) { return at(time_.now() + delay, std::move(work)); }
    /// Calls `on_events` with the epoll events of `fd` (level-triggered).
    fd_watch watch(int fd, std::uint32_t events, std::function<void(std::uint32_t)> on_events);

    /// Does everything that is due and returns whether there was anything. By hand only.
    bool run_ready();
    /// When the next timer is due, if there is one. By hand only.
    std::optional<instant> next_deadline() const;

    const std::string& name() const noexcept { return name_; }
    const clock& time() const noexcept { return time_; }
    instant now() const noexcept { return time_.now(); }
    /// The worker whose job runs on this thread now, or null.
    static worker* current() noexcept;
    bool is_current() const noexcept { return current() == this; }

    struct figures {
        std::uint64_t turns = 0;       ///< times round the loop
        std::uint64_t handlers = 0;    ///< jobs, timers and descriptor events run
        duration busy{};               ///< time spent in them
        duration longest{};            ///< the longest of them
        std::size_t queued = 0;        ///< jobs waiting now
    };
    /// Any thread.
    figures load() const;

private:
    friend class timer;
    friend class fd_watch;
    friend class runnable;

    void loop();
    bool turn(bool may_sleep);
    bool run_jobs();
    bool run_runnables();
    bool run_timers();
    bool poll(std::optional<instant> until, bool may_sleep);
    template <class F> void timed(F&& f);

    const std::string name_;
    const clock& time_;
    int epoll_ = -1;
    int wake_ = -1;

    mutable std::mutex mutex_;
    std::vector<job> inbox_;
    bool sleeping_ = false;

    std::vector<runnable*> runnables_;
    std::map<timer::key, job> timers_;
    std::uint64_t timer_count_ = 0;
    std::size_t watches_ = 0;

    std::atomic<bool> stopping_{false};
    std::thread thread_;

    std::atomic<std::uint64_t> turns_{0}, handlers_{0};
    std::atomic<std::int64_t> busy_{0}, longest_{0};
};

} // namespace strowger
