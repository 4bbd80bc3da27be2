// A cache file: a header, then the same sound as pcmu, pcma and slin. In this machine's byte order, for it is never carried
// elsewhere: a file from another kind of machine fails the comparison of its version and is made anew.
#include "core/media/prompt_cache.hpp"
#include "core/base/ids.hpp"
#include "core/media/g711.hpp"
#include "core/media/prompt.hpp"
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <stdexcept>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace strowger::media {
namespace {

constexpr std::uint32_t format_version = 1;
using digest = std::array<std::byte, 32>;

struct header {
    std::array<char, 8> magic;
    std::uint32_t version;
    std::uint32_t header_size;
    std::uint64_t file_size;
    std::uint64_t samples;
    std::array<char, 64> content;
    digest checksum; // of everything after the header
};
static_assert(sizeof(header) == 128 && sizeof(header) % alignof(std::int16_t) == 0);
constexpr std::array<char, 8> magic{'S', 'T', 'R', 'P', 'R', 'M', 'P', 'T'};
constexpr std::size_t bytes_per_sample_of_all = 4; // one in each law, two linear

class sha256 {
public:
    sha256() : context_(EVP_MD_CTX_new()) {
        if (context_ == nullptr || EVP_DigestInit_ex(context_, EVP_sha256(), nullptr) != 1)
            throw std::runtime_error("OpenSSL has no SHA-256");
    }
    ~sha256() { EVP_MD_CTX_free(context_); }
    sha256(const sha256&) = delete;
    sha256& operator=(const sha256&) = delete;
    void add(const void* data, std::size_t size) { EVP_DigestUpdate(context_, data, size); }
    digest finish() {
        digest out{};
        EVP_DigestFinal_ex(context_, reinterpret_cast<unsigned char*>(out.data()), nullptr);
        return out;
    }

private:
    EVP_MD_CTX* context_;
};

digest checksum_of(std::span<const std::byte> data) {
    sha256 hash;
    hash.add(data.data(), data.size());
    return hash.finish();
}

bool is_whole(std::span<const std::byte> file, const content_id& content) {
    if (file.size() < sizeof(header)) return false;
    header h{};
    std::memcpy(&h, file.data(), sizeof h);
    return h.magic == magic && h.version == format_version && h.header_size == sizeof(header) && h.file_size == file.size() &&
           h.samples == (file.size() - sizeof(header)) / bytes_per_sample_of_all && h.samples != 0 &&
           (file.size() - sizeof(header)) % bytes_per_sample_of_all == 0 &&
           content == std::string_view(h.content.data(), h.content.size()) &&
           h.checksum == checksum_of(file.subspan(sizeof(header)));
}

std::vector<std::byte> encode_file(const content_id& content, std::span<const std::int16_t> samples) {
    const auto count = samples.size();
    std::vector<std::byte> file(sizeof(header) + (count * bytes_per_sample_of_all));
    const auto payload = std::span(file).subspan(sizeof(header));
    // slin first, so that its samples stay aligned.
    std::memcpy(payload.data(), samples.data(), samples.size_bytes());
    encode_pcmu(samples, payload.subspan(2 * count, count));
    encode_pcma(samples, payload.subspan(3 * count, count));

    header h{magic, format_version, sizeof(header), file.size(), count, {}, checksum_of(payload)};
    content.copy(h.content.data(), h.content.size());
    std::memcpy(file.data(), &h, sizeof h);
    return file;
}

/// Writes under another name first, so that nobody ever sees half a file.
result<void> write_file(const std::filesystem::path& path, std::span<const std::byte> data) {
    const auto temporary = fmt::format("{}.{}.tmp", path.string(), random_hex(8));
    const auto give_up = [&](const char* what) {
        const int reason = errno;
        ::unlink(temporary.c_str());
        return fail("{}: cannot {}: {}; the prompt cache must be a directory that the engine may write", path.string(), what,
                    std::strerror(reason));
    };
    const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0) return give_up("be made");
    while (!data.empty()) {
        const auto count = ::write(fd, data.data(), data.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) {
            ::close(fd);
            return give_up("be written");
        }
        data = data.subspan(static_cast<std::size_t>(count));
    }
    ::close(fd);
    if (::rename(temporary.c_str(), path.c_str()) != 0) return give_up("be put in place");
    return {};
}

} // namespace

