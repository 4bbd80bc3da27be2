// The one table of where users can be reached, whichever driver registered them; it outlives the engine.
#pragma once
#include "core/location/binding.hpp"
#include "core/store/store.hpp"
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace strowger {

struct location_limits {
    /// Over all drivers.
    std::size_t bindings_per_user = 10;
    /// A longer registration is shortened to this.
    std::chrono::seconds longest{24 * 3600};
};

enum class registration_change { came, went, expired };

/// Any thread. The truth is the store: a change is worked out on its writer, seen here when it is on the disk, and only then
/// acknowledged, in that order for all changes of a user.
class location_table {
public:
    /// What is kept now for this user by this driver, the most preferred first; runs on the store's writer.
    using registered = std::function<void(tl::expected<std::vector<binding>, registration_error>)>;

    /// Reads what is kept, without what has ended meanwhile. Blocks on the disk. Both must outlive the table.
    static result<std::unique_ptr<location_table>> open(store::store& kept_in, const clock& time, location_limits limits = {});
    /// Is told of every binding that comes, and of every one that is taken back, when that is kept; not of refreshes. On the
    /// store's writer. Set once, before changes are asked for.
    void observe(std::function<void(const binding&, registration_change)> observer);
    /// Completions may still run after this.
    ~location_table();

    /// Adds, refreshes and removes bindings, all or none (RFC 3261 section 10.3 step 7). Without changes it tells what is kept.
    void apply(std::string user, std::string driver, std::vector<binding_change> changes, registered completion);
    /// Removes all bindings of the user that this driver made (`Contact: *`, step 6). An empty `call_id` is always in order.
    void remove_all(std::string user, std::string driver, std::string call_id, std::uint32_t cseq, registered completion);

    /// The most preferred first. Cheap: no disk.
    std::vector<binding> bindings_of(std::string_view user) const;
    /// By user.
    std::vector<binding> all() const;
    /// Forgets what has ended by `now` and gives it back. Nobody sees ended bindings even before; this frees their memory and
    /// disk.
    std::vector<binding> expire(instant now);

private:
    struct state;
    explicit location_table(std::shared_ptr<state> s) : state_(std::move(s)) {}
    /// Completions share it.
    std::shared_ptr<state> state_;
};

} // namespace strowger
