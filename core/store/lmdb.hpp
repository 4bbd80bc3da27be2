// LMDB's environment, transactions and errors in C++; private to core/store.
#pragma once
#include "core/base/result.hpp"
#include <cstddef>
#include <filesystem>
#include <functional>
#include <lmdb.h>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace strowger::store {

/// One sentence: the path, what failed there and what to do about it. `code` is LMDB's or errno's.
std::string describe(int code, const std::filesystem::path& where);

/// An LMDB call that failed; never leaves core/store.
struct lmdb_failure {
    int code;
};
inline void check(int code) {
    if (code != MDB_SUCCESS) throw lmdb_failure{code};
}

struct close_environment {
    void operator()(MDB_env* env) const noexcept { mdb_env_close(env); }
};
using environment = std::unique_ptr<MDB_env, close_environment>;

/// Opens `data.mdb` in the directory, for at most 128 tables, and clears the slots of readers that died. Throws lmdb_failure.
environment open_environment(const std::filesystem::path& directory, std::size_t map_size);

/// Ends without an effect unless committed. For one thread. All functions throw lmdb_failure.
class transaction {
public:
    enum class kind { read, write };
    transaction(MDB_env* env, kind k) { check(mdb_txn_begin(env, nullptr, k == kind::read ? MDB_RDONLY : 0, &txn_)); }
    transaction(const transaction&) = delete;
    transaction& operator=(const transaction&) = delete;
    ~transaction() {
        if (txn_) mdb_txn_abort(txn_);
    }
    /// Returns when the disk has it.
    void commit() { check(mdb_txn_commit(std::exchange(txn_, nullptr))); }

    MDB_dbi open_table(const std::string& name);
    std::optional<std::string_view> get(MDB_dbi table, std::string_view key) const;
    std::size_t count(MDB_dbi table) const;
    void put(MDB_dbi table, std::string_view key, std::string_view value);
    void erase(MDB_dbi table, std::string_view key);
    /// From the first key at or after `from`, until `visit` returns false. The views live as long as the call.
    void walk(MDB_dbi table, std::string_view from, const std::function<bool(std::string_view, std::string_view)>& visit) const;
    /// From the last key before `before` (empty: the last of all) backwards, until `visit` returns false.
    void walk_back(MDB_dbi table, std::string_view before,
                   const std::function<bool(std::string_view, std::string_view)>& visit) const;

private:
    MDB_txn* txn_ = nullptr;
};

} // namespace strowger::store
