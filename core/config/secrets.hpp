// The passwords of users who have none in the configuration: made once, kept in the state directory.
#pragma once
#include "core/base/result.hpp"
#include "core/config/settings.hpp"
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace strowger::config {

/// 24 random characters of an alphabet without look-alikes (more than 130 bits), easy to type on a phone.
std::string make_password();

/// Never written to the log. Not for several threads at once; it blocks on the disk, so it belongs to the start of the engine.
class secrets {
public:
    /// Reads `<state_directory>/passwords`, which need not exist. Fails when others than its owner may read it, or a line
    /// is damaged.
    static result<secrets> open(const std::filesystem::path& state_directory);

    /// Gives every user without a password the one kept for it, or a new one, and keeps that before it returns: the file is
    /// replaced as a whole, so that a crash leaves the old or the new one. Passwords of users who are gone are kept: they may
    /// come back. On failure no user is changed. Gives the names of those whose password is new.
    result<std::vector<std::string>> complete(settings& all);

    const std::filesystem::path& file() const noexcept { return file_; }

private:
    std::filesystem::path file_;
    std::map<std::string, std::string, std::less<>> passwords_; // by user
};

} // namespace strowger::config
