#include "core/config/settings.hpp"
#include "core/config/checks.hpp"
#include "core/config/reader.hpp"
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sys/stat.h>

namespace strowger::config {
namespace {

constexpr std::int64_t most_seconds = 7 * 24 * 3600;

std::string check_log_level(const std::string& text) {
    log::level ignored;
    if (log::parse_level(text, ignored)) return {};
    return fmt::format("\"{}\" is no log level; write \"debug\", \"info\", \"warning\" or \"error\"", text);
}

/// One pass over a file: reads each section into `out` and notes what is wrong.
class settings_reader {
public:
    settings_reader(const section& root, std::filesystem::path folder) : root_(root), folder_(std::move(folder)) {}

    settings out;
    problems wrong;

    void read_all() {
        check_names_of_sections();
        read_section("engine", [this](reader& r) { read_engine(r); });
        read_section("dialplan", [this](reader& r) { read_dialplan(r); });
        read_section("sounds", [this](reader& r) { read_sounds(r); });
        read_section("limits", [this](reader& r) { read_limits(r); });
        read_section("ledger", [this](reader& r) { read_ledger(r); });
        read_section("media", [this](reader& r) { read_media(r); });
        read_section("emergency", [this](reader& r) { read_emergency(r); });
        read_section("events", [this](reader& r) { read_events(r); });
        read_users();
    }

private:
    void note(position at, std::string what) { wrong.add({root_.file(), at, std::move(what)}); }

    template <class Read> void read_section(std::string_view name, Read read) {
        const auto from = root_.table(name);
        reader r(from, wrong);
        read(r);
        r.finish();
    }

    /// Anything that is no section of the core belongs to a module, unless it looks like a slip of the pen.
    void check_names_of_sections() {
        static const std::vector<std::string> sections = {"engine", "dialplan", "sounds",    "limits", "ledger",
                                                          "media",  "events",   "emergency", "users"};
        std::vector<std::string> modules;
        if (const auto* named = root_["engine"]["modules"].items())
            for (const auto& each : *named) modules.push_back(each.text_or(""));
        for (const auto& [name, content] : root_.fields()) {
            const auto known = [&key = name](const auto& names) {
                return std::find(names.begin(), names.end(), key) != names.end();
            };
            const bool own = known(sections);
            if (!content.fields()) {
                note(root_.where_key(content),
                     own ? fmt::format("{} must be a section: write [{}] on a line of its own", name, name)
                         : fmt::format("\"{}\" stands before the first [section]; move it into one", name));
            } else if (const auto slip = nearest(name, sections); !own && !known(modules) && !slip.empty()) {
                note(root_.where_key(content), fmt::format("there is no section [{}]; did you mean [{}]?", name, slip));
            } else if (!own) {
                if (const auto bad = check_identifier(name); !bad.empty()) note(root_.where_key(content), bad);
                out.modules.emplace(name, root_.table(name));
            }
        }
    }

    void read_engine(reader& r) {
        auto& to = out.engine;
        r.integer("workers", to.workers, 0, 64);
        r.integer("media_threads", to.media_threads, 0, 64);
        r.path("state_directory", to.state_directory, folder_);
        r.texts("modules", to.modules, check_identifier);
        r.path("module_directory", to.module_directory, folder_);
        std::string level = "info";
        r.text("log_level", level, check_log_level);
        log::parse_level(level, to.log_level);
        r.span_of_time("drain_limit", to.drain_limit, 0, most_seconds);
    }

