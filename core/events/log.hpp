// Events on disk: append-only segment files of numbered records, of which the newest are kept.
//
// A segment is named by the number of its first record. It begins with eight bytes ("STREVT1\n"); a record is the length of its
// text (4 bytes), a CRC-32 over what follows (4), its number (8), all little-endian, and the text. The file "sequence" beside the
// segments holds a number that has not been given yet, so that none is given twice.
#pragma once
#include "core/base/result.hpp"
#include "core/control/unix_socket.hpp"
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace strowger {

struct event_record {
    std::uint64_t number = 0;
    std::string text;
};

/// One thread writes. What append() has taken survives the end of the process; the end of the machine may cost what its kernel
/// had not written yet, but no number comes twice.
class event_log {
public:
    /// Bytes of text that one append() should not exceed, so that the log stays within its bounds.
    static constexpr std::size_t most_at_once = 16u << 10;
    /// Makes the folder, cuts a torn record off the end, and finds the last number. `keep` is the most that all segments may
    /// have in bytes; 0 keeps none, and numbers go on nevertheless.
    static result<std::unique_ptr<event_log>> open(std::filesystem::path folder, std::uint64_t keep);
    event_log(const event_log&) = delete;
    event_log& operator=(const event_log&) = delete;
    /// Notes the exact end.
    ~event_log();

    /// The last number that was given, perhaps before the last start.
    std::uint64_t last() const noexcept { return last_; }
    /// What was found wrong at open(), for people; else empty.
    const std::string& repaired() const noexcept { return repaired_; }
    bool keeps() const noexcept { return keep_ != 0; }
    std::uint64_t bytes() const noexcept { return bytes_; }

    /// Makes sure that numbers up to this may be given, by the disk if need be (once for some thousands).
    void reserve(std::uint64_t number);
    /// Writes records whose numbers rise. All or none; after a failure the next may go well again.
    result<> append(const std::vector<event_record>& records);

private:
    event_log(std::filesystem::path folder, std::uint64_t keep) : folder_(std::move(folder)), keep_(keep) {}
    result<> recover();
    result<> new_segment(std::uint64_t first);
    void drop_old();
    void write_sequence(std::uint64_t ceiling, bool exact_by_log);

    const std::filesystem::path folder_;
    const std::uint64_t keep_;
    std::uint64_t segment_limit_ = 0;
    std::uint64_t last_ = 0, reserved_ = 0, bytes_ = 0, size_ = 0;
    bool log_is_whole_ = true; // every number given so far in this run is in a segment
    bool reservation_failed_ = false;
    control::descriptor segment_, sequence_;
    std::string repaired_;
};

/// Reads a log, while it is written too. Keeps its place, so that reading on is cheap. Blocks on the disk.
class event_log_reader {
public:
    explicit event_log_reader(std::filesystem::path folder) : folder_(std::move(folder)) {}
    /// Up to `most` records with numbers from `from` to `to`, in order; numbers that are not kept are left out.
    std::vector<event_record> read(std::uint64_t from, std::uint64_t to, std::size_t most);
    /// The oldest number that is kept, or 0.
    std::uint64_t oldest();

private:
    bool seek(std::uint64_t from);
    bool open_segment(std::uint64_t first);
    bool next_segment();
    /// The next record of the segment; false at its end, or where it is damaged.
    bool next(event_record& out);
    void forget_rest();

    const std::filesystem::path folder_;
    control::descriptor file_;
    std::uint64_t segment_ = 0, offset_ = 0;
    std::uint64_t next_ = 0; // the number that the place stands before, at most
    std::string buffer_;
    std::size_t at_ = 0;
};

} // namespace strowger
