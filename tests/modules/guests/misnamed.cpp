// A module whose file has another name than it has itself.
#include "core/modules/module.hpp"

namespace {
class misnamed_module final : public strowger::module {
public:
    explicit misnamed_module(strowger::module_context&) {}
};
} // namespace
STROWGER_MODULE(misnamed_module, "another", "1.0", "Is not called as its file is", experimental)
