// The pace of a media thread: who plays gets its turn every packet time, in steps of 2 ms, from one timer for all.
#pragma once
#include "core/async/worker.hpp"
#include <array>
#include <vector>

namespace strowger::media {

class wheel;

/// Something that a wheel paces.
class paced {
public:
    paced() noexcept = default;
    paced(const paced&) = delete;
    paced& operator=(const paced&) = delete;

protected:
    ~paced();
    /// Its turn. Returns the time until the next one, in milliseconds from 2 to 60, or 0 to be paced no more.
    virtual int tick(instant now) = 0;

private:
    friend class wheel;
    wheel* on_ = nullptr;
    std::size_t slot_ = 0, index_ = 0;
};

/// Members are spread over the slots, so that packets do not leave in bursts. No timer runs while there are none. Worker's thread
/// only.
class wheel {
public:
    static constexpr auto slot_length = std::chrono::milliseconds{2};

    /// Does not touch `home` yet.
    wheel(worker& home, const clock& time) noexcept : home_(home), start_(time.now()) {}
    wheel(const wheel&) = delete;
    wheel& operator=(const wheel&) = delete;

    /// The first turn comes within 20 ms. Harmless when it is here already.
    void add(paced& p);
    /// Harmless when it is not here.
    void remove(paced& p) noexcept;
    std::size_t members() const noexcept { return members_; }

private:
    static constexpr std::size_t size = 32; // more slots than the longest packet time has
    static constexpr std::int64_t spread = 10;

    std::int64_t slot_at(instant t) const noexcept { return (t - start_) / slot_length; }
    instant time_of(std::int64_t slot) const noexcept { return start_ + slot * slot_length; }
    void put(paced& p, std::int64_t slot);
    void arm();
    void run();

    worker& home_;
    const instant start_;
    std::array<std::vector<paced*>, size> slots_;
    std::vector<paced*> running_;
    bool is_running_ = false;
    std::int64_t done_ = 0; // the last slot that had its turn
    std::size_t members_ = 0;
    std::int64_t armed_for_ = 0;
    timer timer_;
};

} // namespace strowger::media
