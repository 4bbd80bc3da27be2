// db: what scripts keep over a restart. The store's writer runs no Lua, so an update is read, computed here, and written only if
// nobody else was faster; the prelude repeats it then.
#include "core/dialplan/api.hpp"
#include "core/dialplan/bindings.hpp"
#include "core/dialplan/script.hpp"
#include "core/dialplan/state.hpp"
#include "core/engine.hpp"

namespace strowger::dialplan {
namespace {

store::table table_of(lua_State* L) {
    if (script_of(L) == nullptr) throw script_error("db waits: it is only possible in a call, not while the file is loaded");
    const auto& around = state_of(L).around();
    if (around.core == nullptr || !around.kept) throw script_error("db: this engine has no store");
    return *around.kept;
}
std::string key_argument(lua_State* L, int index) {
    auto key = text_argument(L, index, "db: the key");
    if (key.empty() || key.size() > store::longest_key) throw script_error("db: a key has 1 to 511 bytes");
    return key;
}

// key → the text kept, or nil
int read(lua_State* L) {
    const auto t = table_of(L);
    const auto kept = state_of(L).around().core->storage().get(t, key_argument(L, 1));
    if (kept) push(L, *kept);
    else lua_pushnil(L);
    return 1;
}

struct swap_reply {
    worker* home;
    signal came;
    std::optional<result<bool>> outcome;
};
task<bool> swap_text(engine& core, store::table t, std::string key, std::optional<std::string> expected,
                     std::optional<std::string> wanted) {
    flow& self = co_await this_flow();
    auto reply = std::make_shared<swap_reply>();
    reply->home = &self.home();
    auto swapped = std::make_shared<bool>(false);
    auto change = [expected, wanted, swapped](std::optional<std::string> now) {
        *swapped = now == expected;
        return *swapped ? wanted : now;
    };
    auto done = [reply, swapped](result<std::optional<std::string>> kept) {
        result<bool> outcome = kept ? result<bool>(*swapped) : result<bool>(fail(kept));
        reply->home->post([reply, outcome = std::move(outcome)] {
            reply->outcome = outcome;
            reply->came.notify();
        });
    };
    core.storage().update(t, std::move(key), std::move(change), std::move(done));
    const auto deadline = self.home().now() + 10s;
    while (!reply->outcome) {
        // Also after the end of the call: on_end handlers keep things.
        const auto left = deadline - self.home().now();
        if (left <= duration::zero()) throw std::runtime_error("db: the store does not answer");
        co_await wait_for(reply->came, left);
    }
    if (!*reply->outcome) throw std::runtime_error("db: " + reply->outcome->error().text);
    co_return **reply->outcome;
}
// key, the text expected or nil, the text wanted or nil → whether it was swapped
int swap(lua_State* L) {
    const auto t = table_of(L);
    const auto text = [L](int index) -> std::optional<std::string> {
        if (lua_isnoneornil(L, index)) return std::nullopt;
        return text_argument(L, index, "db");
    };
    return waits(L, swap_text(*state_of(L).around().core, t, key_argument(L, 1), text(2), text(3)),
                 [](lua_State* T, bool& swapped) {
                     lua_pushboolean(T, swapped);
                     return 1;
                 });
}
// prefix, the key before → list of keys, list of texts
int page(lua_State* L) {
    const auto t = table_of(L);
    const auto prefix = text_argument(L, 1, "db.each: the prefix");
    const auto after = lua_isnoneornil(L, 2) ? std::string() : text_argument(L, 2, "db.each");
    const auto records = state_of(L).around().core->storage().scan(t, prefix, 100, after);
    lua_newtable(L);
    lua_newtable(L);
    lua_Integer n = 0;
    for (const auto& r : records) {
        ++n;
        push(L, r.key);
        lua_rawseti(L, -3, n);
        push(L, r.value);
        lua_rawseti(L, -2, n);
    }
    return 2;
}

} // namespace

lua_CFunction store_read() { return guarded<read>; }
lua_CFunction store_swap() { return guarded<swap>; }
lua_CFunction store_page() { return guarded<page>; }

} // namespace strowger::dialplan
