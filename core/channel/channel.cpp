#include "core/channel/channel.hpp"

namespace strowger {

channel::~channel() = default;
channel_driver::~channel_driver() = default;

std::string_view to_string(source_kind k) noexcept {
    switch (k) {
    case source_kind::user: return "user";
    case source_kind::trunk: return "trunk";
    case source_kind::line: return "line";
    case source_kind::test: return "test";
    case source_kind::originated: return "originated";
    }
    return "line";
}

} // namespace strowger
