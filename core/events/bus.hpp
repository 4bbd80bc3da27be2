// The event bus: every change of state that somebody outside may want, numbered, kept on disk, and given to whoever follows.
#pragma once
#include "core/async/signal.hpp"
#include "core/async/worker.hpp"
#include "core/base/value.hpp"
#include "core/events/kinds.hpp"
#include "core/events/log.hpp"
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace strowger {

class event_follower;

/// Publishing is for any thread and cheap: a lock is held to append to a list, never over I/O. A worker of the bus's own numbers
/// the events, writes them in batches and wakes the followers; a follower fetches them, at its own pace, from the last few
/// thousand in memory, else from the disk. So nobody who is slow holds anybody up, and whoever follows sees every number once, or
/// is told which are gone.
class event_bus {
public:
    struct options {
        std::filesystem::path folder;   ///< of the log
        std::uint64_t keep = 64u << 20; ///< bytes on disk; 0: none, followers get what happens while they follow
        std::size_t waiting = 1u << 16; ///< events that may wait for the writer; more are lost, and that is an event
        std::size_t recent = 4096;      ///< events in memory for followers
    };
    struct figures {
        std::uint64_t last = 0, oldest = 0; ///< numbers; 0: none. The oldest on disk, else in memory
        std::uint64_t bytes = 0, lost = 0;  ///< on disk; since the start
        std::size_t followers = 0;
        bool kept = false, disk_fails = false;
    };

    /// `writer` runs nothing else that must not wait for a disk.
    event_bus(worker& writer, const clock& time) : writer_(writer), time_(time) {}
    event_bus(const event_bus&) = delete;
    event_bus& operator=(const event_bus&) = delete;
    ~event_bus() { close(); }

    /// Before the writer's thread runs. Without it, or when it fails, publish() does nothing.
    result<> open(options o);
    /// When nobody publishes any more and the writer's thread has ended: writes what waits.
    void close();

    /// Whether anybody would see an event.
    bool active() const noexcept { return active_.load(std::memory_order_relaxed) > 0; }
    /// `fields` is called to make a value::table only when somebody would see it. `call`: the id of the call it is about.
    template <class Fields> void publish(event_kind kind, std::string_view call, Fields&& fields) {
        if (active()) put(kind, call, fields());
    }
    void publish(event_kind kind, std::string_view call = {}) {
        if (active()) put(kind, call, {});
    }

    figures now() const;

private:
    friend class event_follower;
    struct published {
        event_kind kind;
        wall_time at;
        std::string call;
        value::table fields;
    };
    struct listener {
        worker& home;
        signal* changed; // null when the follower has gone; on its worker
        std::atomic<bool> told{false};
    };

    void put(event_kind kind, std::string_view call, value::table fields);
    /// On the writer: takes what waits until nothing does.
    void drain();
    bool write_waiting();
    void add(std::vector<event_record>& to, published e);
    void keep(const std::vector<event_record>& records);
    void append(const std::vector<event_record>& records);
    void announce_lost();

    worker& writer_;
    const clock& time_;
    options options_;
    std::atomic<int> active_{0}; // the log, and each follower

    std::mutex inbox_mutex_;
    std::vector<published> inbox_;
    std::uint64_t overflow_ = 0;
    bool scheduled_ = false;

    // The writer's.
    std::unique_ptr<event_log> log_;
    std::uint64_t number_ = 0;
    timer linger_;
    instant try_again_{};
    std::uint64_t lost_first_ = 0, lost_last_ = 0; // on their way into an events.lost
    std::string lost_why_;

    mutable std::mutex recent_mutex_;
    std::deque<std::shared_ptr<const event_record>> recent_;
    std::vector<std::shared_ptr<listener>> listeners_;
    figures figures_;
};

/// Follows the bus from a number on. Belongs to one worker; only fetch() is for a thread that may block.
class event_follower {
public:
    struct batch {
        /// Their numbers rise; one that is left out is gone.
        std::vector<std::shared_ptr<const event_record>> events;
        /// Without events: everything up to this number is gone; 0: there is nothing yet.
        std::uint64_t gone_until = 0;
    };
    /// `changed` is notified when there may be more to fetch, and outlives the follower.
    event_follower(event_bus& bus, worker& home, signal& changed);
    event_follower(const event_follower&) = delete;
    event_follower& operator=(const event_follower&) = delete;
    ~event_follower();

    /// The last number that can be fetched.
    std::uint64_t last() const;
    struct source;
    /// What fetch() reads from; it may outlive the follower.
    std::shared_ptr<source> reading() const noexcept { return source_; }
    /// Events from that number on, at most so many. Blocks on the disk; one fetch at a time.
    static batch fetch(source& from, std::uint64_t next, std::size_t most);

private:
    event_bus& bus_;
    std::shared_ptr<event_bus::listener> listener_;
    std::shared_ptr<source> source_;
};

/// What a follower reads from. The bus must outlive its use.
struct event_follower::source {
    event_bus& bus;
    event_log_reader reader;
};

} // namespace strowger
