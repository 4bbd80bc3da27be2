// The ledger: one record for each call, with its legs, who talked to whom from when to when, transfers and why it ended.
#pragma once
#include "core/base/clock.hpp"
#include "core/base/value.hpp"
#include "core/call/hangup_cause.hpp"
#include "core/store/store.hpp"
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
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

/// Keeps the records of ended calls: the newest in memory, all in the store.
class ledger {
public:
    explicit ledger(engine& core);
    /// Any thread. Nothing waits for the disk; a record that cannot be stored is logged whole.
    void add(value record);
    /// The newest first, those of earlier runs of the engine too. Reads the store, so it is no work for a call's thread.
    std::vector<value> newest(std::size_t count) const;
    /// Likewise.
    std::optional<value> find(const std::string& call_id) const;

private:
    /// Stored records from the newest on, until `visit` returns false.
    void walk_stored(const std::function<bool(const std::string& id, const std::string& json)>& visit) const;

    engine& core_;
    store::table table_;
    mutable std::mutex mutex_;
    std::deque<value> recent_;
};

} // namespace strowger
