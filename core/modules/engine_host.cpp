// The loader inside a real engine.
#include "core/call/calls.hpp"
#include "core/engine.hpp"
#include "core/modules/host.hpp"
#include "core/modules/loader.hpp"

namespace strowger {
namespace {

module_settings settings_of(engine& core, const std::string& module) {
    const auto section = core.settings().module(module);
    return {value(section.fields()), [section](std::string_view setting) { return section.place(section[setting]); }};
}

module_host host_of(engine& core) {
    return {&core,
            core.control(),
            core.files(),
            core.applications,
            core.drivers,
            core.phones,
            core.commands,
            [&core](const std::string& module) { return settings_of(core, module); },
            [&core](incoming_call what, std::unique_ptr<channel> line, lease driver) {
                return core.calls().incoming(std::move(what), std::move(line), std::move(driver));
            },
            [&core](std::string_view to_number) { return core.calls().would_refuse(to_number); },
            [&core](std::string_view to_number) { return !core.emergency().classify(to_number).empty(); },
            [&core](std::set<std::string> ids) {
                core.calls().end_all(hangup_cause::normal, "operator", [ids = std::move(ids)](const call& c) {
                    return ids.contains(c.id()) || ids.contains(c.facts().protocol_id);
                });
            },
            [&core](event_kind what, const std::string& name, const std::string& version, unsigned generation) {
                core.events().publish(what, {}, [&] {
                    value::table fields{{"name", name}, {"generation", generation}};
                    if (what == event_kind::module_loaded) fields["version"] = version;
                    return fields;
                });
            }};
}

} // namespace

module_loader::module_loader(engine& core, options o) : module_loader(host_of(core), std::move(o)) {}

} // namespace strowger
