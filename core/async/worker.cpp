#include "core/async/worker.hpp"
#include "core/base/log.hpp"
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>

namespace strowger {
namespace {

thread_local worker* current_worker = nullptr;

// A handler that holds up everybody else on its worker is worth a line; sanitizers and debuggers make all slower.
constexpr duration stall_limit = 50ms;

} // namespace

struct fd_watch::entry {
    int fd;
    std::function<void(std::uint32_t)> on_events;
    bool live = true;
    // Keeps itself while the kernel holds its address.
    std::shared_ptr<entry> self;
};

runnable::~runnable() {
    if (queued_on_ != nullptr) std::erase(queued_on_->runnables_, this);
}

timer::timer(timer&& other) noexcept : home_(std::exchange(other.home_, nullptr)), key_(other.key_) {}
timer& timer::operator=(timer&& other) noexcept {
    if (this != &other) {
        cancel();
        home_ = std::exchange(other.home_, nullptr);
        key_ = other.key_;
    }
    return *this;
}
void timer::cancel() noexcept {
    if (home_ != nullptr) std::exchange(home_, nullptr)->timers_.erase(key_);
}
bool timer::pending() const noexcept { return home_ != nullptr && home_->timers_.contains(key_); }

fd_watch::fd_watch(worker& home, std::shared_ptr<entry> e) noexcept : home_(&home), entry_(std::move(e)) {}
fd_watch::fd_watch(fd_watch&& other) noexcept : home_(std::exchange(other.home_, nullptr)), entry_(std::move(other.entry_)) {}
fd_watch& fd_watch::operator=(fd_watch&& other) noexcept {
    if (this != &other) {
        stop();
        home_ = std::exchange(other.home_, nullptr);
        entry_ = std::move(other.entry_);
    }
    return *this;
}
void fd_watch::stop() noexcept {
    if (home_ == nullptr) return;
    ::epoll_ctl(home_->epoll_, EPOLL_CTL_DEL, entry_->fd, nullptr);
    --home_->watches_;
    entry_->live = false;
    // An event of this descriptor may be in the batch that is being handled: its entry lives to the end of the turn.
    home_->post([kept = std::move(entry_->self)] {});
    entry_.reset();
    home_ = nullptr;
}

worker::worker(std::string name, const clock& time) : name_(std::move(name)), time_(time) {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (epoll_ < 0 || wake_ < 0) throw std::system_error(errno, std::generic_category(), "a worker needs two file descriptors");
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = nullptr;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) != 0)
        throw std::system_error(errno, std::generic_category(), "epoll_ctl");
}

worker::~worker() {
    stop();
    discard();
    for (auto* r : runnables_) r->queued_on_ = nullptr;
    ::close(wake_);
    ::close(epoll_);
}

void worker::discard() {
    // What goes may post again or cancel timers in its destructor.
    for (;;) {
        std::vector<job> jobs;
        {
            const std::lock_guard lock(mutex_);
            jobs.swap(inbox_);
        }
        auto timers = std::move(timers_);
        timers_.clear();
        if (jobs.empty() && timers.empty()) break;
    }
}

worker* worker::current() noexcept { return current_worker; }

void worker::start() {
    stopping_ = false;
    thread_ = std::thread([this] {
        ::pthread_setname_np(::pthread_self(), name_.substr(0, 15).c_str());
        loop();
    });
}

void worker::stop() {
    if (!thread_.joinable()) return;
    stopping_ = true;
    post([] {});
    thread_.join();
}

void worker::post(job work) {
    bool wake = false;
    {
        const std::lock_guard lock(mutex_);
        inbox_.push_back(std::move(work));
        wake = std::exchange(sleeping_, false);
    }
    if (wake) {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(wake_, &one, sizeof one);
    }
}

void worker::ready(runnable& r) {
    if (r.queued_on_ != nullptr) return;
    r.queued_on_ = this;
    runnables_.push_back(&r);
}

timer worker::at(instant when, job work) {
    const timer::key key{when, ++timer_count_};
    timers_.emplace(key, std::move(work));
    return timer(*this, key);
}

fd_watch worker::watch(int fd, std::uint32_t events, std::function<void(std::uint32_t)> on_events) {
    auto e = std::make_shared<fd_watch::entry>(fd_watch::entry{fd, std::move(on_events), true, nullptr});
    epoll_event event{};
    event.events = events;
    event.data.ptr = e.get();
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0)
        throw std::system_error(errno, std::generic_category(), "cannot watch a file descriptor");
    e->self = e;
    ++watches_;
    return fd_watch(*this, std::move(e));
}

