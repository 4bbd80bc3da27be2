// A leg: a channel's part in a call, with its audio. Leaving the scope that owns it hangs it up.
#pragma once
#include "core/async/signal.hpp"
#include "core/base/lease.hpp"
#include "core/call/options.hpp"
#include "core/call/user_activity.hpp"
#include "core/channel/channel.hpp"
#include "core/channel/mailbox.hpp"
#include "core/events/kinds.hpp"
#include "core/media/stream.hpp"
#include "core/sdp/session.hpp"
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace strowger {

class engine;

/// What the media have counted for a leg on one worker; its ledger lines share it, since the last count comes when the leg has
/// gone. On the leg's worker.
struct leg_figures {
    std::optional<media_figures> now;
    bool final = true;           ///< nothing more will come: there is no audio, or none any more
    std::function<void()> ended; ///< called once, when it becomes final
};

/// Lives on one worker and one media thread, both of which can be changed by moving it. No call is needed for it to exist: a leg
/// is given from call to call.
class leg final : public leg_listener {
public:
    enum class state { idle, ringing, early, up, ended };
    /// A blind transfer that the leg's peer asked for.
    struct transfer_request { std::uint64_t id; std::string target; };

    /// The leg of a call that arrived.
    static std::unique_ptr<leg> incoming(engine& core, worker& home, media::media_thread& audio, const incoming_call& what,
                                         std::unique_ptr<channel> line, lease driver, std::shared_ptr<leg_mailbox> events,
                                         std::string call_id);
    /// Starts to ring an endpoint. `preferred_codec` ("PCMA") is offered first, so that a bridge need not transcode. For an
    /// emergency call (`help`) there are ports when others get none.
    static result<std::unique_ptr<leg>> originate(engine& core, worker& home, media::media_thread& audio, outgoing_call what,
                                                  const std::string& preferred_codec = {}, bool help = false);
    ~leg();

    const std::string& id() const noexcept { return id_; }
    /// The call that it is part of now.
    const std::string& call_id() const noexcept { return call_id_; }
    void belongs_to(std::string call_id) { call_id_ = std::move(call_id); }
    /// Publishes that it is part of its call, for a leg that did not begin in it.
    void announce() const;
    const std::string& technology() const noexcept { return technology_; }
    const std::string& peer() const noexcept { return peer_; }
    bool outgoing() const noexcept { return outgoing_; }
    state now() const noexcept { return state_; }
    bool up() const noexcept { return state_ == state::up; }
    bool ended() const noexcept { return state_ == state::ended; }
    std::optional<hangup_cause> cause() const noexcept { return cause_; }
    /// What its peer said besides when it ended; see event::ended.
    const std::vector<std::string>& elsewhere() const noexcept { return elsewhere_; }
    bool refused_for_all_devices() const noexcept { return refused_for_all_; }
    /// The peer has put us on hold.
    bool held() const noexcept { return held_; }
    bool has_early_media() const noexcept { return early_media_; }
    const party& who() const noexcept { return who_; }
    media::stream* audio() noexcept { return stream_.get(); }
    const std::shared_ptr<leg_figures>& figures() const noexcept { return figures_; }
    /// The codec that was agreed on, or empty.
    const std::string& codec() const noexcept { return codec_; }
    /// The codec agreed on, else the one that its peer's offer likes best, or empty.
    std::string likely_codec() const;
    /// The codec to choose from what its peer offers, if it is there: that of the leg it will be bridged to.
    void prefer_codec(std::string name) { preferred_codec_ = std::move(name); }
    const std::string& channel_state() const noexcept { return channel_state_; }

    /// Notified after every event.
    signal& changed() noexcept { return changed_; }
    /// Called after every event, before changed(): whoever owns the leg looks after it.
    std::function<void(leg&)> watcher;
    /// Keys that were pressed and not read yet.
    std::deque<char> digits;
    /// Set when the peer asks for a transfer; whoever owns the leg takes it and answers by transfer_result().
    std::optional<transfer_request> transfer;
    /// What ended playing last, and which digits were sent last; see stream.
    std::uint64_t played = 0, sent = 0;

    void ring();
    /// Opens early media. Fails when the peer's offer is not usable; the caller then refuses the call.
    result<> progress();
    result<> answer();
    void transfer_result(std::uint64_t id, std::optional<hangup_cause> failed);
    void identity(party who);
    /// Plays to this leg's peer; `played` becomes the id that this returns when it has ended by itself. 0: there is no audio.
    std::uint64_t play(std::vector<media::play_item> items, int times = 1);
    void stop_playing();
    void hang_up(hangup_cause why) noexcept;
    std::uint64_t next_id() noexcept { return ++ids_; }
    void request_figures();

    worker& home() const noexcept { return *home_; }
    media::media_thread& audio_home() const noexcept { return *audio_home_; }
    /// Leaves this worker: nothing of it may be used here any more. Call arrive() on the other one.
    void depart(worker& to, media::media_thread& audio) noexcept;
    /// Begins to receive on the worker it was moved to.
    void arrive();

    wall_time made_at() const noexcept { return made_at_; }
    std::optional<wall_time> ringing_at() const noexcept { return ringing_at_; }
    std::optional<wall_time> answered_at() const noexcept { return answered_at_; }

private:
    leg(engine& core, worker& home, media::media_thread& audio, std::string call_id);
    void on_event(leg_event e) override;
    void handle(event::ringing&);
    void handle(event::progress&);
    void handle(event::answered&);
    void handle(event::offered&);
    void handle(event::offer_result&);
    void handle(event::transfer_requested&);
    void handle(event::held&);
    void handle(event::identity&);
    void handle(event::state&);
    void handle(event::ended&);
    void handle(event::digit&);
    void handle(event::play_ended&);
    void handle(event::digits_sent&);
    void handle(event::first_packet&);
    void handle(event::media_silent&);
    void handle(event::figures&);

    sdp::audio_capabilities capabilities() const;
    result<> open_audio(const media_description& with);
    /// Our side for the peer's first offer, made once: the answer to it, or an offer when it made none.
    result<media_description> first_description();
    result<media_description> answer_offer(const media_description& offer);
    result<> take_answer(const media_description& answer);
    void configure(const sdp::agreed_audio& a, const media_description& with);
    void is_up();
    void publish(event_kind kind) const;
    void set_held(bool held);
    void finish(hangup_cause why);
    void count_the_last();

    engine& core_;
    worker* home_;
    media::media_thread* audio_home_;
    const std::string id_;
    std::string call_id_;
    std::string technology_, peer_, user_;
    bool outgoing_ = false, help_ = false;
    state state_ = state::idle;
    std::optional<hangup_cause> cause_;
    std::vector<std::string> elsewhere_;
    bool refused_for_all_ = false;
    bool held_ = false, early_media_ = false;
    party who_;
    std::string codec_, preferred_codec_;
    std::string channel_state_;
    wall_time made_at_;
    std::optional<wall_time> ringing_at_, answered_at_;
    std::optional<user_activity::talk> talk_; // of a user's leg that is up
    std::shared_ptr<leg_figures> figures_ = std::make_shared<leg_figures>();
    std::uint64_t ids_ = 0;

    media_description offer_;                 // the peer's first offer
    std::optional<media_description> answer_; // what we said to it
    sdp::session session_;
    signal changed_;
    std::shared_ptr<leg_mailbox> events_;
    std::unique_ptr<media::stream> stream_;
    lease driver_;                            // outlives the channel
    std::unique_ptr<channel> channel_;
};

/// Joins the audio of two legs for as long as it lives, and plays music to one while the other holds it.
class bridge {
public:
    bridge(engine& core, leg& a, leg& b, std::string music);
    bridge(const bridge&) = delete;
    bridge& operator=(const bridge&) = delete;
    ~bridge();
    /// Call after a change of either leg: hold and resume.
    void update();

private:
    void play_music(leg& to, bool on, bool& playing);

    engine& core_;
    leg& a_;
    leg& b_;
    std::string music_;
    bool music_to_a_ = false, music_to_b_ = false;
};

} // namespace strowger
