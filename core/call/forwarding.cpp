#include "core/call/forwarding.hpp"
#include "core/engine.hpp"
#include "core/location/location_table.hpp"

namespace strowger {

std::vector<endpoint> forwarding::devices_of(const std::string& place) const {
    if (place.find(':') != std::string::npos) {
        for (const auto& b : core_.locations().all())
            if (b.address == place) return {endpoint{b.driver, b.address, b.received, b.path, b.user}};
        return {};
    }
    if (place.find('/') != std::string::npos) return {};
    for (const auto* kind : {"ext/", "user/"})
        if (auto found = core_.resolve(kind + place); found && !found->empty()) return std::move(*found);
    return {};
}

std::vector<forwarding::step> forwarding::follow(const std::string& by, const std::vector<std::string>& elsewhere) {
    std::vector<step> out;
    for (const auto& place : elsewhere) {
        if (!core_.emergency().classify(place).empty()) {
            log::warn(about_, "{} forwards to {}: not followed, it is an emergency number", by, place);
            continue;
        }
        auto devices = devices_of(place);
        const auto user = devices.empty() ? std::string() : devices.front().user;
        if (user.empty()) {
            log::warn(about_, "{} forwards to {}: not followed, that is no user of ours who can be reached", by, place);
            continue;
        }
        if (users_.contains(user)) {
            log::info(about_, "{} forwards to {}: not followed, {} has been rung already", by, place, user);
            continue;
        }
        if (left_ == 0) {
            log::warn(about_, "{} forwards to {}: not followed, {} are enough for one call", by, place, most);
            continue;
        }
        --left_;
        users_.insert(user);
        log::info(about_, "{} forwards to {}: ringing user/{}", by, place, user);
        out.push_back({"user/" + user, std::move(devices)});
    }
    return out;
}

} // namespace strowger
