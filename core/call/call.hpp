// A call: what an application or a script handles. Its operations are coroutines that read like the story of the call.
#pragma once
#include "core/async/signal.hpp"
#include "core/base/lease.hpp"
#include "core/base/log.hpp"
#include "core/call/options.hpp"
#include "core/media/stream.hpp"
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

namespace strowger {

class engine;
class leg;
class ledger_draft;

/// Thrown out of every operation of a call that has ended. Let it pass; what must happen anyway is a destructor.
class call_ended final : public std::exception {
public:
    explicit call_ended(hangup_cause c) noexcept : cause_(c) {}
    ~call_ended() override;
    const char* what() const noexcept override;
    hangup_cause cause() const noexcept { return cause_; }

private:
    hangup_cause cause_;
};

/// Thrown by transfer() and go_to(): the script is left and the call goes on elsewhere. Let it pass as well.
class call_redirected final : public std::exception {
public:
    call_redirected(std::string extension, std::string context)
        : extension_(std::move(extension)), context_(std::move(context)) {}
    ~call_redirected() override;
    const char* what() const noexcept override;
    /// An extension in a context (empty: the same), or with is_target() a target to be dialled ("user/anna").
    const std::string& extension() const noexcept { return extension_; }
    const std::string& context() const noexcept { return context_; }
    bool is_target() const noexcept { return extension_.find('/') != std::string::npos; }

private:
    std::string extension_, context_;
};

/// What becomes of a transfer. Belongs to the worker of the call that gave the leg away; who has the leg now only posts there.
struct transfer_fate {
    transfer_fate(worker& at, media::media_thread& with, signal& tell);
    ~transfer_fate();
    worker& home;
    media::media_thread& audio;
    signal* waits;                      ///< of who wants to know; null: nobody any more
    value::table vars;                  ///< of the call that gave the leg away; they go along
    bool over = false;
    std::optional<hangup_cause> failed; ///< nothing: somebody or something was reached
    std::unique_ptr<leg> back;          ///< the leg, when the transfer failed and it is still there
};

/// Lives on one worker; everything here is called on it, from the call's own flows unless it says otherwise. The operations that
/// are tasks throw call_ended when the call has ended or ends meanwhile.
class call final : public std::enable_shared_from_this<call> {
public:
    call(engine& core, worker& home, std::string id, incoming_call facts);
    call(const call&) = delete;
    call& operator=(const call&) = delete;
    ~call();

    // Facts.
    const std::string& id() const noexcept { return id_; }
    const incoming_call& facts() const noexcept { return facts_; }
    const std::string& context() const noexcept { return context_; }
    const std::string& extension() const noexcept { return extension_; }
    const std::string& pattern() const noexcept { return pattern_; }
    /// Where the call is in the dialplan now; the dialplan tells it.
    void at(std::string context, std::string extension, std::string pattern);
    bool answered() const noexcept;
    bool ended() const noexcept { return cause_.has_value(); }
    bool emergency() const noexcept { return emergency_; }
    wall_time started() const noexcept { return started_; }
    duration age() const noexcept;
    worker& home() const noexcept { return home_; }
    engine& core() const noexcept { return core_; }
    leg& caller() const noexcept { return *caller_; }
    operator log::source() const noexcept { return {"call", id_}; }

    // What a script may set.
    std::string language = "en";
    value::table vars;
    value data;
    std::optional<std::string> caller_id; ///< number shown on legs made from now on
    std::string music = "default";

