#include "core/call/user_activity.hpp"

namespace strowger {

user_activity::talk::talk(user_activity& of, std::string user) : of_(of), user_(std::move(user)) {
    const std::lock_guard lock(of_.mutex_);
    ++of_.users_[user_].talks;
}

user_activity::talk::~talk() {
    const std::lock_guard lock(of_.mutex_);
    auto& mine = of_.users_[user_];
    --mine.talks;
    mine.ended = of_.time_.now();
}

bool user_activity::talks(std::string_view user) const {
    const std::lock_guard lock(mutex_);
    const auto it = users_.find(user);
    return it != users_.end() && it->second.talks != 0;
}

instant user_activity::last_talk(std::string_view user) const {
    const std::lock_guard lock(mutex_);
    const auto it = users_.find(user);
    if (it == users_.end()) return instant::min();
    return it->second.talks != 0 ? instant::max() : it->second.ended;
}

} // namespace strowger
