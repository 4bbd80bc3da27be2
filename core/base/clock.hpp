// Time, behind one interface: durations are measured on a monotonic clock, moments are wall time.
#pragma once
#include <atomic>
#include <chrono>
#include <string>

namespace strowger {

using namespace std::chrono_literals;

using duration = std::chrono::nanoseconds;
/// A point of the monotonic clock: for time-outs, never stored.
using instant = std::chrono::steady_clock::time_point;
/// A moment that people know: for ledgers and schedules; it may jump.
using wall_time = std::chrono::system_clock::time_point;

/// "2026-11-20T10:03:59.120Z": ISO 8601 in UTC, which sorts as text.
std::string to_text(wall_time t);

/// Where all time in the engine comes from. Callable from any thread.
class clock {
public:
    virtual ~clock();
    virtual instant now() const noexcept = 0;
    virtual wall_time wall() const noexcept = 0;
};

/// The machine's clocks.
class real_clock final : public clock {
public:
    instant now() const noexcept override;
    wall_time wall() const noexcept override;
};

/// A clock that moves only when it is told to; see core/async/virtual_time.hpp for the tests' use.
class virtual_clock final : public clock {
public:
    explicit virtual_clock(wall_time start = wall_time(std::chrono::seconds(1'800'000'000))) noexcept : wall_start_(start) {}
    instant now() const noexcept override { return instant(std::chrono::nanoseconds(elapsed_.load())) + 1h; }
    wall_time wall() const noexcept override;
    void move_to(instant t) noexcept { elapsed_ = (t - instant(1h)).count(); }
    /// Steps the wall clock alone, as an administrator or NTP would.
    void step_wall(duration by) noexcept { wall_offset_ = wall_offset_ + by.count(); }

private:
    wall_time wall_start_;
    std::atomic<std::int64_t> elapsed_{0};
    std::atomic<std::int64_t> wall_offset_{0};
};

} // namespace strowger
