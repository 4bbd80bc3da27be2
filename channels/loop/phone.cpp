#include "channels/loop/phone.hpp"
#include <algorithm>
#include <cmath>
#include <numbers>

namespace strowger::loop {
namespace {

constexpr std::size_t listened = 1600; // the last 200 ms

/// Power of one frequency in the samples (Goertzel), relative to all of their power.
double share(const std::vector<std::int16_t>& samples, double hertz) {
    const double k = 2 * std::cos(2 * std::numbers::pi * hertz / 8000);
    double s1 = 0, s2 = 0, all = 0;
    for (const double x : samples) {
        const double s0 = x + k * s1 - s2;
        s2 = s1;
        s1 = s0;
        all += x * x;
    }
    return all <= 0 ? 0 : (s1 * s1 + s2 * s2 - k * s1 * s2) / (all * static_cast<double>(samples.size()) / 2);
}

} // namespace

std::unique_ptr<loop_channel> phone::connect_locked(std::shared_ptr<engine_end> engine) {
    std::tie(pipe_, engine_pipe_) = media::frame_pipe::make();
    pipe_->speak(hertz_);
    engine_ = std::move(engine);
    cause_.reset();
    auto line = std::make_unique<loop_channel>(shared_from_this(), nullptr);
    line->on_transfer_result = [self = weak_from_this()](std::uint64_t id, std::optional<hangup_cause> failed) {
        if (auto p = self.lock()) p->transfer_ended(id, failed);
    };
    return line;
}

void phone::dial(std::string number) {
    incoming_call what;
    auto engine = std::make_shared<engine_end>();
    std::unique_ptr<loop_channel> line;
    {
        const std::lock_guard lock(mutex_);
        if (engine_) return;
        line = connect_locked(engine);
        state_ = state::dialling;
        display_ = number;
        what.offer.pipe = engine_pipe_;
    }
    what.driver = "loop";
    what.source = source_kind::test;
    what.source_name = name_;
    what.user = name_;
    what.context = context_;
    what.from.number = name_;
    what.from.name = name_;
    what.to_number = std::move(number);
    what.peer = "loop/" + name_;
    auto taken = ctx_.incoming(std::move(what), std::move(line));
    if (taken) return engine->connect(std::move(*taken));
    happened(event::ended{taken.error().cause, taken.error().why});
}

std::unique_ptr<channel> phone::rung(const outgoing_call& what, std::shared_ptr<leg_mailbox> events) {
    std::unique_ptr<loop_channel> line;
    {
        const std::lock_guard lock(mutex_);
        if (engine_) return nullptr;
        line = connect_locked(std::make_shared<engine_end>(events));
        state_ = state::ringing_here;
        display_ = what.caller.withheld ? "" : what.caller.number;
    }
    events->post(event::ringing{});
    return line;
}

void phone::answer() {
    std::shared_ptr<engine_end> engine;
    media_description m;
    {
        const std::lock_guard lock(mutex_);
        if (state_ != state::ringing_here) return;
        state_ = state::talking;
        engine = engine_;
        m.pipe = engine_pipe_;
    }
    engine->happened(event::answered{std::move(m)});
}

void phone::hang_up(hangup_cause cause) {
    std::shared_ptr<engine_end> engine;
    {
        const std::lock_guard lock(mutex_);
        if (!engine_) return;
        drain_locked();
        engine = std::move(engine_);
        engine_.reset();
        state_ = state::ended;
        cause_ = cause;
    }
    engine->happened(event::ended{cause, {}});
}

void phone::press(std::string digits) {
    const std::lock_guard lock(mutex_);
    if (!engine_) return;
    for (const char d : digits) pipe_->send_digit(d);
}

void phone::hold() {
    const std::lock_guard lock(mutex_);
    if (engine_) engine_->happened(event::held{true});
}

void phone::resume() {
    const std::lock_guard lock(mutex_);
    if (engine_) engine_->happened(event::held{false});
}

void phone::transfer(std::string target) {
    const std::lock_guard lock(mutex_);
    if (!engine_) return;
    transfer_state_ = "pending";
    engine_->happened(event::transfer_requested{++transfers_, std::move(target)});
}

void phone::transfer_ended(std::uint64_t, std::optional<hangup_cause> failed) {
    const std::lock_guard lock(mutex_);
    transfer_state_ = failed ? to_string(*failed) : "done";
}

void phone::speak(double hertz) {
    const std::lock_guard lock(mutex_);
    hertz_ = hertz;
    if (pipe_) pipe_->speak(hertz);
}

void phone::happened(leg_event e) {
    const std::lock_guard lock(mutex_);
    if (!engine_) return;
    if (std::holds_alternative<event::ringing>(e) || std::holds_alternative<event::progress>(e)) {
        if (state_ == state::dialling) state_ = state::ringing_there;
    } else if (std::holds_alternative<event::answered>(e)) {
        state_ = state::talking;
    } else if (const auto* key = std::get_if<event::digit>(&e)) {
        keys_ += key->key;
    } else if (const auto* who = std::get_if<event::identity>(&e)) {
        display_ = who->who.number;
    } else if (const auto* end = std::get_if<event::ended>(&e)) {
        drain_locked();
        engine_.reset();
        state_ = state::ended;
        cause_ = end->cause;
    }
}

/// Takes what has arrived through the pipe.
void phone::drain_locked() const {
    if (!pipe_) return;
    for (auto& what : pipe_->announcements()) heard_.push_back(std::move(what));
    keys_ += pipe_->take_digits();
    media::linear_frame f;
    while (pipe_->read(f)) last_.insert(last_.end(), f.begin(), f.end());
    if (last_.size() > listened) last_.erase(last_.begin(), last_.end() - listened);
}

virtual_phone::state phone::now() const {
    const std::lock_guard lock(mutex_);
    return state_;
}

std::optional<hangup_cause> phone::cause() const {
    const std::lock_guard lock(mutex_);
    return cause_;
}

std::vector<std::string> phone::heard() const {
    const std::lock_guard lock(mutex_);
    drain_locked();
    return heard_;
}

std::string phone::keys() const {
    const std::lock_guard lock(mutex_);
    drain_locked();
    return keys_;
}

double phone::hears_hertz() const {
    const std::lock_guard lock(mutex_);
    drain_locked();
    double best = 0, best_share = 0.1; // less than a tenth of the power is no tone
    for (double hertz = 50; hertz < 3800 && last_.size() == listened; hertz += 5) {
        const double now = share(last_, hertz);
        if (now <= best_share) continue;
        best_share = now;
        best = hertz;
    }
    return best;
}

std::string phone::transfer_state() const {
    const std::lock_guard lock(mutex_);
    return transfer_state_;
}

std::string phone::display() const {
    const std::lock_guard lock(mutex_);
    return display_;
}

std::shared_ptr<virtual_phone> exchange::make(std::string name, std::string context) {
    auto made = std::make_shared<phone>(ctx_, name, std::move(context));
    const std::lock_guard lock(mutex_);
    phones_[std::move(name)] = made;
    return made;
}

std::shared_ptr<phone> exchange::find(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    const auto it = phones_.find(name);
    return it == phones_.end() ? nullptr : it->second.lock();
}

} // namespace strowger::loop
