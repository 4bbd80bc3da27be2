// A module for tests of the loader. It is built several times, with another GUEST_VERSION each.
#include "core/async/signal.hpp"
#include "core/modules/module.hpp"
#include <stdexcept>

namespace {

strowger::task<strowger::result<strowger::command_reply>> wait(std::vector<std::string> arguments) {
    struct farewell {
        std::string text; // a destructor in the module's code, for frames that are destroyed from outside
        ~farewell() { text.clear(); }
    } const bye{arguments.empty() ? "nobody" : arguments.front()};
    co_await strowger::sleep_for(std::chrono::seconds(60));
    strowger::command_reply reply;
    reply.text = GUEST_VERSION;
    co_return reply;
}

class guest_module final : public strowger::module {
public:
    explicit guest_module(strowger::module_context& context) {
        strowger::command c;
        c.name = "guest wait";
        c.summary = "Waits a minute and tells the version";
        c.run = wait;
        context.add_command(std::move(c));
#ifdef GUEST_ONLY_HERE
        strowger::command extra;
        extra.name = GUEST_ONLY_HERE;
        extra.run = wait;
        context.add_command(std::move(extra));
#endif
#ifdef GUEST_THROWS
        throw std::runtime_error("guest: the constructor is told to fail");
#endif
    }
};

} // namespace
STROWGER_MODULE(guest_module, "guest", GUEST_VERSION, "Waits, for tests of the loader", experimental)
