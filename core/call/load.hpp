// How loaded the engine is, and whether it can take one more call: memory, descriptors, ports and the delay of its call workers.
#pragma once
#include "core/base/clock.hpp"
#include "core/channel/channel.hpp"
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace strowger {

class engine;
class worker;

/// 1 to 10 at random, so that those who were refused do not all come back at once.
int retry_after_seconds() noexcept;

/// Looks after the engine from a thread of its own, which may block. Ten times a second it sends a job through the queue of each
/// call worker: how long that takes is how long the next call would wait (decision 0012). When load has fallen it gives memory
/// back to the system.
class load {
public:
    explicit load(engine& core);
    ~load() { stop(); }

    /// Starts the thread. Without it, as in tests with virtual time, nothing is ever short but ports.
    void start();
    void stop();

    /// Why no call can be set up now, if so. Any thread, for each new call.
    std::optional<refusal> shortage() const;
    /// Why nothing may begin that takes memory; else nothing. Any thread.
    std::optional<refusal> memory_shortage() const;

    /// How long a job waits in the queue of that worker now.
    duration delay_of(std::size_t worker) const noexcept;

    struct figures {
        std::uint64_t resident, memory_limit; ///< bytes; a limit of 0 is none
        std::size_t descriptors, descriptor_limit;
        duration queue_delay; ///< of the least loaded call worker
        std::uint64_t given_back; ///< how often memory went back to the system
    };
    figures now() const;

private:
    /// The job that is on its way through a worker's queue. Shared with that job.
    struct probe {
        std::atomic<std::int64_t> sent{0}; ///< 0: none is
        std::atomic<std::int64_t> took{0};
    };
    void watch();
    void send_probes();
    void measure();
    void give_back();
    duration least_delay() const noexcept;

    engine& core_;
    std::vector<std::shared_ptr<probe>> probes_;
    std::uint64_t memory_limit_ = 0;
    std::atomic<std::uint64_t> resident_{0}, given_back_{0};
    std::atomic<std::size_t> descriptors_{0}, descriptor_limit_{0};

    // The thread's own.
    std::size_t most_calls_ = 0;
    std::uint64_t calls_seen_ = 0;
    instant quiet_since_{}, given_back_at_{};
    std::optional<instant> second_look_;

    std::thread thread_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool stopping_ = false;
};

} // namespace strowger
