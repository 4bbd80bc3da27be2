// All prompts of an engine: found by key and language, imported off the call workers, looked up in memory on them.
#pragma once
#include "core/base/result.hpp"
#include "core/media/prompt.hpp"
#include "core/media/prompt_cache.hpp"
#include "core/media/prompt_catalogue.hpp"
#include "core/media/prompt_speech.hpp"
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace strowger::media {

/// Where prompts come from. A key of a language is searched as `<directory>/<language>/<key>` in each directory in order, then,
/// for sound without words, as `<directory>/<key>`; with the endings of `audio_endings`. A language's own name comes first, then
/// names that continue it (`en_US_f_Allison` serves en), then the same for the language without its region.
struct prompt_sources {
    std::vector<std::filesystem::path> directories;
    std::filesystem::path cache;
    prompt_catalogue catalogue;
    speech_options speech;
    std::uint64_t cache_limit = std::uint64_t(1) << 30; ///< bytes; see prompt_cache
};

/// What `load_all` did.
struct load_report {
    std::size_t loaded = 0;
    std::vector<error> failures; ///< one for each key that could not be loaded, in order
};

/// Every function may be called by any thread. Those that say "blocks" work on files: never call them on a call worker.
class prompt_library {
public:
    using prompt_ptr = std::shared_ptr<const prompt>;

    explicit prompt_library(prompt_sources sources);

    /// The prompt, if it has been imported for exactly this language; otherwise null. Memory only.
    prompt_ptr lookup(std::string_view key, std::string_view language) const;
    /// The same for a text that has been spoken.
    prompt_ptr lookup_spoken(std::string_view text, std::string_view language) const;

    /// Reads the file again, even if the prompt is known; what it held before stays with those who hold it. Blocks.
    result<prompt_ptr> import(std::string_view key, std::string_view language);
    /// `lookup`, else `import`. Blocks when the prompt is not yet known.
    result<prompt_ptr> find(std::string_view key, std::string_view language);
    /// Imports many, for the start and after a change of files. A failure does not stop the others. Blocks.
    load_report load_all(const std::vector<std::string>& keys, std::string_view language);
    /// An audio file by its path, as for music on hold; it is not entered into the library. Blocks.
    result<prompt_ptr> import_file(const std::filesystem::path& path);
    /// The text spoken by a synthetic voice, and kept: the same text is spoken once, over restarts too. The library remembers the
    /// last thousand texts for `lookup_spoken`. Blocks, for seconds if it must.
    result<prompt_ptr> speak(std::string_view text, std::string_view language);

    /// The words of the catalogue, or, without any, the key's own: "vm-goodbye" is "vm goodbye".
    std::string text_for(std::string_view key, std::string_view language) const;
    const prompt_catalogue& catalogue() const noexcept { return sources_.catalogue; }

private:
    using by_key = std::map<std::string, prompt_ptr, std::less<>>;
    using by_language = std::map<std::string, by_key, std::less<>>;
    /// Never changed once others can see it: who changes it, changes a copy.
    struct shelf {
        by_language prompts;
        by_language spoken;
    };

    std::shared_ptr<const shelf> look() const;
    template <class Change> void change(Change&& edit);
    result<prompt_ptr> read(std::string_view key, std::string_view language);
    result<std::shared_ptr<const mapped_audio>> read_file(const std::filesystem::path& path);
    result<std::filesystem::path> find_file(std::string_view key, std::string_view language) const;

    const prompt_sources sources_;
    prompt_cache cache_;
    mutable std::mutex guard_; // held only to copy or set the pointer
    std::shared_ptr<const shelf> shelf_ = std::make_shared<const shelf>();
    std::mutex writing_;                                           // one change at a time
    std::deque<std::pair<std::string, std::string>> spoken_order_; // language and text; belongs to writing_
};

} // namespace strowger::media
