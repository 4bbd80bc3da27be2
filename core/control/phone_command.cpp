// phone: a telephone in text, a call of the loop driver driven over the console; `strowger phone` is its other end.
#include "core/async/ask.hpp"
#include "core/channel/phone.hpp"
#include "core/control/commands.hpp"
#include "core/engine.hpp"
#include <map>

namespace strowger::control {
namespace {

constexpr duration look_again = 40ms; // a phone is looked at so often, since it does not call back
constexpr std::size_t at_once = 64;

using state = virtual_phone::state;

std::string part(const char* what, std::string text, value::table more = {}) {
    more["what"] = what;
    more["text"] = std::move(text);
    return to_json(more);
}

/// What a caller hears, in words: prompts as their text, tones and music by name. Empty: nothing.
std::string in_words(engine& core, const std::string& name, const std::string& language) {
    if (name == "silence") return {};
    if (name == "music") return "[music]";
    if (name == "tone:ring") return "[ringback]";
    if (name.starts_with("tone:")) return "[" + name.substr(5) + "]";
    if (name.starts_with("text:")) return name.substr(5);
    return core.prompts().text_for(name, language);
}

/// One call, hung up when it is left.
class text_phone {
public:
    text_phone(engine& core, std::shared_ptr<virtual_phone> line, std::string user)
        : core_(core), line_(std::move(line)), user_(std::move(user)) {
        const auto& s = core_.settings();
        const auto known = s.users.find(user_);
        language_ = known != s.users.end() && !known->second.language.empty() ? known->second.language : s.sounds.language;
    }
    text_phone(const text_phone&) = delete;
    text_phone& operator=(const text_phone&) = delete;
    ~text_phone() { line_->hang_up(); }

    void dial(const std::string& number) { line_->dial(number); }
    bool over() const { return line_->now() == state::ended; }
    bool answered() const noexcept { return answered_; }
    bool hung_up_here() const noexcept { return hung_up_here_; }
    hangup_cause cause() const { return line_->cause().value_or(hangup_cause::normal); }

    /// Tells what is new since the last time.
    void look(console_stream& to) {
        const auto now = line_->now();
        if (now != before_ && now == state::ringing_there) to.send(part("ringing", "[ringing]"));
        if (now == state::talking && !std::exchange(answered_, true)) to.send(part("answered", "[answered]"));
        before_ = now;
        const auto all = line_->heard();
        for (; heard_ < all.size(); ++heard_)
            if (auto text = in_words(core_, all[heard_], language_); !text.empty())
                to.send(part("heard", std::move(text), {{"name", all[heard_]}}));
        const auto keys = line_->keys();
        if (keys.size() > keys_) to.send(part("keys", "[keys " + keys.substr(keys_) + "]"));
        keys_ = keys.size();
    }

    /// An event of the engine: where the call is in the dialplan, and with whom it is connected.
    void happened(const value& e, console_stream& to) {
        const auto type = e["type"].text_or("");
        const auto& f = e["fields"];
        if (call_.empty() && type == "call.started" && f["driver"].text_or("") == "loop" &&
            f["peer"].text_or("") == "loop/" + user_)
            call_ = e["call"].text_or("");
        if (call_.empty() || e["call"].text_or("") != call_) return;
        if (type == "call.extension")
            to.send(part("extension", fmt::format("[extension {} in {}]", f["extension"].text_or(""), f["context"].text_or(""))));
        else if (type == "leg.added" && f["direction"].text_or("") == "out")
            numbers_[f["leg"].text_or("")] = f["number"].text_or("");
        else if (type == "bridge.began")
            to.send(part("connected", fmt::format("[connected with {}]", numbers_[f["b"].text_or("")])));
    }

