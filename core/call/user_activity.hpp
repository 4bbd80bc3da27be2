// Which users are on the telephone, and since when the others have not been.
#pragma once
#include "core/base/clock.hpp"
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace strowger {

/// One for the engine; any thread. It forgets with the engine: after a start everybody has been idle for ever.
class user_activity {
public:
    explicit user_activity(const clock& time) noexcept : time_(time) {}

    /// A user's part in an answered call, for as long as it lives; it must not outlive the engine.
    class talk {
    public:
        talk(user_activity& of, std::string user);
        talk(const talk&) = delete;
        talk& operator=(const talk&) = delete;
        ~talk();

    private:
        user_activity& of_;
        const std::string user_;
    };

    bool talks(std::string_view user) const;
    /// When the user's last talk ended; the latest moment there is while one goes on, the earliest when there was none.
    instant last_talk(std::string_view user) const;

private:
    struct entry {
        unsigned talks = 0;
        instant ended = instant::min();
    };
    const clock& time_;
    mutable std::mutex mutex_;
    std::map<std::string, entry, std::less<>> users_;
};

} // namespace strowger
