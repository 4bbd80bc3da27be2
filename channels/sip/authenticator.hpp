// Who sends a request: checks its credentials against the users' passwords, and makes challenges that tell nothing about users.
#pragma once
#include "channels/sip/digest.hpp"
#include "channels/sip/host.hpp"
#include "channels/sip/message.hpp"
#include <optional>
#include <string>

namespace strowger::sip {

class authenticator {
public:
    authenticator(host& core, const settings& set, std::string key)
        : core_(core), realm_(set.realm), nonces_(std::move(key), set.nonce_seconds) {}

    struct verdict {
        std::string user;  ///< empty: refuse with `answer`
        response answer;
    };
    /// A missing header is no offence; a wrong password is, and so is an unknown user: both meet the same answers.
    verdict check(const message& m);

private:
    response challenge(const user_secret& secret, bool stale, std::int64_t now);
    host& core_;
    std::string realm_;
    nonce_book nonces_;
    guess_limit guesses_;
};

} // namespace strowger::sip
