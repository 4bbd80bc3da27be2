// Keeps a second engine out of a state directory.
#pragma once
#include "core/base/result.hpp"
#include <filesystem>
#include <utility>

namespace strowger::store {

/// Holds `engine.lock` in a directory, with this process's id in it, until it is destroyed or the process ends, however it ends.
class directory_lock {
public:
    /// Fails when another holder is there, and names it.
    static result<directory_lock> take(const std::filesystem::path& directory);
    directory_lock(directory_lock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    directory_lock& operator=(directory_lock&&) = delete;
    ~directory_lock();

private:
    explicit directory_lock(int fd) noexcept : fd_(fd) {}
    int fd_;
};

} // namespace strowger::store
