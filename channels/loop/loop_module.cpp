// The loop driver: two calls in memory. "loop/NAME" rings a phone made by the exchange, "loop/EXTENSION@CONTEXT" calls into the
// dialplan. The driver to read first, and the one that every test uses.
#include "channels/loop/phone.hpp"
#include "core/modules/module.hpp"

namespace strowger::loop {
namespace {

class driver final : public channel_driver {
public:
    driver(module_context& ctx, std::shared_ptr<exchange> phones) : ctx_(ctx), phones_(std::move(phones)) {}
    std::string_view technology() const noexcept override { return "loop"; }
    bool uses_rtp() const noexcept override { return false; }
    result<std::string> local_address(const endpoint&) override { return "loop"; }
    result<std::unique_ptr<channel>> originate(outgoing_call what, std::shared_ptr<leg_mailbox> events) override {
        const auto at = what.to.address.find('@');
        if (at != std::string::npos) return into_dialplan(std::move(what), at, std::move(events));
        const auto phone = phones_->find(what.to.address);
        if (!phone) {
            events->post(event::ended{hangup_cause::unallocated, "no phone of that name"});
            return std::make_unique<loop_channel>(std::make_shared<engine_end>(), nullptr);
        }
        auto line = phone->rung(what, events);
        if (line) return line;
        events->post(event::ended{hangup_cause::busy, {}});
        return std::make_unique<loop_channel>(std::make_shared<engine_end>(), nullptr);
    }

private:
    /// The other end is a new incoming call of this engine.
    result<std::unique_ptr<channel>> into_dialplan(outgoing_call what, std::size_t at, std::shared_ptr<leg_mailbox> events) {
        auto [near, far] = media::frame_pipe::make();
        auto near_end = std::make_shared<engine_end>(events);
        auto far_end = std::make_shared<engine_end>();
        incoming_call call;
        call.driver = "loop";
        call.source = source_kind::originated;
        call.from = what.caller;
        call.to_number = what.to.address.substr(0, at);
        call.context = what.to.address.substr(at + 1);
        call.headers = what.headers;
        call.diversions = what.diversions;
        call.hops_left = what.hops_left;
        call.offer.pipe = std::move(far);
        call.peer = "loop of call " + what.call_id;
        auto taken = ctx_.incoming(std::move(call), std::make_unique<loop_channel>(near_end, std::move(near)));
        if (!taken) {
            events->post(event::ended{taken.error().cause, taken.error().why});
            return std::make_unique<loop_channel>(std::make_shared<engine_end>(), nullptr);
        }
        far_end->connect(std::move(*taken));
        return std::make_unique<loop_channel>(std::move(far_end), nullptr);
    }

    module_context& ctx_;
    std::shared_ptr<exchange> phones_;
};

class loop_module final : public module {
public:
    explicit loop_module(module_context& ctx) {
        auto phones = std::make_shared<exchange>(ctx);
        ctx.add_phones("loop", phones);
        ctx.add_driver(std::make_shared<driver>(ctx, std::move(phones)));
    }
};

} // namespace
} // namespace strowger::loop

STROWGER_MODULE(strowger::loop::loop_module, "loop", "1.0", "Calls in memory, for tests and for walking a flow", stable)
