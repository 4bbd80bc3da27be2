// echo: lets a caller hear himself, and says back the keys he presses.
#include "core/call/call.hpp"
#include "core/call/leg.hpp"
#include "core/media/say.hpp"
#include "core/modules/module.hpp"

namespace strowger {
namespace {

/// The caller hears what he says while this lives.
class own_voice {
public:
    explicit own_voice(leg& of) : of_(of) {
        if (of_.audio() != nullptr) of_.audio()->listen_to(*of_.audio());
    }
    own_voice(const own_voice&) = delete;
    own_voice& operator=(const own_voice&) = delete;
    ~own_voice() {
        if (of_.audio() != nullptr) of_.audio()->part();
    }

private:
    leg& of_;
};

task<value> echo(call& c, value arguments) {
    co_await c.answer();
    const auto welcome = arguments["prompt"].text_or("demo-echotest");
    if (!welcome.empty()) co_await c.play(welcome);
    value::table told{{"keys", 0}};
    std::int64_t keys = 0;
    const own_voice heard(c.caller());
    while (const auto key = co_await c.read_digit(std::chrono::seconds(arguments["timeout"].integer_or(600)))) {
        if (*key == '#') break;
        ++keys;
        prompt_list said;
        for (auto& name : media::say_digits(std::string_view(&*key, 1), c.language)) said.add(std::move(name));
        co_await c.play(std::move(said));
    }
    co_await c.play("demo-echodone");
    told["keys"] = keys;
    co_return told;
}

class echo_module final : public module {
public:
    explicit echo_module(module_context& ctx) { ctx.add_application("echo", echo); }
};

} // namespace
} // namespace strowger

STROWGER_MODULE(strowger::echo_module, "echo", "1.0", "Lets a caller hear himself and says back the keys he presses", stable)
