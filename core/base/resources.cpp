#include "core/base/resources.hpp"
#include <charconv>
#include <cstdio>
#include <dirent.h>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace strowger {
namespace {

constexpr std::uint64_t unlimited = std::uint64_t(1) << 60; // version 1 writes a number near 2^63 for "none"

/// The least limit in a group's folder and those above it, down to `root`.
std::uint64_t least_limit(std::filesystem::path group, const std::filesystem::path& root, const char* file) {
    std::uint64_t least = 0;
    for (;; group = group.parent_path()) {
        std::string text;
        if (std::ifstream in(group / file); std::getline(in, text)) {
            std::uint64_t found = 0;
            const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), found);
            if (bad == std::errc() && found < unlimited && (least == 0 || found < least)) least = found;
        }
        if (group == root || !group.has_relative_path()) return least;
    }
}

} // namespace

std::uint64_t resident_bytes() noexcept {
    unsigned long long total = 0, resident = 0;
    if (std::FILE* in = std::fopen("/proc/self/statm", "re")) {
        if (std::fscanf(in, "%llu %llu", &total, &resident) != 2) resident = 0;
        std::fclose(in);
    }
    return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::uint64_t memory_limit_of_group() {
    // Lines "0::/system.slice/strowger.service" (version 2) and "4:memory:/…" (version 1).
    std::ifstream groups("/proc/self/cgroup");
    std::uint64_t least = 0;
    for (std::string line; std::getline(groups, line);) {
        const auto kind = line.find(':');
        const auto path = line.find(":/", kind == std::string::npos ? 0 : kind);
        if (kind == std::string::npos || path == std::string::npos) continue;
        const auto controllers = path > kind ? line.substr(kind + 1, path - kind - 1) : std::string();
        const auto group = line.substr(path + 2);
        std::uint64_t found = 0;
        if (controllers.empty())
            found = least_limit(std::filesystem::path("/sys/fs/cgroup") / group, "/sys/fs/cgroup", "memory.max");
        else if (controllers == "memory")
            found = least_limit(std::filesystem::path("/sys/fs/cgroup/memory") / group, "/sys/fs/cgroup/memory",
                                "memory.limit_in_bytes");
        if (found != 0 && (least == 0 || found < least)) least = found;
    }
    return least;
}

std::size_t open_descriptors() noexcept {
    struct stat about {};
    if (::stat("/proc/self/fd", &about) == 0 && about.st_size > 0) return static_cast<std::size_t>(about.st_size); // Linux 6.2
    std::size_t count = 0;
    DIR* all = ::opendir("/proc/self/fd");
    if (all == nullptr) return descriptor_limit(); // there was none for this
    while (::readdir(all) != nullptr) ++count;
    ::closedir(all);
    return count < 3 ? 0 : count - 3; // ".", ".." and the folder itself
}

std::size_t descriptor_limit() noexcept {
    rlimit limit{};
    return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? static_cast<std::size_t>(limit.rlim_cur) : 1024;
}

} // namespace strowger
