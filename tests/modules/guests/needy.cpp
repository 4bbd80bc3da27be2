// A module that needs another one.
#include "core/modules/module.hpp"

namespace {
class needy_module final : public strowger::module {
public:
    explicit needy_module(strowger::module_context&) {}
};
constexpr const char* needs[] = {"guest", nullptr};
} // namespace
STROWGER_MODULE_WITH(needy_module, "needy", "1.0", "Needs the module guest", experimental, needs, nullptr, false)
