#include "core/location/location_table.hpp"
#include "core/base/ids.hpp"
#include "core/base/log.hpp"
#include <algorithm>
#include <iterator>
#include <map>
#include <mutex>

namespace strowger {
namespace {

using bindings = std::vector<binding>;
using cause = registration_error::cause;
using checked = tl::expected<void, registration_error>;

/// An attacker's registration must not fill the memory.
constexpr std::size_t longest_text = 4096;

template <class... Args> tl::unexpected<registration_error> refuse(cause why, fmt::format_string<Args...> text, Args&&... args) {
    return tl::unexpected(registration_error{{fmt::format(text, std::forward<Args>(args)...)}, why});
}

checked check(const binding_change& c) {
    if (c.address.empty()) return refuse(cause::invalid, "a binding needs an address");
    for (const auto* text : {&c.address, &c.received, &c.path, &c.instance, &c.user_agent, &c.call_id})
        if (text->size() > longest_text)
            return refuse(cause::invalid, "a text of {} bytes in a registration; at most {} are taken", text->size(),
                          longest_text);
    if (!(c.q >= 0 && c.q <= 1)) return refuse(cause::invalid, "q is {}; it must be between 0 and 1", c.q);
    if (c.lasts.count() < 0) return refuse(cause::invalid, "a registration cannot last {} s", c.lasts.count());
    return {};
}

/// RFC 3261 section 10.3: within one Call-ID, CSeq must rise.
checked check_order(const binding& kept, const std::string& call_id, std::uint32_t cseq) {
    if (call_id.empty() || kept.call_id != call_id || cseq > kept.cseq) return {};
    return refuse(cause::out_of_order, "{}: CSeq {} is not after {}, which is registered already", kept.address, cseq, kept.cseq);
}

bindings::iterator find(bindings& all, const std::string& driver, const std::string& address) {
    return std::find_if(all.begin(), all.end(), [&](const binding& b) { return b.driver == driver && b.address == address; });
}

void sort_by_preference(bindings& all) {
    std::stable_sort(all.begin(), all.end(), [](const binding& a, const binding& b) { return a.q > b.q; });
}

binding make_binding(const std::string& user, const std::string& driver, const binding_change& c, const clock& time,
                     std::chrono::seconds longest) {
    const auto lasts = std::min(c.lasts, longest);
    binding b;
    b.user = user;
    b.driver = driver;
    b.address = c.address;
    b.received = c.received;
    b.path = c.path;
    b.instance = c.instance;
    b.user_agent = c.user_agent;
    b.q = c.q;
    b.lasts = lasts;
    b.expires = time.wall() + lasts;
    b.expires_mono = time.now() + lasts;
    b.call_id = c.call_id;
    b.cseq = c.cseq;
    return b;
}

} // namespace

struct location_table::state {
    /// Turns what is kept for a user into what shall be, or refuses; runs on the store's writer, perhaps more than once.
    using change = std::function<checked(bindings&)>;

    store::store& store;
    store::table table;
    const clock& time;
    const location_limits limits;
    /// Instants in records of this run are good; those of earlier runs are not.
    const std::string run = random_hex(8);
    std::function<void(const binding&, registration_change)> observer;

    mutable std::mutex mutex; // guards what follows
    std::map<std::string, bindings, std::less<>> users;

    state(store::store& s, store::table t, const clock& c, location_limits l) : store(s), table(t), time(c), limits(l) {}

    decoded_bindings decode(const std::string& user, const std::string& record) const {
        if (auto found = decode_bindings(user, record, run, time)) return std::move(*found);
        log::warn("location", "the registrations kept for {} are damaged; its phones are reached again when they register", user);
        return {{}, true};
    }

    void tell_observer(const bindings& before, const bindings& now) const {
        if (!observer) return;
        const auto tell = [this](const bindings& of, const bindings& but_not, registration_change how) {
            for (const auto& b : of)
                if (std::none_of(but_not.begin(), but_not.end(),
                                 [&b](const binding& o) { return o.driver == b.driver && o.address == b.address; }))
                    observer(b, how);
        };
        tell(before, now, registration_change::went);
        tell(now, before, registration_change::came);
    }

    void remember(const std::string& user, bindings now) {
        const std::lock_guard locked(mutex);
        if (now.empty())
            users.erase(user);
        else
            users[user] = std::move(now);
    }

    /// Works out one user's new record on the store's writer, and tells the caller when it is kept.
    static void change_user(const std::shared_ptr<state>& self, std::string user, std::string driver, change what,
                            registered completion) {
        struct outcome {
            checked verdict;
            bindings before, now;
        };
        const auto found = std::make_shared<outcome>();
        auto work_out = [self, user, what = std::move(what),
                         found](std::optional<std::string> record) -> std::optional<std::string> {
            found->now = record ? self->decode(user, *record).all : bindings();
            found->before = found->now;
            found->verdict = what(found->now);
            if (!found->verdict) return record;
            sort_by_preference(found->now);
            return found->now.empty() ? std::nullopt : std::optional(encode_bindings(found->now, self->run));
        };
        auto tell = [self, user, driver, found, completion = std::move(completion)](result<std::optional<std::string>> kept) {
            if (!kept) return completion(refuse(cause::not_kept, "{}", kept.error().text));
            if (!found->verdict) return completion(tl::unexpected(found->verdict.error()));
            self->tell_observer(found->before, found->now);
            auto own = found->now;
            std::erase_if(own, [&driver](const binding& b) { return b.driver != driver; });
            self->remember(user, std::move(found->now));
            completion(std::move(own));
        };
        self->store.update(self->table, user, std::move(work_out), std::move(tell));
    }

