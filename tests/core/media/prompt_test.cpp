// The prompt library: how prompts are found, kept, replaced and spoken.
#include "core/media/g711.hpp"
#include "core/media/prompt_library.hpp"
#include "tests/core/media/prompt_files.hpp"
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

using namespace strowger::media;
using namespace strowger;
using Catch::Contains;
using test::wav;
namespace fs = std::filesystem;

namespace {

struct fixture {
    test::temporary_directory dir;
    prompt_sources sources{{dir / "sounds"}, dir / "cache", {}, {}};

    void record(const std::string& name, const std::vector<std::int16_t>& samples) {
        test::write(dir / ("sounds/" + name), wav(samples));
    }
    std::vector<fs::path> cached() const {
        std::vector<fs::path> out;
        std::error_code none;
        for (fs::directory_iterator file(dir / "cache", none); !none && file != fs::directory_iterator(); ++file)
            out.push_back(file->path());
        return out;
    }
    /// A program that speaks as espeak-ng does: it writes a fixed sound, and beside it what it was told.
    void speaker(const std::string& script) {
        test::write(dir / "speaker", "#!/bin/sh\n" + script);
        fs::permissions(dir / "speaker", fs::perms::owner_all);
        test::write(dir / "voice.wav", wav({9, 8, 7}));
        sources.speech.program = (dir / "speaker").string();
    }
    std::string speak_script() const {
        return "cat > '" + (dir / "said").string() + "'; echo \"$@\" >> '" + (dir / "runs").string() + "'; cp '" +
               (dir / "voice.wav").string() + "' \"$6\"\n";
    }
};

std::int16_t first_sample(const prompt& p) {
    std::int16_t sample = 0;
    std::memcpy(&sample, p.data(codec_id::slin).data(), sizeof sample);
    return sample;
}

} // namespace

TEST_CASE("a prompt is mapped in every codec from one file", "[prompt]") {
    fixture f;
    f.record("en/goodbye.wav", {0, 1000, -1000, 32767});
    f.sources.catalogue.set("en", "goodbye", "Goodbye.");
    prompt_library library(f.sources);
    CHECK(library.lookup("goodbye", "en") == nullptr);
    const auto made = library.find("goodbye", "en").value();
    CHECK(made->key() == "goodbye");
    CHECK(made->language() == "en");
    CHECK(made->text() == "Goodbye.");
    REQUIRE(made->samples() == 4);
    REQUIRE(made->data(codec_id::slin).size() == 8);
    REQUIRE(made->data(codec_id::pcmu).size() == 4);
    REQUIRE(made->data(codec_id::pcma).size() == 4);
    CHECK(made->data(codec_id::pcmu)[1] == encode_pcmu(std::int16_t{1000}));
    CHECK(made->data(codec_id::pcma)[2] == encode_pcma(std::int16_t{-1000}));
    CHECK(library.lookup("goodbye", "en") == made);
    CHECK(f.cached().size() == 1);
    CHECK(library.find("goodbye", "en").value() == made);
}

TEST_CASE("a prompt is searched by language in each directory, then without a language", "[prompt]") {
    fixture f;
    f.sources.directories.push_back(f.dir / "more");
    f.record("beep.wav", {1});
    f.record("en/hello.wav", {2});
    f.record("en_US_f_Allison/hello.wav", {3});
    f.record("en_US_f_Allison/digits/1.wav", {4});
    test::write(f.dir / "more/de/hello.wav", wav({5}));
    test::write(f.dir / "more/de/beep.ulaw", "\x10");
    prompt_library library(f.sources);
    const auto sample = [&](const char* key, const char* language) { return first_sample(*library.find(key, language).value()); };
    CHECK(sample("hello", "en") == 2);
    CHECK(sample("hello", "en_US") == 3);
    CHECK(sample("digits/1", "en") == 4);
    CHECK(sample("digits/1", "en_GB") == 4);
    CHECK(sample("hello", "de_AT") == 5);
    CHECK(sample("beep", "de") == decode_pcmu(std::byte{0x10}));
    CHECK(sample("beep", "fr") == 1);
    CHECK_FALSE(library.find("digits/1", "de").has_value());
    const auto none = library.find("welcome", "de");
    REQUIRE_FALSE(none.has_value());
    CHECK_THAT(none.error().text, Contains("\"welcome\"") && Contains("de") && Contains("more") && Contains(".wav"));
}

