// Which dialled digits are a call for help, by country, with and without a prefix for an outside line.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace strowger {

/// Knows a country's emergency numbers. 112 and 911 are known everywhere (3GPP TS 22.101 §10.1.1).
class emergency_numbers {
public:
    emergency_numbers() : emergency_numbers("", {}, {}) {}
    /// `country`: ISO 3166 two letters ("DE"); `extra`: further numbers; `prefixes`: what may stand before them ("0", "9", "00").
    emergency_numbers(std::string_view country, std::vector<std::string> extra, std::vector<std::string> prefixes);

    /// The emergency number that was meant, or empty. "urn:service:sos" and its sub-services count (RFC 5031).
    std::string classify(std::string_view dialled) const;
    const std::vector<std::string>& numbers() const noexcept { return numbers_; }

private:
    std::vector<std::string> numbers_, prefixes_;
};

} // namespace strowger
