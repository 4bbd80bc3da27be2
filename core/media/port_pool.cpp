#include "core/media/port_pool.hpp"
#include "core/base/ids.hpp"
#include <algorithm>
#include <cerrno>
#include <cstring>

namespace strowger::media {
namespace {

// Two legs of two sockets each, for two calls at one moment; more are opened soon after.
constexpr std::size_t spare_sockets = 8;
constexpr std::size_t most_pairs_kept_back = 8;

} // namespace

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
    kept_back_ = std::min(most_pairs_kept_back, total_ / 4);
}

void port_pool::wake(duration rested) const {
    for (const auto now = time_.now(); !resting_.empty() && resting_.front().since + rested <= now; resting_.pop_front())
        free_.push_back(resting_.front().port);
}

std::uint16_t port_pool::take(urgency who) {
    const std::lock_guard lock(mutex_);
    const auto keep = who == urgency::emergency ? 0 : kept_back_;
    wake(rest_);
    if (free_.size() <= keep) wake(std::min(rest_, least_rest));
    if (who == urgency::emergency && free_.empty() && !resting_.empty()) {
        free_.push_back(resting_.front().port);
        resting_.pop_front();
    }
    if (free_.size() <= keep) return 0;
    std::swap(free_[random_u64() % free_.size()], free_.back());
    const auto port = free_.back();
    free_.pop_back();
    return port;
}

void port_pool::put_to_rest(std::uint16_t port) noexcept {
    const std::lock_guard lock(mutex_);
    resting_.push_back({time_.now(), port});
}

udp_socket port_pool::bind_there(const std::string& local_address, std::uint16_t port, urgency who) {
    const auto local = socket_address::parse(local_address, port);
    auto made = bind_udp(local);
    if (made || who == urgency::ordinary || (errno != EMFILE && errno != ENFILE)) return made;
    const std::lock_guard lock(mutex_);
    auto& spare = local.family() == AF_INET6 ? spare_v6_ : spare_v4_;
    if (spare.empty()) return {};
    auto kept = std::move(spare.back());
    spare.pop_back();
    return bind_udp(std::move(kept), local);
}

void port_pool::keep_spare_sockets() {
    const std::lock_guard lock(mutex_);
    for (auto* spare : {&spare_v4_, &spare_v6_})
        while (spare->size() < spare_sockets) {
            auto made = open_udp(spare == &spare_v6_ ? AF_INET6 : AF_INET);
            if (!made) break;
            spare->push_back(std::move(made));
        }
}

result<port_pair> port_pool::open(const std::string& local_address, urgency who) {
    const auto address = socket_address::parse(local_address, 0);
    if (!address) return fail("\"{}\" is not a numeric address to bind RTP to", local_address);
    for (;;) {
        const auto port = take(who);
        if (port == 0) {
            exhausted_ = true;
            const auto f = now();
            return fail("no RTP port is left of {} pairs in {}-{} ({} in use, {} at rest, {} for emergency calls): widen "
                        "media.first_port to media.last_port",
                        f.total, first_, last_, f.in_use, f.at_rest, kept_back_);
        }
        port_pair pair(shared_from_this(), port, bind_there(local_address, port, who), udp_socket());
        if (pair.rtp) pair.rtcp = bind_there(local_address, pair.rtcp_port(), who);
        if (pair.rtcp) {
            exhausted_ = false;
            return pair;
        }
        const int why = errno;
        if (why == EADDRINUSE) continue;
        exhausted_ = why == EMFILE || why == ENFILE;
        if (exhausted_)
            return fail("no descriptor is left for an RTP socket: raise the limit of open files (LimitNOFILE in the service)");
        if (why == EADDRNOTAVAIL) return fail("cannot bind RTP to {}: this machine does not have that address", local_address);
        return fail("cannot bind RTP to {}:{}: {}", local_address, port, std::strerror(why));
    }
}

port_pool::figures port_pool::now() const {
    const std::lock_guard lock(mutex_);
    wake(rest_);
    const auto soon_enough = time_.now() - std::min(rest_, least_rest);
    const auto still = std::find_if(resting_.begin(), resting_.end(), [&](const resting& r) { return r.since > soon_enough; });
    const auto usable = free_.size() + static_cast<std::size_t>(still - resting_.begin());
    return {total_ - free_.size() - resting_.size(), resting_.size(), total_, usable - std::min(usable, kept_back_)};
}

} // namespace strowger::media
