#include "channels/sip/admission.hpp"
#include "channels/sip/trunks.hpp"
#include "core/base/log.hpp"
#include <algorithm>
#include <arpa/inet.h>
#include <ctime>
#include <dirent.h>
#include <fmt/format.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace strowger::sip {
namespace {

// The wall clock may be set while something waits; longer than this nothing can.
constexpr auto longest_wait = std::chrono::seconds(30);
constexpr auto between_log_lines = std::chrono::seconds(1);

bool is_bound_there(int fd, const std::string& ip, std::uint16_t port) {
    int type = 0;
    socklen_t size = sizeof type;
    if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_DGRAM) return false;
    sockaddr_storage own{};
    size = sizeof own;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) != 0) return false;
    if (own.ss_family == AF_INET) {
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(own);
        in_addr wanted{};
        return ::inet_pton(AF_INET, ip.c_str(), &wanted) == 1 && wanted.s_addr == v4.sin_addr.s_addr &&
               ntohs(v4.sin_port) == port;
    }
    if (own.ss_family != AF_INET6) return false;
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(own);
    in6_addr wanted{};
    return ::inet_pton(AF_INET6, ip.c_str(), &wanted) == 1 && IN6_ARE_ADDR_EQUAL(&wanted, &v6.sin6_addr) &&
           ntohs(v6.sin6_port) == port;
}

} // namespace

arrival_clock::arrival_clock(const std::string& ip, std::uint16_t port) {
    DIR* all = ::opendir("/proc/self/fd");
    if (all == nullptr) return;
    while (const auto* entry = ::readdir(all)) {
        const int fd = std::atoi(entry->d_name);
        if (entry->d_name[0] == '.' || !is_bound_there(fd, ip, port)) continue;
        fd_ = fd;
        break;
    }
    ::closedir(all);
    static_cast<void>(waited()); // the kernel notes times from the first question on
}

duration arrival_clock::waited() const noexcept {
    timespec arrived{}, now{};
    if (fd_ < 0 || ::ioctl(fd_, SIOCGSTAMPNS, &arrived) != 0) return {};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const duration waited =
        std::chrono::seconds(now.tv_sec - arrived.tv_sec) + std::chrono::nanoseconds(now.tv_nsec - arrived.tv_nsec);
    return waited < duration::zero() || waited > longest_wait ? duration::zero() : waited;
}

std::optional<refusal> admission::why_not(const arrival& a) const {
    if (a.method == "INVITE") {
        if (core_.is_emergency(a.number)) return std::nullopt;
        if (auto no = core_.would_refuse(a.number)) return no;
    } else if (auto no = core_.short_of_memory()) {
        return no;
    }
    // What we have challenged, and so spent work on, is given up last.
    const auto most = core_.queue_delay() * (a.credentials ? 2 : 1);
    if (a.waited > most) return refusal{hangup_cause::congestion, 0, "requests wait too long: limits.queue_delay"};
    return std::nullopt;
}

std::optional<response> admission::refuse(const arrival& a, const trunk_settings* from) {
    const auto why = why_not(a);
    if (!why) return std::nullopt;
    note(*why);
    if (from != nullptr) return busy_answer(from, core_.retry_after());
    return response{settings_.overload_status, {{"Retry-After", std::to_string(core_.retry_after())}}, {}, {}};
}

/// A line a second, however many are refused.
void admission::note(const refusal& why) {
    ++refused_;
    ++untold_[why.why];
    const auto now = core_.now();
    if (now - told_ < between_log_lines) return;
    told_ = now;
    for (const auto& [reason, count] : untold_) log::warn("sip", "{} new requests were refused: {}", count, reason);
    untold_.clear();
}

} // namespace strowger::sip
