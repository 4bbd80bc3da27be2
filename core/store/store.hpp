// What the engine keeps over a restart: named tables of keys and values. LMDB on this machine; a shared store can stand behind
// the same class.
#pragma once
#include "core/async/worker.hpp"
#include "core/base/result.hpp"
#include "core/store/migration.hpp"
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace strowger::store {

/// A key has 1 to this many bytes.
constexpr std::size_t longest_key = 511;
/// Anything larger belongs in a file.
constexpr std::size_t largest_value = 256u << 20;

/// Names a table of one store; made by `store::open_table`, valid as long as the store.
class table {
public:
    table() = default;

private:
    friend class lmdb_store;
    explicit table(std::size_t index) noexcept : index_(index) {}
    std::size_t index_ = SIZE_MAX;
};

struct record {
    std::string key;
    std::string value;
    bool operator==(const record&) const = default;
};

/// Changes that happen together or not at all; of two to one key the later wins.
class batch {
public:
    batch& put(table t, std::string key, std::string value);
    /// Harmless when there is no such key.
    batch& erase(table t, std::string key);
    bool empty() const noexcept { return changes_.empty(); }

private:
    friend class lmdb_store;
    struct change {
        table in;
        std::string key;
        std::optional<std::string> value;
    };
    std::vector<change> changes_;
};

struct options {
    /// Bytes of address space to begin with; it doubles when it is full.
    std::size_t map_size = std::size_t(64) << 20;
    /// Where doubling ends; then writing fails.
    std::size_t map_limit = std::size_t(64) << 30;
    /// What brings older stores up to date.
    std::vector<migration> migrations = schema();
};

/// Reading is short (a microsecond, and copying) and allowed on any thread; it sees all that was acknowledged before. A read that
/// the store cannot serve, since its file is damaged or lost, throws `unreadable`.
///
/// Writing is posted to the writer's worker. What waits there is committed together, and a completion runs on the writer's thread
/// when its change has reached the disk, or with the reason why nothing of it was kept. After a failure reading goes on, and so
/// does writing once the cause is gone. Completions must not destroy the store.
class store {
public:
    struct unreadable : std::runtime_error {
        using std::runtime_error::runtime_error;
    };
    using done = std::function<void(result<>)>;
    using change_function = std::function<std::optional<std::string>(std::optional<std::string>)>;
    using updated = std::function<void(result<std::optional<std::string>>)>;

    /// Makes the directory when it is missing. Blocks on the disk. Fails when another engine has it open, when the file was
    /// made by a newer program, or when it cannot be written. `writer` must outlive the store.
    static result<std::unique_ptr<store>> open(const std::filesystem::path& directory, worker& writer, options o = {});
    /// Commits what still waits, on this thread, completions included.
    virtual ~store();

    /// Makes the table when it is missing. Names have lower-case letters, digits, '_', '-' and '.', at most 64. Blocks on the
    /// disk, so it belongs to the start of the engine and of modules.
    virtual result<table> open_table(std::string_view name) = 0;

    virtual std::optional<std::string> get(table t, std::string_view key) const = 0;
    /// At most `limit` records whose key begins with `prefix`, in the order of their bytes, those after `after` only: the last
    /// key of one page is where the next begins.
    virtual std::vector<record> scan(table t, std::string_view prefix, std::size_t limit, std::string_view after = {}) const = 0;

    /// At most `limit` records from the table's end backwards, those before the key `before` only; without it, from the last.
    virtual std::vector<record> scan_back(table t, std::size_t limit, std::string_view before = {}) const = 0;

    /// How many records the table has; costs as much as one read.
    virtual std::size_t count(table t) const = 0;

    /// `patience`: how long this change may wait for others to share its commit, which is what costs (about a millisecond of
    /// the disk and 0.15 of a processor). A crash meanwhile loses it. Changes in a hurry take it along.
    virtual void write(batch changes, done completion, duration patience = {}) = 0;
    /// Gives `change` the value (or nothing) and keeps what it returns (nothing erases), with no other write in between. It may
    /// run more than once, on the writer's thread, so it must have no effects of its own; when it throws, nothing changes.
    /// Completes with the value kept.
    virtual void update(table t, std::string key, change_function change, updated completion) = 0;
    /// Completes with the value there was, else with what `make` returned and is kept now.
    void get_or_create(table t, std::string key, std::function<std::string()> make,
                       std::function<void(result<std::string>)> completion);
};

} // namespace strowger::store
