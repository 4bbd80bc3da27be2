#include "core/dialplan/memory.hpp"
#include "core/dialplan/api.hpp"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <lua.hpp>
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

// Lua 5.4 saves its program counter before whatever may allocate, and what is asked here allocates nothing.
void account::note_places() noexcept {
    place[0] = places[0] = '\0';
    if (runs == nullptr) return;
    std::size_t length = 0;
    lua_Debug at;
    for (int level = 0; length < places.size() && lua_getstack(runs, level, &at) != 0; ++level) {
        lua_getinfo(runs, "Sl", &at);
        if (at.currentline <= 0 || std::strcmp(at.short_src, prelude_name) == 0) continue;
        if (place[0] == '\0') std::snprintf(place.data(), place.size(), "%s:%d", at.short_src, at.currentline);
        const auto n = std::snprintf(&places[length], places.size() - length, "\n\t%s:%d: in function <%s:%d>", at.short_src,
                                     at.currentline, at.short_src, at.linedefined);
        length += static_cast<std::size_t>(std::max(n, 0));
    }
}

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
            payer->note_places();
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
