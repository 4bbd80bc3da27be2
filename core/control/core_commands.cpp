// core show, stop; log level; help.
#include "core/base/log.hpp"
#include "core/control/commands.hpp"
#include "core/engine.hpp"
#include "strowger_abi.hpp"
#include <fstream>
#include <iterator>

namespace strowger::control {
namespace {

value worker_rows(engine& core) {
    value::list rows;
    const auto row = [&rows](const worker& w) {
        const auto f = w.load();
        rows.push_back(value::table{{"thread", w.name()}, {"handlers", f.handlers}, {"busy_seconds", to_number(f.busy)},
                                    {"longest_ms", to_number(f.longest) * 1000}, {"queued", f.queued}});
    };
    row(core.control());
    row(core.files());
    for (std::size_t i = 0; i < core.worker_count(); ++i) row(core.call_worker(i));
    return rows;
}

result<command_reply> show(engine& core, instant began) {
    const auto ports = core.media().ports();
    const auto load = core.load().now();
    std::size_t running = 0;
    for (const auto& m : core.modules().list())
        if (m.state == "running") ++running;
    return command_reply{
        value::table{{"version", STROWGER_VERSION},
                     {"abi", STROWGER_ABI_TEXT},
                     {"up_seconds", to_number(core.time().now() - began)},
                     {"configuration", core.configuration().string()},
                     {"state_directory", core.state_directory().string()},
                     {"passwords", core.secrets().file().string()},
                     {"dialplan", core.settings().dialplan.directory.string()},
                     {"dialplan_version", core.dialplan().version()},
                     {"calls", core.calls().count()},
                     {"calls_total", core.calls().total()},
                     {"stopping", core.calls().draining()},
                     {"modules", running},
                     {"media_ports", value::table{{"in_use", ports.in_use}, {"at_rest", ports.at_rest}, {"total", ports.total}}},
                     {"resources", value::table{{"resident_bytes", load.resident},
                                                {"memory_limit", load.memory_limit},
                                                {"memory_given_back", load.given_back},
                                                {"descriptors", load.descriptors},
                                                {"descriptor_limit", load.descriptor_limit},
                                                {"queue_delay_ms", to_number(load.queue_delay) * 1000}}},
                     {"threads", worker_rows(core)}},
        {},
        {}};
}

result<command_reply> set_level(command_arguments a) {
    log::level lowest;
    if (!log::parse_level(a.words.back(), lowest))
        return fail("\"{}\" is not a level; they are debug, info, warning and error", a.words.back());
    const auto area = a.words.size() == 2 ? a.words[0] : std::string();
    log::set_level(lowest, area);
    return text_reply(fmt::format("{} is logged from {} on\n", area.empty() ? "everything" : area, a.words.back()));
}

/// The manual of an application: beside the installed engine, or in the source tree that it was built from.
std::optional<std::string> manual_of(const engine& core, const std::string& application) {
    if (application.find('/') != std::string::npos || application.starts_with(".")) return std::nullopt;
    const auto& modules = core.settings().engine.module_directory;
    for (const auto& root :
         {modules / ".." / "apps", modules / ".." / ".." / ".." / "apps", std::filesystem::path("/usr/share/strowger/apps")}) {
        std::ifstream in(root / application / "README.md");
        if (in) return std::string(std::istreambuf_iterator<char>(in), {});
    }
    return std::nullopt;
}

result<command_reply> help(engine& core, command_arguments a) {
    if (a.words.empty()) {
        value::list rows;
        for (const auto& name : core.commands.names())
            if (const auto c = core.commands.find(name, "help"))
                rows.push_back(value::table{{"command", c->what.usage.empty() ? name : name + " " + c->what.usage},
                                            {"summary", c->what.summary}});
        return command_reply{std::move(rows), {}, {"command", "summary"}};
    }
    if (a.words.size() == 1)
        if (auto manual = manual_of(core, a.words[0]))
            return text_reply(std::move(*manual), value::table{{"application", a.words[0]}});
    auto meant = find_command(core.commands, a.words, "help");
    if (!meant) return fail(meant);
    const auto& c = meant->what;
    return text_reply(fmt::format("{}{}{}\n{}\n\n{}\n", c.name, c.usage.empty() ? "" : " ", c.usage, c.summary, c.help),
                      value::table{{"command", c.name}, {"usage", c.usage}, {"summary", c.summary}, {"help", c.help}});
}

task<std::vector<std::string>> help_words(engine& core) {
    auto words = core.applications.names();
    for (const auto& name : core.commands.names()) words.push_back(name.substr(0, name.find(' ')));
    co_return words;
}

task<std::vector<std::string>> at_once(std::vector<std::string> words) { co_return words; }

} // namespace

void add_core_commands(engine& core, std::function<void(std::optional<duration> limit)> stop) {
    command head{"core show",
                 "",
                 "Version, load and places of the engine",
                 "Where its files are, how many calls there are, and how busy its threads "
                 "were.\nExample: core show",
                 {}};
    add_plain(core, std::move(head), [&core, began = core.time().now()](command_arguments) { return show(core, began); });

    head = {"core stop", "[--now]", "Ends the engine",
            "No new calls are taken; calls in progress may go on for the configured time, with --now they are ended at once.\n"
            "Example: core stop --now", {}};
    add_plain(core, std::move(head), [stop = std::move(stop)](command_arguments a) -> result<command_reply> {
        stop(a.has("--now") ? std::optional<duration>(duration(0)) : std::nullopt);
        return text_reply("the engine is stopping\n");
    });

    head = {"log level", "[AREA] LEVEL", "From which level on lines are logged",
            "LEVEL is debug, info, warning or error; AREA is the word before the colon of a line. Without it, all areas.\n"
            "Example: log level sip debug", {}};
    head.complete = [](std::vector<std::string>) { return at_once({"debug", "info", "warning", "error"}); };
    add_plain(core, std::move(head), set_level);
}

void add_help_command(engine& core) {
    command head{"help", "[COMMAND...]", "What commands there are, and what one does",
                 "With the name of an application it shows that application's manual.\nExample: help module unload", {}};
    head.complete = [&core](std::vector<std::string>) { return help_words(core); };
    add_plain(core, std::move(head), [&core](command_arguments a) { return help(core, std::move(a)); });
}

} // namespace strowger::control
