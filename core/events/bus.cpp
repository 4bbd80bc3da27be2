#include "core/events/bus.hpp"
#include "core/base/log.hpp"
#include <algorithm>

namespace strowger {
namespace {

constexpr duration linger = 10ms;          // what happens meanwhile goes to the disk with one write
constexpr duration disk_pause = 1s;        // before a disk that failed is tried again
constexpr std::size_t longest_field = 512; // in bytes; peers choose what they are called

/// Cuts a text where a character begins.
void shorten(value& v) {
    const auto* text = v.text();
    if (text == nullptr || text->size() <= longest_field) return;
    auto end = longest_field;
    while (end > 0 && (static_cast<unsigned char>((*text)[end]) & 0xC0u) == 0x80u) --end;
    v = text->substr(0, end) + "…";
}

} // namespace

result<> event_bus::open(options o) {
    options_ = std::move(o);
    auto opened = event_log::open(options_.folder, options_.keep);
    if (!opened) return fail(opened);
    log_ = std::move(*opened);
    if (!log_->repaired().empty()) log::warn("events", "{}", log_->repaired());
    number_ = log_->last();
    const std::lock_guard lock(recent_mutex_);
    recent_.clear();
    figures_ = {};
    figures_.last = number_;
    figures_.kept = log_->keeps();
    figures_.bytes = log_->bytes();
    if (log_->keeps()) ++active_;
    return {};
}

void event_bus::close() {
    if (!log_) return;
    linger_.cancel();
    while (write_waiting()) {}
    active_ = 0;
    log_.reset();
}

void event_bus::put(event_kind kind, std::string_view call, value::table fields) {
    published e{kind, time_.wall(), std::string(call), std::move(fields)};
    {
        const std::lock_guard lock(inbox_mutex_);
        if (inbox_.size() >= options_.waiting) {
            ++overflow_;
            return;
        }
        inbox_.push_back(std::move(e));
        if (std::exchange(scheduled_, true)) return;
    }
    writer_.post([this] { drain(); });
}

void event_bus::drain() {
    if (write_waiting()) linger_ = writer_.after(linger, [this] { drain(); });
}

bool event_bus::write_waiting() {
    std::vector<published> batch;
    std::uint64_t overflow = 0;
    {
        const std::lock_guard lock(inbox_mutex_);
        if (inbox_.empty() && overflow_ == 0) {
            scheduled_ = false;
            return false;
        }
        batch.swap(inbox_);
        overflow = std::exchange(overflow_, 0);
        inbox_.reserve(std::min<std::size_t>(batch.size(), 1024));
    }
    log_->reserve(number_ + batch.size() + overflow + 2);
    std::vector<event_record> records;
    records.reserve(batch.size() + 2);
    for (auto& e : batch) add(records, std::move(e));
    if (overflow != 0) {
        if (lost_first_ == 0) lost_first_ = number_ + 1;
        number_ += overflow;
        lost_last_ = number_;
        lost_why_ = "more than can be written";
        log::error("events", "{} events came faster than they can be written and are lost", overflow);
        add(records,
            {event_kind::events_lost, time_.wall(), {}, {{"first", lost_first_}, {"last", lost_last_}, {"why", lost_why_}}});
        lost_first_ = lost_last_ = 0;
        const std::lock_guard lock(recent_mutex_);
        figures_.lost += overflow;
    }
    keep(records);
    return true;
}

void event_bus::add(std::vector<event_record>& to, published e) {
    for (auto& [name, v] : e.fields) shorten(v);
    value::table line{{"seq", ++number_}, {"at", to_text(e.at)}, {"type", to_string(e.kind)}};
    if (!e.call.empty()) line["call"] = std::move(e.call);
    if (!e.fields.empty()) line["fields"] = std::move(e.fields);
    to.push_back({number_, to_json(line)});
}

void event_bus::keep(const std::vector<event_record>& records) {
    append(records);
    std::vector<std::shared_ptr<listener>> tell;
    {
        const std::lock_guard lock(recent_mutex_);
        for (const auto& r : records) recent_.push_back(std::make_shared<const event_record>(r));
        while (recent_.size() > options_.recent) recent_.pop_front();
        figures_.last = records.back().number;
        figures_.bytes = log_->bytes();
        tell = listeners_;
    }
    for (auto& l : tell) {
        if (l->told.exchange(true)) continue;
        auto& home = l->home;
        home.post([l] {
            l->told = false;
            if (l->changed != nullptr) l->changed->notify();
        });
    }
}

/// In pieces, so that a segment keeps its bounds. What a full disk does not take is marked when it takes something again.
void event_bus::append(const std::vector<event_record>& records) {
    if (!log_->keeps()) return void(log_->append(records));
    const bool resting = lost_first_ != 0 && time_.now() < try_again_;
    for (std::size_t i = 0; i < records.size();) {
        std::vector<event_record> piece;
        std::size_t bytes = 0;
        for (; i < records.size() && (piece.empty() || bytes + records[i].text.size() < event_log::most_at_once); ++i) {
            bytes += records[i].text.size() + 16;
            piece.push_back(records[i]);
        }
        std::string why = "the disk fails";
        if (!resting) {
            const auto taken = log_->append(piece);
            if (taken) {
                if (lost_first_ != 0) announce_lost();
                continue;
            }
            why = taken.error().text;
            try_again_ = time_.now() + disk_pause;
        }
        if (lost_first_ == 0) {
            lost_first_ = piece.front().number;
            lost_why_ = why;
            log::error("events", "events are not kept on disk from {} on: {}", lost_first_, why);
        }
        lost_last_ = piece.back().number;
        const std::lock_guard lock(recent_mutex_);
        figures_.lost += piece.size();
        figures_.disk_fails = true;
    }
}

void event_bus::announce_lost() {
    log::warn("events", "events are kept on disk again; {} to {} are not there", lost_first_, lost_last_);
    value::table fields{{"first", lost_first_}, {"last", lost_last_}, {"why", lost_why_}};
    lost_first_ = lost_last_ = 0;
    {
        const std::lock_guard lock(recent_mutex_);
        figures_.disk_fails = false;
    }
    put(event_kind::events_lost, {}, std::move(fields));
}

event_bus::figures event_bus::now() const {
    figures out;
    {
        const std::lock_guard lock(recent_mutex_);
        out = figures_;
        out.followers = listeners_.size();
        if (!recent_.empty()) out.oldest = recent_.front()->number;
    }
    if (const auto kept = event_log_reader(options_.folder).oldest(); out.kept && kept != 0)
        out.oldest = out.oldest == 0 ? kept : std::min(kept, out.oldest);
    return out;
}

event_follower::event_follower(event_bus& bus, worker& home, signal& changed)
    : bus_(bus), listener_(new event_bus::listener{home, &changed, {}}),
      source_(new source{bus, event_log_reader(bus.options_.folder)}) {
    const std::lock_guard lock(bus_.recent_mutex_);
    bus_.listeners_.push_back(listener_);
    ++bus_.active_;
}

event_follower::~event_follower() {
    listener_->changed = nullptr;
    const std::lock_guard lock(bus_.recent_mutex_);
    std::erase(bus_.listeners_, listener_);
    --bus_.active_;
}

std::uint64_t event_follower::last() const {
    const std::lock_guard lock(bus_.recent_mutex_);
    return bus_.figures_.last;
}

event_follower::batch event_follower::fetch(source& from, std::uint64_t next, std::size_t most) {
    batch out;
    std::uint64_t before_recent = 0; // the newest that is on the disk alone
    {
        const std::lock_guard lock(from.bus.recent_mutex_);
        const auto last = from.bus.figures_.last;
        if (next > last) return out;
        const auto& all = from.bus.recent_;
        before_recent = all.empty() ? last : all.front()->number - 1;
        if (next > before_recent) {
            auto it =
                std::lower_bound(all.begin(), all.end(), next, [](const auto& r, std::uint64_t n) { return r->number < n; });
            for (; it != all.end() && out.events.size() < most; ++it) out.events.push_back(*it);
            return out;
        }
    }
    if (from.bus.options_.keep != 0)
        for (auto& r : from.reader.read(next, before_recent, most))
            out.events.push_back(std::make_shared<const event_record>(std::move(r)));
    if (out.events.empty()) out.gone_until = before_recent;
    return out;
}

} // namespace strowger
