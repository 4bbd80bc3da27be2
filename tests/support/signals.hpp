// What the sanitizers leave of signals.
#pragma once

namespace strowger {

/// TSan delivers signals only between calls into libc, which a loop of Lua never makes: there no budget of CPU time ever ends.
#ifdef __SANITIZE_THREAD__
constexpr bool signals_work = false;
#else
constexpr bool signals_work = true;
#endif

} // namespace strowger
