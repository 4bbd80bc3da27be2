#include "core/store/directory_lock.hpp"
#include "core/store/lmdb.hpp"
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <string>
#include <sys/file.h>
#include <unistd.h>

namespace strowger::store {
namespace {

std::string holder_of(int fd) {
    std::array<char, 24> text{};
    const auto got = ::pread(fd, text.data(), text.size(), 0);
    const std::string pid(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    const auto end = pid.find_first_not_of("0123456789");
    return end == 0 || pid.empty() ? "an unknown process" : "process " + pid.substr(0, end);
}

} // namespace

result<directory_lock> directory_lock::take(const std::filesystem::path& directory) {
    const auto file = directory / "engine.lock";
    directory_lock made(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (made.fd_ < 0) return fail("{}", describe(errno, file));
    if (::flock(made.fd_, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return fail("{}", describe(errno, file));
        return fail("{}: in use by {}; end that engine first, or give this one another engine.state_directory",
                    directory.string(), holder_of(made.fd_));
    }
    const auto pid = fmt::format("{}\n", ::getpid());
    if (::ftruncate(made.fd_, 0) != 0 || ::pwrite(made.fd_, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size()))
        return fail("{}", describe(errno, file));
    return made;
}

directory_lock::~directory_lock() {
    if (fd_ >= 0) ::close(fd_);
}

} // namespace strowger::store
