#include "core/store/lmdb_store.hpp"
#include "core/base/log.hpp"
#include <algorithm>
#include <charconv>
#include <fcntl.h>
#include <unistd.h>

namespace strowger::store {
namespace {

constexpr std::string_view meta_table = "meta";
constexpr std::string_view version_key = "schema";
/// A commit of more would keep its first callers waiting.
constexpr std::size_t most_operations = 1000;
constexpr std::size_t most_bytes = 64u << 20;

result<> check_key(std::string_view key) {
    if (key.empty()) return fail("store: a key must not be empty");
    if (key.size() > longest_key)
        return fail("store: a key of {} bytes; at most {} are possible, so use a digest of it", key.size(), longest_key);
    return {};
}

result<> check_value(std::string_view value) {
    if (value.size() <= largest_value) return {};
    return fail("store: a value of {} bytes; at most {} are possible, so keep it in a file", value.size(), largest_value);
}

result<> check_table_name(std::string_view name) {
    const bool good =
        !name.empty() && name.size() <= 64 && name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-.") == name.npos;
    if (!good) return fail("store: \"{}\" is no table name; use lower-case letters, digits, '_', '-' and '.', at most 64", name);
    if (name == meta_table) return fail("store: the table \"{}\" belongs to the store itself; choose another name", name);
    return {};
}

/// Makes the directory's entries durable: the commits of a new file are worth nothing when the file has no name after a power
/// cut.
void sync_directory(const std::filesystem::path& directory) {
    const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    ::fsync(fd);
    ::close(fd);
}

class migrating_transaction final : public migrating {
public:
    explicit migrating_transaction(transaction& t) : transaction_(t) {}
    std::optional<std::string> get(std::string_view table, std::string_view key) override {
        const auto found = transaction_.get(number(table), key);
        return found ? std::optional(std::string(*found)) : std::nullopt;
    }
    void put(std::string_view table, std::string_view key, std::string_view value) override {
        transaction_.put(number(table), key, value);
    }
    void erase(std::string_view table, std::string_view key) override { transaction_.erase(number(table), key); }
    void each(std::string_view table, const std::function<void(std::string_view, std::string_view)>& visit) override {
        // Copied first, so that `visit` may write: that would move what the cursor looks at.
        std::vector<record> all;
        transaction_.walk(number(table), {}, [&all](std::string_view key, std::string_view value) {
            all.push_back({std::string(key), std::string(value)});
            return true;
        });
        for (const auto& each : all) visit(each.key, each.value);
    }

private:
    MDB_dbi number(std::string_view table) { return transaction_.open_table(std::string(table)); }
    transaction& transaction_;
};

} // namespace

lmdb_store::lmdb_store(std::filesystem::path directory, worker& writer, options o, directory_lock lock)
    : directory_(std::move(directory)), writer_(writer), options_(std::move(o)), lock_(std::move(lock)),
      self_(std::make_shared<handle>()), env_(open_environment(directory_, options_.map_size)), map_size_(options_.map_size) {
    self_->store = this;
}

result<std::unique_ptr<store>> lmdb_store::open(const std::filesystem::path& directory, worker& writer, options o) {
    std::error_code failed;
    const bool is_new = std::filesystem::create_directories(directory, failed);
    if (failed) return fail("{}", describe(failed.value(), directory));
    if (is_new) std::filesystem::permissions(directory, std::filesystem::perms::owner_all, failed);
    auto lock = directory_lock::take(directory);
    if (!lock) return fail(lock);
    try {
        std::unique_ptr<lmdb_store> made(new lmdb_store(directory, writer, std::move(o), std::move(*lock)));
        sync_directory(directory);
        if (const auto migrated = made->migrate(); !migrated) return fail(migrated);
        return made;
    } catch (const lmdb_failure& f) {
        return fail("{}", describe(f.code, directory / "data.mdb"));
    }
}

lmdb_store::~lmdb_store() {
    const std::lock_guard alone(self_->mutex);
    self_->store = nullptr;
    commit_queued();
}

// ---- schema

result<> lmdb_store::migrate() {
    std::string text = "0";
    transact([&text](transaction& t) {
        if (const auto found = t.get(t.open_table(std::string(meta_table)), version_key)) text = *found;
    });
    std::size_t version = 0;
    const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), version);
    if (bad != std::errc() || end != text.data() + text.size())
        return fail("{}: its schema version is damaged; bring back a backup, or move the file away to begin anew",
                    directory_.string());
    const auto newest = options_.migrations.size();
    if (version > newest)
        return fail("{}: made by a newer Strowger (schema {}; this program knows {}); use that program or an older backup",
                    directory_.string(), version, newest);
    while (version < newest)
        if (const auto migrated = migrate_to(++version); !migrated) return fail(migrated);
    return {};
}

