// What names, numbers and targets in the configuration may look like: each returns empty text for a good one, else what would be
// right.
#pragma once
#include <string>

namespace strowger::config {

/// Lower-case letters, digits, '.', '-' and '_', at most 64, with a letter or digit first.
std::string check_user_name(const std::string& text);
/// 1 to 32 digits, '*' and '#'.
std::string check_extension(const std::string& text);
/// An extension, possibly with a leading '+'.
std::string check_number(const std::string& text);
/// "kind/name", where kind is one that calls can be sent to.
std::string check_target(const std::string& text);
/// An extension or a target.
std::string check_extension_or_target(const std::string& text);
/// A lower-case letter, then lower-case letters, digits and '_': contexts, modules.
std::string check_identifier(const std::string& text);
/// A language tag (RFC 5646) such as "en" or "de-AT".
std::string check_language(const std::string& text);
/// Two capital letters.
std::string check_country(const std::string& text);
/// Text for people: no control characters, at most 64 bytes.
std::string check_display_name(const std::string& text);
/// Visible ASCII without spaces, 8 to 128 characters.
std::string check_password(const std::string& text);
/// "MD5", "SHA-256" or "both".
std::string check_digest(const std::string& text);
/// That many hexadecimal digits.
std::string check_hash(const std::string& text, std::size_t count);

} // namespace strowger::config
