#include "core/channel/phone.hpp"

namespace strowger {

virtual_phone::~virtual_phone() = default;
phone_exchange::~phone_exchange() = default;

} // namespace strowger
