#include "core/modules/generation.hpp"
#include "core/base/log.hpp"
#include <pthread.h>

namespace strowger {
namespace {

std::string_view to_string(generation::state s) {
    switch (s) {
    case generation::state::loaded: return "loaded";
    case generation::state::running: return "running";
    case generation::state::draining: return "draining";
    case generation::state::stopping: return "stopping";
    case generation::state::stopped: return "stopped";
    case generation::state::gone: return "gone";
    }
    return "";
}

std::string_view to_string(maturity m) {
    switch (m) {
    case maturity::stable: return "stable";
    case maturity::preview: return "preview";
    case maturity::experimental: return "experimental";
    }
    return "";
}

} // namespace

generation::generation(module_host& h, unsigned n, std::filesystem::path f, module_library opened)
    : host(h), number(n), file(std::move(f)), name(opened.descriptor().name), version(opened.descriptor().version),
      summary(opened.descriptor().summary), level(opened.descriptor().level), exclusive(opened.descriptor().exclusive),
      since(h.control.now()), library(std::move(opened)) {}

result<> generation::create(const generation* predecessor) {
    // An exception's type may live in the module: it is caught, copied and let go while the library is open.
    std::string why;
    try {
        context = std::make_unique<module_context>(host, shared_from_this(), predecessor);
        object = library.descriptor().create(*context);
        if (object != nullptr) {
            context->publish();
            enter(state::running);
            return {};
        }
        why = "its constructor made nothing";
    } catch (const std::exception& e) {
        why = e.what();
    } catch (...) {
        why = "its constructor threw something that is not a std::exception";
    }
    context.reset();
    return fail("{}: {}", name, why);
}

std::uint64_t generation::take_lease(std::string user) {
    const std::lock_guard lock(mutex_);
    uses_.emplace(++next_, use{std::move(user), host.control.now()});
    return next_;
}

void generation::give_back(std::uint64_t key) noexcept {
    bool last = false;
    {
        const std::lock_guard lock(mutex_);
        uses_.erase(key);
        last = uses_.empty() && leaving_;
    }
    if (last) tell_idle();
}

void generation::tell_idle() noexcept {
    // In a handler of its own: whoever gave the lease back may still run below a frame of the module.
    host.control.post([self = shared_from_this()] {
        if (self->on_idle) self->on_idle(self);
    });
}

std::vector<lease_line> generation::leases() const {
    const std::lock_guard lock(mutex_);
    std::vector<lease_line> out;
    for (const auto& [key, u] : uses_) out.push_back({u.user, host.control.now() - u.since});
    return out;
}

std::size_t generation::lease_count() const {
    const std::lock_guard lock(mutex_);
    return uses_.size();
}

bool generation::leaving() const {
    const std::lock_guard lock(mutex_);
    return leaving_;
}

std::set<std::string> generation::calls_using() const {
    constexpr std::string_view opening = "call ";
    std::set<std::string> out;
    const std::lock_guard lock(mutex_);
    for (const auto& [key, u] : uses_)
        if (u.user.starts_with(opening))
            out.insert(u.user.substr(opening.size(), u.user.find(' ', opening.size()) - opening.size()));
    return out;
}

std::thread generation::start_thread(std::string thread_name, std::function<void()> body) {
    {
        const std::lock_guard lock(mutex_);
        ++threads_;
    }
    return std::thread([self = shared_from_this(), thread_name = std::move(thread_name), body = std::move(body)]() mutable {
        ::pthread_setname_np(::pthread_self(), thread_name.substr(0, 15).c_str());
        try {
            body();
        } catch (const std::exception& e) {
            log::error("modules", "{}: the thread {} ended by an error: {}", self->name, thread_name, e.what());
        } catch (...) {
            log::error("modules", "{}: the thread {} ended by an error", self->name, thread_name);
        }
        body = nullptr; // the module's code, while it is surely there
        {
            const std::lock_guard lock(self->mutex_);
            --self->threads_;
        }
        self->tell_idle();
    });
}

std::size_t generation::threads() const {
    const std::lock_guard lock(mutex_);
    return threads_;
}

void generation::enter(state s) {
    now = s;
    since = host.control.now();
    {
        const std::lock_guard lock(mutex_);
        leaving_ = s != state::loaded && s != state::running;
    }
    if (!host.tell) return;
    if (s == state::running) host.tell(event_kind::module_loaded, name, version, number);
    if (s == state::draining) host.tell(event_kind::module_draining, name, version, number);
    if (s == state::gone) host.tell(event_kind::module_gone, name, version, number);
}

std::string generation::label() const { return fmt::format("{} {}", name, number); }

module_line generation::line() const {
    module_line l;
    l.name = name;
    l.version = version;
    l.summary = summary;
    l.maturity = to_string(level);
    l.state = kept_mapped ? "kept mapped" : to_string(now);
    l.generation = number;
    l.file = file;
    l.leases = lease_count();
    l.in_state = host.control.now() - since;
    return l;
}

} // namespace strowger
