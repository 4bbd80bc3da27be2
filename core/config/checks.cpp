#include "core/config/checks.hpp"
#include "core/config/reader.hpp"
#include <algorithm>
#include <string_view>
#include <vector>

namespace strowger::config {
namespace {

constexpr std::string_view lower = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view digits = "0123456789";

bool consists_of(std::string_view text, std::string_view allowed) { return text.find_first_not_of(allowed) == text.npos; }

} // namespace

std::string check_user_name(const std::string& text) {
    static const std::string allowed = std::string(lower) + std::string(digits) + ".-_";
    const bool good = !text.empty() && text.size() <= 64 && consists_of(text, allowed) &&
                      std::string_view(".-_").find(text[0]) == std::string_view::npos;
    if (good) return {};
    return "a user's name has at most 64 lower-case letters, digits, '.', '-' and '_', with a letter or digit first";
}

std::string check_extension(const std::string& text) {
    if (!text.empty() && text.size() <= 32 && consists_of(text, "0123456789*#")) return {};
    return fmt::format("\"{}\" is no extension; it has 1 to 32 digits, '*' or '#', such as \"200\"", text);
}

std::string check_number(const std::string& text) {
    const std::string rest = text.starts_with('+') ? text.substr(1) : text;
    if (check_extension(rest).empty()) return {};
    return fmt::format("\"{}\" is no number; write digits, possibly after a '+', such as \"112\" or \"+4930123\"", text);
}

std::string check_target(const std::string& text) {
    static const std::vector<std::string> kinds = {"user", "ext", "group", "number", "trunk", "line"};
    const auto slash = text.find('/');
    const auto kind = text.substr(0, slash);
    const bool visible = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 127; });
    if (slash == text.npos || slash + 1 == text.size() || !visible)
        return fmt::format("\"{}\" is no target; write one such as \"trunk/telco\", \"line/1\" or \"user/alice\"", text);
    if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end())
        return fmt::format("there is no kind of target \"{}\" (user, ext, group, number, trunk, line){}", kind,
                           did_you_mean(kind, kinds));
    return {};
}

std::string check_extension_or_target(const std::string& text) {
    return text.find('/') == text.npos ? check_extension(text) : check_target(text);
}

std::string check_identifier(const std::string& text) {
    static const std::string allowed = std::string(lower) + std::string(digits) + "_";
    if (!text.empty() && text.size() <= 64 && lower.find(text[0]) != lower.npos && consists_of(text, allowed)) return {};
    return fmt::format("\"{}\" is no name; it has lower-case letters, digits and '_', with a letter first", text);
}

std::string check_language(const std::string& text) {
    const auto dash = std::min(text.find('-'), text.size());
    const auto letters = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    const bool good =
        consists_of(text.substr(0, dash), lower) && (dash == 2 || dash == 3) &&
        (dash == text.size() || (text.size() > dash + 1 && text.size() <= dash + 9 &&
                                 std::all_of(text.begin() + static_cast<std::ptrdiff_t>(dash) + 1, text.end(), letters)));
    if (good) return {};
    return fmt::format("\"{}\" is no language; write a tag such as \"en\", \"de\" or \"de-AT\"", text);
}

std::string check_country(const std::string& text) {
    if (text.size() == 2 && std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; })) return {};
    return fmt::format("\"{}\" is no country; write its two capital letters, such as \"DE\" or \"US\"", text);
}

std::string check_display_name(const std::string& text) {
    const auto control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 127; };
    if (text.size() <= 64 && std::none_of(text.begin(), text.end(), control)) return {};
    return "it has at most 64 bytes and no control characters";
}

std::string check_password(const std::string& text) {
    const auto visible = [](char c) { return c > ' ' && c < 127; };
    if (text.size() >= 8 && text.size() <= 128 && std::all_of(text.begin(), text.end(), visible)) return {};
    return "a password has 8 to 128 visible ASCII characters without spaces; remove the setting to have a good one made";
}

std::string check_digest(const std::string& text) {
    if (text == "MD5" || text == "SHA-256" || text == "both") return {};
    return fmt::format("\"{}\" is no digest; write \"MD5\", \"SHA-256\" or \"both\"", text);
}

std::string check_hash(const std::string& text, std::size_t count) {
    const bool good = text.size() == count && text.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
    return good ? std::string() : fmt::format("must be {} hexadecimal digits: the hash of \"user:realm:password\"", count);
}

} // namespace strowger::config
