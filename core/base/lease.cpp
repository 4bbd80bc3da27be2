#include "core/base/lease.hpp"

namespace strowger {

leasable::~leasable() = default;

} // namespace strowger
