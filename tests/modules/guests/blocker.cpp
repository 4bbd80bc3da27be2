// An application that does what none may: it blocks its worker, so that tests can see who else is held up.
#include "core/call/call.hpp"
#include "core/modules/module.hpp"
#include <poll.h>

namespace {

strowger::task<strowger::value> block(strowger::call& c, strowger::value arguments) {
    co_await c.answer();
    co_await c.wait(std::chrono::milliseconds(100)); // so that the answer is out
    ::poll(nullptr, 0, static_cast<int>(arguments["ms"].integer_or(5000)));
    co_return strowger::value();
}

class blocker_module final : public strowger::module {
public:
    explicit blocker_module(strowger::module_context& ctx) { ctx.add_application("block", block); }
};

} // namespace
STROWGER_MODULE(blocker_module, "blocker", "1.0", "Blocks its worker, for tests", experimental)
