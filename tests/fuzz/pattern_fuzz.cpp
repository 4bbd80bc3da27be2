// Whatever an extension looks like, reading and matching it neither crashes nor disagrees with the plain comparison.
#include "core/dialplan/pattern.hpp"
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace strowger::dialplan;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto cut = text.find('\n');
    if (cut == text.npos) return 0;
    const auto digits = text.substr(cut + 1);
    const auto parsed = pattern::parse(text.substr(0, cut));
    extension_table table;
    if (table.add(text.substr(0, cut), 1).has_value() != parsed.has_value()) std::abort();
    if (!parsed || digits.empty() || digits.size() > longest_extension) return 0;
    if (table.match(digits).has_value() != parsed->matches(digits)) std::abort();
    return 0;
}
