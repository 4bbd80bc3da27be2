// Logging: one line of text with a level, the area it comes from and, where there is one, the call it is about.
#pragma once
#include <fmt/core.h>
#include <string>
#include <string_view>
#include <utility>

namespace strowger::log {

enum class level { debug, info, warning, error };

/// Where a line comes from. A call converts to one, so that `log::info(call, "…")` carries its id.
struct source {
    std::string_view area;
    std::string_view call_id;
    source(const char* area_name) noexcept : area(area_name) {}
    source(std::string_view area_name, std::string_view call = {}) noexcept : area(area_name), call_id(call) {}
};

/// Sets the lowest level that is written: for one area, or for all when `area` is empty. Any thread.
void set_level(level lowest, std::string_view area = {});
level lowest(std::string_view area = {});
/// "debug", "info", "warning", "error"; false for another word.
bool parse_level(std::string_view word, level& out) noexcept;

/// True when a line of this level and area would be written; ask before an expensive argument.
bool enabled(level l, std::string_view area) noexcept;
/// Copies the text and queues it; never blocks on the output. Control characters in it are written as \xNN.
void write(level l, const source& from, std::string text) noexcept;
/// Sends lines to a file as well; an empty path stops that. Returns false when it cannot be opened.
bool to_file(const std::string& path);
/// Hears every line that is written, for the console and for tests; called on the writing thread.
void set_listener(void (*listener)(level, const source&, const std::string& text, void* context), void* context) noexcept;
/// Waits until everything queued is written.
void flush();

template <class... Args> void line(level l, const source& from, fmt::format_string<Args...> text, Args&&... args) {
    if (enabled(l, from.area)) write(l, from, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args> void debug(const source& from, fmt::format_string<Args...> text, Args&&... args) {
    line(level::debug, from, text, std::forward<Args>(args)...);
}
template <class... Args> void info(const source& from, fmt::format_string<Args...> text, Args&&... args) {
    line(level::info, from, text, std::forward<Args>(args)...);
}
template <class... Args> void warn(const source& from, fmt::format_string<Args...> text, Args&&... args) {
    line(level::warning, from, text, std::forward<Args>(args)...);
}
template <class... Args> void error(const source& from, fmt::format_string<Args...> text, Args&&... args) {
    line(level::error, from, text, std::forward<Args>(args)...);
}

} // namespace strowger::log