result<> lmdb_store::migrate_to(std::size_t version) {
    const auto& step = options_.migrations[version - 1];
    struct refused {
        error why;
    };
    try {
        transact([&](transaction& t) {
            migrating_transaction view(t);
            if (const auto outcome = step.run(view); !outcome) throw refused{outcome.error()};
            t.put(t.open_table(std::string(meta_table)), version_key, std::to_string(version));
        });
    } catch (const refused& r) {
        return fail("{}: migration to schema {} ({}) failed: {}; nothing of it was kept", directory_.string(), version, step.what,
                    r.why.text);
    }
    log::info("store", "{}: schema {} ({})", directory_.string(), version, step.what);
    return {};
}

result<table> lmdb_store::open_table(std::string_view name) {
    if (const auto good = check_table_name(name); !good) return fail(good);
    const std::lock_guard writing(write_mutex_);
    {
        const std::shared_lock looking(map_mutex_);
        if (const auto at = tables_.find(name); at != tables_.end()) return table(at->second);
    }
    try {
        MDB_dbi number = 0;
        transact([&](transaction& t) { number = t.open_table(std::string(name)); });
        const std::unique_lock alone(map_mutex_);
        numbers_.push_back(number);
        tables_.emplace(name, numbers_.size() - 1);
        return table(numbers_.size() - 1);
    } catch (const lmdb_failure& f) {
        return fail("{}", describe(f.code, directory_));
    }
}

// ---- reading

template <class F> auto lmdb_store::read(F&& body) const {
    const std::shared_lock reading(map_mutex_);
    try {
        if (!env_) throw lmdb_failure{MDB_PANIC};
        const transaction t(env_.get(), transaction::kind::read);
        return body(t);
    } catch (const lmdb_failure& f) {
        throw unreadable(describe(f.code, directory_));
    }
}

std::optional<std::string> lmdb_store::get(table t, std::string_view key) const {
    if (!check_key(key)) return std::nullopt;
    return read([&](const transaction& r) {
        const auto found = r.get(number_of(t), key);
        return found ? std::optional(std::string(*found)) : std::nullopt;
    });
}

std::vector<record> lmdb_store::scan(table t, std::string_view prefix, std::size_t limit, std::string_view after) const {
    if (prefix.size() > longest_key || after.size() > longest_key || limit == 0) return {};
    return read([&](const transaction& r) {
        std::vector<record> out;
        r.walk(number_of(t), std::max(prefix, after), [&](std::string_view key, std::string_view value) {
            if (!key.starts_with(prefix)) return false;
            if (key > after) out.push_back({std::string(key), std::string(value)});
            return out.size() < limit;
        });
        return out;
    });
}

std::vector<record> lmdb_store::scan_back(table t, std::size_t limit, std::string_view before) const {
    if (before.size() > longest_key || limit == 0) return {};
    return read([&](const transaction& r) {
        std::vector<record> out;
        r.walk_back(number_of(t), before, [&](std::string_view key, std::string_view value) {
            out.push_back({std::string(key), std::string(value)});
            return out.size() < limit;
        });
        return out;
    });
}

std::size_t lmdb_store::count(table t) const {
    return read([&](const transaction& r) { return r.count(number_of(t)); });
}

// ---- writing

void lmdb_store::write(batch changes, done completion, duration patience) {
    operation o;
    for (const auto& change : changes.changes_) {
        if (const auto good = check_key(change.key); !good) o.outcome = good;
        if (const auto good = check_value(change.value.value_or("")); !good) o.outcome = good;
        o.bytes += change.key.size() + change.value.value_or("").size();
    }
    if (o.outcome)
        o.apply = [this, all = std::move(changes.changes_)](transaction& t) -> result<> {
            for (const auto& change : all) {
                if (change.value)
                    t.put(number_of(change.in), change.key, *change.value);
                else
                    t.erase(number_of(change.in), change.key);
            }
            return {};
        };
    else
        o.apply = [refused = o.outcome](transaction&) { return refused; };
    o.completion = std::move(completion);
    submit(std::move(o), patience);
}

