// Jobs for the stack's thread.
#include "channels/sip/agent.hpp"
#include <sys/eventfd.h>
#include <unistd.h>
#include <utility>

namespace strowger::sip {

agent_queue::agent_queue() : event_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
agent_queue::~agent_queue() {
    if (event_ >= 0) ::close(event_);
}

void agent_queue::post(job work) {
    {
        const std::lock_guard lock(mutex_);
        if (closed_) return;
        jobs_.push_back(std::move(work));
        if (std::exchange(armed_, true)) return;
    }
    const std::uint64_t one = 1; // written without the lock, or who wakes up waits for it first
    [[maybe_unused]] const auto written = ::write(event_, &one, sizeof one); // fails only when it is readable already
}

std::vector<job> agent_queue::take() {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(event_, &count, sizeof count); // first this, then the flag: else a wake-up is lost
    const std::lock_guard lock(mutex_);
    armed_ = false;
    return std::exchange(jobs_, {});
}

void agent_queue::close() {
    std::vector<job> dropped;
    const std::lock_guard lock(mutex_);
    closed_ = true;
    dropped.swap(jobs_);
}

} // namespace strowger::sip
