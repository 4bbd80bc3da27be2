// The settings of the engine as plain structs, and how they are read from strowger.toml.
#pragma once
#include "core/base/log.hpp"
#include "core/config/section.hpp"
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace strowger::config {

/// `[engine]`
struct engine_settings {
    /// Threads for calls; 0: one for each core.
    unsigned workers = 0;
    /// Threads for sound; 0: one for each core.
    unsigned media_threads = 0;
    /// Where registrations, passwords and recordings are kept.
    std::filesystem::path state_directory = "/var/lib/strowger";
    /// Modules to load at start, in this order.
    std::vector<std::string> modules;
    /// Empty: the folder `modules` beside the program.
    std::filesystem::path module_directory;
    log::level log_level = log::level::info;
    /// How long calls may go on after the engine or a module was asked to stop.
    std::chrono::seconds drain_limit{30};
};

/// `[dialplan]`
struct dialplan_settings {
    std::filesystem::path directory = "/etc/strowger/dialplan";
    /// Where a call goes when its script fails; an empty extension plays the engine's own message and hangs up.
    std::string fallback_extension;
    std::string fallback_context = "internal";
    /// How long a script may compute without waiting for anything.
    std::chrono::milliseconds cpu_budget{50};
    /// Bytes that one call's script may hold.
    std::uint64_t memory_per_call = 4u << 20;
    /// Bytes that all scripts of one worker may hold.
    std::uint64_t memory_limit = 256u << 20;
};

/// `[sounds]`
struct sounds_settings {
    /// Searched in this order.
    std::vector<std::filesystem::path> directories = {"/usr/share/strowger/sounds"};
    std::string language = "en";
    /// An audio file for callers on hold, or a folder with some; empty: a soft beep now and then.
    std::filesystem::path music;
    /// Bytes that prompts may take in the state directory, encoded and spoken; those in use stay in any case.
    std::uint64_t cache_limit = std::uint64_t(1) << 30;
};

/// `[limits]`
struct limits_settings {
    unsigned calls = 1000;
    unsigned calls_per_second = 50;
    /// Bytes that the process may hold before it takes no more; 0: nine tenths of what its control group may hold, if that has a
    /// limit.
    std::uint64_t memory = 0;
    /// What waits longer than this before it is looked at comes too late: new requests are refused.
    std::chrono::milliseconds queue_delay{100};
    std::chrono::seconds max_call_seconds = std::chrono::hours(4);
    /// A call whose sound stays away for so long is ended; 0 switches this off.
    std::chrono::seconds rtp_timeout_seconds{60};
};

/// `[ledger]`: what is kept of calls that have ended. The older of the two bounds wins.
struct ledger_settings {
    std::chrono::days keep_days{90};
    std::uint64_t keep_records = 1'000'000;
};

/// `[media]`
struct media_settings {
    /// RTP takes even ports of this range, RTCP the odd ones behind them.
    unsigned first_port = 16384, last_port = 32767;
    /// How long a pair of ports is left alone after a call, unless all others are taken.
    std::chrono::seconds port_rest{30};
};

/// `[emergency]`
struct emergency_settings {
    /// ISO 3166 code of two capital letters, which selects the built-in numbers; empty: 112 and 911 alone.
    std::string country;
    /// Emergency numbers beside the built-in ones.
    std::vector<std::string> numbers;
    /// Targets that are tried in this order: "trunk/telco", "line/1".
    std::vector<std::string> route;
    /// Extension or target that is rung when somebody makes an emergency call; empty: nobody.
    std::string notify;
};

/// `[events]`
struct events_settings {
    /// Bytes of events that are kept on disk; 0: none.
    std::uint64_t keep = 64u << 20;
    /// Whether events name the keys that callers press, which may be their secrets.
    bool keys = false;
};

/// `[users.<name>]`
struct user_settings {
    std::string name;
    /// Empty: cannot be dialled by number.
    std::string extension;
    /// From `password` or the first line of `password_file`; empty: made at first start (see secrets.hpp).
    std::string password;
    /// Which digests its devices are asked for: "MD5", "SHA-256" or "both".
    std::string digest = "MD5";
    /// In place of a password: hexadecimal hashes of `name:realm:password` (RFC 7616 §3.4.2), one for each digest.
    std::string ha1_md5, ha1_sha256;
    bool has_hash() const noexcept { return !ha1_md5.empty() || !ha1_sha256.empty(); }
    std::string display_name;
    /// The number that called people see; empty: the extension.
    std::string caller_id;
    std::string context = "internal";
    /// Empty: that of `[sounds]`.
    std::string language;
};

struct settings {
    engine_settings engine;
    dialplan_settings dialplan;
    sounds_settings sounds;
    limits_settings limits;
    ledger_settings ledger;
    media_settings media;
    emergency_settings emergency;
    events_settings events;
    std::map<std::string, user_settings, std::less<>> users;
    /// The tables of modules, such as `[sip]`, which each module reads itself with a `reader`.
    std::map<std::string, section, std::less<>> modules;
    /// The file that these came from.
    std::filesystem::path file;

    /// The table of a module; empty when the file has none.
    section module(std::string_view name) const;
};

/// Reads and checks a file. On failure all that is wrong is reported, not only the first; relative paths start at the file's
/// folder.
tl::expected<settings, problems> load(const std::filesystem::path& file);
/// The same for a text; `file` names it in complaints and gives the folder of relative paths.
tl::expected<settings, problems> parse(std::string_view text, const std::filesystem::path& file);

/// The file to read: the one asked for (which need not exist), else `installed`, else the example of the source tree;
/// `installed` again when nothing exists, so that the complaint names it.
std::filesystem::path find_configuration(const std::optional<std::filesystem::path>& asked_for,
                                         const std::filesystem::path& installed = "/etc/strowger/strowger.toml");

} // namespace strowger::config
