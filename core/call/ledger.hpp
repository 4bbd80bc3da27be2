// The ledger: one record for each call, with its legs, who talked to whom from when to when, transfers and why it ended.
#pragma once
#include "core/async/worker.hpp"
#include "core/base/clock.hpp"
#include "core/base/value.hpp"
#include "core/call/hangup_cause.hpp"
#include "core/store/store.hpp"
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace strowger {

class leg;
class engine;
struct leg_figures;

/// What is being written down of a call that lives. On its worker only.
class ledger_draft {
public:
    explicit ledger_draft(std::string call_id) : call_id_(std::move(call_id)) {}

    /// Begins a leg's line, or brings it up to date. Its media figures are those of the time when the record is finished.
    void leg_seen(const leg& l);
    /// The media of some leg have not told their last figures yet: `told` is called once they have, perhaps before the others.
    bool waits_for_figures(const std::function<void()>& told);
    void talk_began(const std::string& a, const std::string& b, wall_time at);
    void talk_ended(const std::string& a, const std::string& b, wall_time at);
    /// A step of the dialplan or a decision: "context internal, extension 200".
    void step(wall_time at, std::string text);
    void note(wall_time at, std::string text);
    /// The call this one came from by a transfer, or that it went on as.
    void parent(std::string call_id) { parent_ = std::move(call_id); }
    void child(std::string call_id) { children_.push_back(std::move(call_id)); }

    value finish(const value::table& head);
    duration talk_time(wall_time now) const;

private:
    struct leg_line {
        std::string id;
        value::table fields;
        std::shared_ptr<leg_figures> figures;
    };
    struct talk { std::string a, b; wall_time from; std::optional<wall_time> to; };
    std::string call_id_, parent_;
    std::vector<std::string> children_;
    std::vector<leg_line> legs_;
    std::vector<talk> talks_;
    value::list steps_, notes_;
};

/// Keeps the records of ended calls in the store, for as long and as many as `[ledger]` says.
class ledger {
public:
    explicit ledger(engine& core);
    ~ledger();
    /// Any thread. Nothing waits for the disk; a record that cannot be stored is logged whole.
    void add(const value& record);
    /// The newest by their ends first, those of earlier runs of the engine too. Reads the store, so it is no work for a call's
    /// thread.
    std::vector<value> newest(std::size_t count) const;
    /// Likewise.
    std::optional<value> find(const std::string& call_id) const;
    /// Removes what is too old or too much, a little at a time, from now on and for ever. On the thread for files.
    void keep_in_bounds();

private:
    struct waiting; ///< records that are not on the disk yet
    bool remove_some();

    engine& core_;
    store::table table_;  ///< by the end of the call
    store::table ids_;    ///< the key in that table by the call's id
    std::atomic<std::uint32_t> added_{0};
    std::shared_ptr<waiting> waiting_;
    timer next_;
};

} // namespace strowger
