// A module with a library that must never leave memory.
#include "core/modules/module.hpp"

namespace {
class pinned_module final : public strowger::module {
public:
    explicit pinned_module(strowger::module_context&) {}
};
constexpr const char* pins[] = {PINNED_LIBRARY, nullptr};
} // namespace
STROWGER_MODULE_WITH(pinned_module, "pinned", "1.0", "Pins a library", experimental, nullptr, pins, false)
