// Phones in memory: what the loop driver offers to tests and, later, to the text phone of the console.
#pragma once
#include "core/call/hangup_cause.hpp"
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace strowger {

/// A telephone without wires. Thread-safe; what it does takes effect when the engine's threads next run.
class virtual_phone {
public:
    enum class state { idle, dialling, ringing_there, ringing_here, talking, ended };

    virtual ~virtual_phone();
    /// Calls an extension of the context it was made for.
    virtual void dial(std::string number) = 0;
    virtual void answer() = 0;
    virtual void hang_up(hangup_cause cause = hangup_cause::normal) = 0;
    virtual void press(std::string digits) = 0;
    virtual void hold() = 0;
    virtual void resume() = 0;
    /// Blind transfer: asks the engine to connect the other party with `target`.
    virtual void transfer(std::string target) = 0;
    /// Sends a tone of so many hertz instead of silence; 0 for silence.
    virtual void speak(double hertz) = 0;

    virtual state now() const = 0;
    /// Why its last call ended.
    virtual std::optional<hangup_cause> cause() const = 0;
    /// Names of prompts, tones and music that began to be played to it, in order, since it was made.
    virtual std::vector<std::string> heard() const = 0;
    /// Keys that came from the other side.
    virtual std::string keys() const = 0;
    /// The strongest frequency in the last 200 ms that it received, in hertz; 0 for silence.
    virtual double hears_hertz() const = 0;
    /// How the last transfer it asked for went: "pending", "done" or a cause's name; empty without one.
    virtual std::string transfer_state() const = 0;
    /// The number that is shown to it.
    virtual std::string display() const = 0;
};

/// Makes phones. The loop module offers one.
class phone_exchange {
public:
    virtual ~phone_exchange();
    /// A phone that can be rung as "loop/<name>" and whose calls enter `context` (empty: the default one) as user `name`.
    virtual std::shared_ptr<virtual_phone> make(std::string name, std::string context) = 0;
};

} // namespace strowger
