// Put before the engine by LD_PRELOAD: a wall clock that can be set, and a disk that fails, as the file in STROWGER_MISHAPS says.
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

namespace {

/// What the test writes into the file.
struct orders {
    std::atomic<std::int64_t> clock_offset; ///< seconds
    std::atomic<std::int64_t> disk_error;   ///< errno of every write to a file; 0: none
};

orders* map_orders() noexcept {
    const char* name = std::getenv("STROWGER_MISHAPS");
    const int fd = name == nullptr ? -1 : ::open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return nullptr;
    void* at = ::mmap(nullptr, sizeof(orders), PROT_READ, MAP_SHARED, fd, 0);
    ::close(fd);
    return at == MAP_FAILED ? nullptr : static_cast<orders*>(at);
}

const orders* told() noexcept {
    static orders* const at = map_orders();
    return at;
}

/// True, with errno set, when a write to this descriptor shall fail.
bool fails(int fd) noexcept {
    const auto* o = told();
    const auto why = o == nullptr ? 0 : o->disk_error.load();
    struct stat about {};
    if (why == 0 || ::fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) return false;
    errno = static_cast<int>(why);
    return true;
}

} // namespace

extern "C" {

int clock_gettime(clockid_t which, timespec* out) noexcept {
    const auto done = static_cast<int>(::syscall(SYS_clock_gettime, which, out));
    if (done == 0 && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE) && told() != nullptr)
        out->tv_sec += told()->clock_offset.load();
    return done;
}

int gettimeofday(timeval* out, void*) noexcept {
    timespec now{};
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t* out) noexcept {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    if (out != nullptr) *out = now.tv_sec;
    return now.tv_sec;
}

ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) {
    return fails(fd) ? -1 : ::syscall(SYS_pwrite64, fd, data, size, at);
}
ssize_t pwrite(int fd, const void* data, size_t size, off_t at) { return pwrite64(fd, data, size, at); }
ssize_t pwritev64(int fd, const iovec* parts, int count, off64_t at) {
    return fails(fd) ? -1 : ::syscall(SYS_pwritev, fd, parts, count, at, 0);
}
ssize_t pwritev(int fd, const iovec* parts, int count, off_t at) { return pwritev64(fd, parts, count, at); }
ssize_t writev(int fd, const iovec* parts, int count) { return fails(fd) ? -1 : ::syscall(SYS_writev, fd, parts, count); }
int fdatasync(int fd) { return fails(fd) ? -1 : static_cast<int>(::syscall(SYS_fdatasync, fd)); }
int fsync(int fd) { return fails(fd) ? -1 : static_cast<int>(::syscall(SYS_fsync, fd)); }

} // extern "C"
