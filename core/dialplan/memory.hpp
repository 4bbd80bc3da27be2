// Memory of Lua states, charged to the calls that use it.
#pragma once
#include <array>
#include <cstddef>

struct lua_State;

namespace strowger::dialplan {

/// What one call, or the loading of a state, has allocated. Kept by its blocks: it goes when its call has closed it and the last
/// block was collected.
struct account {
    std::size_t used = 0, blocks = 0, limit = 0;
    bool open = true;
    bool refused = false; ///< the limit was met
    /// Who runs on this account; when a limit is met, the places where that one was are written down: Lua's own error of memory
    /// has none, and its handlers of errors are not asked.
    lua_State* runs = nullptr;
    std::array<char, 100> place{};   ///< "main.lua:7", empty when unknown
    std::array<char, 1000> places{}; ///< one line each, innermost first
    void note_places() noexcept;
};

/// The allocator of one Lua state. Each block carries a pointer to the account that pays for it, so that whoever happens to run
/// when a block is collected, it is credited to the one that was charged: the books cannot drift. A block that grows is paid by
/// the one who made it grow. When a limit is met, Lua collects all garbage and asks again; only then the call gets its error.
class memory {
public:
    explicit memory(std::size_t limit) : limit_(limit), own_(open_account(limit)), paying_(own_) {}
    memory(const memory&) = delete;
    memory& operator=(const memory&) = delete;
    /// The state must be closed.
    ~memory();

    account* open_account(std::size_t limit);
    void close(account* a) noexcept;
    /// Who pays from now on; null: the state. Returns who did. The state itself is not limited: what it needs outside a call
    /// (a new thread, a reference) is small, and Lua could only answer a refusal there by ending the process.
    account* charge(account* a) noexcept;

    std::size_t used() const noexcept { return used_; }
    std::size_t limit() const noexcept { return limit_; }

    /// lua_Alloc; `self` is the memory.
    static void* allocate(void* self, void* block, std::size_t old_size, std::size_t new_size) noexcept;

private:
    void* change(void* block, std::size_t old_size, std::size_t new_size) noexcept;
    void credit(account* a, std::size_t size) noexcept;

    const std::size_t limit_;
    std::size_t used_ = 0;
    account* own_;
    account* paying_;
};

} // namespace strowger::dialplan
