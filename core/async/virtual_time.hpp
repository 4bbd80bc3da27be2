// Driving an engine by hand in virtual time: what its threads would do runs on the caller's thread, in the order of the clock.
#pragma once
#include "core/async/worker.hpp"
#include <vector>

namespace strowger {

/// Moves a virtual clock and runs the workers that follow it. None of them may have been started.
class virtual_time {
public:
    explicit virtual_time(virtual_clock& c) noexcept : clock_(c) {}
    void add(worker& w) { workers_.push_back(&w); }
    void remove(worker& w) { std::erase(workers_, &w); }
    /// Runs until nobody has anything to do at this moment.
    void settle();
    /// Lets so much time pass, stopping at every timer on the way.
    void advance(duration d);

private:
    virtual_clock& clock_;
    std::vector<worker*> workers_;
};

} // namespace strowger
