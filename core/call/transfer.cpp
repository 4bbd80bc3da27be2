// Blind transfer: a leg leaves its call for one of its own, and comes back when that reaches nobody.
#include "core/call/call.hpp"
#include "core/call/calls.hpp"
#include "core/call/ledger.hpp"
#include "core/call/leg.hpp"
#include "core/engine.hpp"

namespace strowger {

void call::change_caller(std::unique_ptr<leg>& with) {
    std::swap(caller_, with);
    if (with) with->watcher = nullptr;
    caller_->watcher = [this](leg& l) { caller_changed(l); };
    if (caller_->ended()) caller_changed(*caller_);
}

task<std::shared_ptr<transfer_fate>> call::give_away(std::unique_ptr<leg> given, std::string target, bool callee) {
    auto facts = facts_;
    facts.offer = {};
    facts.driver = given->technology();
    facts.peer = given->peer();
    facts.to_number = target;
    facts.hops_left = facts_.hops_left - 1;
    if (callee) {
        facts.from = given->who();
        facts.to_name.clear();
        facts.protocol_id.clear();
        facts.diversions.clear();
        facts.headers.clear();
    } else {
        facts.context = context_;
    }
    struct asking {
        std::shared_ptr<transfer_fate> fate;
        explicit asking(call& c)
            : fate(std::make_shared<transfer_fate>(c.home(), c.caller().audio_home(), c.changed())) {}
        asking(const asking&) = delete;
        asking& operator=(const asking&) = delete;
        ~asking() { fate->waits = nullptr; }
    } const asked(*this);
    asked.fate->vars = vars;
    const auto child = core_.calls().adopt(std::move(given), std::move(facts), id_, {}, asked.fate);
    ledger().child(child);
    core_.events().publish(event_kind::call_transfer, id_, [&] { return value::table{{"target", target}, {"to_call", child}}; });
    doing = "transferring to " + target;
    while (!asked.fate->over) co_await wait_for(changed_);
    co_return asked.fate;
}

} // namespace strowger
