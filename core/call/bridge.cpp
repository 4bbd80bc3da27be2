#include "core/call/leg.hpp"
#include "core/engine.hpp"

namespace strowger {

bridge::bridge(engine& core, leg& a, leg& b, std::string music) : core_(core), a_(a), b_(b), music_(std::move(music)) {
    if (a_.audio() != nullptr && b_.audio() != nullptr) a_.audio()->join(*b_.audio());
    core_.events().publish(event_kind::bridge_began, a_.call_id(), [this] {
        return value::table{{"a", a_.id()}, {"b", b_.id()}};
    });
    update();
}

bridge::~bridge() {
    core_.events().publish(event_kind::bridge_ended, a_.call_id(), [this] {
        return value::table{{"a", a_.id()}, {"b", b_.id()}};
    });
    play_music(a_, false, music_to_a_);
    play_music(b_, false, music_to_b_);
    if (a_.audio() != nullptr)
        a_.audio()->part();
    else if (b_.audio() != nullptr)
        b_.audio()->part();
}

void bridge::update() {
    // An offer in mid-call is answered with what the other side speaks, where that can be.
    a_.prefer_codec(b_.codec());
    b_.prefer_codec(a_.codec());
    play_music(b_, a_.held(), music_to_b_);
    play_music(a_, b_.held(), music_to_a_);
}

void bridge::play_music(leg& to, bool on, bool& playing) {
    if (on == playing || to.audio() == nullptr) return;
    playing = on;
    if (!on) return to.stop_playing();
    to.play(core_.music(music_), 0);
}

} // namespace strowger
