#include "channels/sip/support/support.hpp"
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <dlfcn.h>
#include <mutex>
#include <sofia-sip/su.h>
#include <sofia-sip/su_log.h>
#include <sofia-sip/su_time.h>

// Sofia's hook for its clock; exported, but in no header.
extern "C" void (*_su_time)(su_time_t*);
extern "C" su_log_t nta_log[], tport_log[];

namespace {

constexpr std::int64_t seconds_1900_to_1970 = 2208988800;
constexpr std::int64_t million = 1'000'000;
std::int64_t wall_minus_monotonic_us;

std::int64_t now_us(clockid_t which) {
    timespec t{};
    clock_gettime(which, &t);
    return static_cast<std::int64_t>(t.tv_sec) * million + t.tv_nsec / 1000;
}

/// The wall clock at the start plus what has passed since, so that a step of the wall clock moves no timer; in whole
/// milliseconds, because Sofia spins through the last fraction of one before every timer.
void whole_milliseconds(su_time_t* out) {
    auto us = now_us(CLOCK_MONOTONIC) + wall_minus_monotonic_us;
    us -= us % 1000;
    out->tv_sec = static_cast<decltype(out->tv_sec)>(us / million + seconds_1900_to_1970);
    out->tv_usec = static_cast<decltype(out->tv_usec)>(us % million);
}

} // namespace

bool strowger_sip_support_start() {
    static std::once_flag once;
    static bool pinned = false;
    std::call_once(once, [] {
        pinned = dlopen("libsofia-sip-ua.so.0", RTLD_NOW | RTLD_NODELETE) != nullptr;
        // This library holds the clock: it must stay as well, whoever loaded it.
        Dl_info self{};
        if (dladdr(reinterpret_cast<void*>(&strowger_sip_support_start), &self) != 0)
            pinned = pinned && dlopen(self.dli_fname, RTLD_NOW | RTLD_NODELETE) != nullptr;
        wall_minus_monotonic_us = now_us(CLOCK_REALTIME) - now_us(CLOCK_MONOTONIC);
        _su_time = whole_milliseconds;
        su_init();
        // Sofia would write a line to the standard error for every broken datagram. Its *_DEBUG variables still switch that on.
        for (auto* log : {su_log_default, su_log_global, nta_log, tport_log})
            if (log->log_env == nullptr || std::getenv(log->log_env) == nullptr) su_log_set_level(log, 0);
    });
    return pinned;
}
