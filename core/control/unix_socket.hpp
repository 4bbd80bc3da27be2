// Unix sockets: a descriptor that closes itself, and the two ways to open one.
#pragma once
#include "core/base/result.hpp"
#include <filesystem>
#include <utility>

namespace strowger::control {

class descriptor {
public:
    descriptor() noexcept = default;
    explicit descriptor(int fd) noexcept : fd_(fd) {}
    descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    descriptor& operator=(descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~descriptor();
    int get() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }

private:
    int fd_ = -1;
};

/// Non-blocking, for this user and its group alone.
result<descriptor> listen_on(const std::filesystem::path& path);
/// Blocking.
result<descriptor> connect_to(const std::filesystem::path& path);

} // namespace strowger::control