content_id make_content_id(std::string_view kind, std::span<const std::byte> bytes) {
    sha256 hash;
    hash.add(kind.data(), kind.size());
    hash.add("", 1); // The zero ends the kind.
    hash.add(bytes.data(), bytes.size());
    content_id out;
    for (const auto byte : hash.finish()) out += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
    return out;
}

mapped_audio::~mapped_audio() { ::munmap(const_cast<std::byte*>(mapping_.data()), mapping_.size()); }

std::span<const std::byte> mapped_audio::data(codec_id codec) const noexcept {
    const auto payload = mapping_.subspan(header_);
    switch (codec) {
    case codec_id::slin: return payload.first(2 * samples_);
    case codec_id::pcmu: return payload.subspan(2 * samples_, samples_);
    case codec_id::pcma: return payload.subspan(3 * samples_, samples_);
    }
    return {};
}

std::span<const std::byte> prompt::data(codec_id codec) const noexcept { return audio_->data(codec); }
std::size_t prompt::samples() const noexcept { return audio_->samples(); }
const std::string& prompt::content() const noexcept { return audio_->content(); }

std::filesystem::path prompt_cache::file_of(const content_id& content) const {
    return directory_ / fmt::format("{}.v{}", content, format_version);
}

std::shared_ptr<const mapped_audio> prompt_cache::open(const content_id& content) {
    const std::lock_guard lock(guard_);
    if (const auto found = mapped_.find(content); found != mapped_.end())
        if (auto audio = found->second.lock()) return audio;

    const int fd = ::open(file_of(content).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return nullptr;
    struct stat about {};
    void* memory = MAP_FAILED;
    if (::fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && about.st_size > 0) {
        memory = ::mmap(nullptr, static_cast<std::size_t>(about.st_size), PROT_READ, MAP_SHARED, fd, 0);
        ::futimens(fd, nullptr); // when it was used last; a cache of somebody else's may not be ours to mark
    }
    ::close(fd);
    if (memory == MAP_FAILED) return nullptr;
    const std::span<const std::byte> mapping(static_cast<const std::byte*>(memory), static_cast<std::size_t>(about.st_size));
    if (!is_whole(mapping, content)) {
        ::munmap(memory, mapping.size());
        return nullptr;
    }
    const auto samples = (mapping.size() - sizeof(header)) / bytes_per_sample_of_all;
    auto audio = std::make_shared<const mapped_audio>(content, mapping, sizeof(header), samples);
    std::erase_if(mapped_, [](const auto& entry) { return entry.second.expired(); });
    mapped_[content] = audio;
    return audio;
}

result<std::shared_ptr<const mapped_audio>> prompt_cache::store(const content_id& content,
                                                                std::span<const std::int16_t> samples) {
    std::error_code wrong;
    std::filesystem::create_directories(directory_, wrong);
    if (wrong) return fail("{}: the prompt cache cannot be made: {}", directory_.string(), wrong.message());
    const auto file = encode_file(content, samples);
    if (auto ok = write_file(file_of(content), file); !ok) return fail(ok);
    auto audio = open(content);
    keep_in_bounds(file.size());
    if (audio) return audio;
    return fail("{}: what was written cannot be read back; check the disk", file_of(content).string());
}

void prompt_cache::keep_in_bounds(std::uint64_t added) {
    const std::lock_guard lock(measuring_);
    if (bytes_ && (*bytes_ += added) <= limit_) return;
    struct entry {
        std::filesystem::path path;
        std::filesystem::file_time_type used;
        std::uint64_t size;
    };
    std::vector<entry> files;
    bytes_ = 0;
    std::error_code wrong;
    for (std::filesystem::directory_iterator it(directory_, wrong), end; !wrong && it != end; it.increment(wrong)) {
        std::error_code gone; // another engine may remove at the same time
        const auto size = it->file_size(gone);
        const auto used = it->last_write_time(gone);
        if (gone || !it->path().extension().string().starts_with(".v")) continue;
        *bytes_ += size;
        files.push_back({it->path(), used, size});
    }
    if (*bytes_ <= limit_) return;
    std::sort(files.begin(), files.end(), [](const entry& a, const entry& b) { return a.used < b.used; });
    for (const auto& f : files) {
        if (*bytes_ <= limit_ / 10 * 9) break;
        {
            const std::lock_guard looking(guard_);
            const auto found = mapped_.find(f.path.stem().string());
            if (found != mapped_.end() && !found->second.expired()) continue;
        }
        if (std::filesystem::remove(f.path, wrong)) *bytes_ -= f.size;
    }
}

} // namespace strowger::media
