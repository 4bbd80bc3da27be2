// What the operations of a call take and give. Option types have constructors on purpose: GCC 12 destroys aggregates inside
// a co_await expression twice.
#pragma once
#include "core/async/task.hpp"
#include "core/base/clock.hpp"
#include "core/base/value.hpp"
#include "core/channel/channel.hpp"
#include "core/media/tone.hpp"
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

namespace strowger {

class call;

/// One thing to play: a catalogue key, a text to be spoken, a tone, a silence, or one of several by language.
class prompt_ref {
public:
    struct key { std::string name; };
    struct speech { std::string text; };
    struct tone { std::string name; };
    struct silence { duration length; };
    using by_language = std::map<std::string, std::string>; ///< language → catalogue key

    prompt_ref(const char* k) : what(key{k}) {}
    prompt_ref(std::string k) : what(key{std::move(k)}) {}
    template <class T>
        requires std::is_constructible_v<std::variant<key, speech, tone, silence, by_language>, T>
    prompt_ref(T w) : what(std::move(w)) {}

    std::variant<key, speech, tone, silence, by_language> what;
};
/// Played one after the other. `prompt_list("welcome")`, `prompt_list().add("welcome").add("menu")`.
class prompt_list {
public:
    prompt_list() = default;
    prompt_list(const char* key) { items.emplace_back(key); }
    prompt_list(std::string key) { items.emplace_back(std::move(key)); }
    prompt_list(prompt_ref one) { items.push_back(std::move(one)); }
    prompt_list& add(prompt_ref one) { items.push_back(std::move(one)); return *this; }
    bool empty() const noexcept { return items.empty(); }

    std::vector<prompt_ref> items;
};

class play_options {
public:
    play_options() = default;
    /// Keys that stop it: "any", "none", or the keys themselves ("12#").
    play_options& interrupt_by(std::string keys) { interrupt = std::move(keys); return *this; }
    play_options& repeat(int n) { times = n; return *this; }

    std::string interrupt = "any";
    int times = 1;
};

class gather_options {
public:
    gather_options() = default;
    prompt_list prompt;
    int min = 1, max = 1;
    std::string terminator = "#";     ///< ends the input and is not part of it; empty: none
    duration timeout = 5s;            ///< for the first digit, from the prompt's end
    duration between = 3s;            ///< between digits
    int tries = 3;
    /// Says whether the digits are good; empty: any.
    std::function<bool(const std::string&)> valid;
    prompt_list on_no_input, on_invalid;
    bool secret = false;              ///< keep the digits out of logs and ledger
};
struct gather_result {
    enum class status { ok, no_input, invalid } how = status::no_input;
    std::string digits;
};

class menu_options {
public:
    menu_options() = default;
    prompt_list prompt;
    std::vector<std::string> keys;    ///< "1", "0", also of several digits
    std::vector<std::string> extensions; ///< patterns that may be dialled directly ("_2XX")
    duration timeout = 5s, between = 3s;
    int tries = 3;
    prompt_list on_no_input{"please-try-again"}, on_invalid{"invalid"};
};
struct menu_choice {
    enum class kind { key, extension, otherwise } how = kind::otherwise;
    std::string digits;
    std::string reason; ///< of otherwise: "no_input" or "invalid"
};

/// One target of a dial: "user/anna", "ext/200", "loop/bob" …
class dial_target {
public:
    dial_target(std::string t) : target(std::move(t)) {}
    dial_target(const char* t) : target(t) {}
    std::string target;
    duration delay{};                          ///< starts to ring so much later
    std::optional<duration> ring_for;          ///< rings at most so long
    std::optional<std::string> caller_id;
};
class dial_options {
public:
    dial_options() = default;
    explicit dial_options(std::string target) { targets.emplace_back(std::move(target)); }
    dial_options& add(dial_target t) { targets.push_back(std::move(t)); return *this; }
    dial_options& ring_time(duration d) { ring_for = d; return *this; }

    enum class order { all, in_order, random, longest_idle };
    std::vector<dial_target> targets;
    duration ring_for = 30s;                   ///< at most 170 s are waited
    order strategy = order::all;
    std::optional<std::string> caller_id;      ///< number shown to the callee in place of the caller's
    std::string ringback = "tone"; ///< what an answered caller hears meanwhile: "tone", "early", "music" or a prompt's key
    std::optional<duration> max_talk;
    std::optional<duration> warn_at;           ///< so long before max_talk is over both hear a beep
    std::map<std::string, std::string> headers;
    prompt_list confirm;                       ///< asked of the one who answers: "1" takes the call, so that a mailbox never wins
    prompt_list announce;                      ///< played to the one who answers before he is connected
    std::string allow_transfer = "both";       ///< who may transfer by his phone: "none", "callee", "both"
    /// Rings whom a called device names instead of itself (a SIP 3xx), within the limits of forwarding.hpp.
    bool follow_forwarding = true;
    /// Key sequences during the talk, from the caller's side. While a handler waits (plays, gathers, dials), the other one is on
    /// hold and hears music; max_talk ends handlers too.
    std::map<std::string, std::function<task<void>(call&)>> keys;
};
static_assert(!std::is_aggregate_v<dial_options> && !std::is_aggregate_v<gather_options> && !std::is_aggregate_v<menu_options> &&
              !std::is_aggregate_v<play_options>);

enum class dial_status {
    answered,
    busy,
    no_answer,
    rejected,
    unavailable,
    unallocated,
    congestion,
    failed,
    forbidden,
    transferred
};
std::string_view to_string(dial_status s) noexcept;

struct dial_result {
    dial_status status = dial_status::failed;
    hangup_cause cause = hangup_cause::normal;
    std::string by;           ///< the target that answered
    duration ring_time{}, talk_time{};
    std::string left_by;      ///< "callee", "max_talk", "transfer" …; a caller who leaves ends the call instead
    std::string forwarded_to; ///< where a device said its user is, when that was not followed; as the device wrote it
};

/// What on_end handlers are told.
struct end_info {
    hangup_cause cause;
    std::string left_by;      ///< "caller", "script", "callee", "operator", "limit", "transfer"
    duration talk_time{};
};

} // namespace strowger