    void type(const std::string& keys) {
        for (const char c : keys) {
            if (c == 'h') {
                hung_up_here_ = true;
                return line_->hang_up();
            }
            const auto key = c >= 'a' && c <= 'd' ? static_cast<char>(c - 'a' + 'A') : c;
            if (std::string_view("0123456789*#ABCD").find(key) != std::string_view::npos) line_->press(std::string(1, key));
        }
    }

private:
    engine& core_;
    const std::shared_ptr<virtual_phone> line_;
    const std::string user_;
    std::string language_, call_;
    std::map<std::string, std::string> numbers_; // by leg
    state before_ = state::idle;
    std::size_t heard_ = 0, keys_ = 0;
    bool answered_ = false, hung_up_here_ = false;
};

/// What became of the call, as an answer.
command_reply ending(const text_phone& phone, duration lasted) {
    const auto cause = to_string(phone.cause());
    return {value::table{{"cause", cause},
                         {"q850", static_cast<int>(phone.cause())},
                         {"answered", phone.answered()},
                         {"by", phone.hung_up_here() ? "here" : "there"},
                         {"seconds", to_number(lasted)}},
            fmt::format("[ended: {}]\n", phone.hung_up_here() ? "hung up here" : cause),
            {}};
}

result<> permitted(engine& core, const command_arguments& a, const std::string& user) {
    const auto help = core.emergency().classify(a.words[0]);
    if (!help.empty() && !a.has("--emergency"))
        return fail("{} is an emergency number: this would be a call for help. If it is meant, say --emergency", help);
    if (a.has("--from") && !core.settings().users.contains(user))
        return fail("there is no user \"{}\"; `user list` names those that are there", user);
    if (core.modules().running("loop")) return {};
    return core.modules().load("loop");
}

std::vector<value> fetch(event_follower::source& from, std::uint64_t next) {
    std::vector<value> out;
    for (const auto& e : event_follower::fetch(from, next, at_once).events)
        if (auto v = from_json(e->text)) out.push_back(std::move(*v));
    return out;
}

task<result<command_reply>> call_by_text(engine& core, command_arguments a, console_stream& with) {
    const auto from = a.options.find("--from");
    const auto context = a.options.find("--context");
    const auto user = from == a.options.end() ? std::string("console") : from->second;
    if (auto may = permitted(core, a, user); !may) co_return fail(may);
    auto exchange = core.phones.find("loop", "the text phone of " + user);
    if (!exchange) co_return fail("the module loop offers no phones");
    const auto began = core.time().now();
    event_follower events(core.events(), core.control(), with.changed());
    auto next = events.last() + 1;
    text_phone phone(core, exchange->what->make(user, context == a.options.end() ? "" : context->second), user);
    with.send(part("calling", fmt::format("[calling {} as {}]", a.words[0], user)));
    phone.dial(a.words[0]);
    while (!phone.over() && !with.gone()) {
        while (const auto typed = with.input()) phone.type(typed->text_or(""));
        if (phone.over()) break;
        if (with.room()) {
            if (events.last() >= next) {
                std::function<std::vector<value>()> read = [source = events.reading(), next] { return fetch(*source, next); };
                auto reading = ask(core.files(), std::move(read));
                const auto news = co_await reading;
                for (const auto& e : news) phone.happened(e, with);
                next = news.empty() ? events.last() + 1 : static_cast<std::uint64_t>(news.back()["seq"].integer_or(0)) + 1;
            }
            phone.look(with);
        }
        co_await wait_for(with.changed(), look_again);
    }
    phone.look(with);
    co_return ending(phone, core.time().now() - began);
}

} // namespace

void add_phone_command(engine& core) {
    command head{
        "phone",
        "EXTENSION [--from USER] [--context CONTEXT] [--emergency]",
        "Calls an extension by a telephone in text",
        "What the caller would hear is shown as text: prompts by their words, tones and music by name. Keys that are typed "
        "are sent; h hangs up. `strowger phone` is the same with keys sent at once, scripts and transcripts.\n"
        "Example: phone 100 --from alice",
        {}};
    add_streaming(core, std::move(head),
                  [&core](command_arguments a, console_stream& with) { return call_by_text(core, std::move(a), with); });
}

} // namespace strowger::control
