#include "core/control/unix_socket.hpp"
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace strowger::control {
namespace {

result<sockaddr_un> address_of(const std::filesystem::path& path) {
    sockaddr_un a{};
    a.sun_family = AF_UNIX;
    const auto& text = path.native();
    if (text.empty() || text.size() >= sizeof a.sun_path)
        return fail("{}: the path of a socket has 1 to {} bytes; choose a shorter one by --socket", text, sizeof a.sun_path - 1);
    std::memcpy(a.sun_path, text.c_str(), text.size());
    return a;
}

std::string reason() { return std::strerror(errno); } // NOLINT: one thread

} // namespace

descriptor::~descriptor() {
    if (fd_ >= 0) ::close(fd_);
}

result<descriptor> connect_to(const std::filesystem::path& path) {
    const auto address = address_of(path);
    if (!address) return fail(address);
    descriptor s(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!s || ::connect(s.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0)
        return fail("no engine answers at {}: {}; start it with `strowger run`, or name its socket by --socket", path.string(),
                    reason());
    return s;
}

result<descriptor> listen_on(const std::filesystem::path& path) {
    const auto address = address_of(path);
    if (!address) return fail(address);
    if (connect_to(path))
        return fail("another engine listens at {}; stop it first, or give this one another --state or --socket", path.string());
    struct stat found {};
    if (::lstat(path.c_str(), &found) == 0) {
        if (!S_ISSOCK(found.st_mode))
            return fail("{}: in the way of the console's socket, and not a socket; move it away", path.string());
        ::unlink(path.c_str());
    }
    descriptor s(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    // The rights are there from the first moment.
    const auto before = ::umask(0117);
    const bool bound = s && ::bind(s.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) == 0;
    const auto why = reason();
    ::umask(before);
    if (!bound || ::listen(s.get(), 16) != 0)
        return fail("cannot open the console's socket {}: {}", path.string(), bound ? reason() : why);
    return s;
}

} // namespace strowger::control