TEST_CASE("no key and no language leads out of the sound directories", "[prompt]") {
    fixture f;
    f.record("en/hello.wav", {2});
    test::write(f.dir / "secret.wav", wav({1}));
    prompt_library library(f.sources);
    for (const std::string key : {"../secret", "en/../../secret", "/etc/passwd", "", "..", ".", "a//b", "a/", "/", "./hello",
                                  "a/.hidden", "a\\b", "hello\n", "a b", "hello%00"})
        CHECK_FALSE(library.find(key, "en").has_value());
    CHECK_FALSE(library.find(std::string_view("hello\0x", 7), "en").has_value());
    CHECK_FALSE(library.find(std::string(500, 'a'), "en").has_value());
    for (const std::string language : {"..", "", "en/..", "../sounds/en", "e n"})
        CHECK_FALSE(library.find("hello", language).has_value());
    CHECK(library.find("hello", "en").has_value());
    CHECK(check_prompt_key("vm-INBOX_2.new/1").has_value());
}

TEST_CASE("a call keeps the version that it holds when a prompt is replaced", "[prompt]") {
    fixture f;
    f.record("en/hello.wav", {1, 1});
    prompt_library library(f.sources);
    const auto before = library.find("hello", "en").value();
    f.record("en/hello.wav", {2, 2, 2});
    CHECK(library.find("hello", "en").value() == before);
    const auto after = library.import("hello", "en").value();
    CHECK(after != before);
    CHECK(library.lookup("hello", "en") == after);
    for (const auto& file : f.cached()) fs::remove(file);
    CHECK(first_sample(*before) == 1);
    CHECK(first_sample(*after) == 2);
    CHECK(library.import("hello", "en").value() == after);
}

TEST_CASE("the same sound under two keys is one file and one mapping", "[prompt]") {
    fixture f;
    f.record("en/a.wav", {1, 2});
    f.record("en/b.wav", {1, 2});
    prompt_library library(f.sources);
    const auto a = library.find("a", "en").value(), b = library.find("b", "en").value();
    CHECK(a->data(codec_id::pcmu).data() == b->data(codec_id::pcmu).data());
    CHECK(f.cached().size() == 1);
}

TEST_CASE("raw files with the same bytes and different laws are different sounds", "[prompt]") {
    fixture f;
    test::write(f.dir / "sounds/en/u.ulaw", "abcd");
    test::write(f.dir / "sounds/en/a.alaw", "abcd");
    prompt_library library(f.sources);
    CHECK(first_sample(*library.find("u", "en").value()) == decode_pcmu(std::byte{'a'}));
    CHECK(first_sample(*library.find("a", "en").value()) == decode_pcma(std::byte{'a'}));
}

TEST_CASE("a damaged, short or foreign cache file is made anew", "[prompt]") {
    fixture f;
    f.record("en/hello.wav", {1000, 2, 3, 4});
    f.record("en/other.wav", {500, 2, 3, 4});
    prompt_library(f.sources).find("hello", "en").value();
    REQUIRE(f.cached().size() == 1);
    const auto file = f.cached().front();
    const auto good = test::read(file);
    prompt_library(f.sources).find("other", "en").value();
    std::string other;
    for (const auto& path : f.cached())
        if (path != file) other = test::read(path);
    REQUIRE(other.size() == good.size());

    std::vector<std::string> wrong{
        "", "x", good.substr(0, good.size() - 1), good + "x", good.substr(0, 64), std::string(5000, '\0'), other};
    for (const std::size_t at : {std::size_t{0}, std::size_t{8}, std::size_t{12}, std::size_t{16}, std::size_t{24},
                                 std::size_t{31}, std::size_t{40}, std::size_t{100}, std::size_t{128}, good.size() - 1}) {
        wrong.push_back(good);
        wrong.back()[at] = static_cast<char>(wrong.back()[at] ^ 0x41);
    }
    for (std::size_t i = 0; i < wrong.size(); ++i) {
        CAPTURE(i);
        fs::remove(file);
        test::write(file, wrong[i]);
        const auto made = prompt_library(f.sources).find("hello", "en");
        REQUIRE(made.has_value());
        CHECK(first_sample(**made) == 1000);
        CHECK(test::read(file) == good);
    }
}

TEST_CASE("a cache that cannot be written is an error that says so", "[prompt]") {
    fixture f;
    f.record("en/hello.wav", {1});
    test::write(f.dir / "cache", "a file in its place");
    const auto made = prompt_library(f.sources).find("hello", "en");
    REQUIRE_FALSE(made.has_value());
    CHECK_THAT(made.error().text, Contains("cache"));
}

