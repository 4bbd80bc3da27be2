#include "core/store/migration.hpp"

namespace strowger::store {

migrating::~migrating() = default;

std::vector<migration> schema() {
    return {
        {"the first schema", [](migrating&) { return result<>(); }},
    };
}

} // namespace strowger::store
