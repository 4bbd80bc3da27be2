// Dialling: rings targets, connects the caller with the first that answers, and stays until one of them leaves.
#include "core/call/call.hpp"
#include "core/call/dial_order.hpp"
#include "core/call/forwarding.hpp"
#include "core/call/ledger.hpp"
#include "core/call/leg.hpp"
#include "core/call/talk.hpp"
#include "core/engine.hpp"
#include <algorithm>

namespace strowger {
namespace {

constexpr duration confirm_time = 10s;
/// Proxies on the way end what rings for 180 s (Timer C, RFC 3261 §16.6), and in their own way: we are first.
constexpr duration longest_ring = 170s;

/// What a dial comes to when nobody answered: the most telling of the causes of its legs wins.
struct outcome {
    dial_status status;
    int weight; // a busy phone says more than one that was switched off
};
outcome judge(hangup_cause c) {
    switch (c) {
    case hangup_cause::busy: return {dial_status::busy, 6};
    case hangup_cause::rejected: return {dial_status::rejected, 7};
    case hangup_cause::no_answer:
    case hangup_cause::no_user_response: return {dial_status::no_answer, 5};
    case hangup_cause::unallocated:
    case hangup_cause::no_route:
    case hangup_cause::number_changed:
    case hangup_cause::invalid_number: return {dial_status::unallocated, 3};
    case hangup_cause::congestion:
    case hangup_cause::no_circuit: return {dial_status::congestion, 4};
    case hangup_cause::subscriber_absent:
    case hangup_cause::out_of_order: return {dial_status::unavailable, 2};
    case hangup_cause::not_allowed:
    case hangup_cause::facility_rejected: return {dial_status::forbidden, 4};
    default: return {dial_status::failed, 1};
    }
}

/// One device of one target.
struct attempt {
    std::string target;
    endpoint device;
    std::optional<std::string> caller_id;
    instant starts, stops;
    std::unique_ptr<leg> line;
    std::optional<hangup_cause> failed;
    std::optional<instant> confirm_until;
    std::uint64_t confirm_prompt = 0;
    std::string after = {};              ///< begins when all of this target have failed
    std::vector<diversion> diverted = {}; ///< by devices that forwarded to it

    bool over() const noexcept { return failed.has_value(); }
};

} // namespace

std::string_view to_string(dial_status s) noexcept {
    switch (s) {
    case dial_status::answered: return "answered";
    case dial_status::busy: return "busy";
    case dial_status::no_answer: return "no_answer";
    case dial_status::rejected: return "rejected";
    case dial_status::unavailable: return "unavailable";
    case dial_status::unallocated: return "unallocated";
    case dial_status::congestion: return "congestion";
    case dial_status::failed: return "failed";
    case dial_status::forbidden: return "forbidden";
    case dial_status::transferred: return "transferred";
    }
    return "failed";
}

/// One dial of one call. Its legs hang up when it is left, however that happens.
class dialling {
public:
    dialling(call& c, dial_options o) : call_(c), core_(c.core()), options_(std::move(o)), forwarding_(core_, c) {}
    dialling(const dialling&) = delete;
    dialling& operator=(const dialling&) = delete;
    ~dialling() {
        for (auto& a : attempts_) drop(a, hangup_cause::answered_elsewhere);
        if (ringback_) call_.caller().stop_playing();
        call_.connected = nullptr;
    }

    task<dial_result> run();

private:
    void plan();
    void start(attempt& a);
    void look_after(attempt& a);
    void drop(attempt& a, hangup_cause why);
    void leg_ended(attempt& a);
    bool waits(const attempt& a) const;
    task<void> begin_ringback();
    void early_media(leg& from);
    instant next_deadline() const;
    bool all_over() const;
    dial_result unanswered();
    task<dial_result> talk(std::unique_ptr<leg> other, std::string by, duration rang);
    bool transfer_wanted(leg& other);
    std::function<task<void>(call&)> pressed_sequence();

