// Phones in memory, for tests and for walking a flow without a network.
#pragma once
#include "channels/loop/wire.hpp"
#include "core/channel/phone.hpp"
#include "core/modules/module.hpp"
#include <map>

namespace strowger::loop {

class phone final : public virtual_phone, public wire_end, public std::enable_shared_from_this<phone> {
public:
    phone(module_context& ctx, std::string name, std::string context)
        : ctx_(ctx), name_(std::move(name)), context_(std::move(context)) {}

    void dial(std::string number) override;
    void answer() override;
    void hang_up(hangup_cause cause) override;
    void press(std::string digits) override;
    void hold() override;
    void resume() override;
    void transfer(std::string target) override;
    void speak(double hertz) override;
    state now() const override;
    std::optional<hangup_cause> cause() const override;
    std::vector<std::string> heard() const override;
    std::string keys() const override;
    double hears_hertz() const override;
    std::string transfer_state() const override;
    std::string display() const override;

    void happened(leg_event e) override;
    /// The engine rings this phone; null when it is busy.
    std::unique_ptr<channel> rung(const outgoing_call& what, std::shared_ptr<leg_mailbox> events);
    void transfer_ended(std::uint64_t id, std::optional<hangup_cause> failed);

private:
    std::unique_ptr<loop_channel> connect_locked(std::shared_ptr<engine_end> engine);
    void drain_locked() const;

    module_context& ctx_;
    const std::string name_, context_;
    mutable std::mutex mutex_;
    state state_ = state::idle;
    std::optional<hangup_cause> cause_;
    std::shared_ptr<engine_end> engine_;
    std::shared_ptr<media::frame_pipe> pipe_, engine_pipe_;
    double hertz_ = 0;
    std::uint64_t transfers_ = 0;
    std::string transfer_state_, display_;
    mutable std::vector<std::string> heard_;
    mutable std::string keys_;
    mutable std::vector<std::int16_t> last_;
};

/// The phones that have been made, by name.
class exchange final : public phone_exchange {
public:
    explicit exchange(module_context& ctx) : ctx_(ctx) {}
    std::shared_ptr<virtual_phone> make(std::string name, std::string context) override;
    std::shared_ptr<phone> find(const std::string& name) const;

private:
    module_context& ctx_;
    mutable std::mutex mutex_;
    std::map<std::string, std::weak_ptr<phone>> phones_;
};

} // namespace strowger::loop
