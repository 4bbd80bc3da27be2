#include "core/events/log.hpp"
#include "core/base/log.hpp"
#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

static_assert(std::endian::native == std::endian::little, "records are written as they lie in memory");

namespace strowger {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view magic = "STREVT1\n";
constexpr std::size_t head_length = 16;
constexpr std::uint32_t longest_text = 1u << 20;
constexpr std::uint64_t reserved_at_once = 4096;
constexpr std::size_t read_at_once = 64u << 10;

constexpr std::array<std::uint32_t, 256> make_crc_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t c = i;
        for (int k = 0; k < 8; ++k) c = (c & 1u) != 0 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
        table[i] = c;
    }
    return table;
}
constexpr auto crc_table = make_crc_table();

std::uint32_t crc32(std::string_view bytes) noexcept {
    std::uint32_t c = 0xFFFFFFFFu;
    for (const char b : bytes) c = crc_table[(c ^ static_cast<unsigned char>(b)) & 0xFFu] ^ (c >> 8);
    return c ^ 0xFFFFFFFFu;
}

template <class T> void put(std::string& to, T v) {
    char raw[sizeof v];
    std::memcpy(raw, &v, sizeof v);
    to.append(raw, sizeof v);
}
template <class T> T get(const char* from) noexcept {
    T v;
    std::memcpy(&v, from, sizeof v);
    return v;
}

void put_record(std::string& to, const event_record& r) {
    const auto begin = to.size();
    put(to, static_cast<std::uint32_t>(r.text.size()));
    put(to, std::uint32_t(0));
    put(to, r.number);
    to += r.text;
    const auto sum = crc32(std::string_view(to).substr(begin + 8));
    std::memcpy(to.data() + begin + 4, &sum, sizeof sum);
}

enum class found { whole, part, damaged };
/// Looks at the record that begins there.
found look(std::string_view bytes, event_record& out) {
    if (bytes.size() < head_length) return found::part;
    const auto length = get<std::uint32_t>(bytes.data());
    if (length > longest_text) return found::damaged;
    if (bytes.size() < head_length + length) return found::part;
    if (crc32(bytes.substr(8, 8 + length)) != get<std::uint32_t>(bytes.data() + 4)) return found::damaged;
    out.number = get<std::uint64_t>(bytes.data() + 8);
    out.text = bytes.substr(head_length, length);
    return found::whole;
}

std::string reason() { return std::strerror(errno); } // NOLINT: glibc's is safe for known errors

fs::path segment_path(const fs::path& folder, std::uint64_t first) { return folder / fmt::format("{:020}.log", first); }

/// The first numbers of all segments, in order.
std::vector<std::uint64_t> segments_in(const fs::path& folder) {
    std::vector<std::uint64_t> out;
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(folder, failed)) {
        const auto name = entry.path().filename().string();
        std::uint64_t first = 0;
        const auto [at, wrong] = std::from_chars(name.data(), name.data() + name.size(), first);
        if (wrong == std::errc() && first != 0 && segment_path(folder, first).filename() == name) out.push_back(first);
    }
    std::sort(out.begin(), out.end());
    return out;
}

std::uint64_t size_of(const fs::path& file) {
    std::error_code failed;
    const auto size = fs::file_size(file, failed);
    return failed ? 0 : size;
}

/// Names this run of the machine's kernel: what a process has written is there as long as it lasts.
std::string boot_id() {
    std::ifstream in("/proc/sys/kernel/random/boot_id");
    std::string id;
    in >> id;
    return id.empty() ? "unknown" : id;
}

} // namespace

result<std::unique_ptr<event_log>> event_log::open(fs::path folder, std::uint64_t keep) {
    auto made = std::unique_ptr<event_log>(new event_log(std::move(folder), keep));
    made->segment_limit_ = std::clamp<std::uint64_t>(keep / 8, 16u << 10, 8u << 20);
    std::error_code failed;
    fs::create_directories(made->folder_, failed);
    if (failed) return fail("cannot make the folder {} for events: {}", made->folder_.string(), failed.message());
    if (auto good = made->recover(); !good) return fail(good);
    return made;
}

