#include "core/call/calls.hpp"
#include "core/async/ask.hpp"
#include "core/base/ids.hpp"
#include "core/call/ledger.hpp"
#include "core/call/leg.hpp"
#include "core/engine.hpp"
#include <fmt/format.h>

namespace strowger {
namespace {

std::string state_of(const call& c) {
    if (c.ended()) return "ending";
    if (c.connected != nullptr) return c.connected->held() || c.caller().held() ? "on hold" : "talking";
    return c.answered() ? "answered" : "ringing";
}

call_line line_of(const call& c) {
    call_line l;
    l.id = c.id();
    l.from = c.facts().from.number;
    l.to = c.facts().to_number;
    l.source = std::string(to_string(c.facts().source)) + (c.facts().source_name.empty() ? "" : "/" + c.facts().source_name);
    l.state = state_of(c);
    l.doing = c.doing;
    l.context = c.context();
    l.extension = c.extension();
    l.codec = c.caller().codec();
    if (c.connected != nullptr && c.connected->codec() != l.codec) l.codec += " -> " + c.connected->codec();
    l.age = c.age();
    l.answered = c.answered();
    l.emergency = c.emergency();
    return l;
}

/// What the configuration knows of a user stands above what his phone says of him.
void complete(incoming_call& what, const config::settings& s) {
    const auto it = s.users.find(what.user);
    if (it == s.users.end()) return;
    const auto& user = it->second;
    if (what.context.empty()) what.context = user.context;
    if (!user.caller_id.empty()) what.from.number = user.caller_id;
    else if (!user.extension.empty()) what.from.number = user.extension;
    if (!user.display_name.empty()) what.from.name = user.display_name;
}

value::table ledger_head(const call& c, wall_time ended) {
    value::table head{{"began", to_text(c.started())},
                      {"ended", to_text(ended)},
                      {"from", c.facts().from.number},
                      {"from_name", c.facts().from.name},
                      {"to", c.facts().to_number},
                      {"source", std::string(to_string(c.facts().source))},
                      {"source_name", c.facts().source_name},
                      {"context", c.context()},
                      {"extension", c.extension()},
                      {"answered", c.answered()},
                      {"emergency", c.emergency()},
                      {"protocol_id", c.facts().protocol_id},
                      {"dialplan", c.core().dialplan().version()},
                      {"vars", c.vars}};
    if (c.cause()) head["cause"] = to_string(*c.cause());
    head["ended_by"] = c.ended_by();
    head["seconds"] = std::chrono::duration<double>(c.age()).count();
    return head;
}

} // namespace

struct calls::notice {
    std::unique_ptr<leg> line;
    std::string text;
    timer limit;
};

struct calls::shard {
    worker& home;
    std::map<std::string, std::shared_ptr<call>> by_id;
    std::map<std::uint64_t, notice> notices;
    std::uint64_t notice_count = 0;
    struct last_words {
        std::unique_ptr<ledger_draft> draft;
        value::table head;
    };
    std::map<std::string, last_words> ended; ///< calls without their record yet
};

calls::calls(engine& core) : core_(core) {
    for (std::size_t i = 0; i < core.worker_count(); ++i)
        shards_.push_back(std::make_unique<shard>(shard{core.call_worker(i), {}, {}, 0, {}}));
}

calls::~calls() = default;

/// The next worker in turn; one that is late is left out while others are not.
std::size_t calls::pick() noexcept {
    const auto first = next_.fetch_add(1, std::memory_order_relaxed) % shards_.size();
    const auto late = core_.settings().limits.queue_delay;
    for (std::size_t i = 0; i < shards_.size(); ++i)
        if (const auto index = (first + i) % shards_.size(); core_.load().delay_of(index) <= late) return index;
    return first;
}

bool calls::over_rate(bool one_more) const {
    const auto limit = core_.settings().limits.calls_per_second;
    const std::lock_guard lock(rate_mutex_);
    const auto now = core_.time().now();
    if (now - rate_second_ >= 1s) {
        rate_second_ = now;
        rate_count_ = 0;
    }
    if (rate_count_ >= limit) return true;
    rate_count_ += one_more ? 1 : 0;
    return false;
}

std::optional<refusal> calls::would_refuse(std::string_view to_number) const {
    const auto refuse = [](hangup_cause why, std::string text) {
        return refusal{why, retry_after_seconds(), std::move(text)};
    };
    if (!core_.emergency().classify(to_number).empty()) return std::nullopt;
    if (draining_) return refuse(hangup_cause::temporary_failure, "the engine is stopping");
    if (count_ >= core_.settings().limits.calls) {
        at_calls_.refused(core_, "limits.calls");
        return refuse(hangup_cause::congestion, "limits.calls is reached");
    }
    if (over_rate(false)) {
        at_rate_.refused(core_, "limits.calls_per_second");
        return refuse(hangup_cause::congestion, "limits.calls_per_second is reached");
    }
    auto other = core_.load().shortage();
    if (other) at_resources_.refused(core_, other->why);
    return other;
}

void calls::limit_notice::refused(engine& core, const std::string& limit) {
    ++count;
    const auto now = core.time().now();
    auto before = told.load();
    if (now - before < 1s || !told.compare_exchange_strong(before, now)) return;
    core.events().publish(event_kind::limit_reached, {}, [&] {
        return value::table{{"limit", limit}, {"refused", count.exchange(0)}};
    });
}

tl::expected<std::shared_ptr<leg_mailbox>, refusal> calls::incoming(incoming_call what, std::unique_ptr<channel> line,
                                                                    lease driver) {
    if (auto refused = would_refuse(what.to_number)) return tl::unexpected(std::move(*refused));
    over_rate(true); // emergency calls count, and pass
    complete(what, core_.settings());
    const auto index = pick();
    auto& home = shards_[index]->home;
    auto events = std::make_shared<leg_mailbox>(home);
    ++count_;
    ++total_;
    home.post([this, index, what = std::move(what), line = std::move(line), driver = std::move(driver), events]() mutable {
        const auto id = make_call_id();
        auto& here = shards_[index]->home;
        auto caller = leg::incoming(core_, here, core_.media().thread(index % core_.media().size()), what, std::move(line),
                                    std::move(driver), std::move(events), id);
        run(index, std::make_shared<call>(core_, here, id, std::move(what)), std::move(caller), {});
    });
    return events;
}

std::string calls::adopt(std::unique_ptr<leg> given, incoming_call facts, const std::string& parent_call,
                         std::function<task<void>(call&)> story, std::shared_ptr<transfer_fate> fate) {
    const auto index = pick();
    auto& home = shards_[index]->home;
    auto id = make_call_id();
    ++count_;
    ++total_;
    given->belongs_to(id);
    given->depart(home, core_.media().thread(index % core_.media().size()));
    home.post([this, index, id, facts = std::move(facts), given = std::move(given), parent_call, story = std::move(story),
               fate = std::move(fate)]() mutable {
        auto c = std::make_shared<call>(core_, shards_[index]->home, id, std::move(facts));
        c->ledger().parent(parent_call);
        if (fate) c->vars = fate->vars;
        c->fate_ = std::move(fate);
        auto& moved = *given;
        run(index, std::move(c), std::move(given), std::move(story));
        moved.arrive();
    });
    return id;
}

void calls::run(std::size_t index, std::shared_ptr<call> c, std::unique_ptr<leg> caller, std::function<task<void>(call&)> story) {
    auto& in = *shards_[index];
    in.by_id.emplace(c->id(), c);
    const auto help = core_.emergency().classify(c->facts().to_number);
    if (story) {
        // Somebody knows what to do with it.
    } else if (!help.empty()) {
        c->mark_emergency();
        story = [this, help](call& it) { return emergency_story(it, help); };
    } else {
        story = [this](call& it) { return core_.dialplan().run(it); };
    }
    core_.events().publish(event_kind::call_started, c->id(), [&f = c->facts()] {
        return value::table{{"from", f.from.number}, {"from_name", f.from.name}, {"to", f.to_number},
                            {"source", to_string(f.source)}, {"source_name", f.source_name}, {"driver", f.driver},
                            {"peer", f.peer}, {"protocol_id", f.protocol_id}};
    });
    caller->announce();
    log::info(*c, "{} calls {} ({} {})", c->facts().from.number, c->facts().to_number, c->facts().driver, c->facts().peer);
    auto& begun = *c;
    begun.begin(std::move(caller), lease(), std::move(story), [this, index, &begun] { finish(index, begun); });
}

void calls::finish(std::size_t index, call& c) {
    c.ledger().leg_seen(c.caller());
    log::info(c, "ended: {} by {}", to_string(*c.cause()), c.ended_by());
    core_.events().publish(event_kind::call_ended, c.id(), [&] {
        const auto now = core_.time().wall();
        return value::table{{"cause", to_string(*c.cause())}, {"q850", static_cast<int>(*c.cause())}, {"by", c.ended_by()},
                            {"answered", c.answered()}, {"seconds", std::chrono::duration<double>(c.age()).count()},
                            {"talk_seconds", std::chrono::duration<double>(c.ledger().talk_time(now)).count()}};
    });
    auto& in = *shards_[index];
    in.ended[c.id()] = {std::move(c.ledger_), ledger_head(c, core_.time().wall())};
    if (auto fate = std::move(c.fate_)) { // a transfer that reached nobody
        auto given = std::move(c.caller_);
        given->depart(fate->home, fate->audio);
        auto& home = fate->home;
        home.post([fate = std::move(fate), given = std::move(given), cause = *c.cause()]() mutable {
            fate->over = true;
            fate->failed = cause;
            if (fate->waits == nullptr) return given->hang_up(cause);
            given->arrive();
            fate->back = std::move(given);
            fate->waits->notify();
        });
    }
    // The flow that runs this belongs to the call: it goes in a turn of its own.
    const auto it = in.by_id.find(c.id());
    auto gone = std::move(it->second);
    in.by_id.erase(it);
    in.home.post([this, index, gone = std::move(gone)]() mutable {
        const auto id = gone->id();
        gone.reset();
        write_down(index, id);
    });
}

void calls::write_down(std::size_t index, const std::string& id) {
    auto& in = *shards_[index];
    const auto it = in.ended.find(id);
    if (it == in.ended.end() || it->second.draft->waits_for_figures([this, index, id] { write_down(index, id); })) return;
    core_.ledger().add(it->second.draft->finish(it->second.head));
    in.ended.erase(it);
    --count_;
}

/// A call for help: no script, no limit. The configured targets are tried in order; somebody in the house is told.
task<void> calls::emergency_story(call& c, std::string number) {
    const auto& settings = core_.settings().emergency;
    core_.events().publish(event_kind::call_emergency, c.id(), [&] {
        return value::table{{"number", number}, {"from", c.facts().from.number}, {"peer", c.facts().peer}};
    });
    log::warn(c, "EMERGENCY CALL to {} from {} ({})", number, c.facts().from.number, c.facts().peer);
    c.at("emergency", number, number);
    if (!settings.notify.empty()) notify_emergency(c, number);
    for (const auto& target : settings.route) {
        const bool bare_trunk = target.starts_with("trunk/") && target.find('/', 6) == std::string::npos;
        dial_options options(bare_trunk ? target + "/" + number
                             : target.find("{number}") == std::string::npos
                                 ? target
                                 : fmt::format(fmt::runtime(target), fmt::arg("number", number)));
        options.ring_time(120s);
        options.ringback = "early";
        auto dialled = c.dial(std::move(options));
        const auto result = co_await dialled;
        if (result.status == dial_status::answered || result.status == dial_status::transferred) co_return;
        log::error(c, "emergency route {} failed: {}", target, to_string(result.status));
    }
    if (settings.route.empty()) log::error(c, "there is no way out for emergency calls: set emergency.route in strowger.toml");
    c.end(hangup_cause::no_circuit, "script");
}

namespace {

task<void> emergency_notice(call& c, std::string text) {
    co_await c.answer();
    prompt_list announcement(prompt_ref(prompt_ref::speech{std::move(text)}));
    play_options three_times;
    three_times.repeat(3);
    auto playing = c.play(std::move(announcement), std::move(three_times));
    co_await playing;
}

} // namespace

/// Rings the configured extension and tells who answers; the emergency call does not wait for that.
void calls::notify_emergency(call& c, const std::string& number) {
    auto target = core_.settings().emergency.notify;
    if (target.find('/') == std::string::npos) target = "ext/" + target;
    auto devices = core_.resolve(target);
    if (!devices || devices->empty()) {
        log::error(c, "nobody can be told of the emergency call: {} is not reachable", target);
        return;
    }
    const auto index = core_.index_of(c.home());
    auto& in = *shards_[index];
    for (auto& device : *devices) {
        outgoing_call what;
        what.to = std::move(device);
        what.number = target;
        what.caller = party{c.facts().from.number, "EMERGENCY " + number, false};
        what.call_id = c.id();
        auto line = leg::originate(core_, c.home(), c.caller().audio_home(), std::move(what), {}, true);
        if (!line) {
            log::error(c, "cannot tell {} of the emergency call: {}", target, line.error().text);
            continue;
        }
        const auto id = ++in.notice_count;
        auto& n = in.notices[id];
        n.line = std::move(*line);
        n.text = fmt::format("Emergency call. {} has dialled {}.", c.facts().from.number, number);
        n.limit = in.home.after(120s, [&in, id] { in.notices.erase(id); });
        n.line->watcher = [this, index, id](leg& l) {
            if (l.up() || l.ended()) shards_[index]->home.post([this, index, id] { notice_changed(index, id); });
        };
    }
}

void calls::notice_changed(std::size_t index, std::uint64_t id) {
    auto& in = *shards_[index];
    const auto it = in.notices.find(id);
    if (it == in.notices.end()) return;
    auto n = std::move(it->second);
    in.notices.erase(it);
    if (!n.line->up()) return;
    incoming_call facts;
    facts.driver = n.line->technology();
    facts.source = source_kind::originated;
    facts.from = n.line->who();
    facts.peer = n.line->peer();
    std::function<task<void>(call&)> story = [text = n.text](call& it2) { return emergency_notice(it2, text); };
    adopt(std::move(n.line), std::move(facts), {}, std::move(story));
}

void calls::end_all(hangup_cause cause, std::string by, std::function<bool(const call&)> which) {
    for (auto& s : shards_) {
        s->home.post([&in = *s, cause, by, which] {
            std::vector<std::shared_ptr<call>> chosen;
            for (const auto& [id, c] : in.by_id)
                if (!which || which(*c)) chosen.push_back(c);
            for (const auto& c : chosen) c->end(cause, by);
        });
    }
}

task<std::vector<call_line>> calls::list() {
    std::vector<call_line> all;
    for (auto& s : shards_) {
        std::function<std::vector<call_line>()> question = [&in = *s] {
            std::vector<call_line> lines;
            for (const auto& [id, c] : in.by_id) lines.push_back(line_of(*c));
            return lines;
        };
        auto asking = ask<std::vector<call_line>>(s->home, std::move(question));
        auto lines = co_await asking;
        all.insert(all.end(), std::make_move_iterator(lines.begin()), std::make_move_iterator(lines.end()));
    }
    co_return all;
}

task<bool> calls::refresh_figures(std::string id) {
    for (auto& s : shards_) {
        std::function<bool()> question = [&in = *s, id] {
            const auto it = in.by_id.find(id);
            if (it == in.by_id.end()) return false;
            it->second->caller().request_figures();
            if (auto* other = it->second->connected; other != nullptr) other->request_figures();
            return true;
        };
        auto asking = ask<bool>(s->home, std::move(question));
        const bool found = co_await asking;
        if (!found) continue;
        // A media thread that has answered this has sent its figures before.
        for (auto* w : core_.media().workers()) {
            std::function<bool()> nothing = [] { return true; };
            auto turn = ask<bool>(*w, std::move(nothing));
            co_await turn;
        }
        co_return true;
    }
    co_return false;
}

task<std::optional<value>> calls::show(std::string id) {
    auto refreshing = refresh_figures(id);
    const bool lives = co_await refreshing;
    if (!lives) co_return std::nullopt;
    for (auto& s : shards_) {
        std::function<std::optional<value>()> question = [&in = *s, id]() -> std::optional<value> {
            const auto it = in.by_id.find(id);
            if (it == in.by_id.end()) return std::nullopt;
            auto& c = *it->second;
            const auto l = line_of(c);
            c.ledger().leg_seen(c.caller());
            if (c.connected != nullptr) c.ledger().leg_seen(*c.connected);
            auto draft = c.ledger(); // a copy: the call goes on
            auto head = ledger_head(c, c.core().time().wall());
            head["state"] = l.state;
            head["doing"] = l.doing;
            head.erase("ended");
            return draft.finish(head);
        };
        auto asking = ask<std::optional<value>>(s->home, std::move(question));
        auto found = co_await asking;
        if (found) co_return found;
    }
    co_return std::nullopt;
}

task<bool> calls::hang_up(std::string id, hangup_cause cause) {
    for (auto& s : shards_) {
        std::function<bool()> question = [&in = *s, id, cause] {
            const auto it = in.by_id.find(id);
            if (it == in.by_id.end()) return false;
            const auto kept = it->second;
            kept->end(cause, "operator");
            return true;
        };
        auto asking = ask<bool>(s->home, std::move(question));
        if (co_await asking) co_return true;
    }
    co_return false;
}

} // namespace strowger
