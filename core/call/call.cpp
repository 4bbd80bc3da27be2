#include "core/call/call.hpp"
#include "core/async/together.hpp"
#include "core/call/ledger.hpp"
#include "core/call/leg.hpp"
#include "core/engine.hpp"
#include <stdexcept>

namespace strowger {
namespace {

constexpr duration end_handlers_budget = 10s;

} // namespace

call_ended::~call_ended() = default;
const char* call_ended::what() const noexcept { return "the call has ended"; }
call_redirected::~call_redirected() = default;
const char* call_redirected::what() const noexcept { return "the call goes on elsewhere"; }

call::call(engine& core, worker& home, std::string id, incoming_call facts)
    : core_(core), home_(home), id_(std::move(id)), facts_(std::move(facts)), extension_(facts_.to_number),
      started_(core.time().wall()), began_(core.time().now()), ledger_(std::make_unique<ledger_draft>(id_)), flow_(home),
      end_flow_(home) {
    const auto& s = core.settings();
    const auto user = s.users.find(facts_.user);
    language = user != s.users.end() && !user->second.language.empty() ? user->second.language : s.sounds.language;
}

call::~call() = default;

transfer_fate::transfer_fate(worker& at, media::media_thread& with, signal& tell) : home(at), audio(with), waits(&tell) {}
transfer_fate::~transfer_fate() = default;

void call::reached() noexcept {
    const auto fate = std::move(fate_);
    if (!fate) return;
    fate->home.post([fate] {
        fate->over = true;
        if (fate->waits != nullptr) fate->waits->notify();
    });
}

void call::at(std::string context, std::string extension, std::string pattern) {
    ledger_->step(core_.time().wall(), "context " + context + ", extension " + extension);
    core_.events().publish(event_kind::call_extension, id_, [&] {
        return value::table{{"context", context}, {"extension", extension}};
    });
    context_ = std::move(context);
    extension_ = std::move(extension);
    pattern_ = std::move(pattern);
}

bool call::answered() const noexcept { return caller_ && caller_->answered_at().has_value(); }
duration call::age() const noexcept { return core_.time().now() - began_; }

void call::begin(std::unique_ptr<leg> caller, lease story_lease, std::function<task<void>(call&)> story, job finished) {
    caller_ = std::move(caller);
    caller_->watcher = [this](leg& l) { caller_changed(l); };
    ledger_->leg_seen(*caller_); // the first line of the record
    story_lease_ = std::move(story_lease);
    finished_ = std::move(finished);
    max_length_ =
        home_.after(core_.settings().limits.max_call_seconds, [this] { end(hangup_cause::normal_unspecified, "limit"); });
    flow_.start(live(std::move(story)), [this] { story_ended(); });
    if (caller_->ended()) caller_changed(*caller_);
}

task<void> call::live(std::function<task<void>(call&)> story) {
    try {
        co_await story(*this);
    } catch (const call_ended&) {
    } catch (const call_redirected& elsewhere) {
        log::error(*this, "nobody took the call on to '{}'", elsewhere.extension());
    } catch (const std::exception& e) {
        log::error(*this, "the call failed: {}", e.what());
        end(hangup_cause::temporary_failure, "script");
    }
}

void call::story_ended() {
    end(hangup_cause::normal, "script");
    doing = "ending";
    end_flow_.start(run_end_handlers(), [this] {
        auto done = std::move(finished_);
        done(); // destroys this call
    });
}

task<void> call::run_end_handlers() {
    const end_info info{*cause_, ended_by_, ledger_->talk_time(core_.time().wall())};
    const auto deadline = home_.now() + end_handlers_budget;
    while (!end_handlers_.empty()) {
        auto handler = std::move(end_handlers_.back());
        end_handlers_.pop_back();
        try {
            const auto left = deadline - home_.now();
            auto work = handler(*this, info);
            if (left <= duration::zero() || !co_await with_deadline(std::move(work), left)) {
                log::warn(*this, "an on_end handler did not end within 10 s and was stopped");
                break;
            }
        } catch (const std::exception& e) {
            log::error(*this, "an on_end handler failed: {}", e.what());
        }
    }
}

void call::caller_changed(leg& l) {
    if (l.ended()) {
        end(*l.cause(), "caller");
    } else if (l.transfer && connected == nullptr) { // there is nobody whom the caller could transfer
        l.transfer_result(l.transfer->id, hangup_cause::facility_rejected);
        l.transfer.reset();
    }
    changed_.notify();
}

void call::end(hangup_cause why, std::string by) noexcept {
    if (cause_) return;
    cause_ = why;
    ended_by_ = std::move(by);
    max_length_.cancel();
    // A transfer that failed gives the leg back to who transferred it: see calls::finish.
    const bool goes_back = fate_ && ended_by_ == "script";
    if (caller_ && !goes_back) caller_->hang_up(why);
    flow_.cancel(std::make_exception_ptr(call_ended(why)));
    changed_.notify();
}

void call::throw_if_ended() const {
    if (cause_) throw call_ended(*cause_);
}

void call::ring() {
    throw_if_ended();
    caller_->ring();
}

task<void> call::progress() {
    throw_if_ended();
    if (auto opened = caller_->progress(); !opened) log::warn(*this, "no early media: {}", opened.error().text);
    co_return;
}

task<void> call::answer() {
    throw_if_ended();
    reached();
    if (caller_->up()) co_return;
    if (auto answered = caller_->answer(); !answered) {
        log::warn(*this, "cannot be answered: {}", answered.error().text);
        hang_up(core_.media().exhausted() ? hangup_cause::congestion : hangup_cause::incompatible);
    }
    core_.events().publish(event_kind::call_answered, id_);
    co_return;
}

void call::hang_up(hangup_cause why) {
    end(why, "script");
    throw call_ended(*cause_);
}

task<void> call::wait(duration d) {
    throw_if_ended();
    doing = "waiting";
    co_await sleep_for(d);
}

void call::flush_digits() noexcept { caller_->digits.clear(); }

task<void> call::send_digits(std::string digits) {
    throw_if_ended();
    if (caller_->audio() == nullptr) co_return;
    const auto id = caller_->next_id();
    caller_->audio()->send_digits(id, std::move(digits));
    while (caller_->sent < id) co_await wait_for(caller_->changed());
}

namespace {

/// Runs a module's application so that nothing of the module leaves with an exception.
task<value> run_guarded(application run, call& c, value arguments) {
    std::string failed;
    try {
        auto work = run(c, std::move(arguments));
        co_return co_await work;
    } catch (const call_ended&) {
        throw;
    } catch (const call_redirected&) {
        throw;
    } catch (const std::exception& e) {
        failed = e.what(); // the exception's own type may belong to the module
    }
    throw std::runtime_error(failed);
}

} // namespace

task<value> call::run(std::string name, value arguments) {
    throw_if_ended();
    auto found = core_.applications.find(name, "call " + id_ + " in " + name);
    if (!found) throw std::runtime_error("there is no application '" + name + "'; `module list` shows which modules are loaded");
    doing = name;
    ledger_->step(core_.time().wall(), "application " + name);
    auto work = run_guarded(found->what, *this, std::move(arguments));
    co_return co_await work;
}

void call::transfer(std::string target) { throw call_redirected(std::move(target), {}); }
void call::go_to(std::string extension, std::string context) { throw call_redirected(std::move(extension), std::move(context)); }

void call::on_end(std::function<task<void>(call&, end_info)> handler) { end_handlers_.push_back(std::move(handler)); }

void call::note(std::string text) { ledger_->note(core_.time().wall(), std::move(text)); }

} // namespace strowger
