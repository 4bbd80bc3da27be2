// The configuration: every mistake is named with its place and what would be right, all of them at once.
#include "core/base/ids.hpp"
#include "core/config/reader.hpp"
#include "core/config/settings.hpp"
#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>

using namespace strowger;
using namespace strowger::config;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

std::string complaints(std::string_view text) {
    const auto parsed = parse(text, "strowger.toml");
    return parsed ? "none" : parsed.error().text;
}

settings good(std::string_view text) {
    auto parsed = parse(text, "/etc/strowger/strowger.toml");
    if (!parsed) FAIL(parsed.error().text);
    return std::move(*parsed);
}

} // namespace

TEST_CASE("text that is not TOML is refused with its place", "[config]") {
    CHECK_THAT(complaints("[engine]\nworkers = = 2\n"), Contains("strowger.toml:2:11: not TOML"));
    CHECK_THAT(complaints("[engine\n"), Contains("strowger.toml:1:"));
    CHECK_THAT(complaints("a = 1\na = 2\n"), Contains("strowger.toml:2:"));
    CHECK_THAT(complaints(std::string_view("[engine]\nworkers = \0", 19)), Contains("not TOML"));
    CHECK_THAT(complaints("[engine]\nlog_level = \"\xff\xfe\""), Contains("strowger.toml:2:"));
    CHECK_THAT(complaints(std::string(100'000, '[')), Contains("not TOML"));
    CHECK_THAT(complaints("a = " + std::string(100'000, '[')), Contains("not TOML"));
    CHECK_THAT(complaints(std::string(17u << 20, ' ')), Contains("no configuration"));
}

TEST_CASE("a key of endless depth is refused, not followed", "[config]") {
    std::string key = "a";
    for (int i = 0; i < 200'000; ++i) key += ".a";
    for (const auto& text : {key + " = 1\n", '[' + key + "]\n", "x = {" + key + " = 1}\n"})
        CHECK_THAT(complaints("\n" + text), Contains("strowger.toml:2:1: a key with more than 200 dots"));
    const auto text = '"' + std::string(190, '.') + '"';
    CHECK(complaints("[x]\nlist = [" + text + ", " + text + "]\n") == "none");
}

TEST_CASE("all mistakes of a file are reported at once, in the order of lines", "[config]") {
    const auto parsed = parse(R"([limits]
calls = "many"
[engine]
wokers = 4
media_threads = 65
drain_limit = 1.5
log_level = "loud"
modules = ["sip", 7, "sip"]
[users.alice]
extension = 200
)",
                              "strowger.toml");
    REQUIRE_FALSE(parsed);
    const auto& wrong = parsed.error();
    REQUIRE(wrong.list.size() == 8);
    CHECK(to_text(wrong.list[0]) == "strowger.toml:2:9: calls must be a number, not text");
    CHECK(to_text(wrong.list[1]) == "strowger.toml:4:1: there is no setting \"wokers\" in [engine]; did you mean \"workers\"?");
    CHECK(to_text(wrong.list[2]) == "strowger.toml:5:17: media_threads must be between 0 and 64, not 65");
    CHECK(to_text(wrong.list[3]) == "strowger.toml:6:15: drain_limit must be a whole number, not 1.5");
    CHECK_THAT(to_text(wrong.list[4]), Contains("strowger.toml:7:13: log_level: \"loud\" is no log level; write \"debug\""));
    CHECK_THAT(to_text(wrong.list[5]), Contains("strowger.toml:8:19: modules must be a list of texts"));
    CHECK_THAT(to_text(wrong.list[6]), Contains("strowger.toml:8:22: modules: \"sip\" stands here twice"));
    CHECK(to_text(wrong.list[7]) == "strowger.toml:10:13: extension must be text: write extension = \"200\"");
    CHECK(std::count(wrong.text.begin(), wrong.text.end(), '\n') == 7);
}

TEST_CASE("sections that look like a slip of the pen are no module's", "[config]") {
    CHECK_THAT(complaints("[engnie]\n"), Contains("strowger.toml:1:2: there is no section [engnie]; did you mean [engine]?"));
    CHECK_THAT(complaints("[user.alice]\nextension = \"200\"\n"), Contains("did you mean [users]?"));
    CHECK_THAT(complaints("workers = 2\n"), Contains("before the first [section]"));
    CHECK_THAT(complaints("engine = 2\n"), Contains("write [engine]"));
    CHECK_THAT(complaints("[Sip]\n"), Contains("is no name"));
    CHECK(complaints("[engine]\nmodules = [\"sound\"]\n[sound]\n") == "none"); // a module of that name is to be loaded
    CHECK(complaints("") == "none");
}

TEST_CASE("users that cannot be told apart are refused", "[config]") {
    CHECK_THAT(complaints("[users.alice]\nextension = \"200\"\n[users.bob]\nextension = \"200\"\n"),
               Contains("strowger.toml:4:13: extension: 200 belongs to user alice already"));
    CHECK_THAT(complaints("[users.alice]\nextension = \"112\"\n"), Contains("emergency"));
    CHECK_THAT(complaints("[emergency]\nnumbers = [\"0110\"]\n[users.alice]\nextension = \"0110\"\n"), Contains("emergency"));
    CHECK_THAT(complaints("[users.\"Al ice\"]\n"), Contains("strowger.toml:1:1: \"Al ice\": a user's name has"));
    CHECK_THAT(complaints("[users.\"\"]\n"), Contains("a user's name has"));
    CHECK_THAT(complaints("[users]\nalice = \"200\"\n"), Contains("write [users.alice]"));
    CHECK_THAT(complaints("[users.alice]\nextension = \"2x0\"\n"), Contains("is no extension"));
    CHECK_THAT(complaints("[users.alice]\nexten = \"200\"\n"), Contains("in [users.alice]; did you mean \"extension\"?"));
}

TEST_CASE("passwords that are none are refused and never shown", "[config]") {
    for (const auto* bad : {"short", "", "with space in it", "n\\u00e4chtelang", "tab\\tinside"}) {
        const auto text = complaints(fmt::format("[users.alice]\npassword = \"{}\"\n", bad));
        CHECK_THAT(text, Contains("strowger.toml:2:12: password: a password has"));
        if (*bad) CHECK_THAT(text, !Contains(bad));
    }
    CHECK_THAT(complaints("[users.alexander]\npassword = \"alexander\"\n"), Contains("anybody would guess it"));
    CHECK_THAT(complaints("[users.alice]\npassword_file = \"/nowhere/at/all\"\n"), Contains("cannot be read: No such file"));
    CHECK_THAT(complaints("[users.alice]\npassword = \"12345678x\"\npassword_file = \"/nowhere\"\n"),
               Contains("keep one of the two"));
}

TEST_CASE("a password file that everybody can read is refused", "[config]") {
    const auto file = fs::temp_directory_path() / ("strowger-password-" + random_hex(8));
    std::ofstream(file) << "correct-horse\nsecond line\n";
    const auto text = fmt::format("[users.alice]\npassword_file = \"{}\"\n", file.string());
    fs::permissions(file, fs::perms(0644));
    CHECK_THAT(complaints(text), Contains("chmod o="));
    fs::permissions(file, fs::perms(0640));
    CHECK(good(text).users.at("alice").password == "correct-horse");
    std::ofstream(file) << "\n";
    CHECK_THAT(complaints(text), Contains("first line of") && Contains("8 to 128"));
    fs::remove(file);
    CHECK_THAT(complaints(fmt::format("[users.alice]\npassword_file = \"{}\"\n", fs::temp_directory_path().string())),
               Contains("password_file"));
}

TEST_CASE("values out of range and of the wrong kind are refused with what would be right", "[config]") {
    CHECK_THAT(complaints("[engine]\nworkers = -1\n"), Contains("between 0 and 64"));
    CHECK_THAT(complaints("[engine]\nworkers = 99999999999999999999\n"), Contains("strowger.toml:2:"));
    CHECK_THAT(complaints("[engine]\nmodules = \"sip\"\n"), Contains("write modules = [\"sip\"]"));
    CHECK_THAT(complaints("[engine]\nstate_directory = \"\"\n"), Contains("must not be empty"));
    CHECK_THAT(complaints("[engine]\nstate_directory = true\n"), Contains("text in quotes, not true or false"));
    CHECK_THAT(complaints("[dialplan]\nmemory_limit = \"1 MB\"\n"), Contains("\"16 MiB\""));
    CHECK_THAT(complaints("[dialplan]\nmemory_limit = \"99999999999 GiB\"\n"), Contains("memory_limit"));
    CHECK_THAT(complaints("[dialplan]\nmemory_limit = -1\n"), Contains("memory_limit"));
    CHECK_THAT(complaints("[dialplan]\nmemory_limit = \"1 KiB\"\n"), Contains("between 1 MiB and 65536 MiB, not 1 KiB"));
    CHECK_THAT(complaints("[dialplan]\nmemory_limit = \"2 MiB\"\nmemory_per_call = \"3 MiB\"\n"),
               Contains("must not be more than memory_limit"));
    CHECK_THAT(complaints("[dialplan]\ncpu_budget = 0\n"), Contains("between 1 and 10000"));
    CHECK_THAT(complaints("[limits]\nmax_call_seconds = 0\n"), Contains("between 1 and 604800"));
    CHECK_THAT(complaints("[sounds]\nlanguage = \"english!\"\n"), Contains("\"de-AT\""));
    CHECK_THAT(complaints("[emergency]\ncountry = \"Germany\"\n"), Contains("two capital letters"));
    CHECK_THAT(complaints("[emergency]\nroute = [\"trnuk/telco\"]\n"), Contains("did you mean \"trunk\"?"));
    CHECK_THAT(complaints("[emergency]\nroute = [\"telco\"]\n"), Contains("is no target"));
    CHECK_THAT(complaints("[emergency]\nnotify = \"alice\"\n"), Contains("is no extension"));
    CHECK_THAT(complaints("[emergency]\nnumbers = [110]\n"), Contains("texts in quotes"));
}

TEST_CASE("a file that cannot be read is named", "[config]") {
    CHECK_THAT(load("/nowhere/strowger.toml").error().text,
               Contains("/nowhere/strowger.toml: cannot be read: No such file") && Contains("--config"));
    CHECK_THAT(load("/tmp").error().text, Contains("is a folder"));
}

TEST_CASE("an empty file gives the defaults", "[config]") {
    const auto s = good("");
    CHECK(s.engine.workers == 0);
    CHECK(s.engine.state_directory == "/var/lib/strowger");
    CHECK(s.limits.max_call_seconds == 4h);
    CHECK(s.limits.rtp_timeout_seconds == 60s);
    CHECK(s.ledger.keep_days == std::chrono::days(90));
    CHECK(s.ledger.keep_records == 1'000'000);
    CHECK(s.sounds.cache_limit == 1u << 30);
    CHECK(s.users.empty());
    CHECK(s.module("sip").fields().empty());
}

TEST_CASE("every setting of the core is read", "[config]") {
    const auto s = good(R"([engine]
workers = 64
media_threads = 2
state_directory = "state"
modules = ["sip", "loop"]
module_directory = "/opt/modules"
log_level = "debug"
drain_limit = 5
[dialplan]
directory = "../dialplan"
fallback_extension = "0"
fallback_context = "operator"
cpu_budget = 20
memory_per_call = 1048576
memory_limit = "1 GiB"
[sounds]
directories = ["a", "/b"]
language = "de-AT"
music = "calm"
cache_limit = "16 MiB"
[limits]
calls = 5
calls_per_second = 2
max_call_seconds = 3600
rtp_timeout_seconds = 0
[ledger]
keep_days = 7
keep_records = 1000
[emergency]
country = "DE"
numbers = ["110"]
route = ["trunk/telco", "line/1"]
notify = "user/alice"
[users.alice]
extension = "200"
password = "correct-horse"
display_name = "Alice Müller"
caller_id = "+4930123200"
context = "office"
language = "en"
)");
    CHECK(s.engine.workers == 64);
    CHECK(s.engine.media_threads == 2);
    CHECK(s.engine.state_directory == "/etc/strowger/state");
    CHECK(s.engine.modules == std::vector<std::string>{"sip", "loop"});
    CHECK(s.engine.module_directory == "/opt/modules");
    CHECK(s.engine.log_level == log::level::debug);
    CHECK(s.engine.drain_limit == 5s);
    CHECK(s.dialplan.directory == "/etc/dialplan");
    CHECK(s.dialplan.fallback_extension == "0");
    CHECK(s.dialplan.fallback_context == "operator");
    CHECK(s.dialplan.cpu_budget == 20ms);
    CHECK(s.dialplan.memory_per_call == 1u << 20);
    CHECK(s.dialplan.memory_limit == 1u << 30);
    CHECK(s.sounds.directories == std::vector<fs::path>{"/etc/strowger/a", "/b"});
    CHECK(s.sounds.language == "de-AT");
    CHECK(s.sounds.music == "/etc/strowger/calm");
    CHECK(s.limits.calls == 5);
    CHECK(s.limits.calls_per_second == 2);
    CHECK(s.limits.max_call_seconds == 1h);
    CHECK(s.limits.rtp_timeout_seconds == 0s);
    CHECK(s.ledger.keep_days == std::chrono::days(7));
    CHECK(s.ledger.keep_records == 1000);
    CHECK(s.sounds.cache_limit == 16u << 20);
    CHECK(s.emergency.country == "DE");
    CHECK(s.emergency.numbers == std::vector<std::string>{"110"});
    CHECK(s.emergency.route == std::vector<std::string>{"trunk/telco", "line/1"});
    CHECK(s.emergency.notify == "user/alice");
    const auto& alice = s.users.at("alice");
    CHECK(alice.name == "alice");
    CHECK(alice.extension == "200");
    CHECK(alice.password == "correct-horse");
    CHECK(alice.display_name == "Alice Müller");
    CHECK(alice.caller_id == "+4930123200");
    CHECK(alice.context == "office");
    CHECK(alice.language == "en");
}

TEST_CASE("a module reads its own table and can point at each value", "[config]") {
    const auto s = good("[sip]\nlisten = [\"127.0.0.1:5060\",\n  \"oops\"]\nsince = 2026-12-25\nrate = "
                        "2\n[sip.trunks.telco]\nhost = \"x\"\ntsl = true\n");
    const auto sip = s.module("sip");
    CHECK(sip["listen"].items()->size() == 2);
    CHECK(sip.place((*sip["listen"].items())[1]) == "/etc/strowger/strowger.toml:3:3");
    CHECK(sip["since"].text_or("") == "2026-12-25");
    CHECK(sip.place(sip["absent"]) == "/etc/strowger/strowger.toml:1:1");
    const auto telco = sip.table("trunks").table("telco");
    CHECK(telco.name() == "sip.trunks.telco");
    CHECK(telco.place(telco["host"]) == "/etc/strowger/strowger.toml:7:8");
    CHECK(sip.table("absent").fields().empty());

    problems wrong;
    reader r(telco, wrong);
    std::string host;
    bool tls = false;
    r.text("host", host);
    r.flag("tls", tls);
    r.finish();
    CHECK(host == "x");
    REQUIRE(wrong.list.size() == 1);
    CHECK_THAT(wrong.text, Contains("toml:8:1: there is no setting \"tsl\" in [sip.trunks.telco]; did you mean \"tls\"?"));

    problems more;
    reader numbers(sip, more);
    double rate = 0, since = 0;
    numbers.number("rate", rate, 0, 10);
    numbers.number("since", since, 0, 10);
    CHECK(rate == 2);
    CHECK_THAT(more.text, Contains("since must be a number, not text"));
}

TEST_CASE("a section outlives the settings it came from", "[config]") {
    section sip;
    { sip = good("[sip]\nrealm = \"strowger\"\n").module("sip"); }
    CHECK(sip["realm"].text_or("") == "strowger");
}

TEST_CASE("the example configuration is good", "[config]") {
    const auto s = load(STROWGER_SOURCE_DIR "/contrib/strowger.toml");
    if (!s) FAIL(s.error().text);
    CHECK(s->users.at("alice").extension == "200");
    CHECK(s->users.at("bob").extension == "201");
    CHECK(s->users.at("alice").password.empty());
    CHECK(s->dialplan.directory == STROWGER_SOURCE_DIR "/dialplan");
    CHECK((*s->module("sip")["listen"].items())[0].text_or("") == "127.0.0.1:5060");
}

TEST_CASE("the example's settings that are switched off would be good too", "[config]") {
    std::ifstream in(STROWGER_SOURCE_DIR "/contrib/strowger.toml");
    std::string text, line;
    while (std::getline(in, line)) {
        const bool setting = line.starts_with('#') && line.size() > 1 && line[1] != ' ' && !line.starts_with("#password");
        text += (setting ? line.substr(1) : line) + "\n";
    }
    const auto s = good(text);
    CHECK(s.emergency.route.size() == 2);
    CHECK(s.users.at("bob").caller_id == "201");
    CHECK(s.dialplan.fallback_extension == "200");
}

TEST_CASE("the configuration that was asked for wins, then the installed one, then the example", "[config]") {
    CHECK(find_configuration("/nowhere/asked.toml") == "/nowhere/asked.toml");
    CHECK(find_configuration(std::nullopt, "/nowhere/strowger.toml") == STROWGER_SOURCE_DIR "/contrib/strowger.toml");
    CHECK(find_configuration(std::nullopt, STROWGER_SOURCE_DIR "/CMakeLists.txt") == STROWGER_SOURCE_DIR "/CMakeLists.txt");
}

TEST_CASE("a word is only taken for another when it is near", "[config]") {
    const std::vector<std::string> words = {"workers", "modules", "log_level"};
    CHECK(nearest("worker", words) == "workers");
    CHECK(nearest("wrokers", words) == "workers");
    CHECK(nearest("loglevel", words) == "log_level");
    CHECK(nearest("banana", words).empty());
    CHECK(nearest("", words).empty());
    CHECK(nearest(std::string(10'000, 'w'), words).empty());
}

TEST_CASE("a hash may stand in place of a password, one for each digest", "[config]") {
    const std::string md5(32, 'a'), sha(64, 'b');
    const auto anna = "[users.anna]\nha1_md5 = \"" + md5 + "\"\n";
    CHECK(good(anna + "ha1_sha256 = \"" + sha + "\"\ndigest = \"both\"\n").users.at("anna").has_hash());
    CHECK_THAT(complaints("[users.anna]\nha1_md5 = \"abc\"\n"), Contains("32 hexadecimal digits"));
    CHECK_THAT(complaints(anna + "password = \"long-enough\"\n"), Contains("keep one of the two"));
    CHECK_THAT(complaints(anna + "digest = \"both\"\n"), Contains("needs ha1_sha256"));
    CHECK_THAT(complaints("[users.anna]\ndigest = \"SHA256\"\n"), Contains("no digest"));
}
