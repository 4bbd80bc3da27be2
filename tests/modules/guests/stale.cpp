// A module that was built for another core, as far as its descriptor tells. Its static constructor must never run.
#include "strowger_abi.hpp"
#undef STROWGER_ABI_SYMBOL
#define STROWGER_ABI_SYMBOL strowger_core_abi_0123456789ab
#include "core/modules/module.hpp"
#include <cstdlib>

namespace {
struct trap {
    trap() { std::abort(); }
} const never_made;
class stale_module final : public strowger::module {
public:
    explicit stale_module(strowger::module_context&) {}
};
} // namespace
STROWGER_MODULE(stale_module, "stale", "1.0", "Built for another core", experimental)
