// What modules and their loader need of the engine around them, so that the loader can be tested without one.
#pragma once
#include "core/async/worker.hpp"
#include "core/events/kinds.hpp"
#include "core/modules/module.hpp"
#include "core/modules/registry.hpp"
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace strowger {

struct module_host {
    engine* core = nullptr; ///< null in tests of the loader
    worker& control;
    worker& aside; ///< where a module's stop() may block
    registry<application>& applications;
    registry<std::shared_ptr<channel_driver>>& drivers;
    registry<std::shared_ptr<phone_exchange>>& phones;
    registry<command>& commands;
    std::function<module_settings(const std::string& module)> settings;
    std::function<tl::expected<std::shared_ptr<leg_mailbox>, refusal>(incoming_call, std::unique_ptr<channel>, lease)> incoming;
    std::function<std::optional<refusal>(std::string_view to_number)> would_refuse;
    std::function<bool(std::string_view to_number)> is_emergency;
    /// Ends the calls of which either the id or the protocol's id is named.
    std::function<void(std::set<std::string> ids)> end_calls;
    /// Is told when a module begins to run, to drain, and when it is gone.
    std::function<void(event_kind what, const std::string& name, const std::string& version, unsigned generation)> tell = {};
};

} // namespace strowger
