#include "core/call/emergency.hpp"
#include <algorithm>
#include <array>
#include <utility>

namespace strowger {
namespace {

struct country_numbers {
    std::string_view country;
    std::string_view numbers; // separated by blanks
};

// The national numbers beside 112 and 911, from the ITU's list of national emergency numbers.
constexpr std::array countries{
    country_numbers{"AT", "122 133 144"}, country_numbers{"AU", "000 106"},     country_numbers{"BE", "100 101"},
    country_numbers{"BR", "190 192 193"}, country_numbers{"CA", "933"},         country_numbers{"CH", "117 118 144"},
    country_numbers{"CN", "110 119 120"}, country_numbers{"CZ", "150 155 158"}, country_numbers{"DE", "110"},
    country_numbers{"ES", "061 080 091"}, country_numbers{"FR", "15 17 18 114"}, country_numbers{"GB", "999"},
    country_numbers{"IE", "999"},         country_numbers{"IN", "100 101 102 108"}, country_numbers{"IT", "113 115 118"},
    country_numbers{"JP", "110 118 119"}, country_numbers{"MX", "066 060"},     country_numbers{"NL", ""},
    country_numbers{"NO", "110 113"},     country_numbers{"NZ", "111"},         country_numbers{"PL", "997 998 999"},
    country_numbers{"PT", ""},            country_numbers{"SE", ""},            country_numbers{"US", "933"},
    country_numbers{"ZA", "10111 10177"},
};

} // namespace

emergency_numbers::emergency_numbers(std::string_view country, std::vector<std::string> extra, std::vector<std::string> prefixes)
    : numbers_{"112", "911"}, prefixes_(std::move(prefixes)) {
    for (const auto& c : countries) {
        if (c.country != country) continue;
        for (auto rest = c.numbers; !rest.empty();) {
            const auto end = std::min(rest.find(' '), rest.size());
            numbers_.emplace_back(rest.substr(0, end));
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
    }
    numbers_.insert(numbers_.end(), extra.begin(), extra.end());
    prefixes_.emplace_back();
}

std::string emergency_numbers::classify(std::string_view dialled) const {
    constexpr std::string_view urn = "urn:service:sos";
    if (dialled.starts_with(urn) && (dialled.size() == urn.size() || dialled[urn.size()] == '.')) return numbers_.front();
    for (const auto& prefix : prefixes_) {
        if (!dialled.starts_with(prefix)) continue;
        const auto rest = dialled.substr(prefix.size());
        if (const auto it = std::find(numbers_.begin(), numbers_.end(), rest); it != numbers_.end()) return *it;
    }
    return {};
}

} // namespace strowger
