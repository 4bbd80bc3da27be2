// Catalogue files are TOML, so that text with any characters needs no rules of ours.
#include "core/media/prompt_catalogue.hpp"
#include <algorithm>
#include <toml++/toml.h>

namespace strowger::media {
namespace {

bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

constexpr std::size_t longest_key = 128, longest_language = 32;

result<void> load_language(prompt_catalogue& into, const std::filesystem::path& file) {
    const auto language = file.stem().string();
    if (auto ok = check_language(language); !ok) return fail("{}: {}", file.string(), ok.error().text);
    try {
        const toml::table table = toml::parse_file(file.string());
        for (const auto& [key, value] : table) {
            const auto line = value.source().begin.line;
            if (auto ok = check_prompt_key(key.str()); !ok) return fail("{}:{}: {}", file.string(), line, ok.error().text);
            const auto text = value.value<std::string>();
            if (!text)
                return fail("{}:{}: the text of \"{}\" must be a string: \"{}\" = \"…\"", file.string(), line, key.str(),
                            key.str());
            into.set(language, std::string(key.str()), *text);
        }
    } catch (const toml::parse_error& wrong) {
        return fail("{}:{}: {}", file.string(), wrong.source().begin.line, wrong.description());
    }
    return {};
}

} // namespace

result<void> check_prompt_key(std::string_view key) {
    constexpr auto rule = "a prompt is named by letters, digits, '-', '_' and '.', with '/' between parts, like digits/1";
    if (key.empty()) return fail("the name of a prompt is empty; {}", rule);
    if (key.size() > longest_key)
        return fail("the name of a prompt is longer than {} characters: {}…", longest_key, key.substr(0, 40));
    bool part_begins = true;
    for (const char c : key) {
        if (c == '/' ? part_begins : !(is_word(c) || (c == '.' && !part_begins)))
            return fail("\"{}\" is not the name of a prompt: {}", key, rule);
        part_begins = c == '/';
    }
    if (part_begins) return fail("\"{}\" is not the name of a prompt: it ends with '/'", key);
    return {};
}

result<void> check_language(std::string_view language) {
    if (!language.empty() && language.size() <= longest_language && std::all_of(language.begin(), language.end(), is_word))
        return {};
    return fail("\"{}\" is not a language; write it as in en, de or pt_BR", language.substr(0, longest_language));
}

std::string_view base_language(std::string_view language) noexcept { return language.substr(0, language.find_first_of("_-")); }

std::optional<std::string_view> prompt_catalogue::text(std::string_view key, std::string_view language) const {
    for (const auto name : {language, base_language(language)}) {
        const auto texts = languages_.find(name);
        if (texts == languages_.end()) continue;
        if (const auto found = texts->second.find(key); found != texts->second.end()) return found->second;
    }
    return std::nullopt;
}

std::vector<std::string> prompt_catalogue::keys(std::string_view language) const {
    std::vector<std::string> out;
    if (const auto texts = languages_.find(language); texts != languages_.end())
        for (const auto& [key, text] : texts->second) out.push_back(key);
    return out;
}

void prompt_catalogue::set(std::string language, std::string key, std::string text) {
    languages_[std::move(language)].insert_or_assign(std::move(key), std::move(text));
}

result<prompt_catalogue> load_catalogue(const std::filesystem::path& directory) {
    std::error_code wrong;
    prompt_catalogue catalogue;
    std::filesystem::directory_iterator files(directory, wrong);
    if (wrong) return fail("{}: cannot read the prompt catalogue: {}", directory.string(), wrong.message());
    for (; files != std::filesystem::directory_iterator(); files.increment(wrong)) {
        if (wrong) return fail("{}: cannot read the prompt catalogue: {}", directory.string(), wrong.message());
        if (files->path().extension() != ".toml") continue;
        if (auto ok = load_language(catalogue, files->path()); !ok) return fail(ok);
    }
    return catalogue;
}

} // namespace strowger::media
