// A lease keeps a module's code in memory while something uses it, and says who uses it since when.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace strowger {

/// Who can be leased: a loaded module. Thread-safe.
class leasable {
public:
    virtual ~leasable();
    /// A key for give_back. `user` is for people: "call 7f3a in echo".
    virtual std::uint64_t take_lease(std::string user) = 0;
    virtual void give_back(std::uint64_t key) noexcept = 0;
};

/// Counted reference on a module's code. Core objects hold it beside what it protects, declared before it, so that it goes after
/// it; never the module's own objects or frames. An empty lease (code of the core itself) protects nothing.
class lease {
public:
    lease() noexcept = default;
    lease(std::shared_ptr<leasable> of, std::string user) : of_(std::move(of)) {
        if (of_) key_ = of_->take_lease(std::move(user));
    }
    lease(lease&& other) noexcept : of_(std::move(other.of_)), key_(other.key_) {}
    lease& operator=(lease&& other) noexcept {
        if (this != &other) {
            release();
            of_ = std::move(other.of_);
            key_ = other.key_;
        }
        return *this;
    }
    ~lease() { release(); }
    void release() noexcept {
        if (of_) std::exchange(of_, nullptr)->give_back(key_);
    }
    explicit operator bool() const noexcept { return of_ != nullptr; }

private:
    std::shared_ptr<leasable> of_;
    std::uint64_t key_ = 0;
};

} // namespace strowger
