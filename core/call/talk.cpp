#include "core/call/talk.hpp"
#include "core/async/together.hpp"
#include "core/call/call.hpp"
#include "core/engine.hpp"

namespace strowger {
namespace {

constexpr duration not_worth_a_hold = 20ms;

task<void> hold_after_a_moment(call& c, std::optional<bridge>& both, leg& other, instant limit) {
    co_await sleep_for(not_worth_a_hold);
    both.reset();
    other.play(c.core().music(c.music), 0);
    const auto now = c.home().now();
    if (limit > now && limit != instant::max()) {
        co_await sleep_for(limit - now);
        co_return;
    }
    signal never;
    co_await wait_for(never);
}

} // namespace

talk_limit::talk_limit(instant began, const dial_options& o)
    : end_(o.max_talk ? began + *o.max_talk : instant::max()),
      warning_(o.max_talk && o.warn_at ? end_ - *o.warn_at : instant::max()) {}

void talk_limit::warn_when_due(instant now, leg& a, leg& b) {
    if (now < warning_) return;
    warning_ = instant::max();
    if (a.held() || b.held()) {
        warning_ = now + 1s;
        return;
    }
    for (auto* talker : {&a, &b}) {
        media::play_item item;
        if (auto tone = media::find_tone("beep")) item.what = std::move(*tone);
        item.name = "tone:beep";
        std::vector<media::play_item> items;
        items.push_back(std::move(item));
        talker->play(std::move(items));
    }
}

task<void> aside(std::function<task<void>(call&)> work, call& c, std::optional<bridge>& both, leg& other, instant limit) {
    std::vector<task<void>> side_by_side;
    side_by_side.push_back(work(c));
    side_by_side.push_back(hold_after_a_moment(c, both, other, limit));
    auto running = first_of(std::move(side_by_side));
    co_await running;
    if (both) co_return;
    other.stop_playing();
    both.emplace(c.core(), c.caller(), other, c.music);
}

} // namespace strowger
