// Doing several things at once inside one flow: the only concurrency that call code needs.
#pragma once
#include "core/async/signal.hpp"
#include <cstddef>
#include <vector>

namespace strowger {

/// Runs all of them and returns the index of the first that ends; the others are unwound. An error of the winner is rethrown.
/// When the surrounding flow is cancelled, all are unwound and the cause goes on.
task<std::size_t> first_of(std::vector<task<void>> tasks);
/// Runs all of them to their end. The first error unwinds the others and is rethrown.
task<void> all_of(std::vector<task<void>> tasks);
/// Runs `work` for at most so long: true when it ended by itself, false when it was unwound at the deadline.
task<bool> with_deadline(task<void> work, duration at_most);

} // namespace strowger
