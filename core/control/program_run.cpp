// `strowger run`: start, tell how to call it, stop well.
#include "core/base/log.hpp"
#include "core/control/commands.hpp"
#include "core/control/console_server.hpp"
#include "core/control/program.hpp"
#include "core/control/unix_socket.hpp"
#include "core/engine.hpp"
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <malloc.h>
#include <mutex>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace strowger::control {
namespace fs = std::filesystem;
namespace {

/// What runs on the control thread beside the engine: signals, the console, and the end of it all.
class program {
public:
    explicit program(engine& core) : core_(core) {}
    /// Takes SIGINT and SIGTERM; before any thread is made, so that all of them leave the two to us.
    static descriptor take_signals();

    /// On the control thread: modules, console, signals.
    result<> begin(descriptor signals, fs::path socket);
    /// On the control thread: frees what begin() made.
    void end();
    /// On the control thread: once; a second time the calls are ended at once.
    void stop(std::optional<duration> limit);
    /// The main thread: until the engine has stopped.
    void wait();
    /// The main thread: does `work` on the control thread and waits for it.
    void on_control(std::function<void()> work);

private:
    task<void> stopping(duration limit);
    void finished();

    engine& core_;
    descriptor signals_;
    fd_watch signal_watch_;
    std::unique_ptr<console_server> console_;
    std::unique_ptr<flow> stop_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool stopped_ = false;
};

descriptor program::take_signals() {
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN); // the write that a file size limit forbids then fails like one to a full disk
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGINT);
    ::sigaddset(&set, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    return descriptor(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

result<> program::begin(descriptor signals, fs::path socket) {
    signals_ = std::move(signals);
    signal_watch_ = core_.control().watch(signals_.get(), EPOLLIN, [this](std::uint32_t) {
        signalfd_siginfo info{};
        if (::read(signals_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return;
        log::info("core", "{}: the engine is stopping", info.ssi_signo == SIGINT ? "interrupted" : "asked to end");
        stop(std::nullopt);
    });
    add_commands(core_, [this](std::optional<duration> limit) { stop(limit); });
    console_ = std::make_unique<console_server>(core_.control(), core_.commands, std::move(socket));
    if (auto opened = console_->listen(); !opened) return opened;
    // An engine that can still take calls, emergency calls first, runs without the rest.
    if (auto loaded = core_.load_modules(); !loaded) {
        if (core_.drivers.names().empty()) return loaded;
        log::error("modules", "{}", loaded.error().text);
    }
    return {};
}

void program::end() {
    stop_.reset();
    console_.reset();
    signal_watch_.stop();
}

void program::stop(std::optional<duration> limit) {
    if (stop_) {
        log::info("core", "asked again: calls are ended now");
        core_.calls().end_all(hangup_cause::normal_unspecified, "operator");
        return;
    }
    stop_ = std::make_unique<flow>(core_.control());
    stop_->start(stopping(limit.value_or(core_.settings().engine.drain_limit)), [this] { finished(); });
}

task<void> program::stopping(duration limit) {
    auto work = core_.stop(limit);
    co_await work;
}

void program::finished() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
}

void program::wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopped_; });
}

void program::on_control(std::function<void()> work) {
    bool done = false;
    core_.control().post([&] {
        work();
        const std::lock_guard lock(mutex_);
        done = true;
        changed_.notify_all();
    });
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return done; });
}

/// How to make a first call.
void greet(const engine& core, const fs::path& socket) {
    const auto& s = core.settings();
    std::string users;
    for (const auto& [name, u] : s.users)
        if (!u.extension.empty()) users += (users.empty() ? "" : ", ") + fmt::format("{} ({})", name, u.extension);
    std::string addresses;
    if (const auto* list = s.module("sip")["listen"].items())
        for (const auto& a : *list) addresses += (addresses.empty() ? "" : ", ") + a.text_or("");
    fmt::print("Strowger runs. To call it, register a softphone:\n"
               "  SIP server   {}\n"
               "  users        {}\n"
               "  passwords    {}\n"
               "What happens to calls is in {}; after a change: dialplan reload\n"
               "Console: strowger console --socket {}\n",
               addresses.empty() ? "see [sip] in " + core.configuration().string() : addresses,
               users.empty() ? "none yet; add [users.<name>] to " + core.configuration().string() : users,
               core.secrets().file().string(), (s.dialplan.directory / "main.lua").string(), socket.string());
    std::fflush(stdout);
}

int complain(const std::string& why) {
    log::flush();
    fmt::print(stderr, "strowger: {}\n", why);
    return 1;
}

/// Memory of ended calls stays with its thread for the next ones, in place of going back and forth at each (0.1 CPU ms a call at
/// 300 calls/s; malloc's "fast bins", which put that off for an expensive moment, cost as much again).
void keep_memory_of_calls() {
    ::mallopt(M_TRIM_THRESHOLD, 64 << 20);
    ::mallopt(M_TOP_PAD, 1 << 20);
    ::mallopt(M_MXFAST, 0);
}

} // namespace

int run_engine(const program_options& o) {
    keep_memory_of_calls();
    auto settings = load_settings(o);
    if (!settings) return complain(settings.error().text);
    const auto& state = settings->engine.state_directory;
    std::error_code failed;
    fs::create_directories(state.parent_path(), failed);
    if (::mkdir(state.c_str(), 0700) != 0 && !fs::is_directory(state, failed))
        return complain(
            fmt::format("cannot make the state directory {}; choose one that can be written by --state", state.string()));
    const auto socket = socket_of(*settings, o);

    auto signals = program::take_signals();
    const real_clock time;
    engine::options options;
    options.configuration = settings->file;
    options.settings = std::move(*settings);
    options.keep_mapped = o.keep_mapped;
    engine core(std::move(options), time);
    if (auto started = core.start(); !started) return complain(started.error().text);
    program running(core);
    result<> begun;
    running.on_control([&] {
        begun = running.begin(std::move(signals), socket);
        if (!begun) running.stop(duration(0));
    });
    if (begun) greet(core, socket);
    running.wait();
    running.on_control([&running] { running.end(); });
    if (!begun) return complain(begun.error().text);
    log::info("core", "stopped");
    log::flush();
    return 0;
}

} // namespace strowger::control
