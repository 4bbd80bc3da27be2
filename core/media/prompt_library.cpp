// Searching, importing and remembering prompts.
#include "core/media/prompt_library.hpp"
#include "core/media/prompt_source.hpp"
#include <algorithm>
#include <fmt/format.h>
#include <set>

namespace strowger::media {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t remembered_texts = 1000;

template <class Shelf> prompt_library::prompt_ptr get(const Shelf& shelf, std::string_view language, std::string_view key) {
    const auto keys = shelf.find(language);
    if (keys == shelf.end()) return nullptr;
    const auto found = keys->second.find(key);
    return found == keys->second.end() ? nullptr : found->second;
}

/// The folders of one sound directory that hold this language, best first.
std::vector<fs::path> language_folders(const fs::path& directory, std::string_view language) {
    std::vector<fs::path> out;
    for (const auto name : {language, base_language(language)}) {
        std::set<fs::path> longer;
        std::error_code wrong;
        for (fs::directory_iterator entry(directory, wrong); !wrong && entry != fs::directory_iterator();
             entry.increment(wrong)) {
            const auto folder = entry->path().filename().string();
            if (folder == name)
                out.push_back(entry->path());
            else if (folder.size() > name.size() && folder.starts_with(name) &&
                     (folder[name.size()] == '_' || folder[name.size()] == '-'))
                longer.insert(entry->path());
        }
        out.insert(out.end(), longer.begin(), longer.end());
        if (name == base_language(language)) break;
    }
    return out;
}

} // namespace

prompt_library::prompt_library(prompt_sources sources)
    : sources_(std::move(sources)), cache_(sources_.cache, sources_.cache_limit) {}

std::shared_ptr<const prompt_library::shelf> prompt_library::look() const {
    const std::lock_guard lock(guard_);
    return shelf_;
}

template <class Change> void prompt_library::change(Change&& edit) {
    const std::lock_guard one(writing_);
    auto next = std::make_shared<shelf>(*look());
    edit(*next);
    std::shared_ptr<const shelf> last = std::move(next);
    {
        const std::lock_guard lock(guard_);
        shelf_.swap(last);
    }
    // What nobody holds any more is unmapped here, not under the lock that lookups wait for.
}

prompt_library::prompt_ptr prompt_library::lookup(std::string_view key, std::string_view language) const {
    return get(look()->prompts, language, key);
}

prompt_library::prompt_ptr prompt_library::lookup_spoken(std::string_view text, std::string_view language) const {
    return get(look()->spoken, language, text);
}

result<prompt_library::prompt_ptr> prompt_library::find(std::string_view key, std::string_view language) {
    if (auto known = lookup(key, language)) return known;
    return import(key, language);
}

result<prompt_library::prompt_ptr> prompt_library::import(std::string_view key, std::string_view language) {
    auto made = read(key, language);
    if (!made) return made;
    change([&](shelf& next) {
        auto& place = next.prompts[std::string(language)][std::string(key)];
        if (place && place->content() == (*made)->content())
            made = place; // Whoever came second takes the first one's.
        else
            place = *made;
    });
    return made;
}

load_report prompt_library::load_all(const std::vector<std::string>& keys, std::string_view language) {
    load_report report;
    std::vector<prompt_ptr> all;
    for (const auto& key : keys) {
        if (auto made = read(key, language))
            all.push_back(*made);
        else
            report.failures.push_back(made.error());
    }
    report.loaded = all.size();
    change([&](shelf& next) {
        auto& places = next.prompts[std::string(language)];
        for (auto& made : all) {
            auto& place = places[made->key()];
            if (!place || place->content() != made->content()) place = made;
        }
    });
    return report;
}

result<prompt_library::prompt_ptr> prompt_library::read(std::string_view key, std::string_view language) {
    const auto path = find_file(key, language);
    if (!path) return fail(path);
    auto audio = read_file(*path);
    if (!audio) return fail(audio);
    return std::make_shared<const prompt>(std::string(key), std::string(language), text_for(key, language), *audio);
}

result<prompt_library::prompt_ptr> prompt_library::import_file(const fs::path& path) {
    auto audio = read_file(path);
    if (!audio) return fail(audio);
    return std::make_shared<const prompt>(path.string(), "", path.stem().string(), *audio);
}

result<std::shared_ptr<const mapped_audio>> prompt_library::read_file(const fs::path& path) {
    const auto file = read_audio_file(path);
    if (!file) return fail(file);
    constexpr std::string_view kinds[]{"wav", "ulaw", "alaw", "sln"};
    const auto content = make_content_id(kinds[static_cast<std::size_t>(file->kind)], file->bytes);
    if (auto known = cache_.open(content)) return known;
    const auto samples = decode_audio(*file, path);
    if (!samples) return fail(samples);
    return cache_.store(content, *samples);
}

result<fs::path> prompt_library::find_file(std::string_view key, std::string_view language) const {
    if (auto ok = check_prompt_key(key); !ok) return fail(ok);
    if (auto ok = check_language(language); !ok) return fail(ok);
    std::vector<fs::path> folders;
    for (const auto& directory : sources_.directories)
        for (auto& folder : language_folders(directory, language)) folders.push_back(std::move(folder));
    folders.insert(folders.end(), sources_.directories.begin(), sources_.directories.end());
    for (const auto& folder : folders) {
        for (const auto& [ending, kind] : audio_endings) {
            auto path = folder / fmt::format("{}{}", key, ending);
            std::error_code wrong;
            if (fs::exists(path, wrong)) return path;
        }
    }
    std::string searched;
    for (const auto& directory : sources_.directories) searched += (searched.empty() ? "" : ", ") + directory.string();
    return fail("there is no prompt \"{}\" in language {}; looked for {}/{}.wav and .sln, .ulaw, .alaw in: {}", key, language,
                language, key, searched.empty() ? "no directory (none is configured)" : searched);
}

result<prompt_library::prompt_ptr> prompt_library::speak(std::string_view text, std::string_view language) {
    if (auto known = lookup_spoken(text, language)) return known;
    if (auto ok = check_language(language); !ok) return fail(ok);
    const auto words = speakable(text);
    if (!words) return fail(words);
    const auto voice = voice_of(language);
    const auto content = make_content_id("speech " + voice, std::as_bytes(std::span(*words)));
    auto audio = cache_.open(content);
    if (!audio) {
        const auto samples = speak_text(*words, voice, sources_.cache, sources_.speech);
        if (!samples) return fail(samples);
        auto stored = cache_.store(content, *samples);
        if (!stored) return fail(stored);
        audio = std::move(*stored);
    }
    prompt_ptr made = std::make_shared<const prompt>(std::string(text), std::string(language), *words, std::move(audio));
    change([&](shelf& next) {
        auto& place = next.spoken[made->language()][made->key()];
        if (place) {
            made = place;
            return;
        }
        place = made;
        spoken_order_.emplace_back(made->language(), made->key());
        if (spoken_order_.size() <= remembered_texts) return;
        const auto& [old_language, old_text] = spoken_order_.front();
        next.spoken[old_language].erase(old_text);
        spoken_order_.pop_front();
    });
    return made;
}

std::string prompt_library::text_for(std::string_view key, std::string_view language) const {
    if (const auto text = sources_.catalogue.text(key, language)) return std::string(*text);
    std::string words(key);
    std::replace_if(
        words.begin(), words.end(), [](char c) { return c == '-' || c == '/'; }, ' ');
    return words;
}

} // namespace strowger::media
