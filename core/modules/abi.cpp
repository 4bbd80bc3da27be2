// The sentinel by which the dynamic linker tells modules of this core from modules of another build.
#include "core/modules/module.hpp"

const char STROWGER_ABI_SYMBOL = 0;
