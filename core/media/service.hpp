// The media threads and the ports they share.
#pragma once
#include "core/async/worker.hpp"
#include <cstdint>
#include <memory>
#include <vector>

namespace strowger::media {

struct service_options {
    int threads = 1;
    std::uint16_t first_port = 16384; ///< even
    std::uint16_t last_port = 32767;
    duration port_rest = std::chrono::seconds(30);
};

/// One media thread: a worker with the tick that paces playback. Streams that are joined share one.
class media_thread {
public:
    virtual ~media_thread();
    virtual worker& home() noexcept = 0;
    virtual std::size_t streams() const noexcept = 0; ///< open now; any thread
};

/// Owns the media threads and hands out port pairs: random ones of the range, each resting for a while after use.
class media_service {
public:
    media_service(const clock& time, service_options options);
    ~media_service();

    /// Starts the threads, with raised priority where permitted. Not called when a test drives them by hand.
    void start();
    /// Stops the threads; every stream must have gone.
    void stop();

    std::size_t size() const noexcept;
    media_thread& thread(std::size_t index) noexcept;
    /// Every thread's worker, for virtual time.
    std::vector<worker*> workers();

    /// Port pairs in use and at rest; any thread.
    struct port_figures {
        std::size_t in_use, at_rest, total;
        std::size_t usable; ///< by ordinary calls, now: some are kept back for emergency calls
    };
    port_figures ports() const;
    /// The last stream that was asked for was not opened for want of ports or descriptors; any thread.
    bool exhausted() const noexcept;
    /// To be called now and then: emergency calls are served from sockets that are kept open.
    void keep_spare_sockets();

    struct impl;
    impl& inside() noexcept { return *impl_; }

private:
    std::unique_ptr<impl> impl_;
};

} // namespace strowger::media
