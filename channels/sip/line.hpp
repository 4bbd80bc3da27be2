// The engine's view of the SIP driver: channels whose commands only post to the SIP thread, and the driver that makes them.
#pragma once
#include "channels/sip/dialog.hpp"
#include "channels/sip/user_agent.hpp"
#include "core/channel/channel.hpp"
#include <memory>
#include <string>
#include <vector>

namespace strowger::sip {

/// The way to the SIP thread for those who must not hold it: posts find the user agent or nothing.
struct gate {
    std::shared_ptr<agent_queue> queue;
    std::weak_ptr<user_agent> ua;
    std::vector<listen_address> bound; ///< fixed before anybody else sees the gate
    trunk_map trunks;                  ///< likewise
    template <class F> void post(F work) {
        queue->post([to = ua, work = std::move(work)]() mutable {
            if (const auto found = to.lock()) work(*found);
        });
    }
};

/// Names a dialog by its id: a command to one that has gone is dropped there.
class line final : public channel {
public:
    line(std::shared_ptr<gate> to, dialog_id id) : gate_(std::move(to)), id_(id) {}
    ~line() override;
    void ring() override;
    void progress(media_description media) override;
    void answer(media_description media) override;
    void offer(std::uint64_t id, media_description media) override;
    void accept(std::uint64_t id, media_description media) override;
    void refuse(std::uint64_t id, hangup_cause why) override;
    void send_digit(char key) override;
    void identity(party who) override;
    void transfer_result(std::uint64_t id, std::optional<hangup_cause> failed) override;
    void hang_up(hangup_cause why) noexcept override;

private:
    template <class F> void command(F work);
    std::shared_ptr<gate> gate_;
    const dialog_id id_;
};

class driver final : public channel_driver {
public:
    explicit driver(std::shared_ptr<gate> to) : gate_(std::move(to)) {}
    std::string_view technology() const noexcept override { return "sip"; }
    bool uses_rtp() const noexcept override { return true; }
    result<std::string> local_address(const endpoint& to) override;
    result<std::unique_ptr<channel>> originate(outgoing_call what, std::shared_ptr<leg_mailbox> events) override;

private:
    std::shared_ptr<gate> gate_;
};

} // namespace strowger::sip
