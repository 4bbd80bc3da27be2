// The store on this machine's disk, by LMDB; private to core/store.
#pragma once
#include "core/store/directory_lock.hpp"
#include "core/store/lmdb.hpp"
#include "core/store/store.hpp"
#include <deque>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <span>

namespace strowger::store {

class lmdb_store final : public store {
public:
    static result<std::unique_ptr<store>> open(const std::filesystem::path& directory, worker& writer, options o);
    ~lmdb_store() override;

    result<table> open_table(std::string_view name) override;
    std::optional<std::string> get(table t, std::string_view key) const override;
    std::vector<record> scan(table t, std::string_view prefix, std::size_t limit, std::string_view after) const override;
    void write(batch changes, done completion, duration patience) override;
    std::vector<record> scan_back(table t, std::size_t limit, std::string_view before) const override;
    std::size_t count(table t) const override;
    void update(table t, std::string key, change_function change, updated completion) override;

private:
    /// One caller's request. `apply` may run again when a transaction is repeated; when it fails it has changed nothing.
    struct operation {
        std::function<result<>(transaction&)> apply;
        done completion;
        std::size_t bytes = 0;
        result<> outcome;
    };
    /// What a posted job holds: it may come to run after the store is gone.
    struct handle {
        std::mutex mutex;
        lmdb_store* store;
    };

    lmdb_store(std::filesystem::path directory, worker& writer, options o, directory_lock lock);

    result<> migrate();
    result<> migrate_to(std::size_t version);
    void submit(operation o, duration patience = {});
    void post_commit();
    /// On the writer's thread.
    void commit_later(duration patience);
    void commit_queued();
    std::vector<operation> next_group();
    void commit_group(std::span<operation> group);

    /// Runs `body` in a write transaction and commits it; again in a larger map when it was full. Throws lmdb_failure.
    void transact(const std::function<void(transaction&)>& body);
    bool grow();
    void reopen();
    /// Runs `body` in a read transaction. Throws unreadable.
    template <class F> auto read(F&& body) const;
    /// Throws lmdb_failure for a table that was never opened.
    MDB_dbi number_of(table t) const { return t.index_ < numbers_.size() ? numbers_[t.index_] : throw lmdb_failure{MDB_BAD_DBI}; }

    const std::filesystem::path directory_;
    worker& writer_;
    const options options_;
    const directory_lock lock_;
    const std::shared_ptr<handle> self_;

    /// One writing transaction at a time.
    std::mutex write_mutex_;

    /// Held shared by every read, and alone while the map moves or a table appears. Guards all below it.
    mutable std::shared_mutex map_mutex_;
    environment env_; // null when it was lost
    std::size_t map_size_;
    std::vector<MDB_dbi> numbers_; // by table::index_
    std::map<std::string, std::size_t, std::less<>> tables_;

    std::mutex queue_mutex_; // guards all below it
    std::deque<operation> queue_;
    bool posted_ = false;  // a commit is on its way
    bool waiting_ = false; // one will be when the patience of somebody ends
};

} // namespace strowger::store
