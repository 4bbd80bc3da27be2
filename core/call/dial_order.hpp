// In which order the targets of a dial ring.
#pragma once
#include "core/call/options.hpp"
#include <string>
#include <vector>

namespace strowger {

class engine;

/// The targets as the strategy wants them: as they stand, shuffled, or those first whose user has not talked for longest. Who
/// talks now comes last of the users; targets that are no user's come after all of them, as they stand.
std::vector<dial_target> in_ringing_order(engine& core, dial_options::order strategy, std::vector<dial_target> targets);

} // namespace strowger
