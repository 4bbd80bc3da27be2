#include "core/store/lmdb.hpp"
#include <cerrno>

namespace strowger::store {
namespace {

constexpr MDB_dbi most_tables = 128;
/// A slot is taken for the microseconds of a read, so this is the number of threads that may read at one moment.
constexpr unsigned most_readers = 1024;

MDB_val to_val(std::string_view s) { return {s.size(), const_cast<char*>(s.data())}; }
std::string_view to_view(const MDB_val& v) { return {static_cast<const char*>(v.mv_data), v.mv_size}; }

struct close_cursor {
    void operator()(MDB_cursor* cursor) const noexcept { mdb_cursor_close(cursor); }
};

const char* advice(int code) {
    switch (code) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return "make room on the disk, or raise the quota; writing goes on by itself then";
    case EACCES:
    case EPERM: return "give the engine's user the right to read and write there, or choose another engine.state_directory";
    case EROFS: return "the file system is mounted read-only; choose another engine.state_directory";
    case ENOTDIR:
    case EEXIST: return "a file stands where the directory should be; move it away, or choose another engine.state_directory";
    case ENOLCK:
    case ENOSYS: return "the file system has no locks; choose an engine.state_directory on a local disk";
    case EIO: return "make room if the disk is full (LMDB reports a short write like this); else it fails, see the kernel's log";
    case EMFILE:
    case ENFILE: return "raise the limit of open files (ulimit -n)";
    case ENOMEM: return "the system gives no more address space (ulimit -v)";
    case MDB_MAP_FULL: return "the store has reached its size limit; remove what is old";
    case MDB_INVALID:
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_VERSION_MISMATCH:
        return "the file is damaged or was not made by this engine; bring back a backup, or move it away to begin anew";
    case MDB_PANIC: return "an earlier write failed half-way; start the engine again";
    case MDB_BAD_DBI: return "a table was used that could not be opened; the log says why";
    case MDB_DBS_FULL: return "too many tables; load fewer modules";
    default: return "see the kernel's log";
    }
}

} // namespace

std::string describe(int code, const std::filesystem::path& where) {
    return fmt::format("{}: {}; {}", where.string(), mdb_strerror(code), advice(code));
}

environment open_environment(const std::filesystem::path& directory, std::size_t map_size) {
    MDB_env* raw = nullptr;
    check(mdb_env_create(&raw));
    environment env(raw);
    check(mdb_env_set_mapsize(raw, map_size));
    check(mdb_env_set_maxdbs(raw, most_tables));
    check(mdb_env_set_maxreaders(raw, most_readers));
    // Without MDB_NOTLS a reader's slot would stay taken until its thread ends.
    check(mdb_env_open(raw, directory.c_str(), MDB_NOTLS, 0600));
    int cleared = 0;
    check(mdb_reader_check(raw, &cleared));
    return env;
}

MDB_dbi transaction::open_table(const std::string& name) {
    MDB_dbi out = 0;
    check(mdb_dbi_open(txn_, name.c_str(), MDB_CREATE, &out));
    return out;
}

std::optional<std::string_view> transaction::get(MDB_dbi table, std::string_view key) const {
    auto k = to_val(key);
    MDB_val v{};
    const int code = mdb_get(txn_, table, &k, &v);
    if (code == MDB_NOTFOUND) return std::nullopt;
    check(code);
    return to_view(v);
}

std::size_t transaction::count(MDB_dbi table) const {
    MDB_stat about{};
    check(mdb_stat(txn_, table, &about));
    return about.ms_entries;
}

void transaction::put(MDB_dbi table, std::string_view key, std::string_view value) {
    auto k = to_val(key), v = to_val(value);
    check(mdb_put(txn_, table, &k, &v, 0));
}

void transaction::erase(MDB_dbi table, std::string_view key) {
    auto k = to_val(key);
    if (const int code = mdb_del(txn_, table, &k, nullptr); code != MDB_NOTFOUND) check(code);
}

void transaction::walk_back(MDB_dbi table, std::string_view before,
                            const std::function<bool(std::string_view, std::string_view)>& visit) const {
    MDB_cursor* raw = nullptr;
    check(mdb_cursor_open(txn_, table, &raw));
    const std::unique_ptr<MDB_cursor, close_cursor> cursor(raw);
    auto k = to_val(before);
    MDB_val v{};
    // What is before the first key at or after `before`; when there is none such, the last.
    const bool behind = !before.empty() && mdb_cursor_get(raw, &k, &v, MDB_SET_RANGE) == MDB_SUCCESS;
    int code = mdb_cursor_get(raw, &k, &v, behind ? MDB_PREV : MDB_LAST);
    while (code == MDB_SUCCESS && visit(to_view(k), to_view(v))) code = mdb_cursor_get(raw, &k, &v, MDB_PREV);
    if (code != MDB_NOTFOUND) check(code);
}

void transaction::walk(MDB_dbi table, std::string_view from,
                       const std::function<bool(std::string_view, std::string_view)>& visit) const {
    MDB_cursor* raw = nullptr;
    check(mdb_cursor_open(txn_, table, &raw));
    const std::unique_ptr<MDB_cursor, close_cursor> cursor(raw);
    auto k = to_val(from);
    MDB_val v{};
    int code = mdb_cursor_get(raw, &k, &v, from.empty() ? MDB_FIRST : MDB_SET_RANGE);
    while (code == MDB_SUCCESS && visit(to_view(k), to_view(v))) code = mdb_cursor_get(raw, &k, &v, MDB_NEXT);
    if (code != MDB_NOTFOUND) check(code);
}

} // namespace strowger::store
