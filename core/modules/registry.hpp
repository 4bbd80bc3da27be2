// Named things that modules offer: applications and channel drivers. Looked up from any thread, changed by the loader.
#pragma once
#include "core/base/lease.hpp"
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace strowger {

/// Name → `T` of the module that runs, and a lease on that module for whoever uses it. `T` is copyable and cheap to copy.
template <class T> class registry {
public:
    struct found {
        lease use;   // declared before what it protects
        T what;
    };

    /// False when the name is taken by a module that still offers it.
    bool add(const std::string& name, T what, std::shared_ptr<leasable> owner) {
        const std::lock_guard lock(mutex_);
        return entries_.emplace(name, entry{std::move(owner), std::move(what)}).second;
    }
    /// Whether `predecessor` alone, if anybody, offers the name.
    bool is_free(std::string_view name, const leasable* predecessor) const {
        const std::lock_guard lock(mutex_);
        const auto it = entries_.find(name);
        return it == entries_.end() || (predecessor != nullptr && it->second.owner.get() == predecessor);
    }
    /// Offers it in the place of whoever did: a new generation takes the name over without a gap.
    void replace(const std::string& name, T what, std::shared_ptr<leasable> owner) {
        entry next{std::move(owner), std::move(what)}; // what it replaces is destroyed outside the lock
        const std::lock_guard lock(mutex_);
        const auto [it, fresh] = entries_.try_emplace(name);
        std::swap(it->second, next);
    }
    /// Takes back what that owner offers under the name.
    void remove(const std::string& name, const leasable* owner) {
        std::optional<entry> gone; // destroyed outside the lock
        const std::lock_guard lock(mutex_);
        const auto it = entries_.find(name);
        if (it == entries_.end() || it->second.owner.get() != owner) return;
        gone = std::move(it->second);
        entries_.erase(it);
    }
    /// `user` is who will use it, for `module leases`: "call 7f3a in echo".
    std::optional<found> find(std::string_view name, std::string user) const {
        const std::lock_guard lock(mutex_);
        const auto it = entries_.find(name);
        if (it == entries_.end()) return std::nullopt;
        return found{lease(it->second.owner, std::move(user)), it->second.what};
    }
    std::vector<std::string> names() const {
        const std::lock_guard lock(mutex_);
        std::vector<std::string> out;
        for (const auto& [name, e] : entries_) out.push_back(name);
        return out;
    }

private:
    struct entry {
        std::shared_ptr<leasable> owner;
        T what;
    };
    mutable std::mutex mutex_;
    std::map<std::string, entry, std::less<>> entries_;
};

} // namespace strowger