TEST_CASE("a directory in place of a cache file is an error, not a crash", "[prompt]") {
    fixture f;
    f.record("en/hello.wav", {1});
    prompt_library(f.sources).find("hello", "en").value();
    const auto file = f.cached().front();
    fs::remove(file);
    fs::create_directories(file / "x");
    const auto made = prompt_library(f.sources).find("hello", "en");
    REQUIRE_FALSE(made.has_value());
    CHECK_THAT(made.error().text, Contains(file.string()));
    CHECK(f.cached().size() == 1); // no temporary file stays behind
}

TEST_CASE("two threads that import the same prompt get the same one, while others look it up", "[prompt]") {
    fixture f;
    for (int i = 0; i < 20; ++i)
        f.record("en/p" + std::to_string(i) + ".wav", std::vector<std::int16_t>(800, static_cast<std::int16_t>(i + 1)));
    prompt_library library(f.sources);
    std::vector<prompt_library::prompt_ptr> got[2];
    std::atomic<bool> done = false;
    std::atomic<int> wrong = 0;
    std::thread reader([&] {
        while (!done)
            for (int i = 0; i < 20; ++i)
                if (const auto p = library.lookup("p" + std::to_string(i), "en"); p && first_sample(*p) != i + 1) ++wrong;
    });
    std::vector<std::thread> importers;
    for (auto& mine : got)
        importers.emplace_back([&] {
            for (int i = 0; i < 20; ++i)
                if (auto made = library.find("p" + std::to_string(i), "en")) mine.push_back(*made);
        });
    for (auto& importer : importers) importer.join();
    done = true;
    reader.join();
    CHECK(wrong == 0);
    REQUIRE(got[0].size() == 20);
    CHECK(got[0] == got[1]);
    CHECK(f.cached().size() == 20);
}

TEST_CASE("loading a whole catalogue goes on past what is missing", "[prompt]") {
    fixture f;
    f.record("en/a.wav", {1});
    f.record("en/c.wav", {3});
    test::write(f.dir / "sounds/en/bad.wav", "no sound");
    prompt_library library(f.sources);
    const auto report = library.load_all({"a", "b", "bad", "c"}, "en");
    CHECK(report.loaded == 2);
    REQUIRE(report.failures.size() == 2);
    CHECK_THAT(report.failures[0].text, Contains("\"b\""));
    CHECK_THAT(report.failures[1].text, Contains("bad.wav"));
    CHECK(library.lookup("c", "en") != nullptr);
    const auto before = library.lookup("a", "en");
    CHECK(library.load_all({"a"}, "en").loaded == 1);
    CHECK(library.lookup("a", "en") == before);
}

TEST_CASE("music is imported by its path", "[prompt]") {
    fixture f;
    test::write(f.dir / "music/slow song.wav", wav(std::vector<std::int16_t>(16000, 4), 16000));
    prompt_library library(f.sources);
    const auto music = library.import_file(f.dir / "music/slow song.wav").value();
    CHECK(music->text() == "slow song");
    CHECK(music->length() == std::chrono::seconds{1});
    CHECK_FALSE(library.import_file(f.dir / "music").has_value());
}

TEST_CASE("a text is spoken once, then found in the cache", "[prompt]") {
    fixture f;
    f.speaker(f.speak_script());
    const std::string text = "-v it's $(touch x) `y` \"z\"\n [[h@l'oU]]";
    {
        prompt_library library(f.sources);
        const auto made = library.speak(text, "pt_BR").value();
        CHECK(first_sample(*made) == 9);
        CHECK(library.lookup_spoken(text, "pt_BR") == made);
        CHECK(library.speak(text, "pt_BR").value() == made);
    }
    CHECK(test::read(f.dir / "said") == "-v it's $(touch x) `y` \"z\" [ [h@l'oU]]");
    CHECK_THAT(test::read(f.dir / "runs"), Contains("-v pt-br -w"));
    prompt_library again(f.sources);
    CHECK(again.lookup_spoken(text, "pt_BR") == nullptr);
    CHECK(again.speak(text, "pt_BR").has_value());
    CHECK(test::read(f.dir / "runs").find('\n') == test::read(f.dir / "runs").size() - 1);
    CHECK(f.cached().size() == 1);
}

