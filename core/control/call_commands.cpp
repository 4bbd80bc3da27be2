// call list, show, hang up; dialplan show, reload; user list; channel drivers.
#include "core/async/ask.hpp"
#include "core/control/commands.hpp"
#include "core/engine.hpp"

namespace strowger::control {
namespace {

constexpr std::size_t ended_shown = 50;

// Plain functions make the rows: GCC 12 destroys braced lists of objects twice inside a coroutine.
command_reply ended_rows(std::vector<value> records) {
    return {value(std::move(records)), {}, {"id", "began", "from", "to", "answered", "seconds", "cause", "ended_by"}};
}
command_reply live_rows(const std::vector<call_line>& lines) {
    value::list rows;
    for (const auto& c : lines)
        rows.push_back(value::table{{"id", c.id}, {"from", c.from}, {"to", c.to}, {"source", c.source}, {"state", c.state},
                                    {"doing", c.doing}, {"context", c.context}, {"extension", c.extension}, {"codec", c.codec},
                                    {"seconds", to_number(c.age)}, {"answered", c.answered}, {"emergency", c.emergency}});
    return {std::move(rows), {}, {"id", "from", "to", "state", "doing", "extension", "codec", "seconds", "source"}};
}
command_reply one_field(std::string text, const char* name, value v) {
    return text_reply(std::move(text), value::table{{name, std::move(v)}});
}

task<result<command_reply>> list_calls(engine& core, command_arguments a) {
    if (a.has("--ended")) {
        std::function<std::vector<value>()> read = [&core] { return core.ledger().newest(ended_shown); };
        auto reading = ask(core.files(), std::move(read));
        auto records = co_await reading;
        co_return ended_rows(std::move(records));
    }
    auto asking = core.calls().list();
    const auto lines = co_await asking;
    co_return live_rows(lines);
}

task<result<command_reply>> show_call(engine& core, command_arguments a) {
    auto asking = core.calls().show(a.words[0]);
    auto live = co_await asking;
    if (!live) {
        std::function<std::optional<value>()> find = [&core, id = a.words[0]] { return core.ledger().find(id); };
        auto finding = ask(core.files(), std::move(find));
        live = co_await finding;
    }
    command_reply reply;
    if (live) {
        reply.data = std::move(*live);
        co_return reply;
    }
    co_return fail("there is no call {}; see: call list, call list --ended", a.words[0]);
}

task<result<command_reply>> hang_up(engine& core, command_arguments a) {
    if (a.words[0] == "all") {
        const auto count = core.calls().count();
        core.calls().end_all(hangup_cause::normal, "operator");
        co_return one_field(fmt::format("{} calls are being ended\n", count), "calls", count);
    }
    auto asking = core.calls().hang_up(a.words[0], hangup_cause::normal);
    const bool found = co_await asking;
    if (!found) co_return fail("there is no call {}; `call list` names those that are", a.words[0]);
    co_return text_reply("call " + a.words[0] + " is being ended\n");
}

task<std::vector<std::string>> call_ids(engine& core, bool with_all) {
    auto asking = core.calls().list();
    const auto lines = co_await asking;
    std::vector<std::string> ids;
    for (const auto& c : lines) ids.push_back(c.id);
    if (with_all) ids.emplace_back("all");
    co_return ids;
}

task<result<command_reply>> reload_dialplan(engine& core) {
    std::function<result<>()> load = [&core] { return core.load_dialplan(); };
    auto asking = ask(core.files(), std::move(load));
    const auto loaded = co_await asking;
    if (!loaded) co_return fail("{}; the dialplan that runs stays in service", loaded.error().text);
    const auto version = core.dialplan().version();
    co_return one_field(fmt::format("dialplan {} is in service for new calls\n", version), "version", version);
}

/// "talking", "idle", "offline", or "unknown" for what is no user.
std::string state_of(engine& core, const std::string& target) {
    const auto devices = core.resolve(target);
    if (!devices) return "unknown";
    if (devices->empty()) return "offline";
    if (devices->front().user.empty()) return "unknown";
    return core.activity().talks(devices->front().user) ? "talking" : "idle";
}

result<command_reply> list_hints(engine& core) {
    value::list rows;
    for (const auto& h : core.dialplan().hints())
        rows.push_back(value::table{{"context", h.context}, {"extension", h.extension}, {"target", h.target},
                                    {"state", state_of(core, h.target)}});
    return command_reply{std::move(rows), {}, {"context", "extension", "target", "state"}};
}

result<command_reply> list_users(engine& core) {
    value::list rows;
    for (const auto& [name, u] : core.settings().users) {
        value::list devices;
        for (const auto& b : core.locations().bindings_of(name)) devices.push_back(value(b.driver + "/" + b.address));
        rows.push_back(value::table{{"name", name}, {"extension", u.extension}, {"display_name", u.display_name},
                                    {"context", u.context}, {"registered", std::move(devices)}});
    }
    return command_reply{std::move(rows), {}, {"name", "extension", "display_name", "context", "registered"}};
}

} // namespace

void add_call_commands(engine& core) {
    command head{"call list", "[--ended]", "Calls in progress, or the last that ended",
                 "Shows who calls whom, since when, and what the call does now.\nExample: call list --ended", {}};
    add_waiting(core, std::move(head), [&core](command_arguments a) { return list_calls(core, std::move(a)); });

    head = {"call show", "ID", "All that is known about a call, live or ended",
            "Its legs, who talked to whom, the steps of the dialplan and why it ended.\nExample: call show 7f3a90b1c2d4", {}};
    head.complete = [&core](std::vector<std::string>) { return call_ids(core, false); };
    add_waiting(core, std::move(head), [&core](command_arguments a) { return show_call(core, std::move(a)); });

    head = {"call hang up", "ID", "Ends a call, or all",
            "ID is that of `call list`, or \"all\".\nExample: call hang up 7f3a90b1c2d4", {}};
    head.complete = [&core](std::vector<std::string>) { return call_ids(core, true); };
    add_waiting(core, std::move(head), [&core](command_arguments a) { return hang_up(core, std::move(a)); });

    head = {"dialplan show", "", "Contexts, extensions and versions of the dialplan",
            "Calls in progress keep the version with which they began.\nExample: dialplan show", {}};
    add_plain(core, std::move(head), [&core](command_arguments) -> result<command_reply> {
        return command_reply{core.dialplan().show(), {}, {}};
    });

    head = {"dialplan hints", "", "Whose state extensions show, and what it is now",
            "They come from `hint` of the contexts: idle, talking, offline or unknown.\nExample: dialplan hints", {}};
    add_plain(core, std::move(head), [&core](command_arguments) { return list_hints(core); });

    head = {"dialplan reload", "", "Takes changed scripts into service",
            "New calls run the new scripts, calls in progress end on the old ones. Scripts with an error change nothing.\n"
            "Example: dialplan reload", {}};
    add_waiting(core, std::move(head), [&core](command_arguments) { return reload_dialplan(core); });

    head = {"user list", "", "Users, their extensions and where they are registered",
            "Passwords are never shown; they are in the file that `core show` names.\nExample: user list", {}};
    add_plain(core, std::move(head), [&core](command_arguments) { return list_users(core); });

    head = {"channel drivers",
            "",
            "Channel drivers that modules offer",
            "What a target may begin with: sip/…, loop/….\nExample: channel drivers",
            {}};
    add_plain(core, std::move(head), [&core](command_arguments) -> result<command_reply> {
        value::list rows;
        for (const auto& name : core.drivers.names())
            if (const auto d = core.drivers.find(name, "console"))
                rows.push_back(value::table{{"name", name}, {"rtp", d->what->uses_rtp()}});
        return command_reply{std::move(rows), {}, {"name", "rtp"}};
    });
}

} // namespace strowger::control
