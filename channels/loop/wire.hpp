// What connects two ends of a loop call: each end hears what the other does.
#pragma once
#include "core/channel/channel.hpp"
#include "core/media/frame_pipe.hpp"
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace strowger::loop {

/// One end of a wire: takes what the other end does, as the events of a leg. Thread-safe.
class wire_end {
public:
    virtual ~wire_end() = default;
    virtual void happened(leg_event e) = 0;
};

/// An end that is a leg of the engine.
class engine_end final : public wire_end {
public:
    engine_end() = default;
    explicit engine_end(std::shared_ptr<leg_mailbox> to) : to_(std::move(to)) {}
    /// The core gives the mailbox of an incoming call only after it has taken it; what happens before waits here.
    void connect(std::shared_ptr<leg_mailbox> to) {
        std::vector<leg_event> early;
        {
            const std::lock_guard lock(mutex_);
            to_ = to;
            early.swap(early_);
        }
        for (auto& e : early) to->post(std::move(e));
    }
    void happened(leg_event e) override {
        std::shared_ptr<leg_mailbox> to;
        {
            const std::lock_guard lock(mutex_);
            if (!to_) return early_.push_back(std::move(e));
            to = to_;
        }
        to->post(std::move(e));
    }

private:
    std::mutex mutex_;
    std::shared_ptr<leg_mailbox> to_;
    std::vector<leg_event> early_;
};

/// A channel of the engine whose peer is the other end of a wire.
class loop_channel final : public channel {
public:
    /// `pipe` is what the engine at the other end gets as media when this end answers; null when that end is a phone.
    loop_channel(std::shared_ptr<wire_end> other, std::shared_ptr<media::frame_pipe> pipe)
        : other_(std::move(other)), pipe_(std::move(pipe)) {}
    ~loop_channel() override { loop_channel::hang_up(hangup_cause::normal); }

    void ring() override { tell(event::ringing{}); }
    void progress(media_description) override { tell(event::progress{media()}); }
    void answer(media_description) override { tell(event::answered{media()}); }
    void offer(std::uint64_t, media_description) override {} // there is nothing to negotiate
    void accept(std::uint64_t, media_description) override {}
    void refuse(std::uint64_t, hangup_cause) override {}
    void send_digit(char key) override { tell(event::digit{key}); }
    void identity(party who) override { tell(event::identity{std::move(who)}); }
    void transfer_result(std::uint64_t id, std::optional<hangup_cause> failed) override {
        if (on_transfer_result) on_transfer_result(id, failed);
    }
    void hang_up(hangup_cause why) noexcept override {
        if (std::exchange(over_, true)) return;
        other_->happened(event::ended{why, {}});
    }

    std::function<void(std::uint64_t, std::optional<hangup_cause>)> on_transfer_result;

private:
    void tell(leg_event e) {
        if (!over_) other_->happened(std::move(e));
    }
    media_description media() const {
        media_description m;
        m.pipe = pipe_;
        return m;
    }

    std::shared_ptr<wire_end> other_;
    std::shared_ptr<media::frame_pipe> pipe_;
    bool over_ = false;
};

} // namespace strowger::loop
