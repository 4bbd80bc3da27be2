#include "core/call/load.hpp"
#include "core/base/ids.hpp"
#include "core/base/log.hpp"
#include "core/base/resources.hpp"
#include "core/engine.hpp"
#include <algorithm>
#include <malloc.h>
#include <pthread.h>

namespace strowger {
namespace {

constexpr duration every = 100ms;
// A call between two telephones needs four sockets; a few more go to whatever else runs.
constexpr std::size_t pairs_of_a_call = 2;
constexpr std::size_t descriptors_kept_free = 16;
constexpr duration quiet_before_giving_back = 2s;
constexpr duration between_urgent_ones = 5s;
// The SIP stack keeps what has ended for 32 s (RFC 3261 §17), and then frees it: that is worth a second look.
constexpr duration time_of_transactions = 40s;

std::int64_t steady_now() noexcept { return std::chrono::steady_clock::now().time_since_epoch().count(); }

refusal short_of(std::string what) { return {hangup_cause::congestion, retry_after_seconds(), std::move(what)}; }

} // namespace

int retry_after_seconds() noexcept { return 1 + static_cast<int>(random_u64() % 10); }

load::load(engine& core) : core_(core) {
    for (std::size_t i = 0; i < core.worker_count(); ++i) probes_.push_back(std::make_shared<probe>());
    memory_limit_ = core.settings().limits.memory;
    if (memory_limit_ == 0) memory_limit_ = memory_limit_of_group() / 10 * 9;
}

void load::start() {
    measure();
    thread_ = std::thread([this] {
        ::pthread_setname_np(::pthread_self(), "load");
        watch();
    });
}

void load::stop() {
    if (!thread_.joinable()) return;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void load::watch() {
    std::unique_lock lock(mutex_);
    for (unsigned turn = 0; !stopping_; ++turn) {
        lock.unlock();
        // An engine without calls is looked at once a second.
        if (core_.calls().count() != 0 || turn % 10 == 0 || least_delay() > every / 10) {
            send_probes();
            measure();
        }
        give_back();
        lock.lock();
        changed_.wait_for(lock, every, [this] { return stopping_; });
    }
}

void load::send_probes() {
    for (std::size_t i = 0; i < probes_.size(); ++i) {
        auto p = probes_[i];
        if (p->sent.load(std::memory_order_acquire) != 0) continue;
        p->sent.store(steady_now(), std::memory_order_release);
        core_.call_worker(i).post([p] {
            p->took.store(steady_now() - p->sent.load(std::memory_order_relaxed), std::memory_order_relaxed);
            p->sent.store(0, std::memory_order_release);
        });
    }
}

void load::measure() {
    core_.media().keep_spare_sockets();
    if (const auto held = resident_bytes(); held != 0) resident_ = held; // 0: no descriptor was left to look
    descriptors_ = open_descriptors();
    descriptor_limit_ = descriptor_limit();
}

void load::give_back() {
    const auto now = std::chrono::steady_clock::now();
    const auto calls = core_.calls().count();
    const auto total = core_.calls().total();
    most_calls_ = std::max(most_calls_, calls);
    const bool fallen = calls == 0 ? total != calls_seen_ : calls < most_calls_ / 2;
    if (!fallen) quiet_since_ = now;
    const bool settled = fallen && now - quiet_since_ >= quiet_before_giving_back;
    const bool second = second_look_ && now >= *second_look_;
    const bool urgent = memory_shortage() && now - given_back_at_ >= between_urgent_ones;
    if (!settled && !second && !urgent) return;
    if (settled) {
        most_calls_ = calls;
        calls_seen_ = total;
        second_look_ = now + time_of_transactions;
    } else if (second) {
        second_look_.reset();
    }
    const auto before = resident_.load();
    ::malloc_trim(0);
    resident_ = resident_bytes();
    given_back_at_ = now;
    ++given_back_;
    log::debug("core", "memory given back: {} MiB of {} MiB", (before - std::min(before, resident_.load())) >> 20, before >> 20);
}

duration load::delay_of(std::size_t worker) const noexcept {
    const auto& p = *probes_[worker];
    const auto sent = p.sent.load(std::memory_order_acquire);
    const auto took = p.took.load(std::memory_order_relaxed);
    return duration(sent == 0 ? took : std::max(took, steady_now() - sent));
}

duration load::least_delay() const noexcept {
    auto least = duration::max();
    for (std::size_t i = 0; i < probes_.size(); ++i) least = std::min(least, delay_of(i));
    return least;
}

std::optional<refusal> load::memory_shortage() const {
    if (memory_limit_ != 0 && resident_ >= memory_limit_)
        return short_of("the engine holds as much memory as it may: limits.memory, or the limit of its control group");
    return std::nullopt;
}

std::optional<refusal> load::shortage() const {
    if (auto memory = memory_shortage()) return memory;
    if (const auto limit = descriptor_limit_.load(); limit != 0 && descriptors_ + descriptors_kept_free > limit)
        return short_of("no descriptors are left: raise the limit of open files (LimitNOFILE in the service)");
    if (core_.media().ports().usable < pairs_of_a_call)
        return short_of("no RTP ports are left: widen media.first_port to media.last_port");
    if (least_delay() > core_.settings().limits.queue_delay) return short_of("every call worker is late: limits.queue_delay");
    return std::nullopt;
}

load::figures load::now() const {
    return {resident_, memory_limit_, descriptors_, descriptor_limit_, least_delay(), given_back_};
}

} // namespace strowger
