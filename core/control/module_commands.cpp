// module list, load, unload, reload, leases.
#include "core/control/commands.hpp"
#include "core/engine.hpp"

namespace strowger::control {
namespace {

constexpr duration short_wait = 300ms; // a module that nobody uses is gone by then

task<std::vector<std::string>> at_once(std::vector<std::string> words) { co_return words; }

std::vector<std::string> running_names(engine& core) {
    std::vector<std::string> out;
    for (const auto& l : core.modules().list())
        if (l.state == "running" || l.state == "draining") out.push_back(l.name);
    return out;
}

std::function<task<std::vector<std::string>>(std::vector<std::string>)> completes_running(engine& core) {
    return [&core](std::vector<std::string>) { return at_once(running_names(core)); };
}

value lease_rows(const std::vector<lease_line>& lines) {
    value::list rows;
    for (const auto& l : lines) rows.push_back(value::table{{"user", l.user}, {"seconds", to_number(l.since)}});
    return rows;
}

result<command_reply> list(engine& core, command_arguments a) {
    if (a.has("--available")) {
        value::list rows;
        for (const auto& name : core.modules().available())
            rows.push_back(value::table{{"name", name}, {"running", core.modules().running(name)}});
        return command_reply{std::move(rows), {}, {"name", "running"}};
    }
    value::list rows;
    for (const auto& m : core.modules().list())
        rows.push_back(value::table{{"name", m.name}, {"version", m.version}, {"generation", m.generation}, {"state", m.state},
                                    {"users", m.leases}, {"seconds", to_number(m.in_state)}, {"maturity", m.maturity},
                                    {"summary", m.summary}, {"file", m.file.string()}});
    return command_reply{
        std::move(rows), {}, {"name", "version", "generation", "state", "users", "seconds", "maturity", "summary"}};
}

result<std::optional<duration>> deadline_of(const command_arguments& a) {
    if (a.has("--now")) return std::optional<duration>(duration(0));
    const auto it = a.options.find("--hang-up-after");
    if (it == a.options.end()) return std::optional<duration>();
    const auto seconds = to_seconds(it->second);
    if (!seconds) return fail(seconds);
    return std::optional<duration>(*seconds);
}

// Plain functions make the tables: GCC 12 destroys braced lists of objects twice inside a coroutine.
command_reply unloaded(const std::string& name) { return text_reply(name + " is unloaded\n", value::table{{"gone", true}}); }
command_reply draining(const std::string& name, const std::vector<lease_line>& users) {
    return text_reply(
        fmt::format("{} is being unloaded and goes with its last user; `module leases {}` lists them\n", name, name),
        value::table{{"gone", false}, {"users", lease_rows(users)}});
}
command_reply reloaded(engine& core, const std::string& name) {
    value::table data;
    for (const auto& l : core.modules().list())
        if (l.name == name && l.state == "running") data = {{"version", l.version}, {"generation", l.generation}};
    return text_reply(name + " is reloaded\n", std::move(data));
}

task<result<command_reply>> unload(engine& core, command_arguments a) {
    const auto deadline = deadline_of(a);
    if (!deadline) co_return fail(deadline);
    module_loader::unload_options how;
    how.hang_up_after = *deadline;
    how.with_users = a.has("--with-users");
    const auto users = core.modules().unload(a.words[0], how);
    if (!users) co_return fail(users);
    auto waiting = core.modules().wait_gone(a.words[0], short_wait);
    const bool gone = co_await waiting;
    if (gone) co_return unloaded(a.words[0]);
    const auto still = core.modules().leases(a.words[0]);
    co_return draining(a.words[0], still ? *still : *users);
}

task<result<command_reply>> reload(engine& core, command_arguments a) {
    const auto deadline = deadline_of(a);
    if (!deadline) co_return fail(deadline);
    auto work = core.modules().reload(a.words[0], *deadline);
    const auto done = co_await work;
    if (!done) co_return fail(done);
    co_return reloaded(core, a.words[0]);
}

} // namespace

void add_module_commands(engine& core) {
    command head{"module list", "[--available]", "Modules that are loaded, or those that could be",
                 "Shows every generation of every module, its state and how many use it.\nExample: module list --available", {}};
    add_plain(core, std::move(head), [&core](command_arguments a) { return list(core, std::move(a)); });

    head = {"module load", "NAME", "Loads a module",
            "NAME is a file of the module directory without \".so\", or a path. Nothing remains of a module that fails to load.\n"
            "Example: module load echo", {}};
    head.complete = [&core](std::vector<std::string>) {
        auto names = core.modules().available();
        std::erase_if(names, [&core](const std::string& n) { return core.modules().running(n); });
        return at_once(std::move(names));
    };
    add_plain(core, std::move(head), [&core](command_arguments a) -> result<command_reply> {
        if (auto loaded = core.modules().load(a.words[0]); !loaded) return fail(loaded);
        return text_reply(a.words[0] + " is running\n");
    });

    head = {"module unload",
            "NAME [--now] [--hang-up-after SECONDS] [--with-users]",
            "Takes a module out, with calls in progress",
            "Nobody new finds the module; it leaves memory when its last user has ended. --hang-up-after ends the calls that "
            "still use it\n"
            "after so many seconds, --now at once. --with-users unloads the modules that need it first.\n"
            "Example: module unload echo --hang-up-after 30",
            {}};
    head.complete = completes_running(core);
    add_waiting(core, std::move(head), [&core](command_arguments a) { return unload(core, std::move(a)); });

    head = {"module reload",
            "NAME [--now] [--hang-up-after SECONDS]",
            "Takes a new build of a module into service",
            "New calls get the new build, calls in progress end on the old one. A module that owns a port drains first. When the "
            "new build\n"
            "cannot be loaded, the old one stays.\nExample: module reload auto_attendant",
            {}};
    head.complete = completes_running(core);
    add_waiting(core, std::move(head), [&core](command_arguments a) { return reload(core, std::move(a)); });

    head = {"module leases", "NAME", "Who uses a module, and since when",
            "Lists calls, modules and console commands that keep the module's code in memory.\nExample: module leases sip", {}};
    head.complete = completes_running(core);
    add_plain(core, std::move(head), [&core](command_arguments a) -> result<command_reply> {
        const auto lines = core.modules().leases(a.words[0]);
        if (!lines) return fail(lines);
        return command_reply{lease_rows(*lines), {}, {"seconds", "user"}};
    });
}

} // namespace strowger::control
