#include "core/config/secrets.hpp"
#include "core/base/ids.hpp"
#include "core/config/checks.hpp"
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <span>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace strowger::config {
namespace {

// Without characters that look alike: 0 O o, 1 l I i.
constexpr std::string_view alphabet = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
constexpr std::size_t password_length = 24;

struct descriptor {
    int fd;
    ~descriptor() {
        if (fd >= 0) ::close(fd);
    }
};

std::string reason() { return std::strerror(errno); }

/// Replaces `file` as a whole; when it returns without an error, the content is on the disk.
result<> replace_file(const std::filesystem::path& file, std::string_view content) {
    const auto folder = file.parent_path();
    std::error_code failed;
    std::filesystem::create_directories(folder, failed);
    if (failed)
        return fail("{} cannot be made: {}; correct engine.state_directory or its rights", folder.string(), failed.message());
    const auto fresh = file.string() + ".new";
    ::unlink(fresh.c_str()); // left by a crash
    const descriptor out{::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (out.fd < 0)
        return fail("{} cannot be written: {}; give the engine's user the right to write in that folder", fresh, reason());
    const auto give_up = [&fresh](const char* what) -> result<> {
        const auto why = reason();
        ::unlink(fresh.c_str());
        return fail("{}: {} failed: {}", fresh, what, why);
    };
    while (!content.empty()) {
        const auto written = ::write(out.fd, content.data(), content.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return give_up("writing");
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    if (::fsync(out.fd) != 0) return give_up("fsync");
    if (::rename(fresh.c_str(), file.c_str()) != 0) return give_up("renaming it");
    const descriptor directory{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (directory.fd < 0 || ::fsync(directory.fd) != 0) return fail("{}: fsync failed: {}", folder.string(), reason());
    return {};
}

result<std::string> read_private_file(const std::filesystem::path& file) {
    const descriptor in{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (in.fd < 0 && errno == ENOENT) return std::string();
    if (in.fd < 0) return fail("{} cannot be read: {}; it must belong to the engine's user", file.string(), reason());
    struct stat about {};
    if (::fstat(in.fd, &about) != 0) return fail("{} cannot be read: {}", file.string(), reason());
    if (!S_ISREG(about.st_mode)) return fail("{} is not a file; move it away", file.string());
    if (about.st_mode & 077)
        return fail(
            "{} can be read by others than its owner (mode {:04o}); run: chmod 600 {}; and think of the passwords in it as known",
            file.string(), about.st_mode & 07777, file.string());
    std::string out;
    std::array<char, 4096> piece{};
    for (;;) {
        const auto got = ::read(in.fd, piece.data(), piece.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail("{} cannot be read: {}", file.string(), reason());
        if (got == 0) return out;
        out.append(piece.data(), static_cast<std::size_t>(got));
        if (out.size() > (16u << 20))
            return fail("{} is larger than 16 MiB, so it is no password file; move it away", file.string());
    }
}

} // namespace

std::string make_password() {
    std::string out;
    while (out.size() < password_length) {
        std::array<std::byte, password_length> raw{};
        random_bytes(raw);
        // Bytes past the last multiple of the alphabet's size would favour its first letters.
        for (const auto b : raw)
            if (const auto n = std::to_integer<std::size_t>(b);
                n < 256 / alphabet.size() * alphabet.size() && out.size() < password_length)
                out += alphabet[n % alphabet.size()];
    }
    return out;
}

result<secrets> secrets::open(const std::filesystem::path& state_directory) {
    secrets made;
    made.file_ = state_directory / "passwords";
    const auto content = read_private_file(made.file_);
    if (!content) return fail(content);
    std::size_t number = 0;
    for (std::size_t at = 0; at < content->size();) {
        const auto end = std::min(content->find('\n', at), content->size());
        const auto line = content->substr(at, end - at);
        at = end + 1;
        ++number;
        if (line.empty() || line.starts_with('#')) continue;
        const auto space = line.find(' ');
        const auto user = line.substr(0, space);
        const auto password = space == line.npos ? std::string() : line.substr(space + 1);
        // The line itself is not shown: it may hold a password.
        if (!check_user_name(user).empty() || !check_password(password).empty())
            return fail("{}:{}: must be a user's name, one space and its password; correct the line or remove it",
                        made.file_.string(), number);
        if (!made.passwords_.emplace(user, password).second)
            return fail("{}:{}: user {} has a password already; remove one of the two lines", made.file_.string(), number, user);
    }
    return made;
}

result<std::vector<std::string>> secrets::complete(settings& all) {
    auto passwords = passwords_;
    std::vector<std::string> made;
    for (const auto& [name, user] : all.users)
        if (user.password.empty() && !user.has_hash() && passwords.try_emplace(name).second) {
            passwords[name] = make_password();
            made.push_back(name);
        }
    if (!made.empty()) {
        std::string content =
            "# Passwords that the engine made for users without one in the configuration: a user and its password on each line.\n"
            "# To have a new one made, remove the line and start the engine again.\n";
        for (const auto& [name, password] : passwords) content += name + ' ' + password + '\n';
        if (const auto kept = replace_file(file_, content); !kept) return fail(kept);
    }
    passwords_ = std::move(passwords);
    for (auto& [name, user] : all.users)
        if (user.password.empty() && !user.has_hash()) user.password = passwords_.at(name);
    return made;
}

} // namespace strowger::config
