#include "core/control/commands.hpp"
#include "core/engine.hpp"

namespace strowger::control {
namespace {

task<result<command_reply>> at_once(result<command_reply> reply) { co_return reply; }

} // namespace

void add_plain(engine& core, command head, plain_command run) {
    head.run = [name = head.name, usage = head.usage, run = std::move(run)](std::vector<std::string> arguments) {
        auto sorted = sort_arguments(std::move(arguments), name, usage);
        return at_once(sorted ? run(std::move(*sorted)) : fail(sorted));
    };
    core.commands.add(head.name, head, nullptr);
}

void add_waiting(engine& core, command head, waiting_command run) {
    head.run = [name = head.name, usage = head.usage, run = std::move(run)](std::vector<std::string> arguments) {
        auto sorted = sort_arguments(std::move(arguments), name, usage);
        return sorted ? run(std::move(*sorted)) : at_once(fail(sorted));
    };
    core.commands.add(head.name, head, nullptr);
}

void add_streaming(engine& core, command head, streaming_command run) {
    head.run = [name = head.name](std::vector<std::string>) { return at_once(fail("{} needs a console", name)); };
    head.stream = [name = head.name, usage = head.usage, run = std::move(run)](std::vector<std::string> arguments,
                                                                             console_stream& with) {
        auto sorted = sort_arguments(std::move(arguments), name, usage);
        return sorted ? run(std::move(*sorted), with) : at_once(fail(sorted));
    };
    core.commands.add(head.name, head, nullptr);
}

void add_commands(engine& core, std::function<void(std::optional<duration> limit)> stop) {
    add_module_commands(core);
    add_call_commands(core);
    add_event_commands(core);
    add_phone_command(core);
    add_core_commands(core, std::move(stop));
    add_help_command(core);
}

} // namespace strowger::control
