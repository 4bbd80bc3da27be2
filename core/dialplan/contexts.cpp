#include "core/dialplan/contexts.hpp"
#include <algorithm>
#include <set>

namespace strowger::dialplan {
namespace {

using context_map = std::map<std::string, context>;

result<> check_one(const context_map& all, const std::string& name, std::vector<std::string>& path, std::set<std::string>& good) {
    if (good.contains(name)) return {};
    path.push_back(name);
    const auto& here = all.at(name);
    for (const auto& next : here.includes) {
        if (!all.contains(next)) return fail("{}: context \"{}\" includes \"{}\", which does not exist", here.place, name, next);
        if (const auto again = std::find(path.begin(), path.end(), next); again != path.end()) {
            std::string way;
            for (auto it = again; it != path.end(); ++it) way += *it + " → ";
            return fail("{}: contexts include each other in a circle: {}{}", here.place, way, next);
        }
        if (auto below = check_one(all, next, path, good); !below) return below;
    }
    path.pop_back();
    good.insert(name);
    return {};
}

} // namespace

result<> context_set::add(const std::string& name, context c) {
    if (const auto it = contexts_.find(name); it != contexts_.end())
        return fail("context \"{}\" exists already, at {}", name, it->second.place);
    contexts_.emplace(name, std::move(c));
    return {};
}

result<> context_set::check() const {
    std::set<std::string> good;
    for (const auto& [name, c] : contexts_) {
        std::vector<std::string> path;
        if (auto checked = check_one(contexts_, name, path, good); !checked) return checked;
    }
    return {};
}

std::optional<context_set::found> context_set::find(const std::string& name, std::string_view digits) const {
    const auto it = contexts_.find(name);
    if (it == contexts_.end()) return std::nullopt;
    if (const auto own = it->second.extensions.match(digits)) return found{name, own->pattern, own->entry};
    for (const auto& next : it->second.includes)
        if (auto there = find(next, digits)) return there;
    return std::nullopt;
}

bool context_set::could_match_more(const std::string& name, std::string_view digits) const {
    const auto it = contexts_.find(name);
    if (it == contexts_.end()) return false;
    return it->second.extensions.could_match_more(digits) ||
           std::any_of(it->second.includes.begin(), it->second.includes.end(),
                       [&](const std::string& next) { return could_match_more(next, digits); });
}

std::optional<int> context_set::handler(const std::string& name, std::optional<int> context::*which) const {
    const auto it = contexts_.find(name);
    if (it == contexts_.end()) return std::nullopt;
    if (it->second.*which) return it->second.*which;
    for (const auto& next : it->second.includes)
        if (auto there = handler(next, which)) return there;
    return std::nullopt;
}

} // namespace strowger::dialplan
