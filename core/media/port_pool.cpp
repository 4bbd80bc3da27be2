#include "core/media/port_pool.hpp"
#include "core/base/ids.hpp"
#include <algorithm>
#include <cerrno>
#include <cstring>

namespace strowger::media {

void port_pair::close() noexcept {
    if (!from_) return;
    rtp.close();
    rtcp.close();
    std::exchange(from_, nullptr)->put_to_rest(port_);
}

port_pool::port_pool(const clock& time, std::uint16_t first, std::uint16_t last, duration rest)
    : time_(time), first_(first), last_(last), rest_(rest) {
    for (unsigned port = first + (first & 1u); port + 1 <= last; port += 2)
        if (port != 0) free_.push_back(static_cast<std::uint16_t>(port));
    total_ = free_.size();
}

void port_pool::wake(duration rested) const {
    for (const auto now = time_.now(); !resting_.empty() && resting_.front().since + rested <= now; resting_.pop_front())
        free_.push_back(resting_.front().port);
}

std::uint16_t port_pool::take() {
    const std::lock_guard lock(mutex_);
    wake(rest_);
    if (free_.empty()) wake(std::min(rest_, least_rest));
    if (free_.empty()) return 0;
    std::swap(free_[random_u64() % free_.size()], free_.back());
    const auto port = free_.back();
    free_.pop_back();
    return port;
}

void port_pool::put_to_rest(std::uint16_t port) noexcept {
    const std::lock_guard lock(mutex_);
    resting_.push_back({time_.now(), port});
}

result<port_pair> port_pool::open(const std::string& local_address) {
    const auto address = socket_address::parse(local_address, 0);
    if (!address) return fail("\"{}\" is not a numeric address to bind RTP to", local_address);
    for (;;) {
        const auto port = take();
        if (port == 0) {
            const auto f = now();
            return fail("no RTP port is left of {} pairs in {}-{} ({} in use, {} at rest): widen the range of media ports",
                        f.total, first_, last_, f.in_use, f.at_rest);
        }
        port_pair pair(shared_from_this(), port, bind_udp(socket_address::parse(local_address, port)), udp_socket());
        if (pair.rtp) pair.rtcp = bind_udp(socket_address::parse(local_address, pair.rtcp_port()));
        if (pair.rtcp) return pair;
        const int why = errno;
        if (why == EADDRINUSE) continue;
        if (why == EMFILE || why == ENFILE)
            return fail("no descriptor is left for an RTP socket: raise the limit of open files (LimitNOFILE in the service)");
        if (why == EADDRNOTAVAIL) return fail("cannot bind RTP to {}: this machine does not have that address", local_address);
        return fail("cannot bind RTP to {}:{}: {}", local_address, port, std::strerror(why));
    }
}

port_pool::figures port_pool::now() const {
    const std::lock_guard lock(mutex_);
    wake(rest_);
    return {total_ - free_.size() - resting_.size(), resting_.size(), total_};
}

} // namespace strowger::media
