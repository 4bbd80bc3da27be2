#include "core/config/section.hpp"
#include "core/dialplan/runtime.hpp"
#include "core/dialplan/lint.hpp"
#include "core/dialplan/script.hpp"
#include "core/dialplan/state.hpp"
#include "core/engine.hpp"
#include <algorithm>
#include <mutex>

namespace strowger {
namespace {

using dialplan::script;
using dialplan::state;

constexpr int most_redirections = 50; // go_to in a circle ends there

/// All states of one reading of the files.
struct loaded_version {
    std::string name;
    std::vector<std::shared_ptr<state>> states; // one for each worker
};

/// How a script ended, other than with the call.
struct ending {
    std::optional<std::string> error;
    std::optional<call_redirected> elsewhere;
};

task<ending> run_function(std::shared_ptr<state> in, call& c, int function) {
    ending out;
    try {
        script flow(in, &c, script::kind::flow);
        lua_rawgeti(flow.lua(), LUA_REGISTRYINDEX, function);
        flow.push_call();
        auto work = flow.run(1);
        if (auto ran = co_await work; !ran) out.error = ran.error().text;
    } catch (const call_redirected& r) {
        out.elsewhere = r;
    }
    co_return out;
}

task<void> apologize(call& c) {
    auto message = prompt_list("technical-problem");
    auto work = c.play(std::move(message));
    co_await work;
    c.hang_up(hangup_cause::temporary_failure);
}

} // namespace

struct dialplan_runtime::impl {
    engine& core;
    dialplan_runtime::options options;
    mutable std::mutex mutex;
    std::shared_ptr<const loaded_version> current;
    /// Versions that calls may still hold, the newest last.
    std::vector<std::pair<std::string, std::vector<std::weak_ptr<state>>>> known;
    std::optional<store::table> kept;

    impl(engine& e, dialplan_runtime::options o) : core(e), options(std::move(o)) {}

