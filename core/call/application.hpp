// Applications: call flows written in C++, run from a dialplan by name.
#pragma once
#include "core/async/task.hpp"
#include "core/base/value.hpp"
#include <functional>

namespace strowger {

class call;

/// A flow for a call. `arguments` is what the script gave: usually a table. What it returns goes back to the script.
using application = std::function<task<value>(call&, value arguments)>;

} // namespace strowger
