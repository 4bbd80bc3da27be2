// What happens in the middle of a talk: its limit comes near, or the caller does something aside.
#pragma once
#include "core/call/leg.hpp"
#include "core/call/options.hpp"
#include <functional>
#include <optional>

namespace strowger {

class call;
class engine;

/// The end of a talk by its options, and the tone that both hear before.
class talk_limit {
public:
    talk_limit(instant began, const dial_options& o);
    bool reached(instant now) const noexcept { return now >= end_; }
    instant end() const noexcept { return end_; }
    /// When something is to be done next; the latest moment there is: nothing ever.
    instant next() const noexcept { return std::min(warning_, end_); }
    /// Warns both when it is time. While one of them is on hold nobody would hear it: it waits until both are back.
    void warn_when_due(instant now, leg& a, leg& b);

private:
    instant end_, warning_;
};

/// Runs what the caller asked for by a key, at most until `limit`. When it waits for something, `both` is taken apart until it is
/// through, and `other` hears music; what does not wait is not heard by anybody.
task<void> aside(std::function<task<void>(call&)> work, call& c, std::optional<bridge>& both, leg& other, instant limit);

} // namespace strowger
