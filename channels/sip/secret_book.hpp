// What the users' devices must know, and what is asked of somebody whom nobody knows.
#pragma once
#include "channels/sip/host.hpp"
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace strowger::sip {

/// Who is unknown is asked for the digests of some user, always the same one's: else SHA-256 alone would show who exists.
class secret_book {
public:
    void add(const std::string& user, user_secret s);
    user_secret of(std::string_view user) const;

private:
    std::map<std::string, user_secret, std::less<>> by_user_;
};

} // namespace strowger::sip
