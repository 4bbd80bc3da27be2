// The RTP ports of the engine: an even port with its odd neighbour for RTCP, picked at random and rested after use.
#pragma once
#include "core/base/clock.hpp"
#include "core/base/result.hpp"
#include "core/media/udp.hpp"
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

namespace strowger::media {

class port_pool;

/// Two bound sockets. Destroying it closes them; the ports rest then.
class port_pair {
public:
    port_pair() noexcept = default;
    port_pair(std::shared_ptr<port_pool> from, std::uint16_t port, udp_socket rtp_socket, udp_socket rtcp_socket) noexcept
        : rtp(std::move(rtp_socket)), rtcp(std::move(rtcp_socket)), from_(std::move(from)), port_(port) {}
    port_pair(port_pair&&) noexcept = default;
    port_pair& operator=(port_pair&&) = delete;
    ~port_pair() { close(); }

    std::uint16_t rtp_port() const noexcept { return port_; }
    std::uint16_t rtcp_port() const noexcept { return static_cast<std::uint16_t>(port_ + 1); }
    explicit operator bool() const noexcept { return static_cast<bool>(rtp); }
    void close() noexcept;

    udp_socket rtp, rtcp;

private:
    std::shared_ptr<port_pool> from_;
    std::uint16_t port_ = 0;
};

/// Who asks for ports: a call for help gets what is kept back from the others.
enum class urgency { ordinary, emergency };

/// A pair that was in use rests, so that late packets of an ended call reach nobody else's. When all others are taken, those
/// that rested longest go first, after `least_rest` at the soonest. Any thread.
class port_pool : public std::enable_shared_from_this<port_pool> {
public:
    /// `first` and `last` belong to the range; pairs begin at even ports.
    static constexpr duration least_rest = std::chrono::seconds(2);

    port_pool(const clock& time, std::uint16_t first, std::uint16_t last, duration rest);

    /// Binds a random pair that is free there. Ports that another program holds are rested too. An emergency call also gets the
    /// last pairs, those that rest, and sockets that are kept open for it when there is no descriptor left.
    result<port_pair> open(const std::string& local_address, urgency who = urgency::ordinary);

    /// Opens sockets for emergency calls, as many as are missing; to be repeated now and then.
    void keep_spare_sockets();

    struct figures {
        std::size_t in_use, at_rest, total;
        std::size_t usable; ///< by ordinary calls, now
    };
    figures now() const;
    /// The last open() failed for want of ports or descriptors.
    bool exhausted() const noexcept { return exhausted_; }

private:
    friend class port_pair;
    struct resting {
        instant since;
        std::uint16_t port;
    };
    /// 0 when there is none.
    std::uint16_t take(urgency who);
    udp_socket bind_there(const std::string& local_address, std::uint16_t port, urgency who);
    void put_to_rest(std::uint16_t port) noexcept;
    /// Frees what has rested for that long.
    void wake(duration rested) const;

    const clock& time_;
    const std::uint16_t first_, last_;
    const duration rest_;
    std::size_t total_ = 0, kept_back_ = 0;
    std::atomic<bool> exhausted_{false};
    mutable std::mutex mutex_;
    mutable std::vector<std::uint16_t> free_;
    mutable std::deque<resting> resting_;
    std::vector<udp_socket> spare_v4_, spare_v6_;
};

} // namespace strowger::media
