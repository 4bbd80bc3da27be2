#include "core/call/leg.hpp"
#include "core/base/ids.hpp"
#include "core/engine.hpp"
#include "core/sdp/matching.hpp"
#include "core/sdp/text.hpp"
#include <algorithm>

namespace strowger {
namespace {

constexpr std::size_t most_type_ahead = 64; // keys kept for a script that does not read them

} // namespace

leg::leg(engine& core, worker& home, media::media_thread& audio, std::string call_id)
    : core_(core), home_(&home), audio_home_(&audio), id_(random_hex(4)), call_id_(std::move(call_id)),
      made_at_(core.time().wall()) {}

leg::~leg() {
    hang_up(hangup_cause::normal);
    events_->close();
}

std::unique_ptr<leg> leg::incoming(engine& core, worker& home, media::media_thread& audio, const incoming_call& what,
                                   std::unique_ptr<channel> line, lease driver, std::shared_ptr<leg_mailbox> events,
                                   std::string call_id) {
    auto made = std::unique_ptr<leg>(new leg(core, home, audio, std::move(call_id)));
    made->help_ = !core.emergency().classify(what.to_number).empty();
    made->technology_ = what.driver;
    made->peer_ = what.peer;
    made->user_ = what.user;
    made->who_ = what.from;
    made->offer_ = what.offer;
    made->driver_ = std::move(driver);
    made->channel_ = std::move(line);
    made->events_ = std::move(events);
    made->events_->open(*made);
    return made;
}

result<std::unique_ptr<leg>> leg::originate(engine& core, worker& home, media::media_thread& audio, outgoing_call what,
                                            const std::string& preferred_codec, bool help) {
    auto driver = core.drivers.find(what.to.driver, "call " + what.call_id);
    if (!driver) return fail("there is no channel driver '{}'; load its module", what.to.driver);
    auto made = std::unique_ptr<leg>(new leg(core, home, audio, what.call_id));
    made->outgoing_ = true;
    made->help_ = help;
    made->technology_ = what.to.driver;
    made->peer_ = what.to.address;
    made->user_ = what.to.user;
    made->who_.number = what.number;
    if (const auto user = core.settings().users.find(what.to.user); user != core.settings().users.end()) {
        if (!user->second.extension.empty()) made->who_.number = user->second.extension;
        made->who_.name = user->second.display_name;
    }
    made->preferred_codec_ = preferred_codec;
    made->events_ = std::make_shared<leg_mailbox>(home);
    made->events_->open(*made);
    made->driver_ = std::move(driver->use);
    if (driver->what->uses_rtp()) {
        auto address = driver->what->local_address(what.to);
        if (!address) return fail(address);
        what.offer.local_address = *address;
        if (auto opened = made->open_audio(what.offer); !opened) return fail(opened);
        what.offer.sdp = made->session_.make_offer(made->capabilities());
    }
    auto line = driver->what->originate(std::move(what), made->events_);
    if (!line) return fail(line);
    made->channel_ = std::move(*line);
    made->announce();
    return made;
}

sdp::audio_capabilities leg::capabilities() const {
    sdp::audio_capabilities c;
    c.address = stream_->local_address();
    c.rtp_port = stream_->rtp_port();
    c.rtcp_port = stream_->rtcp_port();
    c.codecs = media::our_codecs();
    std::stable_partition(c.codecs.begin(), c.codecs.end(),
                          [this](const sdp::codec& k) { return sdp::equal_without_case(k.name, preferred_codec_); });
    return c;
}

std::string leg::likely_codec() const {
    if (!codec_.empty() || !offer_.sdp) return codec_;
    const auto ours = media::our_codecs();
    for (const auto& section : offer_.sdp->sections)
        for (const auto& c : sdp::codecs_of(section))
            if (sdp::find_codec(ours, c) != nullptr) return c.name;
    return {};
}

result<> leg::open_audio(const media_description& with) {
    if (stream_) return {};
    if (with.pipe) {
        stream_ = media::stream::open_pipe(core_.media(), *audio_home_, with.pipe, events_, call_id_);
        codec_ = "linear";
        figures_->final = false;
        return {};
    }
    auto opened = media::stream::open_rtp(core_.media(), *audio_home_, with.local_address, events_, call_id_, help_);
    if (!opened) return fail(opened);
    stream_ = std::move(*opened);
    figures_->final = false;
    stream_->set_silence_limit(core_.settings().limits.rtp_timeout_seconds);
    return {};
}

void leg::announce() const {
    core_.events().publish(event_kind::leg_added, call_id_, [this] {
        return value::table{{"leg", id_}, {"direction", outgoing_ ? "out" : "in"}, {"driver", technology_},
                            {"number", who_.number}, {"peer", peer_}};
    });
}

void leg::publish(event_kind kind) const {
    core_.events().publish(kind, call_id_, [this] { return value::table{{"leg", id_}}; });
}

void leg::set_held(bool held) {
    if (std::exchange(held_, held) == held) return;
    core_.events().publish(event_kind::leg_held, call_id_, [&] { return value::table{{"leg", id_}, {"held", held}}; });
}

void leg::configure(const sdp::agreed_audio& a, const media_description& with) {
    codec_ = a.chosen.name;
    set_held(a.held_by_peer);
    stream_->configure(a, media::source_policy{with.behind_nat, with.source_address});
}

result<media_description> leg::answer_offer(const media_description& offer) {
    if (!offer.sdp) return media_description{};
    auto ours = capabilities();
    const bool prefers = sdp::equal_without_case(ours.codecs.front().name, preferred_codec_);
    if (prefers) ours.codecs.resize(1);
    auto answered = session_.answer(*offer.sdp, ours);
    if (!answered && prefers) answered = session_.answer(*offer.sdp, capabilities()); // it does not know that one
    if (!answered) return fail("{}", answered.error().text);
    configure(answered->audio, offer);
    media_description answer;
    answer.sdp = std::move(answered->answer);
    return answer;
}

result<> leg::take_answer(const media_description& answer) {
    if (auto opened = open_audio(answer); !opened || !answer.sdp) return opened;
    auto agreed = session_.accept_answer(*answer.sdp);
    if (!agreed) return fail("{}", agreed.error().text);
    configure(*agreed, answer);
    return {};
}

result<media_description> leg::first_description() {
    if (answer_) return *answer_;
    if (auto opened = open_audio(offer_); !opened) return fail(opened);
    media_description ours;
    if (!offer_.empty()) {
        auto answered = answer_offer(offer_);
        if (!answered) return answered;
        ours = std::move(*answered);
    } else {
        ours.sdp = session_.make_offer(capabilities());
    }
    answer_ = std::move(ours);
    return *answer_;
}

void leg::ring() {
    if (state_ != state::idle) return;
    state_ = state::ringing;
    ringing_at_ = core_.time().wall();
    publish(event_kind::leg_ringing);
    channel_->ring();
}

result<> leg::progress() {
    if (state_ == state::early || state_ == state::up || ended()) return {};
    if (offer_.empty()) return fail("the caller sent no offer, so there is no early media");
    auto ours = first_description();
    if (!ours) return fail(ours);
    state_ = state::early;
    channel_->progress(std::move(*ours));
    return {};
}

result<> leg::answer() {
    if (up() || ended()) return {};
    auto ours = first_description();
    if (!ours) return fail(ours);
    is_up();
    publish(event_kind::leg_answered);
    channel_->answer(std::move(*ours));
    return {};
}

void leg::is_up() {
    state_ = state::up;
    answered_at_ = core_.time().wall();
    if (!user_.empty()) talk_.emplace(core_.activity(), user_);
}

void leg::transfer_result(std::uint64_t id, std::optional<hangup_cause> failed) {
    if (!ended()) channel_->transfer_result(id, failed);
}

void leg::identity(party who) {
    if (!ended()) channel_->identity(std::move(who));
}

std::uint64_t leg::play(std::vector<media::play_item> items, int times) {
    if (!stream_) return 0;
    const auto id = next_id();
    stream_->play(id, std::move(items), times);
    return id;
}

void leg::stop_playing() {
    if (stream_) stream_->stop_playing();
}

void leg::request_figures() {
    if (stream_) stream_->request_figures();
}

void leg::hang_up(hangup_cause why) noexcept {
    if (ended()) return;
    if (channel_) channel_->hang_up(why);
    finish(why);
}

void leg::finish(hangup_cause why) {
    state_ = state::ended;
    cause_ = why;
    core_.events().publish(event_kind::leg_ended, call_id_, [&] {
        return value::table{{"leg", id_}, {"cause", to_string(why)}, {"q850", static_cast<int>(why)}};
    });
    talk_.reset();
    if (!stream_) return;
    count_the_last();
    stream_.reset();
}

/// The figures of this worker's part of the leg are told to who waits for them.
void leg::count_the_last() {
    stream_->tell_figures([to = home_, figures = figures_](media_figures counted) {
        to->post([figures, counted = std::move(counted)]() mutable {
            figures->now = std::move(counted);
            figures->final = true;
            if (const auto ended = std::exchange(figures->ended, {})) ended();
        });
    });
}

void leg::depart(worker& to, media::media_thread& audio) noexcept {
    watcher = nullptr;
    if (stream_) count_the_last();
    figures_ = std::make_shared<leg_figures>(); // the old ones stay with the ledger here
    figures_->final = stream_ == nullptr;
    if (stream_) stream_->move_to(audio);
    home_ = &to;
    audio_home_ = &audio;
    events_->move_to(to);
}

void leg::arrive() { events_->open(*this); }

void leg::on_event(leg_event e) {
    if (ended() && !std::holds_alternative<event::ended>(e)) return;
    std::visit([this](auto& what) { handle(what); }, e);
    if (watcher) watcher(*this);
    changed_.notify();
}

void leg::handle(event::ringing&) {
    if (state_ != state::idle) return;
    state_ = state::ringing;
    ringing_at_ = core_.time().wall();
    publish(event_kind::leg_ringing);
}

void leg::handle(event::progress& e) {
    if (!outgoing_ || state_ == state::up) return;
    if (!ringing_at_) {
        ringing_at_ = core_.time().wall();
        publish(event_kind::leg_ringing);
    }
    if (!e.media.empty()) {
        if (auto taken = take_answer(e.media); !taken) {
            log::warn({"call", call_id_}, "early media of {} is not usable: {}", peer_, taken.error().text);
            return;
        }
        early_media_ = true;
    }
    state_ = state::early;
}

void leg::handle(event::answered& e) {
    if (!outgoing_ || state_ == state::up) return;
    if (auto taken = take_answer(e.media); !taken) {
        log::warn({"call", call_id_}, "the answer of {} is not usable: {}", peer_, taken.error().text);
        hang_up(hangup_cause::incompatible);
        return;
    }
    is_up();
    publish(event_kind::leg_answered);
}

void leg::handle(event::offered& e) {
    if (!stream_) return channel_->refuse(e.id, hangup_cause::incompatible);
    if (e.media.empty()) { // it wants us to offer: its answer comes as an offer_result
        media_description ours;
        ours.sdp = session_.make_offer(capabilities());
        return channel_->accept(e.id, std::move(ours));
    }
    auto ours = answer_offer(e.media);
    if (ours) return channel_->accept(e.id, std::move(*ours));
    log::info({"call", call_id_}, "{} offered other media that is not usable: {}", peer_, ours.error().text);
    channel_->refuse(e.id, hangup_cause::incompatible);
}

void leg::handle(event::offer_result& e) {
    if (!e.media) {
        session_.offer_refused();
        return;
    }
    if (auto taken = take_answer(*e.media); !taken) {
        log::warn({"call", call_id_}, "{} answered our offer with what is not usable: {}", peer_, taken.error().text);
        hang_up(hangup_cause::incompatible);
    }
}

void leg::handle(event::transfer_requested& e) {
    if (transfer) return channel_->transfer_result(e.id, hangup_cause::facility_rejected); // one at a time
    transfer = transfer_request{e.id, std::move(e.target)};
}

void leg::handle(event::held& e) { set_held(e.by_peer); }
void leg::handle(event::identity& e) { who_ = std::move(e.who); }
void leg::handle(event::state& e) { channel_state_ = std::move(e.text); }

void leg::handle(event::ended& e) {
    if (ended()) return;
    log::debug({"call", call_id_}, "{} ended: {} {}", peer_, to_string(e.cause), e.detail);
    elsewhere_ = std::move(e.elsewhere);
    refused_for_all_ = e.for_all_devices;
    finish(e.cause);
}

void leg::handle(event::digit& e) {
    if (digits.size() < most_type_ahead) digits.push_back(e.key);
    core_.events().publish(event_kind::call_key, call_id_, [&] {
        value::table fields{{"leg", id_}};
        if (core_.settings().events.keys) fields["key"] = std::string(1, e.key);
        return fields;
    });
}

void leg::handle(event::play_ended& e) { played = std::max(played, e.id); }
void leg::handle(event::digits_sent& e) { sent = std::max(sent, e.id); }
void leg::handle(event::first_packet&) {}

void leg::handle(event::media_silent& e) {
    log::warn({"call", call_id_}, "no sound from {} for {} s; ending", peer_,
              std::chrono::duration_cast<std::chrono::seconds>(e.since).count());
    hang_up(hangup_cause::out_of_order);
}

void leg::handle(event::figures& e) { figures_->now = std::move(e.now); }

} // namespace strowger
