#include "core/call/ledger.hpp"
#include "core/call/leg.hpp"
#include "core/engine.hpp"
#include <algorithm>
#include <set>

namespace strowger {
namespace {

constexpr std::size_t kept_in_memory = 1000;
constexpr std::size_t page_length = 256;
/// At hundreds of calls a second, commits are few; who ended a call never waits for its record.
constexpr duration patience = 100ms;

value moment(const std::optional<wall_time>& t) { return t ? value(to_text(*t)) : value(); }

double seconds(duration d) { return std::chrono::duration<double>(d).count(); }

value media_of(const media_figures& m) {
    value::table out{{"packets_sent", m.packets_sent}, {"packets_received", m.packets_received},
                     {"packets_lost", m.packets_lost}, {"packets_late", m.packets_late},
                     {"jitter_ms", m.jitter_ms}};
    if (!m.local_address.empty()) out["local"] = m.local_address;
    if (!m.remote_address.empty()) out["remote"] = m.remote_address;
    if (m.round_trip_ms) out["round_trip_ms"] = *m.round_trip_ms;
    if (m.peer_loss) out["peer_loss"] = *m.peer_loss;
    if (m.peer_jitter_ms) out["peer_jitter_ms"] = *m.peer_jitter_ms;
    return out;
}

} // namespace

void ledger_draft::leg_seen(const leg& l) {
    auto it = std::find_if(legs_.begin(), legs_.end(), [&](const leg_line& line) { return line.id == l.id(); });
    if (it == legs_.end()) it = legs_.insert(legs_.end(), leg_line{l.id(), {}, {}});
    auto& f = it->fields;
    f["id"] = l.id();
    f["driver"] = l.technology();
    f["direction"] = l.outgoing() ? "out" : "in";
    f["peer"] = l.peer();
    f["number"] = l.who().number;
    f["name"] = l.who().name;
    f["codec"] = l.codec();
    f["began"] = to_text(l.made_at());
    f["ringing"] = moment(l.ringing_at());
    f["answered"] = moment(l.answered_at());
    if (l.cause()) f["cause"] = to_string(*l.cause());
    it->figures = l.figures();
}

bool ledger_draft::waits_for_figures(const std::function<void()>& told) {
    bool waits = false;
    for (auto& l : legs_) {
        if (l.figures->final) continue;
        l.figures->ended = told;
        waits = true;
    }
    return waits;
}

void ledger_draft::talk_began(const std::string& a, const std::string& b, wall_time at) {
    talks_.push_back({a, b, at, std::nullopt});
}

void ledger_draft::talk_ended(const std::string& a, const std::string& b, wall_time at) {
    for (auto& t : talks_)
        if (t.a == a && t.b == b && !t.to) t.to = at;
}

void ledger_draft::step(wall_time at, std::string what) {
    if (steps_.size() < 200) steps_.emplace_back(value::table{{"at", to_text(at)}, {"what", std::move(what)}});
}

void ledger_draft::note(wall_time at, std::string what) {
    if (notes_.size() < 100) notes_.emplace_back(value::table{{"at", to_text(at)}, {"text", std::move(what)}});
}

duration ledger_draft::talk_time(wall_time now) const {
    duration total{};
    for (const auto& t : talks_) total += t.to.value_or(now) - t.from;
    return total;
}

value ledger_draft::finish(const value::table& head) {
    value::table record = head;
    value::list legs, talks, children;
    std::stable_sort(legs_.begin(), legs_.end(), [](const leg_line& a, const leg_line& b) {
        return a.fields.at("began").text_or("") < b.fields.at("began").text_or("");
    });
    for (auto& l : legs_) {
        if (const auto& counted = l.figures->now) l.fields["media"] = media_of(*counted);
        legs.emplace_back(std::move(l.fields));
    }
    for (const auto& t : talks_)
        talks.emplace_back(value::table{{"a", t.a}, {"b", t.b}, {"from", to_text(t.from)}, {"to", moment(t.to)}});
    for (const auto& c : children_) children.emplace_back(c);
    const auto end = talks_.empty() ? wall_time() : talks_.back().to.value_or(talks_.back().from);
    record["id"] = call_id_;
    record["legs"] = std::move(legs);
    record["talks"] = std::move(talks);
    record["talk_seconds"] = seconds(talk_time(end));
    record["steps"] = std::move(steps_);
    if (!notes_.empty()) record["notes"] = std::move(notes_);
    if (!parent_.empty()) record["transferred_from"] = parent_;
    if (!children.empty()) record["transferred_to"] = std::move(children);
    return record;
}

ledger::ledger(engine& core) : core_(core) {
    // Failing to open is told by start(), which opens the same store first.
    if (auto opened = core_.storage().open_table("ledger")) table_ = *opened;
    else log::error("ledger", "{}", opened.error().text);
}

void ledger::add(value record) {
    auto line = to_json(record);
    const auto began = record["began"].text_or("");
    const auto id = record["id"].text_or("");
    {
        const std::lock_guard lock(mutex_);
        recent_.push_front(std::move(record));
        if (recent_.size() > kept_in_memory) recent_.pop_back();
    }
    store::batch changes;
    changes.put(table_, began + " " + id, line);
    const auto stored = [line = std::move(line)](result<> kept) {
        if (!kept) log::error("ledger", "a call's record could not be stored: {}; here it is: {}", kept.error().text, line);
    };
    core_.storage().write(std::move(changes), stored, patience);
}

void ledger::walk_stored(const std::function<bool(const std::string& id, const std::string& json)>& visit) const {
    try {
        for (std::string before;;) {
            const auto page = core_.storage().scan_back(table_, page_length, before);
            for (const auto& r : page)
                if (!visit(r.key.substr(r.key.rfind(' ') + 1), r.value)) return;
            if (page.size() < page_length) return;
            before = page.back().key;
        }
    } catch (const store::store::unreadable& e) {
        log::error("ledger", "the records of earlier calls cannot be read: {}", e.what());
    }
}

std::vector<value> ledger::newest(std::size_t count) const {
    std::vector<value> out;
    std::set<std::string> seen; // a record may be in memory and stored
    {
        const std::lock_guard lock(mutex_);
        const auto here = std::min(count, recent_.size());
        out.assign(recent_.begin(), recent_.begin() + static_cast<std::ptrdiff_t>(here));
        if (here == count) return out;
        for (const auto& r : recent_) seen.insert(r["id"].text_or(""));
    }
    walk_stored([&](const std::string& id, const std::string& json) {
        if (seen.contains(id)) return true;
        if (auto record = from_json(json)) out.push_back(std::move(*record));
        return out.size() < count;
    });
    return out;
}

std::optional<value> ledger::find(const std::string& call_id) const {
    {
        const std::lock_guard lock(mutex_);
        for (const auto& r : recent_)
            if (r["id"].text_or("") == call_id) return r;
    }
    std::optional<value> found;
    walk_stored([&](const std::string& id, const std::string& json) {
        if (id != call_id) return true;
        if (auto record = from_json(json)) found = std::move(*record);
        return false;
    });
    return found;
}

} // namespace strowger
