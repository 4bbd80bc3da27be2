// What may be rung in place of a device that says that its user is elsewhere (a SIP 3xx): the policy, in one place.
#pragma once
#include "core/base/log.hpp"
#include "core/channel/channel.hpp"
#include <set>
#include <string>
#include <vector>

namespace strowger {

class engine;

/// Belongs to one dial. Who answers a call must not be able to make others on our account: only users of ours are followed to, by
/// extension, name or the very address that one of their devices has registered; never a trunk, another system or an emergency
/// number. Nobody is rung twice in a dial, so circles end.
class forwarding {
public:
    /// Devices of one user, to be rung at once.
    struct step {
        std::string target; ///< "user/anna"
        std::vector<endpoint> devices;
    };
    static constexpr int most = 5; ///< users followed to in one dial (RFC 3261 §8.1.3.4 leaves the number to us)

    forwarding(engine& core, log::source about) : core_(core), about_(about) {}
    /// Rung by the dial itself: never followed to.
    void rung(const endpoint& device) {
        if (!device.user.empty()) users_.insert(device.user);
    }
    /// `elsewhere`: best first, as in event::ended. What is refused is in the log. The steps are meant one after the other.
    std::vector<step> follow(const std::string& by, const std::vector<std::string>& elsewhere);

private:
    std::vector<endpoint> devices_of(const std::string& place) const;

    engine& core_;
    log::source about_;
    std::set<std::string> users_;
    int left_ = most;
};

} // namespace strowger
