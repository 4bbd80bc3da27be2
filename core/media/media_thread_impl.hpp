// A media thread from the inside: its worker, its pace and its receive buffer. For the inside of core/media only.
#pragma once
#include "core/media/port_pool.hpp"
#include "core/media/service.hpp"
#include "core/media/wheel.hpp"
#include <array>
#include <atomic>
#include <cstddef>

namespace strowger::media {

class media_thread_impl final : public media_thread {
public:
    media_thread_impl(std::string name, const clock& time) : pace(home_, time), home_(std::move(name), time) {}
    worker& home() noexcept override { return home_; }
    std::size_t streams() const noexcept override { return open_streams.load(std::memory_order_relaxed); }

    /// One packet at a time is in here; a byte more than the largest datagram that is told from a longer one.
    alignas(64) std::array<std::byte, 2048> buffer;
    std::atomic<std::size_t> open_streams{0};
    wheel pace;

private:
    worker home_; // goes first: jobs that were not run own streams, which leave the wheel
};

struct media_service::impl {
    const clock& time;
    service_options options;
    std::shared_ptr<port_pool> ports;
    std::vector<std::unique_ptr<media_thread_impl>> threads;
};

} // namespace strowger::media