    call& call_;
    engine& core_;
    dial_options options_;
    signal changed_;
    std::vector<attempt> attempts_, more_; // more: to be added when nobody looks at attempts
    forwarding forwarding_;
    std::string forwarded_to_;
    std::vector<media::play_item> confirm_items_;
    bool ringback_ = false;
    bool early_ = false;
    std::string typed_;
};

/// Makes one attempt for every device of every target, with the times at which they start and stop to ring.
void dialling::plan() {
    const auto now = call_.home().now();
    const auto targets = in_ringing_order(core_, options_.strategy, options_.targets);
    const bool in_turn = options_.strategy != dial_options::order::all;
    auto turn = now;
    for (const auto& t : targets) {
        const auto starts = in_turn ? turn + t.delay : now + t.delay;
        const auto stops =
            std::min(starts + std::min(t.ring_for.value_or(options_.ring_for), longest_ring),
                     in_turn ? instant::max() : now + options_.ring_for);
        turn = stops;
        auto devices = core_.resolve(t.target);
        const auto id = t.caller_id ? t.caller_id : options_.caller_id;
        if (!devices) {
            log::info(call_, "cannot dial '{}': {}", t.target, devices.error().text);
            attempt a{t.target, {}, id, starts, stops, nullptr, hangup_cause::unallocated, std::nullopt, 0};
            attempts_.push_back(std::move(a));
            continue;
        }
        if (devices->empty()) {
            attempt a{t.target, {}, id, starts, stops, nullptr, hangup_cause::subscriber_absent, std::nullopt, 0};
            attempts_.push_back(std::move(a));
        }
        for (auto& device : *devices) {
            forwarding_.rung(device);
            attempt a{t.target, std::move(device), id, starts, stops, nullptr, std::nullopt, std::nullopt, 0};
            attempts_.push_back(std::move(a));
        }
    }
}

void dialling::start(attempt& a) {
    const auto& facts = call_.facts();
    if (facts.hops_left <= 1) { // a loop through us or others would never end
        a.failed = hangup_cause::no_route;
        return;
    }
    outgoing_call what;
    what.to = a.device;
    what.number = a.target.substr(a.target.find('/') + 1);
    what.caller = facts.from;
    if (const auto& id = a.caller_id ? a.caller_id : call_.caller_id) {
        what.caller = party{*id, facts.from.name, false};
    }
    what.headers = options_.headers;
    what.diversions = facts.diversions;
    what.diversions.insert(what.diversions.end(), a.diverted.begin(), a.diverted.end());
    what.call_id = call_.id();
    what.hops_left = facts.hops_left - 1;
    what.passed = facts.passed;
    auto& caller = call_.caller();
    auto line =
        leg::originate(core_, call_.home(), caller.audio_home(), std::move(what), caller.likely_codec(), call_.emergency());
    if (!line) {
        log::warn(call_, "cannot ring {}: {}", a.device.address, line.error().text);
        a.failed = hangup_cause::temporary_failure;
        return;
    }
    a.line = std::move(*line);
    a.line->watcher = [this](leg&) { changed_.notify(); };
}

void dialling::drop(attempt& a, hangup_cause why) {
    if (!a.line) return;
    a.line->hang_up(why);
    call_.ledger().leg_seen(*a.line);
    a.line.reset();
    if (!a.failed) a.failed = why;
}

bool dialling::waits(const attempt& a) const {
    return !a.after.empty() &&
           std::any_of(attempts_.begin(), attempts_.end(), [&](const attempt& b) { return b.target == a.after && !b.over(); });
}

void dialling::leg_ended(attempt& a) {
    a.failed = a.line->cause();
    call_.ledger().leg_seen(*a.line);
    const auto gone = std::move(a.line);
    if (gone->refused_for_all_devices()) { // of this target: the others of a group are other people
        for (auto& b : attempts_) {
            if (b.over() || b.target != a.target) continue;
            drop(b, *a.failed);
            b.failed = a.failed;
        }
    }
    if (gone->elsewhere().empty()) return;
    std::vector<forwarding::step> steps;
    if (options_.follow_forwarding) steps = forwarding_.follow(gone->peer(), gone->elsewhere());
    if (steps.empty()) forwarded_to_ = gone->elsewhere().front();
    std::string after;
    for (auto& s : steps) {
        for (auto& device : s.devices) {
            attempt next{s.target, std::move(device), a.caller_id, a.starts, a.stops, nullptr, std::nullopt, std::nullopt};
            next.after = after;
            next.diverted = a.diverted;
            next.diverted.push_back({gone->who().number, "unknown"});
            more_.push_back(std::move(next));
        }
        after = s.target;
    }
}

/// Moves one attempt on as far as it goes now.
void dialling::look_after(attempt& a) {
    if (a.over()) return;
    const auto now = call_.home().now();
    if (!a.line) {
        if (waits(a)) {
            if (now >= a.stops) a.failed = hangup_cause::no_answer;
            return;
        }
        const bool waited = now >= a.starts;
        // In turn: the next begins as soon as those before it have failed.
        const bool earlier_over =
            options_.strategy != dial_options::order::all &&
            std::all_of(attempts_.begin(), attempts_.end(), [&](const attempt& b) { return b.starts >= a.starts || b.over(); });
        if (!waited && !earlier_over) return;
        if (!waited) {
            a.stops -= a.starts - now;
            a.starts = now;
        }
        start(a);
        if (a.over()) return;
    }
    if (a.line->ended()) return leg_ended(a);
    if (a.line->up() && a.confirm_until) {
        if (!a.line->digits.empty() && a.line->digits.front() != '1') return drop(a, hangup_cause::rejected);
        if (now >= *a.confirm_until) return drop(a, hangup_cause::no_answer);
        return;
    }
    if (a.line->up() && !confirm_items_.empty()) {
        a.confirm_prompt = a.line->play(confirm_items_, 3);
        a.confirm_until = now + confirm_time + 15s;
        return;
    }
    if (!a.line->up() && now >= a.stops) drop(a, hangup_cause::no_answer);
}

instant dialling::next_deadline() const {
    auto next = instant::max();
    for (const auto& a : attempts_) {
        if (a.over()) continue;
        next = std::min(next, waits(a) ? a.stops : !a.line ? a.starts : a.confirm_until.value_or(a.stops));
    }
    return next;
}

bool dialling::all_over() const {
    return std::all_of(attempts_.begin(), attempts_.end(), [](const attempt& a) { return a.over(); });
}

dial_result dialling::unanswered() {
    dial_result out;
    int weight = 0;
    out.status = dial_status::unallocated;
    out.cause = hangup_cause::unallocated;
    for (const auto& a : attempts_) {
        const auto judged = judge(a.failed.value_or(hangup_cause::no_answer));
        if (judged.weight <= weight) continue;
        weight = judged.weight;
        out.status = judged.status;
        out.cause = a.failed.value_or(hangup_cause::no_answer);
    }
    out.forwarded_to = forwarded_to_;
    return out;
}

/// What the caller hears until somebody answers: his own phone's tone before the answer, ours after it.
task<void> dialling::begin_ringback() {
    auto& caller = call_.caller();
    if (options_.ringback == "early" && caller.up()) co_return; // comes from the callee
    if (!caller.up() && (options_.ringback == "tone" || options_.ringback == "early")) {
        caller.ring();
        co_return;
    }
    std::vector<media::play_item> items;
    if (options_.ringback == "music") {
        items = core_.music(call_.music);
    } else if (options_.ringback == "tone") {
        media::play_item ring;
        if (auto tone = media::find_tone("ring")) ring.what = std::move(*tone);
        ring.name = "tone:ring";
        items.push_back(std::move(ring));
    } else {
        prompt_list chosen(options_.ringback);
        auto resolving = call_.resolve(std::move(chosen));
        items = co_await resolving;
    }
    if (!caller.up()) co_await call_.progress();
    ringback_ = caller.play(std::move(items), 0) != 0;
}

void dialling::early_media(leg& from) {
    if (early_ || options_.ringback != "early" || from.audio() == nullptr) return;
    auto& caller = call_.caller();
    caller.prefer_codec(from.codec());
    if (!caller.up() && !caller.progress()) return;
    if (caller.audio() == nullptr) return;
    caller.audio()->listen_to(*from.audio());
    early_ = true;
}

task<dial_result> dialling::run() {
    call_.throw_if_ended();
    const auto began = call_.home().now();
    if (!options_.confirm.empty()) {
        auto asking = options_.confirm;
        auto resolving = call_.resolve(std::move(asking));
        confirm_items_ = co_await resolving;
    }
    plan();
    call_.doing = "dialling " + (options_.targets.empty() ? std::string("nobody") : options_.targets.front().target);
    bool ringback_begun = false;
    for (;;) {
        for (auto& a : attempts_) look_after(a);
        std::move(more_.begin(), more_.end(), std::back_inserter(attempts_));
        more_.clear();
        for (auto& a : attempts_) {
            const bool taken =
                a.line && a.line->up() && (!a.confirm_until || (!a.line->digits.empty() && a.line->digits.front() == '1'));
            if (!taken) continue;
            if (a.confirm_until) {
                a.line->stop_playing();
                a.line->digits.clear();
            }
            auto other = std::move(a.line);
            a.failed = hangup_cause::normal;
            auto by = a.target;
            for (auto& loser : attempts_) drop(loser, hangup_cause::answered_elsewhere);
            auto talking = talk(std::move(other), std::move(by), call_.home().now() - began);
            co_return co_await talking;
        }
        if (all_over()) break;
        const bool any_rings =
            std::any_of(attempts_.begin(), attempts_.end(), [](const attempt& a) { return a.line && a.line->ringing_at(); });
        if (any_rings && !ringback_begun) {
            ringback_begun = true;
            auto begin = begin_ringback();
            co_await begin;
        }
        for (auto& a : attempts_)
            if (a.line && a.line->has_early_media()) early_media(*a.line);
        if (const auto deadline = next_deadline(); deadline > call_.home().now()) co_await wait_until(changed_, deadline);
    }
    auto out = unanswered();
    out.ring_time = call_.home().now() - began;
    co_return out;
}

bool dialling::transfer_wanted(leg& who) {
    if (!who.transfer) return false;
    const bool is_caller = &who == &call_.caller();
    if (options_.allow_transfer == "both" || (options_.allow_transfer == "callee" && !is_caller)) return true;
    who.transfer_result(who.transfer->id, hangup_cause::facility_rejected);
    who.transfer.reset();
    return false;
}

/// The handler of a key sequence that the caller has completed, if any.
std::function<task<void>(call&)> dialling::pressed_sequence() {
    auto& keys = call_.caller().digits;
    while (!keys.empty()) {
        typed_ += keys.front();
        keys.pop_front();
        while (!typed_.empty() && std::none_of(options_.keys.begin(), options_.keys.end(),
                                               [&](const auto& k) { return k.first.starts_with(typed_); }))
            typed_.erase(0, 1);
        if (const auto it = options_.keys.find(typed_); it != options_.keys.end()) {
            typed_.clear();
            return it->second;
        }
    }
    return {};
}

task<dial_result> dialling::talk(std::unique_ptr<leg> other, std::string by, duration rang) {
    auto& caller = call_.caller();
    auto& home = call_.home();
    if (ringback_) caller.stop_playing();
    ringback_ = false;
    if (early_ && caller.audio() != nullptr) caller.audio()->part();
    other->watcher = [this](leg&) { call_.changed().notify(); };

    /// Whatever ends the talk, the ledger has it.
    struct leg_keeper {
        call& c;
        std::unique_ptr<leg>& other;
        ~leg_keeper() {
            c.connected = nullptr;
            if (!other) return;
            other->hang_up(c.ended() ? *c.cause() : hangup_cause::normal);
            c.ledger().leg_seen(*other);
        }
    } const kept{call_, other};

    caller.prefer_codec(other->codec());
    caller.identity(other->who());
    co_await call_.answer();
    if (!options_.announce.empty()) {
        auto resolving = call_.resolve(options_.announce);
        auto items = co_await resolving;
        const auto id = other->play(std::move(items));
        while (other->played < id && !other->ended()) co_await wait_for(other->changed());
    }

    dial_result out;
    out.status = dial_status::answered;
    out.by = std::move(by);
    out.ring_time = rang;
    const auto began = home.now();
    const auto began_at = core_.time().wall();
    talk_limit limit(began, options_);
    const auto other_id = other->id();
    call_.connected = other.get();
    call_.doing = "talking with " + other->who().number;
    call_.ledger().leg_seen(*other);
    struct talk_line {
        call& c;
        std::string a, b;
        talk_line(call& in, std::string caller_id, std::string callee_id, wall_time since)
            : c(in), a(std::move(caller_id)), b(std::move(callee_id)) {
            c.ledger().talk_began(a, b, since);
        }
        talk_line(const talk_line&) = delete;
        talk_line& operator=(const talk_line&) = delete;
        ~talk_line() { c.ledger().talk_ended(a, b, c.core().time().wall()); }
    };
    std::optional<talk_line> line(std::in_place, call_, caller.id(), other_id, began_at);
    std::optional<bridge> both(std::in_place, core_, caller, *other, call_.music);
    for (;;) {
        both->update();
        if (other->ended()) {
            out.left_by = "callee";
            out.cause = *other->cause();
            break;
        }
        if (limit.reached(home.now())) {
            out.left_by = "max_talk";
            break;
        }
        const bool by_caller = transfer_wanted(caller);
        if (by_caller || transfer_wanted(*other)) {
            auto& giver = by_caller ? caller : *other;
            const auto wanted = std::move(*giver.transfer);
            giver.transfer.reset();
            log::info(call_, "{} transfers {} to {}", giver.peer(), by_caller ? other->peer() : caller.peer(), wanted.target);
            both.reset();
            line.reset();
            call_.connected = nullptr;
            call_.ledger().leg_seen(*other);
            // Who transfers keeps this call until it is decided; the other one gets a call of its own.
            if (!by_caller) call_.change_caller(other);
            auto giving = call_.give_away(std::move(other), wanted.target, by_caller);
            const auto fate = co_await giving;
            giver.transfer_result(wanted.id, fate->failed);
            other = std::move(fate->back);
            if (other) other->belongs_to(call_.id());
            if (!by_caller) {
                if (!fate->failed) call_.end(hangup_cause::normal, "transfer");
                else call_.change_caller(other);
                call_.throw_if_ended();
            }
            if (!other || other->ended()) {
                out.left_by = fate->failed ? "callee" : "transfer";
                if (!fate->failed) out.status = dial_status::transferred;
                break;
            }
            other->watcher = [this](leg&) { call_.changed().notify(); };
            call_.connected = other.get();
            call_.doing = "talking with " + other->who().number;
            line.emplace(call_, caller.id(), other_id, core_.time().wall());
            both.emplace(core_, caller, *other, call_.music);
            continue;
        }
        if (auto handler = pressed_sequence()) {
            auto work = aside(std::move(handler), call_, both, *other, limit.end());
            co_await work;
            call_.connected = other.get();
            call_.doing = "talking with " + other->who().number;
            continue;
        }
        limit.warn_when_due(home.now(), caller, *other);
        if (limit.next() != instant::max()) co_await wait_until(call_.changed(), limit.next());
        else co_await wait_for(call_.changed());
    }
    both.reset();
    out.talk_time = home.now() - began;
    co_return out;
}

task<dial_result> call::dial(dial_options options) {
    dialling now(*this, std::move(options));
    auto running = now.run();
    co_return co_await running;
}

} // namespace strowger
