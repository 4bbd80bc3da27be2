#include "core/modules/module.hpp"
STROWGER_MODULE(strowger::module, "sip", "1.0", "SIP", preview)