    void read_dialplan(reader& r) {
        auto& to = out.dialplan;
        r.path("directory", to.directory, folder_);
        r.text("fallback_extension", to.fallback_extension, check_extension);
        r.text("fallback_context", to.fallback_context, check_identifier);
        r.span_of_time("cpu_budget", to.cpu_budget, 1, 10'000);
        r.bytes("memory_per_call", to.memory_per_call, 64u << 10, 1u << 30);
        r.bytes("memory_limit", to.memory_limit, 1u << 20, std::uint64_t(64) << 30);
        if (to.memory_per_call > to.memory_limit)
            r.complain("memory_per_call", "must not be more than memory_limit; lower it or raise that");
    }

    void read_sounds(reader& r) {
        r.paths("directories", out.sounds.directories, folder_);
        r.text("language", out.sounds.language, check_language);
        r.path("music", out.sounds.music, folder_);
        r.bytes("cache_limit", out.sounds.cache_limit, 1u << 20, std::uint64_t(1) << 40);
    }

    void read_limits(reader& r) {
        auto& to = out.limits;
        r.integer("calls", to.calls, 1, 1'000'000);
        r.integer("calls_per_second", to.calls_per_second, 1, 100'000);
        r.bytes("memory", to.memory, 0, std::uint64_t(1) << 40);
        if (to.memory != 0 && to.memory < 16u << 20)
            r.complain("memory", "the engine alone needs more; at least 16 MiB, or 0 for the limit of the control group");
        r.span_of_time("queue_delay", to.queue_delay, 10, 10'000);
        r.span_of_time("max_call_seconds", to.max_call_seconds, 1, most_seconds);
        r.span_of_time("rtp_timeout_seconds", to.rtp_timeout_seconds, 0, most_seconds);
    }

    void read_ledger(reader& r) {
        r.span_of_time("keep_days", out.ledger.keep_days, 1, 36'500);
        r.integer("keep_records", out.ledger.keep_records, 1, 1'000'000'000);
    }

    void read_media(reader& r) {
        auto& to = out.media;
        r.integer("first_port", to.first_port, 1024, 65534);
        r.integer("last_port", to.last_port, 1025, 65535);
        if (to.last_port < to.first_port + 7)
            r.complain("last_port", "a call between two phones takes four ports; make the range eight ports at least");
        r.span_of_time("port_rest", to.port_rest, 0, 3600);
    }

    void read_emergency(reader& r) {
        auto& to = out.emergency;
        r.text("country", to.country, check_country);
        r.texts("numbers", to.numbers, check_number);
        r.texts("route", to.route, check_target);
        r.text("notify", to.notify, check_extension_or_target);
    }

    void read_events(reader& r) {
        auto& to = out.events;
        r.bytes("keep", to.keep, 0, std::uint64_t(64) << 30);
        if (to.keep != 0 && to.keep < (1u << 20))
            r.complain("keep", "must be at least \"1 MiB\", or 0 to keep no events on disk");
        r.flag("keys", to.keys);
    }

    void read_users() {
        const auto users = root_.table("users");
        std::map<std::string, std::string> owner; // by extension
        for (const auto& number : out.emergency.numbers) owner.emplace(number, "the emergency numbers");
        for (const auto* number : {"112", "911"}) owner.emplace(number, "the emergency numbers");
        for (const auto& [name, content] : users.fields()) {
            if (!content.fields()) {
                note(users.where_key(content),
                     fmt::format("users.{} must be a section: write [users.{}] on a line of its own", name, name));
                continue;
            }
            if (const auto bad = check_user_name(name); !bad.empty())
                note(users.where(content), fmt::format("\"{}\": {}", name, bad));
            const auto from = users.table(name);
            reader r(from, wrong);
            auto user = read_user(r, from, name);
            r.finish();
            if (!user.extension.empty())
                if (const auto [other, is_new] = owner.emplace(user.extension, "user " + name); !is_new)
                    r.complain("extension",
                               fmt::format("{} belongs to {} already; choose another", user.extension, other->second));
            out.users.emplace(name, std::move(user));
        }
    }

    user_settings read_user(reader& r, const section& from, const std::string& name) {
        user_settings user;
        user.name = name;
        r.text("extension", user.extension, check_extension);
        r.text("display_name", user.display_name, check_display_name);
        r.text("caller_id", user.caller_id, check_number);
        r.text("context", user.context, check_identifier);
        r.text("language", user.language, check_language);
        r.text("password", user.password, check_password);
        std::filesystem::path file;
        r.path("password_file", file, folder_);
        if (!file.empty() && !from["password"].is_null())
            r.complain("password_file", "there is a password too; keep one of the two");
        else if (!file.empty())
            read_password(r, file, user.password);
        r.text("digest", user.digest, check_digest);
        r.text("ha1_md5", user.ha1_md5, [](const std::string& text) { return check_hash(text, 32); });
        r.text("ha1_sha256", user.ha1_sha256, [](const std::string& text) { return check_hash(text, 64); });
        for (const auto* key : {"ha1_md5", "ha1_sha256"})
            if (!from[key].is_null() && (!from["password"].is_null() || !file.empty()))
                r.complain(key, "there is a password too; keep one of the two");
        if (user.has_hash() && user.digest != "SHA-256" && user.ha1_md5.empty())
            r.complain("digest", fmt::format("\"{}\" needs ha1_md5 too", user.digest));
        if (user.has_hash() && user.digest != "MD5" && user.ha1_sha256.empty())
            r.complain("digest", fmt::format("\"{}\" needs ha1_sha256 too", user.digest));
        if (user.password == name && !name.empty()) r.complain("password", "must not be the user's name; anybody would guess it");
        return user;
    }

    void read_password(reader& r, const std::filesystem::path& file, std::string& to) {
        struct stat about {};
        std::ifstream in(file);
        if (!in || ::stat(file.c_str(), &about) != 0)
            return r.complain("password_file", fmt::format("{} cannot be read: {}", file.string(), std::strerror(errno)));
        if (!S_ISREG(about.st_mode)) return r.complain("password_file", fmt::format("{} is not a file", file.string()));
        if (about.st_mode & 07)
            return r.complain("password_file", fmt::format("everybody can read {0}; run: chmod o= {0}", file.string()));
        std::string line;
        std::getline(in, line);
        if (const auto bad = check_password(line); !bad.empty())
            return r.complain("password_file", fmt::format("first line of {}: {}", file.string(), bad));
        to = line;
    }

    const section& root_;
    std::filesystem::path folder_;
};

} // namespace

section settings::module(std::string_view name) const {
    const auto at = modules.find(name);
    return at == modules.end() ? section() : at->second;
}

tl::expected<settings, problems> parse(std::string_view text, const std::filesystem::path& file) {
    const auto root = parse_toml(text, file.string());
    if (!root) return tl::unexpected(root.error());
    settings_reader reading(*root, file.parent_path());
    reading.read_all();
    if (!reading.wrong.list.empty()) return tl::unexpected(std::move(reading.wrong));
    reading.out.file = file;
    return std::move(reading.out);
}

tl::expected<settings, problems> load(const std::filesystem::path& file) {
    const auto refuse = [&file](std::string what) {
        problems wrong;
        wrong.add({file.string(), {}, std::move(what)});
        return tl::unexpected(std::move(wrong));
    };
    std::error_code ignored;
    if (std::filesystem::is_directory(file, ignored)) return refuse("is a folder; name the file in it");
    std::ifstream in(file, std::ios::binary);
    if (!in) return refuse(fmt::format("cannot be read: {}; name another file with --config", std::strerror(errno)));
    const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    if (in.bad()) return refuse(fmt::format("cannot be read to its end: {}", std::strerror(errno)));
    return parse(text, file);
}

std::filesystem::path find_configuration(const std::optional<std::filesystem::path>& asked_for,
                                         const std::filesystem::path& installed) {
    if (asked_for) return *asked_for;
    const std::filesystem::path example = STROWGER_SOURCE_DIR "/contrib/strowger.toml";
    std::error_code ignored;
    if (!std::filesystem::exists(installed, ignored) && std::filesystem::exists(example, ignored)) return example;
    return installed;
}

} // namespace strowger::config
