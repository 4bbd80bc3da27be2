// Addresses, URIs and lists of SIP headers: whatever is taken means the same when it is written again.
#include "channels/sip/text.hpp"
#include <cstdlib>
#include <fmt/ranges.h>

namespace {

using namespace strowger::sip;

void require(bool holds) {
    if (!holds) std::abort();
}

void check_uri(std::string_view text) {
    const auto u = parse_uri(text);
    if (!u) return;
    if (!u->is_sip()) return require(!u->scheme.empty());
    auto written = u->scheme + ':';
    if (!u->user.empty()) written += escape_user(u->user) + '@';
    written += host_text(u->host);
    if (u->port != 0) written += fmt::format(":{}", u->port);
    if (!u->params.empty()) written += ';' + u->params;
    const auto again = parse_uri(written);
    require(again && again->scheme == u->scheme && again->user == u->user && again->host == u->host);
    require(again->port == u->port && again->params == u->params);
}

void check_name_addr(std::string_view text) {
    const auto a = parse_name_addr(text);
    if (!a) return;
    check_uri(a->uri);
    (void)param(a->params, "tag");
    if (clean(a->display) != a->display) return;
    const auto again = parse_name_addr(
        fmt::format("{}<{}>{}{}", quoted_display(a->display), a->uri, a->params.empty() ? "" : ";", a->params));
    require(again && again->display == a->display && again->uri == a->uri && again->params == a->params);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    check_uri(text);
    check_name_addr(text);
    const auto pieces = split_list(text);
    require(split_list(fmt::format("{}", fmt::join(pieces, ","))) == pieces);
    for (const auto& piece : pieces) check_name_addr(piece);
    require(unescape(escape_user(text)) == text);
    const auto shown = clean(text);
    require(clean(shown) == shown);
    if (is_numeric_address(text)) require(text.find_first_not_of("0123456789abcdefABCDEF.:") == text.npos);
    if (const auto n = parse_number(text)) require(text.find_first_not_of("0123456789") == text.npos && *n <= UINT32_MAX);
    return 0;
}
