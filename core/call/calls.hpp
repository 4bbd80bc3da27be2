// All calls of the engine: how they come in, over which workers they are spread, and how to reach them.
#pragma once
#include "core/async/task.hpp"
#include "core/base/lease.hpp"
#include "core/channel/channel.hpp"
#include "core/call/call.hpp"
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace strowger {

class engine;

/// A call as `call list` shows it.
struct call_line {
    std::string id, from, to, source, state, doing, context, extension, codec;
    duration age{};
    bool answered = false, emergency = false;
};

/// Spreads calls over the workers and knows them all.
class calls {
public:
    explicit calls(engine& core);
    ~calls();

    /// Any thread. Chooses a worker; emergency calls are never refused. `driver` holds the driver's module.
    tl::expected<std::shared_ptr<leg_mailbox>, refusal> incoming(incoming_call what, std::unique_ptr<channel> line, lease driver);
    std::optional<refusal> would_refuse(std::string_view to_number) const;
    /// Gives a leg to a new call of its own, which runs extension `facts.to_number`: a blind transfer. The leg moves to whichever
    /// worker has room, and with a `fate` back again when the transfer reaches nobody. Returns the new call's id. On the leg's
    /// worker. With a story of its own it runs that instead of an extension.
    std::string adopt(std::unique_ptr<leg> given, incoming_call facts, const std::string& parent_call,
                      std::function<task<void>(call&)> story = {}, std::shared_ptr<transfer_fate> fate = {});

    /// Calls are found on their workers: these ask there and come back.
    task<std::vector<call_line>> list();
    /// With media figures of this moment.
    task<std::optional<value>> show(std::string id);
    /// False when there is no such call.
    task<bool> hang_up(std::string id, hangup_cause cause);
    /// Any thread: ends every call, or those for which `which` (run on their workers) says so.
    void end_all(hangup_cause cause, std::string by, std::function<bool(const call&)> which = {});

    std::size_t count() const noexcept { return count_; }
    std::uint64_t total() const noexcept { return total_; }

    /// From now on only emergency calls are taken.
    void drain(bool on) noexcept { draining_ = on; }
    bool draining() const noexcept { return draining_; }

private:
    struct shard; ///< the calls of one worker, touched only there
    std::size_t pick() noexcept;
    /// The calls of this second are as many as may be; else, one more has come.
    bool over_rate(bool one_more) const;
    /// Publishes that a limit refuses calls, once a second.
    struct limit_notice {
        std::atomic<std::uint64_t> count{0}; ///< refused and not published
        std::atomic<instant> told{instant()};
        void refused(engine& core, const std::string& limit);
    };
    struct notice; ///< somebody who is being told of an emergency call
    /// Brings the media figures of a call's legs up to date; false when there is no such call.
    task<bool> refresh_figures(std::string id);
    void run(std::size_t index, std::shared_ptr<call> c, std::unique_ptr<leg> caller, std::function<task<void>(call&)> story);
    task<void> emergency_story(call& c, std::string number);
    void notify_emergency(call& c, const std::string& number);
    void notice_changed(std::size_t index, std::uint64_t id);
    void finish(std::size_t index, call& c);
    /// Writes the record of a call that has ended, once the media of all its legs have told their figures.
    void write_down(std::size_t index, const std::string& id);

    engine& core_;
    std::vector<std::unique_ptr<shard>> shards_;
    std::atomic<std::size_t> next_{0}, count_{0};
    std::atomic<std::uint64_t> total_{0};
    std::atomic<bool> draining_{false};
    mutable limit_notice at_calls_, at_rate_, at_resources_;
    mutable std::mutex rate_mutex_;
    mutable instant rate_second_{};
    mutable unsigned rate_count_ = 0;
};

} // namespace strowger
