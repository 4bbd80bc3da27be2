// How a command talks with its console while it runs: parts of its answer one way, input the other.
#pragma once
#include "core/async/signal.hpp"
#include "core/base/value.hpp"
#include <optional>
#include <string>

namespace strowger {

/// On the control thread. A command that streams ends when the console has gone: it looks at gone() after every wait.
class console_stream {
public:
    virtual ~console_stream();
    /// Sends a part of the answer: a JSON value in text. It never waits; look at room() before, or the console may be dropped.
    virtual void send(const std::string& json) = 0;
    /// Whether the console has read nearly all that was sent.
    virtual bool room() const = 0;
    /// The console has been closed, or has ended.
    virtual bool gone() const = 0;
    /// What the console sent meanwhile, in order: the field "input" of its requests.
    virtual std::optional<value> input() = 0;
    /// Notified when there is room, input, or the console has gone.
    virtual signal& changed() = 0;
};

} // namespace strowger