TEST_CASE("speech that fails says why", "[prompt]") {
    fixture f;
    const auto why = [&](std::string_view text, std::string_view language) {
        const auto made = prompt_library(f.sources).speak(text, language);
        REQUIRE_FALSE(made.has_value());
        CHECK(f.cached().empty());
        return made.error().text;
    };
    f.sources.speech.program = (f.dir / "absent").string();
    CHECK_THAT(why("hello", "en"), Contains("cannot be run") && Contains("install espeak-ng"));
    f.speaker("exit 1\n");
    CHECK_THAT(why("hello", "xx"), Contains("failed") && Contains("\"xx\""));
    f.speaker("exit 0\n");
    CHECK_THAT(why("hello", "en"), Contains("made no sound"));
    f.speaker("exec sleep 60\n");
    f.sources.speech.timeout = std::chrono::milliseconds{30};
    CHECK_THAT(why("hello", "en"), Contains("longer than 30 ms"));
    CHECK_THAT(why("", "en"), Contains("no text"));
    CHECK_THAT(why("\n\t ", "en"), Contains("no text"));
    CHECK_THAT(why(std::string(2001, 'a'), "en"), Contains("too long"));
    CHECK_THAT(why("hello", "-v"), Contains("not the name of a voice"));
    CHECK_THAT(why("hello", "../x"), Contains("not a language"));
}

TEST_CASE("the words of a prompt are the catalogue's, or the key's own", "[prompt]") {
    fixture f;
    f.sources.catalogue.set("de", "vm-goodbye", "Auf Wiederhören.");
    const prompt_library library(f.sources);
    CHECK(library.text_for("vm-goodbye", "de_AT") == "Auf Wiederhören.");
    CHECK(library.text_for("vm-goodbye", "fr") == "vm goodbye");
    CHECK(library.text_for("digits/20", "en") == "digits 20");
    CHECK(voice_of("en") == "en-us");
    CHECK(voice_of("en_US_f_Allison") == "en-us");
    CHECK(voice_of("de") == "de");
}

TEST_CASE("a catalogue with a mistake is refused with its place", "[prompt]") {
    const test::temporary_directory dir;
    const auto why = [&](std::string_view content) {
        test::write(dir / "en.toml", content);
        const auto loaded = load_catalogue(dir.path());
        REQUIRE_FALSE(loaded.has_value());
        return loaded.error().text;
    };
    CHECK_THAT(why("\"a\" = \"x\"\n\"b\" = 3\n"), Contains("en.toml:2") && Contains("must be a string"));
    CHECK_THAT(why("\"../a\" = \"x\"\n"), Contains("en.toml:1") && Contains("not the name of a prompt"));
    CHECK_THAT(why("a = \"x\"\na = \"y\"\n"), Contains("en.toml:2"));
    CHECK_THAT(load_catalogue(dir / "absent").error().text, Contains("absent"));
    test::write(dir / "en.toml", "hello = \"Hello.\"\n");
    test::write(dir / "README.md", "not a catalogue");
    const auto good = load_catalogue(dir.path()).value();
    CHECK(good.keys("en") == std::vector<std::string>{"hello"});
    CHECK(good.keys("de").empty());
}

TEST_CASE("every prompt of the catalogue can be played", "[prompt]") {
    const fs::path made = STROWGER_BUILD_DIR "/sounds", recorded = "/usr/share/asterisk/sounds/en_US_f_Allison";
    if (!fs::exists(made / "made") || !fs::exists(recorded)) {
        WARN("not checked: build the target `prompts` and install asterisk-core-sounds-en-wav");
        return;
    }
    fixture f;
    f.sources.directories = {made, recorded.parent_path()};
    f.sources.catalogue = load_catalogue(STROWGER_SOURCE_DIR "/sounds/catalogue").value();
    prompt_library library(f.sources);
    for (const auto* language : {"en", "de"}) {
        const auto report = library.load_all(library.catalogue().keys(language), language);
        for (const auto& failure : report.failures) FAIL_CHECK(failure.text);
        CHECK(report.loaded > 100);
    }
}

TEST_CASE("the real voice speaks German and English, where it is installed", "[prompt]") {
    fixture f;
    prompt_library library(f.sources);
    const auto german = library.speak("Grüß Gott.", "de"), english = library.speak("Good morning.", "en");
    if (!german && german.error().text.find("cannot be run") != std::string::npos) {
        WARN("not checked: " << german.error().text);
        return;
    }
    REQUIRE(german.has_value());
    REQUIRE(english.has_value());
    CHECK((*german)->length() > std::chrono::milliseconds{300});
    CHECK((*english)->length() < std::chrono::seconds{5});
    CHECK_FALSE(library.speak("hello", "xx").has_value());
}
