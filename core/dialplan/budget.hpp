// The time that a script may compute between two waits.
#pragma once
#include "core/base/clock.hpp"

struct lua_State;

namespace strowger::dialplan {

/// Watches one slice of a script on this thread. When the thread has used more processor time than `budget` (in steps of 10 ms,
/// at most one more), a signal sets a hook in the Lua thread, which calls `on_overrun` at its next instruction; that must raise.
/// Until then no hook stands, for even an idle one makes Lua 2.5 times slower. The hook is set again every 10 ms while the slice
/// goes on, so that neither a race with the signal nor a `<close>` handler escapes it. Slices do not nest.
class slice {
public:
    slice(lua_State* running, duration budget, void (*on_overrun)(lua_State*));
    slice(const slice&) = delete;
    slice& operator=(const slice&) = delete;
    ~slice();

    /// True when the slice that runs on this thread has used up its budget: for long work outside Lua's own loop.
    static bool over() noexcept;
};

} // namespace strowger::dialplan
