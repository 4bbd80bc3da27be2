#include "channels/sip/trunks.hpp"
#include "channels/sip/text.hpp"
#include "core/base/ids.hpp"
#include <fmt/format.h>

namespace strowger::sip {

response busy_answer(const trunk_settings* from, int retry_after_seconds) {
    const int status = from == nullptr ? 503 : from->busy_status;
    // Beside another status Retry-After would keep a trunk from trying elsewhere (RFC 3261 §20.33 names the statuses).
    if (status != 503) return {status, {}, {}, {}};
    return {status, {{"Retry-After", std::to_string(std::max(1, retry_after_seconds))}}, {}, {}};
}

trunk_line trunk::describe() const {
    trunk_line l;
    const auto& host = set_->hosts[registration_.host() % set_->hosts.size()];
    l.name = set_->name;
    l.host = fmt::format("{}:{}", host_text(host.ip), host.port);
    l.calls = calls();
    l.max_calls = set_->max_calls;
    registration_.describe(l.state, l.reason, l.seconds);
    l.seen_as = registration_.seen_as();
    return l;
}

trunks::trunks(user_agent& owner, const trunk_map& all) {
    for (const auto& [name, set] : all) all_.emplace(name, std::make_unique<trunk>(owner, set));
}

void trunks::start() {
    const auto spread = std::min<std::uint64_t>(5000, 50 * all_.size());
    for (auto& [name, t] : all_) t->registration().start(std::chrono::milliseconds(all_.size() < 2 ? 0 : random_u64() % spread));
}

void trunks::end() {
    for (auto& [name, t] : all_) t->registration().end();
}

trunk* trunks::find(std::string_view name) {
    const auto it = all_.find(name);
    return it == all_.end() ? nullptr : it->second.get();
}

trunk* trunks::from(const peer_address& source) {
    trunk* best = nullptr;
    unsigned weight = 0;
    for (auto& [name, t] : all_) {
        for (const auto& range : t->set().accept_from) {
            if (!range.contains(source.ip, source.port) || (best != nullptr && range.weight() <= weight)) continue;
            best = t.get();
            weight = range.weight();
        }
    }
    return best;
}

std::vector<trunk_line> trunks::describe() const {
    std::vector<trunk_line> out;
    for (const auto& [name, t] : all_) out.push_back(t->describe());
    return out;
}

std::string trunks::seen_as(bool v6) const {
    for (const auto& [name, t] : all_)
        if (const auto& seen = t->registration().seen_as(); !seen.empty() && seen.starts_with('[') == v6) return seen;
    return {};
}

} // namespace strowger::sip