    /// Reading a record corrects it, so that no further change is needed to free what has ended.
    static void keep_anew(const std::shared_ptr<state>& self, std::string user) {
        change_user(
            self, user, {}, [](bindings&) { return checked(); },
            [user](const auto& kept) {
                if (!kept) log::warn("location", "{}: {}", user, kept.error().text);
            });
    }
};

result<std::unique_ptr<location_table>> location_table::open(store::store& kept_in, const clock& time, location_limits limits) {
    const auto table = kept_in.open_table("location");
    if (!table) return fail(table);
    auto made = std::make_shared<state>(kept_in, *table, time, limits);
    constexpr std::size_t page = 1000;
    try {
        for (auto records = kept_in.scan(*table, "", page); !records.empty();
             records = kept_in.scan(*table, "", page, records.back().key))
            for (const auto& record : records) {
                auto kept = made->decode(record.key, record.value);
                if (kept.corrected) state::keep_anew(made, record.key);
                made->remember(record.key, std::move(kept.all));
            }
    } catch (const store::store::unreadable& e) {
        return fail("{}", e.what());
    }
    return std::unique_ptr<location_table>(new location_table(std::move(made)));
}

location_table::~location_table() = default;

void location_table::observe(std::function<void(const binding&, registration_change)> observer) {
    state_->observer = std::move(observer);
}

void location_table::apply(std::string user, std::string driver, std::vector<binding_change> changes, registered completion) {
    auto what = [self = state_, user, driver, changes = std::move(changes)](bindings& all) -> checked {
        const auto before = all.size();
        for (const auto& c : changes) {
            if (const auto good = check(c); !good) return good;
            const auto kept = find(all, driver, c.address);
            if (kept == all.end()) continue;
            if (const auto good = check_order(*kept, c.call_id, c.cseq); !good) return good;
        }
        for (const auto& c : changes) {
            const auto kept = find(all, driver, c.address);
            if (kept != all.end()) all.erase(kept);
            if (c.lasts.count() > 0) all.push_back(make_binding(user, driver, c, self->time, self->limits.longest));
        }
        if (all.size() > std::max(before, self->limits.bindings_per_user))
            return refuse(cause::too_many, "{} would have {} bindings; at most {} are allowed, so remove one first", user,
                          all.size(), self->limits.bindings_per_user);
        return {};
    };
    state::change_user(state_, std::move(user), std::move(driver), std::move(what), std::move(completion));
}

void location_table::remove_all(std::string user, std::string driver, std::string call_id, std::uint32_t cseq,
                                registered completion) {
    auto what = [driver, call_id = std::move(call_id), cseq](bindings& all) -> checked {
        for (const auto& b : all)
            if (b.driver == driver)
                if (const auto good = check_order(b, call_id, cseq); !good) return good;
        std::erase_if(all, [&driver](const binding& b) { return b.driver == driver; });
        return {};
    };
    state::change_user(state_, std::move(user), std::move(driver), std::move(what), std::move(completion));
}

bindings location_table::bindings_of(std::string_view user) const {
    bindings out;
    const auto now = state_->time.now();
    const std::lock_guard locked(state_->mutex);
    if (const auto at = state_->users.find(user); at != state_->users.end())
        std::copy_if(at->second.begin(), at->second.end(), std::back_inserter(out),
                     [now](const binding& b) { return b.expires_mono > now; });
    return out;
}

bindings location_table::all() const {
    bindings out;
    const auto now = state_->time.now();
    const std::lock_guard locked(state_->mutex);
    for (const auto& [user, each] : state_->users)
        std::copy_if(each.begin(), each.end(), std::back_inserter(out), [now](const binding& b) { return b.expires_mono > now; });
    return out;
}

bindings location_table::expire(instant now) {
    bindings ended;
    std::vector<std::string> touched;
    {
        const std::lock_guard locked(state_->mutex);
        for (auto at = state_->users.begin(); at != state_->users.end();) {
            const auto before = ended.size();
            std::erase_if(at->second, [&](const binding& b) {
                if (b.expires_mono > now) return false;
                ended.push_back(b);
                return true;
            });
            if (ended.size() > before) touched.push_back(at->first);
            at = at->second.empty() ? state_->users.erase(at) : std::next(at);
        }
    }
    for (auto& user : touched) state::keep_anew(state_, std::move(user));
    return ended;
}

} // namespace strowger
