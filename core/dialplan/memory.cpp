#include "core/dialplan/memory.hpp"
#include <algorithm>
#include <cstdlib>
#include <new>
#include <utility>

namespace strowger::dialplan {
namespace {
// Before each block: its payer, and the room that keeps the block aligned.
struct alignas(std::max_align_t) head {
    account* payer;
};
head* head_of(void* block) noexcept { return static_cast<head*>(block) - 1; }
} // namespace

memory::~memory() { close(own_); }

account* memory::open_account(std::size_t limit) {
    auto* a = new account;
    a->limit = limit;
    return a;
}
void memory::close(account* a) noexcept {
    a->open = false;
    if (a->blocks == 0) delete a;
}
account* memory::charge(account* a) noexcept { return std::exchange(paying_, a != nullptr ? a : own_); }

void memory::credit(account* a, std::size_t size) noexcept {
    used_ -= size;
    a->used -= size;
    --a->blocks;
    if (!a->open && a->blocks == 0) delete a;
}

void* memory::allocate(void* self, void* block, std::size_t old_size, std::size_t new_size) noexcept {
    return static_cast<memory*>(self)->change(block, block != nullptr ? old_size : 0, new_size);
}

void* memory::change(void* block, std::size_t old_size, std::size_t new_size) noexcept {
    if (new_size == 0) {
        if (block == nullptr) return nullptr;
        auto* h = head_of(block);
        credit(h->payer, old_size);
        std::free(h);
        return nullptr;
    }
    account* const before = block != nullptr ? head_of(block)->payer : nullptr;
    account* const payer = new_size > old_size ? paying_ : before; // Lua counts on a block that shrinks
    if (new_size > old_size && payer != own_) {
        const auto more = before == payer ? new_size - old_size : new_size;
        if (used_ + (new_size - old_size) > limit_ || payer->used + more > payer->limit) {
            payer->refused = true;
            return nullptr;
        }
    }
    auto* h = static_cast<head*>(std::realloc(block != nullptr ? head_of(block) : nullptr, sizeof(head) + new_size));
    if (h == nullptr) return nullptr;
    h->payer = payer;
    used_ += new_size;
    payer->used += new_size;
    ++payer->blocks;
    if (before != nullptr) credit(before, old_size);
    return h + 1;
}

} // namespace strowger::dialplan