template <class F> void worker::timed(F&& f) {
    const auto before = std::chrono::steady_clock::now();
    f();
    const auto took = std::chrono::steady_clock::now() - before;
    handlers_.fetch_add(1, std::memory_order_relaxed);
    busy_.fetch_add(took.count(), std::memory_order_relaxed);
    if (took.count() > longest_.load(std::memory_order_relaxed)) longest_.store(took.count(), std::memory_order_relaxed);
    if (took > stall_limit)
        log::debug("core", "{}: a handler held the thread for {} ms", name_,
                   std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
}

bool worker::run_jobs() {
    std::vector<job> jobs;
    {
        const std::lock_guard lock(mutex_);
        jobs.swap(inbox_);
    }
    for (auto& work : jobs) {
        timed(work);
        work.reset();
    }
    return !jobs.empty();
}

bool worker::run_runnables() {
    bool any = false;
    while (!runnables_.empty()) {
        auto* r = runnables_.front();
        runnables_.erase(runnables_.begin());
        r->queued_on_ = nullptr;
        timed([r] { r->run(); });
        any = true;
    }
    return any;
}

bool worker::run_timers() {
    bool any = false;
    const auto now = time_.now();
    while (!timers_.empty() && timers_.begin()->first.first <= now) {
        auto work = std::move(timers_.begin()->second);
        timers_.erase(timers_.begin());
        timed(work);
        any = true;
        run_runnables();
    }
    return any;
}

bool worker::poll(std::optional<instant> until, bool may_sleep) {
    std::array<epoll_event, 64> events;
    timespec timeout{0, 0};
    const timespec* wait = &timeout;
    if (may_sleep) {
        if (!until) {
            wait = nullptr;
        } else if (const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(*until - time_.now()).count();
                   left > 0) {
            timeout.tv_sec = left / 1'000'000'000;
            timeout.tv_nsec = left % 1'000'000'000;
        }
    } else if (watches_ == 0) {
        return false;
    }
    const int count = ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), wait, nullptr);
    bool any = false;
    for (int i = 0; i < count; ++i) {
        const auto& event = events[static_cast<std::size_t>(i)];
        if (event.data.ptr == nullptr) {
            std::uint64_t drained = 0;
            [[maybe_unused]] const auto got = ::read(wake_, &drained, sizeof drained);
            continue;
        }
        auto* e = static_cast<fd_watch::entry*>(event.data.ptr);
        if (!e->live) continue;
        timed([e, &event] { e->on_events(event.events); });
        run_runnables();
        any = true;
    }
    return any;
}

bool worker::turn(bool may_sleep) {
    turns_.fetch_add(1, std::memory_order_relaxed);
    bool any = run_jobs();
    any |= run_runnables();
    any |= run_timers();
    any |= run_runnables();
    // A stop may have come as one of the jobs. Whatever else ran, its consequences are jobs or timers by now.
    if (may_sleep && !stopping_.load(std::memory_order_relaxed)) {
        {
            const std::lock_guard lock(mutex_);
            sleeping_ = inbox_.empty();
            may_sleep = sleeping_;
        }
        any |= poll(timers_.empty() ? std::nullopt : std::optional(timers_.begin()->first.first), may_sleep);
        const std::lock_guard lock(mutex_);
        sleeping_ = false;
    } else {
        any |= poll(std::nullopt, false);
    }
    return any;
}

void worker::loop() {
    current_worker = this;
    while (!stopping_.load(std::memory_order_relaxed)) turn(true);
    current_worker = nullptr;
}

bool worker::run_ready() {
    auto* const before = std::exchange(current_worker, this);
    bool any = false;
    while (turn(false)) any = true;
    current_worker = before;
    return any;
}

std::optional<instant> worker::next_deadline() const {
    return timers_.empty() ? std::nullopt : std::optional(timers_.begin()->first.first);
}

worker::figures worker::load() const {
    figures f;
    f.turns = turns_;
    f.handlers = handlers_;
    f.busy = duration(busy_);
    f.longest = duration(longest_);
    const std::lock_guard lock(mutex_);
    f.queued = inbox_.size();
    return f;
}

} // namespace strowger
