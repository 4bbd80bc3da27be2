#include "core/modules/loader.hpp"
#include "core/async/signal.hpp"
#include "core/base/log.hpp"
#include "core/modules/generation.hpp"
#include <algorithm>
#include <fmt/ranges.h>

namespace strowger {
namespace fs = std::filesystem;
namespace {

// A deadline ends the users' calls again and again: one may have been on its way into the module the first time.
constexpr duration hang_up_again = 1s;
// What calls may take to end after they were told to.
constexpr duration patience = 30s;

using generations = std::vector<std::shared_ptr<generation>>;
using state = generation::state;

std::string names_of(const generations& list) {
    std::vector<std::string> names;
    for (const auto& g : list) names.push_back(g->name);
    return fmt::format("{}", fmt::join(names, ", "));
}

} // namespace

struct module_loader::impl : std::enable_shared_from_this<module_loader::impl> {
    impl(module_host h, options given) : host(std::move(h)), o(std::move(given)) {}

    std::shared_ptr<generation> running(std::string_view name) const {
        const auto it =
            std::find_if(all.begin(), all.end(), [&](const auto& g) { return g->name == name && g->now == state::running; });
        return it == all.end() ? nullptr : *it;
    }
    /// Those that run and need `g`, and so on, the last user first.
    generations users_of(const std::shared_ptr<generation>& g) const {
        generations out;
        for (const auto& other : all) {
            if (std::find(other->providers.begin(), other->providers.end(), g) == other->providers.end()) continue;
            for (auto& user : users_of(other))
                if (std::find(out.begin(), out.end(), user) == out.end()) out.push_back(std::move(user));
            if (std::find(out.begin(), out.end(), other) == out.end()) out.push_back(other);
        }
        return out;
    }

    result<fs::path> find(const std::string& name_or_path) const;
    result<std::shared_ptr<generation>> open(const fs::path& file);
    result<> take_needs(generation& g);
    result<> begin(const std::shared_ptr<generation>& g, const generation* predecessor);
    void drain(const std::shared_ptr<generation>& g, std::optional<duration> hang_up_after);
    void hang_up_after(const std::shared_ptr<generation>& g, duration delay);
    void idle(const std::shared_ptr<generation>& g);
    void stop(const std::shared_ptr<generation>& g);
    void close(const std::shared_ptr<generation>& g);