void lmdb_store::update(table in, std::string key, change_function change, updated completion) {
    const auto kept = std::make_shared<std::optional<std::string>>();
    operation o;
    o.bytes = key.size();
    o.apply = [this, in, key = std::move(key), change = std::move(change), kept](transaction& t) -> result<> {
        if (const auto good = check_key(key); !good) return good;
        const auto found = t.get(number_of(in), key);
        const auto before = found ? std::optional(std::string(*found)) : std::nullopt;
        try {
            *kept = change(before);
        } catch (const std::exception& e) {
            return fail("store: the change of a record failed: {}", e.what());
        }
        if (*kept == before) return {};
        if (!*kept)
            t.erase(number_of(in), key);
        else if (const auto good = check_value(**kept); !good)
            return good;
        else
            t.put(number_of(in), key, **kept);
        return {};
    };
    o.completion = [kept, completion = std::move(completion)](result<> outcome) {
        if (outcome)
            completion(std::move(*kept));
        else
            completion(fail(outcome));
    };
    submit(std::move(o));
}

void lmdb_store::submit(operation o, duration patience) {
    const std::lock_guard queueing(queue_mutex_);
    queue_.push_back(std::move(o));
    if (posted_) return;
    if (patience <= duration::zero()) {
        posted_ = true;
        post_commit();
    } else if (!std::exchange(waiting_, true)) {
        writer_.post([self = self_, patience] {
            const std::lock_guard alone(self->mutex);
            if (self->store) self->store->commit_later(patience);
        });
    }
}

void lmdb_store::commit_later(duration patience) {
    const auto kept = std::make_shared<timer>(); // by its own job, until that has run
    *kept = writer_.after(patience, [self = self_, kept] {
        const std::lock_guard alone(self->mutex);
        if (!self->store) return;
        {
            const std::lock_guard queueing(self->store->queue_mutex_);
            self->store->waiting_ = false;
        }
        self->store->commit_queued();
    });
}

void lmdb_store::post_commit() {
    writer_.post([self = self_] {
        const std::lock_guard alone(self->mutex);
        if (self->store) self->store->commit_queued();
    });
}

void lmdb_store::commit_queued() {
    for (auto group = next_group(); !group.empty(); group = next_group()) {
        {
            const std::lock_guard writing(write_mutex_);
            commit_group(group);
        }
        for (auto& each : group)
            if (each.completion) each.completion(std::move(each.outcome));
    }
}

std::vector<lmdb_store::operation> lmdb_store::next_group() {
    const std::lock_guard taking(queue_mutex_);
    std::vector<operation> group;
    for (std::size_t bytes = 0; !queue_.empty() && group.size() < most_operations && bytes < most_bytes;) {
        bytes += queue_.front().bytes;
        group.push_back(std::move(queue_.front()));
        queue_.pop_front();
    }
    if (group.empty()) posted_ = false;
    return group;
}

void lmdb_store::commit_group(std::span<operation> group) {
    try {
        transact([&group](transaction& t) {
            for (auto& each : group) each.outcome = each.apply(t);
        });
    } catch (const lmdb_failure& f) {
        // One change that does not fit must not take the others with it.
        if (group.size() > 1)
            for (auto& each : group) commit_group({&each, 1});
        else
            group.front().outcome = fail("{}", describe(f.code, directory_ / "data.mdb"));
    }
}

void lmdb_store::transact(const std::function<void(transaction&)>& body) {
    for (bool reopened = false;;) {
        try {
            if (!env_) throw lmdb_failure{MDB_PANIC};
            transaction t(env_.get(), transaction::kind::write);
            body(t);
            t.commit();
            return;
        } catch (const lmdb_failure& f) {
            if (f.code == MDB_MAP_FULL && grow()) continue;
            if (f.code != MDB_PANIC || std::exchange(reopened, true)) throw;
        }
        reopen();
    }
}

/// False when the limit is reached.
bool lmdb_store::grow() {
    {
        const std::unique_lock alone(map_mutex_);
        if (map_size_ >= options_.map_limit) return false;
        const auto wanted = std::min(options_.map_limit, map_size_ * 2);
        const int code = mdb_env_set_mapsize(env_.get(), wanted);
        if (code == MDB_SUCCESS) {
            map_size_ = wanted;
            log::info("store", "{}: room for {} MiB now", directory_.string(), map_size_ >> 20);
            return true;
        }
        log::error("store", "{}: cannot grow to {} MiB: {}", directory_.string(), wanted >> 20, describe(code, directory_));
    }
    reopen(); // LMDB has let go of the old map, which must not be touched any more
    return false;
}

/// After a failed write of its root page LMDB accepts nothing until it is opened anew.
void lmdb_store::reopen() {
    const std::unique_lock alone(map_mutex_);
    log::warn("store", "{}: opening the store again after a failure", directory_.string());
    env_.reset();
    env_ = open_environment(directory_, map_size_);
    transaction t(env_.get(), transaction::kind::write);
    for (const auto& [name, index] : tables_) numbers_[index] = t.open_table(name);
    t.commit();
}

} // namespace strowger::store
