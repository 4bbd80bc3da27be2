#include "core/dialplan/budget.hpp"
#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <lua.hpp>
#include <mutex>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>

namespace strowger::dialplan {
namespace {

int timer_signal() { return SIGRTMIN + 3; }

constexpr duration tick = 10ms;

// What the signal handler sees. It runs on the very thread that it interrupts, so compiler fences order everything. The timer
// runs all the time, but only processor time moves it: an idle thread gets no signal, and a slice costs no system call.
struct watch {
    lua_State* volatile running = nullptr;
    volatile std::int64_t ticks_left = 0;
    volatile std::sig_atomic_t over = 0;
    void (*on_overrun)(lua_State*) = nullptr;
    timer_t timer{};

    watch();
    ~watch() { ::timer_delete(timer); }
};

thread_local watch* this_thread = nullptr;

void hook(lua_State* L, lua_Debug*) {
    lua_sethook(L, nullptr, 0, 0);
    this_thread->on_overrun(L);
}

void on_signal(int, siginfo_t* info, void*) {
    const int kept = errno;
    auto* w = static_cast<watch*>(info->si_value.sival_ptr);
    if (info->si_code == SI_TIMER && w != nullptr && w->running != nullptr) {
        w->ticks_left = w->ticks_left - 1;
        if (w->ticks_left < 0) {
            w->over = 1;
            lua_sethook(w->running, hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
        }
    }
    errno = kept;
}

watch::watch() {
    static std::once_flag installed;
    std::call_once(installed, [] {
        struct sigaction action {};
        action.sa_sigaction = on_signal;
        action.sa_flags = SA_RESTART | SA_SIGINFO;
        sigemptyset(&action.sa_mask);
        ::sigaction(timer_signal(), &action, nullptr);
    });
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, timer_signal());
    ::pthread_sigmask(SIG_UNBLOCK, &ours, nullptr);
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = timer_signal();
    event.sigev_value.sival_ptr = this;
    event._sigev_un._tid = static_cast<pid_t>(::syscall(SYS_gettid)); // glibc 2.36 has no other name for it
    if (::timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer) != 0)
        throw std::system_error(errno, std::generic_category(), "a thread that runs scripts needs a timer");
    itimerspec period{};
    period.it_value.tv_nsec = period.it_interval.tv_nsec = tick.count();
    ::timer_settime(timer, 0, &period, nullptr);
}

} // namespace

slice::slice(lua_State* running, duration budget, void (*on_overrun)(lua_State*)) {
    thread_local watch mine;
    this_thread = &mine;
    mine.on_overrun = on_overrun;
    mine.over = 0;
    mine.ticks_left = (budget + tick - 1ns) / tick; // the tick that is under way counts as none
    std::atomic_signal_fence(std::memory_order_seq_cst);
    mine.running = running;
}

slice::~slice() {
    auto* const L = this_thread->running;
    this_thread->running = nullptr;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    // From here on no signal touches the thread; one that came at the last moment may have left its hook.
    lua_sethook(L, nullptr, 0, 0);
}

bool slice::over() noexcept { return this_thread != nullptr && this_thread->running != nullptr && this_thread->over != 0; }

} // namespace strowger::dialplan