    module_host host;
    const options o;
    generations all; // also those that drain, and those that keep_mapped keeps
    unsigned count = 0;
    bool closing = false;
    signal changed;
};

result<fs::path> module_loader::impl::find(const std::string& name_or_path) const {
    if (name_or_path.find('/') != std::string::npos) return fs::path(name_or_path);
    const auto name = name_or_path.ends_with(".so") ? name_or_path.substr(0, name_or_path.size() - 3) : name_or_path;
    std::error_code ec;
    auto file = o.directory / (name + ".so");
    if (name.empty() || !fs::exists(file, ec))
        return fail("there is no module \"{}\" in {}; `module list --available` names those that are there", name,
                    o.directory.string());
    return file;
}

result<> module_loader::impl::take_needs(generation& g) {
    for (auto need = g.library.descriptor().needs; need != nullptr && *need != nullptr; ++need) {
        auto provider = running(*need);
        if (!provider)
            return fail("{} needs the module {}, which is not running; load that first: module load {}", g.name, *need, *need);
        g.needs.emplace_back(provider, "module " + g.label());
        g.providers.push_back(std::move(provider));
    }
    return {};
}

result<std::shared_ptr<generation>> module_loader::impl::open(const fs::path& file) {
    if (closing) return fail("the engine is stopping: no modules are loaded any more");
    const auto number = ++count;
    auto library =
        module_library::open(file, o.run_directory / fmt::format("{}.{}.so", file.stem().string(), number), o.keep_mapped);
    if (!library) return fail(library);
    auto g = std::make_shared<generation>(host, number, file, std::move(*library));
    if (auto had = take_needs(*g); !had) return fail(had);
    g->on_idle = [weak = weak_from_this()](const std::shared_ptr<generation>& who) {
        if (const auto self = weak.lock()) self->idle(who);
    };
    return g;
}

result<> module_loader::impl::begin(const std::shared_ptr<generation>& g, const generation* predecessor) {
    if (auto made = g->create(predecessor); !made) return fail(made);
    all.push_back(g);
    log::info("modules", "{} {} is running (generation {}, {})", g->name, g->version, g->number, g->file.string());
    changed.notify();
    return {};
}

void module_loader::impl::drain(const std::shared_ptr<generation>& g, std::optional<duration> deadline) {
    if (g->now == state::running) {
        g->context->withdraw();
        g->enter(state::draining);
        const auto users = g->lease_count();
        log::info("modules", "{} is being unloaded; it has {} user{}", g->label(), users, users == 1 ? "" : "s");
        host.control.post([self = shared_from_this(), g] { self->idle(g); });
    }
    if (deadline && g->now == state::draining) hang_up_after(g, *deadline);
    changed.notify();
}

void module_loader::impl::hang_up_after(const std::shared_ptr<generation>& g, duration delay) {
    g->deadline = host.control.after(delay, [weak_self = weak_from_this(), weak_g = std::weak_ptr(g)] {
        const auto self = weak_self.lock();
        const auto who = weak_g.lock();
        if (!self || !who || who->now != state::draining) return;
        if (auto ids = who->calls_using(); !ids.empty() && self->host.end_calls) self->host.end_calls(std::move(ids));
        self->hang_up_after(who, hang_up_again);
    });
}

void module_loader::impl::idle(const std::shared_ptr<generation>& g) {
    if (g->lease_count() != 0) return;
    if (g->now == state::draining)
        stop(g);
    else if (g->now == state::stopped && g->threads() == 0)
        close(g);
}

void module_loader::impl::stop(const std::shared_ptr<generation>& g) {
    g->deadline.cancel();
    g->enter(state::stopping);
    host.aside.post([self = shared_from_this(), g]() mutable {
        try {
            g->object->stop();
        } catch (const std::exception& e) {
            log::error("modules", "{}: its stop() failed: {}", g->label(), e.what());
        } catch (...) {
            log::error("modules", "{}: its stop() failed", g->label());
        }
        auto& control = self->host.control;
        control.post([self = std::move(self), g = std::move(g)] {
            g->object.reset();
            g->context.reset();
            g->enter(state::stopped);
            self->host.control.post([self, g] { self->idle(g); }); // closing has a handler of its own
        });
    });
}

void module_loader::impl::close(const std::shared_ptr<generation>& g) {
    const bool unmapped = g->library.close();
    g->enter(state::gone);
    g->needs.clear();
    g->providers.clear();
    if (o.keep_mapped) g->kept_mapped = true;
    else std::erase(all, g);
    if (unmapped || o.keep_mapped) log::info("modules", "{} is gone{}", g->label(), o.keep_mapped ? ", but kept mapped" : "");
    else
        log::error("modules",
                   "{} was closed, but is still mapped: a thread_local, a GNU unique symbol or another library holds it",
                   g->label());
    changed.notify();
}

module_loader::module_loader(module_host host, options o) : impl_(std::make_shared<impl>(std::move(host), std::move(o))) {
    remove_old_copies(impl_->o.run_directory);
}

module_loader::~module_loader() {
    bool left = false;
    for (const auto& g : impl_->all) {
        if (g->now == state::gone) continue;
        log::error("modules", "{} is still {} at the end of the engine and is left as it is", g->label(), g->line().state);
        left = true;
    }
    if (left) new std::shared_ptr<impl>(std::move(impl_)); // on purpose: the code may be in use, and leases still come back
}

result<> module_loader::load(const std::string& name_or_path) {
    const auto file = impl_->find(name_or_path);
    if (!file) return fail(file);
    const auto name = file->stem().string();
    if (impl_->running(name)) return fail("{} is running already; a new build of it is taken by: module reload {}", name, name);
    auto g = impl_->open(*file);
    if (!g) return fail(g);
    for (const auto& other : impl_->all)
        if (other->name == name && other->now != state::gone && (other->exclusive || (*g)->exclusive))
            return fail("{} is still {}, and two of it cannot run at once; see: module leases {}", other->label(),
                        other->line().state, name);
    return impl_->begin(*g, nullptr);
}

result<std::vector<lease_line>> module_loader::unload(const std::string& name, unload_options o) {
    const auto g = impl_->running(name);
    if (!g) {
        // Already on its way: a deadline may still be set.
        bool any = false;
        for (const auto& other : generations(impl_->all)) {
            if (other->name != name || other->now == state::gone) continue;
            any = true;
            if (other->now == state::draining) impl_->drain(other, o.hang_up_after);
        }
        if (any) return leases(name);
        return fail("the module \"{}\" is not running; `module list` names those that are", name);
    }
    const auto users = impl_->users_of(g);
    if (!users.empty() && !o.with_users)
        return fail("{} is needed by {}; unload that first, or all together: module unload {} --with-users", name,
                    names_of(users), name);
    for (const auto& user : users) impl_->drain(user, o.hang_up_after);
    impl_->drain(g, o.hang_up_after);
    return g->leases();
}

task<result<>> module_loader::reload(std::string name, std::optional<duration> hang_up_after) {
    const auto self = impl_;
    const auto old = self->running(name);
    if (!old) co_return fail("the module \"{}\" is not running; load it with: module load {}", name, name);
    auto opened = self->open(old->file);
    if (!opened) co_return fail(opened);
    const auto fresh = std::move(*opened);
    opened = nullptr;
    if (!old->exclusive && !fresh->exclusive) {
        if (auto begun = self->begin(fresh, old.get()); !begun) co_return fail(begun);
        self->drain(old, hang_up_after);
        co_return result<>{};
    }
    if (const auto users = self->users_of(old); !users.empty())
        co_return fail("{} is needed by {}, and two generations of it cannot run at once: unload that first", name,
                       names_of(users));
    self->drain(old, hang_up_after);
    while (old->now != state::gone) co_await wait_for(self->changed);
    if (self->closing) co_return fail("the engine is stopping: {} is not loaded again", name);
    if (self->running(name)) co_return fail("{} was loaded by somebody else meanwhile", name);
    if (auto begun = self->begin(fresh, nullptr); !begun)
        co_return fail("{}; the old generation has stopped already, so that {} does not run now", begun.error().text, name);
    co_return result<>{};
}

task<bool> module_loader::wait_gone(std::string name, duration at_most) {
    const auto self = impl_;
    const auto deadline = self->host.control.now() + at_most;
    const auto here = [&self, &name] {
        return std::any_of(self->all.begin(), self->all.end(),
                           [&](const auto& g) { return g->name == name && g->now != state::gone; });
    };
    while (here())
        if (!co_await wait_until(self->changed, deadline)) co_return !here();
    co_return true;
}

task<void> module_loader::unload_all(duration limit) {
    const auto self = impl_;
    self->closing = true;
    const auto deadline = self->host.control.now() + limit + patience;
    const auto here = [&self] {
        return std::any_of(self->all.begin(), self->all.end(), [](const auto& g) { return g->now != state::gone; });
    };
    for (const auto& g : generations(self->all)) self->drain(g, limit);
    while (here())
        if (!co_await wait_until(self->changed, deadline)) break;
    for (const auto& g : self->all)
        for (const auto& l : g->leases()) log::error("modules", "{} is still used by: {}", g->label(), l.user);
}

std::vector<module_line> module_loader::list() const {
    std::vector<module_line> out;
    for (const auto& g : impl_->all) out.push_back(g->line());
    std::sort(out.begin(), out.end(),
              [](const auto& a, const auto& b) { return std::tie(a.name, a.generation) < std::tie(b.name, b.generation); });
    return out;
}

result<std::vector<lease_line>> module_loader::leases(const std::string& name) const {
    std::vector<lease_line> out;
    bool any = false;
    for (const auto& g : impl_->all) {
        if (g->name != name) continue;
        any = true;
        for (auto& l : g->leases()) out.push_back(std::move(l));
    }
    if (!any) return fail("the module \"{}\" is not loaded; `module list` names those that are", name);
    return out;
}

bool module_loader::running(std::string_view name) const { return impl_->running(name) != nullptr; }

std::vector<std::string> module_loader::available() const {
    std::vector<std::string> out;
    std::error_code ec;
    for (const auto& entry : fs::directory_iterator(impl_->o.directory, ec))
        if (entry.path().extension() == ".so") out.push_back(entry.path().stem().string());
    std::sort(out.begin(), out.end());
    return out;
}

} // namespace strowger
