// The words of every prompt, per language: for a voice that speaks what is not recorded, for translators and for logs.
#pragma once
#include "core/base/result.hpp"
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace strowger::media {

/// A prompt's name: parts of letters, digits, `-`, `_` and `.` between single slashes, none beginning with a dot, 128 characters
/// in all. Anything else (an absolute path, `..`) is an error, so that a key never leaves a sound directory.
result<void> check_prompt_key(std::string_view key);

/// A language as it names a directory: `en`, `de`, `pt_BR`, `en_US_f_Allison`: letters, digits, `_` and `-`, 32 characters at
/// most.
result<void> check_language(std::string_view language);

/// The language without its region: `de` of `de_AT`; itself when it has none.
std::string_view base_language(std::string_view language) noexcept;

class prompt_catalogue {
public:
    /// The words of a prompt in that language, else in the language without its region.
    std::optional<std::string_view> text(std::string_view key, std::string_view language) const;
    /// Every key that has words in exactly that language, in order.
    std::vector<std::string> keys(std::string_view language) const;
    void set(std::string language, std::string key, std::string text);

private:
    using words = std::map<std::string, std::string, std::less<>>;
    std::map<std::string, words, std::less<>> languages_;
};

/// Reads `<directory>/<language>.toml`, each a flat table of `"key" = "text"`. Errors name the file, the line and what is
/// expected.
result<prompt_catalogue> load_catalogue(const std::filesystem::path& directory);

} // namespace strowger::media