event_log::~event_log() {
    if (segment_) ::fdatasync(segment_.get());
    if (sequence_) write_sequence(last_, log_is_whole_ && keeps());
}

result<> event_log::recover() {
    const auto all = segments_in(folder_);
    for (const auto first : all) bytes_ += size_of(segment_path(folder_, first));
    if (!all.empty()) {
        const auto path = segment_path(folder_, all.back());
        std::ifstream in(path, std::ios::binary);
        const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
        std::size_t good = bytes.starts_with(magic) ? magic.size() : 0;
        last_ = all.back() - 1;
        event_record r;
        while (good != 0 && look(std::string_view(bytes).substr(good), r) == found::whole) {
            good += head_length + r.text.size();
            last_ = r.number;
        }
        segment_ = control::descriptor(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
        if (!segment_) return fail("cannot write events to {}: {}", path.string(), reason());
        if (good != bytes.size()) {
            repaired_ = fmt::format("{}: {} bytes behind event {} were torn and have been cut off", path.string(),
                                    bytes.size() - good, last_);
            if (::ftruncate(segment_.get(), static_cast<off_t>(good)) != 0)
                return fail("cannot cut a torn event off {}: {}", path.string(), reason());
            bytes_ -= bytes.size() - good;
        }
        size_ = good;
        if (good < magic.size()) segment_ = control::descriptor(); // without a head it is begun anew
    }
    const auto path = folder_ / "sequence";
    sequence_ = control::descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!sequence_) return fail("cannot open {}: {}", path.string(), reason());
    std::ifstream in(path);
    std::uint64_t ceiling = 0;
    std::string boot;
    if (in >> ceiling >> boot && boot != boot_id()) last_ = std::max(last_, ceiling);
    reserved_ = last_;
    return {};
}

void event_log::write_sequence(std::uint64_t ceiling, bool exact_by_log) {
    const auto text = fmt::format("{:020} {:36}\n", ceiling, exact_by_log ? boot_id() : "-");
    const bool good = ::pwrite(sequence_.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()) &&
                      ::fdatasync(sequence_.get()) == 0;
    if (!good && !std::exchange(reservation_failed_, true))
        log::error("events", "cannot note the last event's number in {}: {}", (folder_ / "sequence").string(), reason());
    if (good) reservation_failed_ = false;
}

void event_log::reserve(std::uint64_t number) {
    if (number <= reserved_) return;
    reserved_ = number + reserved_at_once;
    write_sequence(reserved_, log_is_whole_ && keeps());
}

result<> event_log::new_segment(std::uint64_t first) {
    if (segment_) ::fdatasync(segment_.get());
    segment_ = control::descriptor();
    const auto path = segment_path(folder_, first);
    control::descriptor fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd || ::write(fd.get(), magic.data(), magic.size()) != static_cast<ssize_t>(magic.size())) {
        const auto why = reason();
        if (fd) ::unlink(path.c_str());
        return fail("{}: {}", path.string(), why);
    }
    segment_ = std::move(fd);
    size_ = magic.size();
    bytes_ += size_;
    drop_old();
    return {};
}

void event_log::drop_old() {
    auto all = segments_in(folder_);
    for (std::size_t i = 0; i + 1 < all.size() && bytes_ + segment_limit_ + event_log::most_at_once > keep_; ++i) {
        const auto path = segment_path(folder_, all[i]);
        const auto size = size_of(path);
        if (::unlink(path.c_str()) == 0) bytes_ -= std::min(bytes_, size);
    }
}