    std::shared_ptr<state> state_for(const worker& w) const {
        const std::lock_guard lock(mutex);
        return current ? current->states[core.index_of(w)] : nullptr;
    }
    task<void> follow(call& c, std::shared_ptr<state> in, std::string context, std::string extension);
    task<void> dial_target(call& c, std::string target);
};

/// A transfer to a target: the call is over when that talk is.
task<void> dialplan_runtime::impl::dial_target(call& c, std::string target) {
    auto o = dial_options(target);
    auto work = c.dial(std::move(o));
    const auto r = co_await work;
    if (r.status != dial_status::answered && r.status != dial_status::transferred) {
        log::info(c, "transferred to {}: {}", target, to_string(r.status));
        c.hang_up(r.cause);
    }
}

task<void> dialplan_runtime::impl::follow(call& c, std::shared_ptr<state> in, std::string context, std::string extension) {
    bool failed = false; // a script failed already: what the fallback does wrong has no second one
    for (int steps = 0; steps < most_redirections; ++steps) {
        if (!in->contexts.contains(context)) {
            log::error(c, "there is no context \"{}\" in the dialplan", context);
            c.hang_up(hangup_cause::no_route);
        }
        const auto found = in->contexts.find(context, extension);
        c.at(context, extension, found ? *found->pattern : "");
        auto function = found ? std::optional(found->function) : in->contexts.invalid(context);
        if (!function) {
            log::info(c, "no extension {} in context \"{}\"", extension, context);
            c.hang_up(hangup_cause::unallocated);
        }
        auto work = run_function(in, c, *function);
        auto end = co_await work;
        if (end.error) {
            log::error(c, "extension {} in context \"{}\" failed: {}", extension, context, *end.error);
            const auto own = failed ? std::nullopt : in->contexts.fallback(context);
            if (own) {
                auto again = run_function(in, c, *own);
                end = co_await again;
                if (end.error) log::error(c, "the fallback of context \"{}\" failed: {}", context, *end.error);
            }
            if (end.error && !failed && !options.fallback_extension.empty() &&
                in->contexts.find(options.fallback_context, options.fallback_extension)) {
                failed = true;
                context = options.fallback_context;
                extension = options.fallback_extension;
                continue;
            }
            if (end.error) {
                auto sorry = apologize(c);
                co_await sorry;
            }
            failed = true;
        }
        if (!end.elsewhere) co_return;
        if (end.elsewhere->is_target()) {
            auto target = end.elsewhere->extension();
            auto dialling = dial_target(c, std::move(target));
            co_await dialling;
            co_return;
        }
        extension = end.elsewhere->extension();
        if (!end.elsewhere->context().empty()) context = end.elsewhere->context();
    }
    log::error(c, "the dialplan sent the call on {} times; the last was to extension {} in context \"{}\"", most_redirections,
               extension, context);
    c.hang_up(hangup_cause::temporary_failure);
}

dialplan_runtime::dialplan_runtime(engine& core, options o) : impl_(std::make_unique<impl>(core, std::move(o))) {}
dialplan_runtime::~dialplan_runtime() = default;

result<> dialplan_runtime::load() {
    auto& me = *impl_;
    const auto files = dialplan::sources::read(me.options.directory);
    if (!files) return fail(files);
    if (!me.kept) {
        auto table = me.core.storage().open_table("dialplan");
        if (!table) return fail(table);
        me.kept = *table;
    }
    const dialplan::limits limits{me.options.cpu_budget, 10s, me.options.memory_per_call, me.options.memory_limit};
    auto next = std::make_shared<loaded_version>();
    next->name = files->version;
    for (std::size_t i = 0; i < me.core.worker_count(); ++i) {
        auto built = state::build(*files, limits, {&me.core.time(), &me.core, me.kept}, &me.core.call_worker(i));
        if (!built) return fail(built);
        next->states.push_back(std::move(*built));
    }
    log::info("dialplan", "version {} from {}", next->name, me.options.directory.string());
    std::shared_ptr<const loaded_version> before; // goes outside the lock
    const std::lock_guard lock(me.mutex);
    std::erase_if(me.known, [](const auto& k) {
        return std::all_of(k.second.begin(), k.second.end(), [](const auto& s) { return s.expired(); });
    });
    me.known.emplace_back(next->name, std::vector<std::weak_ptr<state>>(next->states.begin(), next->states.end()));
    before = std::exchange(me.current, std::move(next));
    return {};
}

task<void> dialplan_runtime::run(call& c) {
    auto in = impl_->state_for(c.home());
    if (!in) {
        log::error(c, "no dialplan is loaded");
        c.hang_up(hangup_cause::temporary_failure);
    }
    const dialplan::pinned use(in);
    auto context = !c.context().empty()         ? c.context()
                   : !c.facts().context.empty() ? c.facts().context
                                                : impl_->options.default_context;
    auto extension = c.extension();
    auto story = impl_->follow(c, std::move(in), std::move(context), std::move(extension));
    co_await story;
}

std::vector<std::string> dialplan_runtime::check(const std::filesystem::path& directory) {
    const auto files = dialplan::sources::read(directory);
    if (!files) return {files.error().text};
    std::vector<std::string> out;
    const real_clock time;
    auto built = state::build(*files, {}, {&time, nullptr, std::nullopt}, nullptr);
    for (const auto& [name, text] : files->files) {
        if (name.ends_with(".toml")) {
            if (const auto data = config::parse_toml(text, name); !data) out.push_back(data.error().text);
            continue;
        }
        auto here = dialplan::lint(name, text);
        out.insert(out.end(), here.begin(), here.end());
    }
    if (!built && std::find(out.begin(), out.end(), built.error().text) == out.end()) out.insert(out.begin(), built.error().text);
    return out;
}

std::string dialplan_runtime::version() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->current ? impl_->current->name : "";
}

std::vector<dialplan_runtime::hint> dialplan_runtime::hints() const {
    const std::lock_guard lock(impl_->mutex);
    std::vector<hint> out;
    if (impl_->current && !impl_->current->states.empty())
        for (const auto& [name, c] : impl_->current->states[0]->contexts.all())
            for (const auto& [extension, target] : c.hints) out.push_back({name, extension, target});
    return out;
}

value dialplan_runtime::show() const {
    const std::lock_guard lock(impl_->mutex);
    value::table out;
    out["directory"] = impl_->options.directory.string();
    out["version"] = impl_->current ? impl_->current->name : "";
    value::list versions;
    for (const auto& [name, states] : impl_->known) {
        std::int64_t calls = 0;
        bool alive = false;
        for (const auto& weak : states)
            if (const auto s = weak.lock()) {
                calls += s->users.load();
                alive = true;
            }
        if (alive) versions.emplace_back(value::table{{"version", value(name)}, {"calls", value(calls)}});
    }
    out["versions"] = std::move(versions);
    value::table contexts;
    if (impl_->current && !impl_->current->states.empty())
        for (const auto& [name, c] : impl_->current->states[0]->contexts.all()) {
            value::list extensions, includes;
            for (const auto& e : c.extensions.patterns()) extensions.push_back(e);
            for (const auto& i : c.includes) includes.push_back(i);
            contexts[name] = value::table{
                {"place", value(c.place)}, {"extensions", value(std::move(extensions))}, {"include", value(std::move(includes))}};
        }
    out["contexts"] = std::move(contexts);
    return out;
}

} // namespace strowger