    // Verbs.
    /// Tells the caller that it rings (180).
    void ring();
    /// Opens early media (183): play() before the answer is then heard and not billed.
    task<void> progress();
    /// Answers; a second time is harmless.
    task<void> answer();
    /// Ends the call from its own flow; before the answer this is a refusal with that cause. Throws call_ended.
    [[noreturn]] void hang_up(hangup_cause cause = hangup_cause::normal);
    /// Silence for so long; not an answer.
    task<void> wait(duration d);
    /// Plays to the end or until a key of `interrupt`; that key is returned and stays in the buffer. A missing prompt is
    /// spoken by the fallback voice, else replaced by a tone, and logged by name.
    task<std::optional<char>> play(prompt_list what, play_options options = {});
    /// Answers first, when that has not been done.
    task<gather_result> gather(gather_options options);
    task<std::optional<char>> read_digit(duration timeout);
    void flush_digits() noexcept;
    /// Sends keys to the caller's end.
    task<void> send_digits(std::string digits);
    task<menu_choice> menu(menu_options options);
    /// Rings the targets and connects the caller with the first that answers; returns when that one leaves.
    task<dial_result> dial(dial_options options);
    /// Runs an application of a module; fails by throwing std::runtime_error when there is none of that name.
    task<value> run(std::string application, value arguments);
    [[noreturn]] void transfer(std::string target);
    [[noreturn]] void go_to(std::string extension, std::string context = {});
    /// Runs after the end, newest first, with 10 s for all of them; operations of the call throw then.
    void on_end(std::function<task<void>(call&, end_info)> handler);
    /// A remark for people, kept in the ledger.
    void note(std::string text);

    // For the core.
    /// Ends the call from outside its flows; the first cause wins. `by`: "caller", "callee", "operator", "limit", "script".
    void end(hangup_cause cause, std::string by) noexcept;
    std::optional<hangup_cause> cause() const noexcept { return cause_; }
    const std::string& ended_by() const noexcept { return ended_by_; }
    /// The caller's leg ended, was transferred or has something else to say; see leg.hpp.
    signal& changed() noexcept { return changed_; }
    ledger_draft& ledger() noexcept { return *ledger_; }
    /// What it does now, for `call list`: "playing welcome", "dialling ext/200".
    std::string doing;
    /// The leg it talks with now, or null.
    leg* connected = nullptr;
    void mark_emergency() noexcept { emergency_ = true; }

private:
    friend class calls;
    friend class bridge;

    /// Takes the leg and begins: `story` is the whole of the call. `finished` runs when nothing of it is left.
    void begin(std::unique_ptr<leg> caller, lease story_lease, std::function<task<void>(call&)> story, job finished);
    task<void> live(std::function<task<void>(call&)> story);
    void story_ended();
    task<void> run_end_handlers();
    void caller_changed(leg& l);
    /// Finds what is to be played, imported off this worker where it is new.
    task<std::vector<media::play_item>> resolve(prompt_list what);
    task<std::string> collect(const gather_options& o);
    void throw_if_ended() const;
    /// For a transferred leg: there is something to hear now, the transfer has succeeded.
    void reached() noexcept;
    // transfer.cpp
    /// Gives a leg to a new call that goes to extension `target`. Returns when that has reached somebody, or has not and the
    /// leg is back; a caller who hangs up meanwhile leaves the transfer to itself. `callee`: it is not the leg this call came by.
    task<std::shared_ptr<transfer_fate>> give_away(std::unique_ptr<leg> given, std::string target, bool callee);
    /// This call is that of another leg from now on; `with` is the one that it had.
    void change_caller(std::unique_ptr<leg>& with);
    friend class dialling;

    engine& core_;
    worker& home_;
    const std::string id_;
    incoming_call facts_;
    std::string context_, extension_, pattern_;
    wall_time started_;
    instant began_;
    std::optional<hangup_cause> cause_;
    std::string ended_by_;
    bool emergency_ = false;
    signal changed_;
    std::unique_ptr<ledger_draft> ledger_;
    std::vector<std::function<task<void>(call&, end_info)>> end_handlers_;
    std::unique_ptr<leg> caller_;
    std::shared_ptr<transfer_fate> fate_; // until the transfer that made this call is decided
    lease story_lease_; // outlives the frames of the flows below
    job finished_;
    timer max_length_;
    flow flow_;
    flow end_flow_;
};

} // namespace strowger
