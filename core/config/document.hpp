// What a parsed configuration file consists of; private to core/config.
#pragma once
#include "core/config/section.hpp"
#include <unordered_map>

namespace strowger::config {

struct section::document {
    struct places {
        position key;
        position content;
    };
    std::string file;
    value root = value::table();
    /// By the address of a value below `root`, which never changes once the file is parsed.
    std::unordered_map<const value*, places> positions;
};

} // namespace strowger::config
