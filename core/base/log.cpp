#include "core/base/log.hpp"
#include <atomic>
#include <map>
#include <mutex>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace strowger::log {
namespace {

struct state {
    std::mutex mutex;
    std::map<std::string, level, std::less<>> areas;
    std::atomic<level> lowest{level::info};
    std::atomic<bool> has_areas{false};
    std::shared_ptr<spdlog::logger> out;
    std::shared_ptr<spdlog::logger> file;
    void (*listener)(level, const source&, const std::string&, void*) = nullptr;
    void* listener_context = nullptr;

    state() {
        out = std::make_shared<spdlog::logger>("strowger", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
        out->set_pattern("%Y-%m-%d %H:%M:%S.%e %^%-7l%$ %v");
        out->set_level(spdlog::level::trace);
    }
};

// Never destroyed: threads may log until the process is gone.
state& global() {
    static auto* s = new state;
    return *s;
}

spdlog::level::level_enum to_spdlog(level l) {
    switch (l) {
    case level::debug: return spdlog::level::debug;
    case level::info: return spdlog::level::info;
    case level::warning: return spdlog::level::warn;
    case level::error: return spdlog::level::err;
    }
    return spdlog::level::info;
}

std::string printable(const std::string& text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t') out += c;
        else out += fmt::format("\\x{:02x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
    return out;
}

} // namespace

void set_level(level lowest_level, std::string_view area) {
    auto& s = global();
    const std::lock_guard lock(s.mutex);
    if (area.empty()) {
        s.lowest = lowest_level;
        s.areas.clear();
    } else {
        s.areas.insert_or_assign(std::string(area), lowest_level);
    }
    s.has_areas = !s.areas.empty();
}

level lowest(std::string_view area) {
    auto& s = global();
    if (!area.empty() && s.has_areas) {
        const std::lock_guard lock(s.mutex);
        if (const auto it = s.areas.find(area); it != s.areas.end()) return it->second;
    }
    return s.lowest;
}

bool parse_level(std::string_view word, level& out) noexcept {
    if (word == "debug") out = level::debug;
    else if (word == "info") out = level::info;
    else if (word == "warning") out = level::warning;
    else if (word == "error") out = level::error;
    else return false;
    return true;
}

bool enabled(level l, std::string_view area) noexcept { return l >= lowest(area); }

void write(level l, const source& from, std::string text) noexcept {
    try {
        auto& s = global();
        text = printable(text);
        const auto line = from.call_id.empty() ? fmt::format("{}: {}", from.area, text)
                                               : fmt::format("{} [{}]: {}", from.area, from.call_id, text);
        const std::lock_guard lock(s.mutex);
        s.out->log(to_spdlog(l), line);
        if (s.file) s.file->log(to_spdlog(l), line);
        if (s.listener != nullptr) s.listener(l, from, text, s.listener_context);
    } catch (...) {
        // A log line that cannot be written must not end a call; there is nowhere left to say so.
    }
}

bool to_file(const std::string& path) {
    auto& s = global();
    const std::lock_guard lock(s.mutex);
    s.file.reset();
    if (path.empty()) return true;
    try {
        s.file = std::make_shared<spdlog::logger>("file", std::make_shared<spdlog::sinks::basic_file_sink_mt>(path));
        s.file->set_pattern("%Y-%m-%d %H:%M:%S.%e %-7l %v");
        s.file->set_level(spdlog::level::trace);
        s.file->flush_on(spdlog::level::info);
        return true;
    } catch (const spdlog::spdlog_ex&) {
        return false;
    }
}

void set_listener(void (*listener)(level, const source&, const std::string&, void*), void* context) noexcept {
    auto& s = global();
    const std::lock_guard lock(s.mutex);
    s.listener = listener;
    s.listener_context = context;
}

void flush() {
    auto& s = global();
    const std::lock_guard lock(s.mutex);
    s.out->flush();
    if (s.file) s.file->flush();
}

} // namespace strowger::log