result<> event_log::append(const std::vector<event_record>& records) {
    if (records.empty()) return {};
    if (!keeps()) {
        last_ = records.back().number;
        return {};
    }
    std::string out;
    for (const auto& r : records) put_record(out, r);
    result<> good;
    if (!segment_ || size_ >= segment_limit_) good = new_segment(records.front().number);
    if (good) {
        std::size_t written = 0;
        while (written < out.size()) {
            const auto n =
                ::pwrite(segment_.get(), out.data() + written, out.size() - written, static_cast<off_t>(size_ + written));
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) {
                good = fail("{}", reason());
                // A part of a record would hide those behind it.
                if (::ftruncate(segment_.get(), static_cast<off_t>(size_)) != 0) segment_ = control::descriptor();
                break;
            }
            written += static_cast<std::size_t>(n);
        }
    }
    last_ = records.back().number;
    if (!good) {
        // From now on the last number on the disk is not the last that was given; the reservation says it.
        if (std::exchange(log_is_whole_, false)) write_sequence(std::max(reserved_, last_), false);
        return good;
    }
    size_ += out.size();
    bytes_ += out.size();
    if (!std::exchange(log_is_whole_, true)) write_sequence(std::max(reserved_, last_), true);
    return {};
}

std::uint64_t event_log_reader::oldest() {
    for (const auto first : segments_in(folder_))
        if (size_of(segment_path(folder_, first)) > magic.size()) return first;
    return 0;
}

bool event_log_reader::open_segment(std::uint64_t first) {
    file_ = control::descriptor(::open(segment_path(folder_, first).c_str(), O_RDONLY | O_CLOEXEC));
    segment_ = first;
    offset_ = magic.size();
    next_ = first;
    buffer_.clear();
    at_ = 0;
    char head[magic.size()];
    return file_ && ::pread(file_.get(), head, sizeof head, 0) == static_cast<ssize_t>(sizeof head) &&
           std::string_view(head, sizeof head) == magic;
}

bool event_log_reader::seek(std::uint64_t from) {
    const auto all = segments_in(folder_);
    if (all.empty()) return false;
    auto it = std::upper_bound(all.begin(), all.end(), from);
    if (it != all.begin()) --it;
    return open_segment(*it) || next_segment();
}

bool event_log_reader::next_segment() {
    for (;;) {
        const auto all = segments_in(folder_);
        const auto it = std::upper_bound(all.begin(), all.end(), segment_);
        if (it == all.end()) return false;
        if (open_segment(*it)) return true;
    }
}

bool event_log_reader::next(event_record& out) {
    for (;;) {
        const auto how = look(std::string_view(buffer_).substr(at_), out);
        if (how == found::whole) {
            at_ += head_length + out.text.size();
            next_ = out.number + 1;
            return true;
        }
        if (how == found::damaged) return false;
        buffer_.erase(0, at_);
        at_ = 0;
        const auto before = buffer_.size();
        buffer_.resize(before + read_at_once);
        const auto n = ::pread(file_.get(), buffer_.data() + before, read_at_once, static_cast<off_t>(offset_));
        buffer_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
        if (n <= 0) return false;
        offset_ += static_cast<std::uint64_t>(n);
    }
}

/// What is buffered may be the beginning of a record that is cut off and written anew.
void event_log_reader::forget_rest() {
    offset_ -= buffer_.size() - at_;
    buffer_.clear();
    at_ = 0;
}

std::vector<event_record> event_log_reader::read(std::uint64_t from, std::uint64_t to, std::size_t most) {
    std::vector<event_record> out;
    if ((!file_ || next_ > from || segments_in(folder_).empty()) && !seek(from)) return out;
    event_record r;
    while (out.size() < most) {
        if (!next(r)) {
            forget_rest();
            const auto all = segments_in(folder_);
            if (all.empty() || all.back() <= segment_) break;
            // What was written before the newer segment was begun.
            if (!next(r)) {
                if (!next_segment()) break;
                continue;
            }
        }
        if (r.number < from) continue;
        if (r.number > to) { // it is read again when its time has come
            at_ -= head_length + r.text.size();
            next_ = r.number;
            break;
        }
        out.push_back(std::move(r));
    }
    return out;
}

} // namespace strowger
