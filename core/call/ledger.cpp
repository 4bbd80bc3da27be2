#include "core/call/ledger.hpp"
#include "core/call/leg.hpp"
#include "core/engine.hpp"
#include <algorithm>
#include <map>
#include <mutex>

namespace strowger {
namespace {

/// At hundreds of calls a second, commits are few; who ended a call never waits for its record.
constexpr duration patience = 100ms;
// Removing goes faster than calls can come, and leaves the disk to them for most of the time.
constexpr std::size_t removed_at_once = 200;
constexpr duration pause_between = 250ms, pause_at_the_end = 60s;

value moment(const std::optional<wall_time>& t) { return t ? value(to_text(*t)) : value(); }

/// What two legs speak: one codec, or the conversion between two.
std::string spoken(const std::string& a, const std::string& b) { return a == b ? a : a + " -> " + b; }

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
    const auto codec_of = [this](const std::string& id) {
        const auto it = std::find_if(legs_.begin(), legs_.end(), [&](const leg_line& l) { return l.id == id; });
        return it == legs_.end() ? std::string() : it->fields.at("codec").text_or("");
    };
    for (const auto& t : talks_)
        talks.emplace_back(value::table{{"a", t.a}, {"b", t.b}, {"from", to_text(t.from)}, {"to", moment(t.to)},
                                        {"codec", spoken(codec_of(t.a), codec_of(t.b))}});
    for (auto& l : legs_) {
        if (const auto& counted = l.figures->now) l.fields["media"] = media_of(*counted);
        legs.emplace_back(std::move(l.fields));
    }
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

// ---- what is kept

struct ledger::waiting {
    std::mutex mutex;
    std::map<std::string, std::string, std::greater<>> lines; // by key, the newest first
};

ledger::ledger(engine& core) : core_(core), waiting_(std::make_shared<waiting>()) {
    // Failing to open is told by start(), which opens the same store first.
    for (auto& [to, name] : {std::pair(&table_, "ledger"), std::pair(&ids_, "ledger_ids")}) {
        if (auto opened = core_.storage().open_table(name)) *to = *opened;
        else log::error("ledger", "{}", opened.error().text);
    }
}

ledger::~ledger() = default;

void ledger::add(const value& record) {
    auto line = to_json(record);
    const auto id = record["id"].text_or("");
    // Calls that end in one millisecond stay in their order.
    const auto key = fmt::format("{} {:08x} {}", record["ended"].text_or(""), added_++, id);
    {
        const std::lock_guard lock(waiting_->mutex);
        waiting_->lines.emplace(key, line);
    }
    store::batch changes;
    changes.put(table_, key, line).put(ids_, id, key);
    auto stored = [waits = waiting_, key, line = std::move(line)](result<> kept) {
        if (!kept) log::error("ledger", "a call's record could not be stored: {}; here it is: {}", kept.error().text, line);
        const std::lock_guard lock(waits->mutex);
        waits->lines.erase(key);
    };
    core_.storage().write(std::move(changes), std::move(stored), patience);
}

std::vector<value> ledger::newest(std::size_t count) const {
    std::map<std::string, std::string, std::greater<>> lines; // what was stored meanwhile is there twice
    {
        const std::lock_guard lock(waiting_->mutex);
        lines = waiting_->lines;
    }
    try {
        for (auto& r : core_.storage().scan_back(table_, count)) lines.emplace(std::move(r.key), std::move(r.value));
    } catch (const store::store::unreadable& e) {
        log::error("ledger", "the records of earlier calls cannot be read: {}", e.what());
    }
    std::vector<value> out;
    for (auto it = lines.begin(); it != lines.end() && out.size() < count; ++it)
        if (auto record = from_json(it->second)) out.push_back(std::move(*record));
    return out;
}

std::optional<value> ledger::find(const std::string& call_id) const {
    std::optional<std::string> line;
    {
        const std::lock_guard lock(waiting_->mutex);
        for (const auto& [key, text] : waiting_->lines)
            if (key.ends_with(" " + call_id)) line = text;
    }
    try {
        if (!line)
            if (const auto key = core_.storage().get(ids_, call_id)) line = core_.storage().get(table_, *key);
    } catch (const store::store::unreadable& e) {
        log::error("ledger", "the record of call {} cannot be read: {}", call_id, e.what());
    }
    if (!line) return std::nullopt;
    auto record = from_json(*line);
    return record ? std::optional(std::move(*record)) : std::nullopt;
}

/// Removes the oldest that are too many or too old; true when there may be more of them.
bool ledger::remove_some() {
    const auto& keep = core_.settings().ledger;
    auto& kept = core_.storage();
    const auto first_kept = to_text(core_.time().wall() - keep.keep_days);
    const auto count = kept.count(table_);
    auto too_many = count - std::min<std::uint64_t>(count, keep.keep_records);
    store::batch gone;
    std::size_t removed = 0;
    for (const auto& r : kept.scan(table_, {}, removed_at_once)) {
        if (too_many == 0 && r.key >= first_kept) break;
        too_many -= std::min<std::uint64_t>(too_many, 1);
        gone.erase(table_, r.key).erase(ids_, r.key.substr(r.key.rfind(' ') + 1));
        ++removed;
    }
    if (removed == 0) return false;
    kept.write(std::move(gone), [](result<> done) {
        if (!done) log::warn("ledger", "old records could not be removed: {}", done.error().text);
    });
    log::debug("ledger", "{} old records are removed", removed);
    return removed == removed_at_once;
}

void ledger::keep_in_bounds() {
    bool more = false;
    try {
        more = remove_some();
    } catch (const store::store::unreadable& e) {
        log::error("ledger", "old records cannot be removed: {}", e.what());
    }
    next_ = core_.files().after(more ? pause_between : pause_at_the_end, [this] { keep_in_bounds(); });
}

} // namespace strowger
