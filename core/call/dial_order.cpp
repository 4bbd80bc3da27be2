#include "core/call/dial_order.hpp"
#include "core/base/ids.hpp"
#include "core/engine.hpp"
#include <algorithm>
#include <random>
#include <tuple>

namespace strowger {
namespace {

/// The user whom a target rings, or nobody's name.
std::string user_of(engine& core, const std::string& target) {
    if (target.starts_with("user/")) return target.substr(5);
    const auto number = target.substr(target.find('/') + 1);
    if (target.find('/') != std::string::npos && !target.starts_with("ext/")) return {};
    for (const auto& [name, u] : core.settings().users)
        if (!number.empty() && u.extension == number) return name;
    return {};
}

struct ranked {
    bool strange; // no user's
    instant last_talk;
    dial_target target;
};

} // namespace

std::vector<dial_target> in_ringing_order(engine& core, dial_options::order strategy, std::vector<dial_target> targets) {
    if (strategy == dial_options::order::random) std::shuffle(targets.begin(), targets.end(), std::mt19937_64(random_u64()));
    if (strategy != dial_options::order::longest_idle) return targets;
    std::vector<ranked> all;
    for (auto& t : targets) {
        const auto user = user_of(core, t.target);
        all.push_back({user.empty(), core.activity().last_talk(user), std::move(t)});
    }
    std::stable_sort(all.begin(), all.end(), [](const ranked& a, const ranked& b) {
        return std::tie(a.strange, a.last_talk) < std::tie(b.strange, b.last_talk);
    });
    targets.clear();
    for (auto& r : all) targets.push_back(std::move(r.target));
    return targets;
}

} // namespace strowger
