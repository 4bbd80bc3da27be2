#include "core/control/console_client.hpp"
#include "core/control/table.hpp"
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fmt/core.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
// After <cstdio>, which it does not include itself.
#include <editline/readline.h>

namespace strowger::control {
namespace {

constexpr int history_length = 1000;
console_client* completing = nullptr; // libedit's hooks have no argument of ours

void print(FILE* to, const std::string& text) { std::fwrite(text.data(), 1, text.size(), to); }

std::size_t terminal_width() {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20) return size.ws_col;
    return ::isatty(STDOUT_FILENO) != 0 ? 80 : 1000; // a file or a pipe has no edge
}

/// Takes a trailing "--json" off the line.
bool take_json(std::string& line) {
    constexpr std::string_view option = "--json";
    line.erase(line.find_last_not_of(" \t") + 1);
    if (!line.ends_with(option)) return false;
    const auto at = line.size() - option.size();
    if (at != 0 && line[at - 1] != ' ') return false;
    line.erase(at);
    return true;
}

void complain(const std::string& text) {
    const bool colour = ::isatty(STDERR_FILENO) != 0;
    print(stderr, (colour ? "\x1b[31m" : "") + printable(text) + (colour ? "\x1b[0m\n" : "\n"));
}

void show(const value& answer, bool json) {
    if (json) return print(stdout, to_json(answer["data"], true) + "\n");
    if (const auto* text = answer["text"].text()) {
        print(stdout, printable(*text) + (text->ends_with("\n") ? "" : "\n"));
        return;
    }
    std::vector<std::string> columns;
    if (const auto* list = answer["columns"].items())
        for (const auto& c : *list) columns.push_back(c.text_or(""));
    const auto& data = answer["data"];
    if (data.items() != nullptr && data.items()->empty()) return print(stdout, "none\n");
    print(stdout, to_table(data, columns, terminal_width(), ::isatty(STDOUT_FILENO) != 0));
}

enum class outcome { good, failed, gone };

/// One line for a part of a streaming command's answer: an event, a remark, or a text.
void show_part(const value& part, bool json) {
    if (!part["begin"].is_null()) return; // nothing is there yet
    if (json) return print(stdout, to_json(part) + "\n");
    if (const auto* text = part["text"].text()) return print(stdout, printable(*text) + "\n");
    if (const auto* text = part["remark"].text()) return print(stdout, "-- " + printable(*text) + "\n");
    auto line = fmt::format("{} {} {}", part["seq"].integer_or(0), part["at"].text_or(""), part["type"].text_or(""));
    if (const auto* call = part["call"].text()) line += " " + *call;
    if (const auto* fields = part["fields"].fields())
        for (const auto& [name, v] : *fields) {
            const auto* text = v.text();
            line += " " + name + "=" + (text != nullptr && text->find(' ') == std::string::npos ? *text : to_json(v));
        }
    line.erase(std::remove(line.begin(), line.end(), '\n'), line.end());
    print(stdout, printable(line) + "\n");
}

/// While a command streams: its parts, and what is typed at the console, go past each other.
result<value> answer_after_parts(console_client& engine, result<value> answer, bool json, bool& streamed) {
    int typed_at = ::isatty(STDIN_FILENO) != 0 ? STDIN_FILENO : -1;
    while (answer && !(*answer)["part"].is_null()) {
        streamed = true;
        show_part((*answer)["part"], json);
        std::fflush(stdout);
        for (;;) {
            const auto came = engine.wait_also_for(typed_at);
            if (came == console_client::came::line) break;
            if (came == console_client::came::nothing) continue;
            std::array<char, 256> line;
            const auto n = ::read(typed_at, line.data(), line.size());
            if (n <= 0) typed_at = -1;
            std::string text(line.data(), static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
            text.erase(text.find_last_not_of('\n') + 1);
            if (auto sent = engine.send(value::table{{"input", text}}); !sent) return fail(sent);
        }
        answer = engine.receive();
    }
    return answer;
}

outcome run_line(console_client& engine, std::string line, bool json) {
    json |= take_json(line);
    bool streamed = false;
    const auto answer = answer_after_parts(engine, engine.ask(value::table{{"command", line}}), json, streamed);
    if (!answer) {
        complain(answer.error().text);
        return outcome::gone;
    }
    if (!(*answer)["ok"].boolean_or(false)) {
        if (json) print(stdout, to_json(value::table{{"error", (*answer)["error"]}}, true) + "\n");
        complain((*answer)["error"].text_or("the engine gave no reason"));
        return outcome::failed;
    }
    if (!streamed || !(*answer)["text"].is_null()) show(*answer, json);
    return outcome::good;
}

char* next_completion(const char*, int index) {
    static std::vector<std::string> found;
    if (index == 0) found = completing->complete(std::string(rl_line_buffer, static_cast<std::size_t>(rl_point)));
    return static_cast<std::size_t>(index) < found.size() ? ::strdup(found[static_cast<std::size_t>(index)].c_str()) : nullptr;
}
char** completions(const char* text, int, int) {
    rl_attempted_completion_over = 1; // never names of files
    return rl_completion_matches(text, next_completion);
}

int talk(console_client& engine, bool json) {
    const char* home = std::getenv("HOME"); // NOLINT: one thread
    const auto history_file = home != nullptr ? std::string(home) + "/.strowger_history" : std::string();
    completing = &engine;
    rl_readline_name = "strowger";
    rl_attempted_completion_function = completions;
    using_history();
    stifle_history(history_length);
    if (!history_file.empty()) read_history(history_file.c_str());
    int status = 0;
    while (char* typed = readline("strowger> ")) {
        std::string line(typed);
        std::free(typed); // NOLINT: readline's
        line.erase(0, line.find_first_not_of(" \t"));
        line.erase(line.find_last_not_of(" \t") + 1);
        if (line.empty()) continue;
        add_history(line.c_str());
        if (line == "exit" || line == "quit") break;
        const auto how = run_line(engine, line, json);
        std::fflush(stdout);
        if (how != outcome::gone) continue;
        status = 1;
        break;
    }
    if (!history_file.empty()) {
        const auto before = ::umask(077);
        write_history(history_file.c_str());
        ::umask(before);
    }
    return status;
}

} // namespace

result<console_client> console_client::connect(const std::filesystem::path& socket) {
    auto fd = connect_to(socket);
    if (!fd) return fail(fd);
    return console_client(std::move(*fd));
}

result<value> console_client::ask(const value& request) {
    if (auto sent = send(request); !sent) return fail(sent);
    return receive();
}

result<> console_client::send(const value& request) {
    const auto line = to_json(request) + "\n";
    for (std::size_t sent = 0; sent < line.size();) {
        const auto n = ::send(fd_.get(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return fail("the engine has ended or dropped this console");
        sent += static_cast<std::size_t>(n);
    }
    return {};
}

console_client::came console_client::wait_also_for(int other, int milliseconds) const {
    if (in_.find('\n') != std::string::npos) return came::line;
    std::array<pollfd, 2> of{{{fd_.get(), POLLIN, 0}, {other, POLLIN, 0}}};
    if (::poll(of.data(), other < 0 ? 1 : 2, milliseconds) <= 0) return came::nothing;
    return of[0].revents != 0 ? came::line : came::other;
}

result<value> console_client::receive() {
    auto end = in_.find('\n');
    while (end == std::string::npos) {
        char buffer[16384];
        const auto n = ::recv(fd_.get(), buffer, sizeof buffer, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return fail("the engine has ended or dropped this console");
        const auto searched = in_.size();
        in_.append(buffer, static_cast<std::size_t>(n));
        end = in_.find('\n', searched);
    }
    const auto answer = in_.substr(0, end);
    in_.erase(0, end + 1);
    return from_json(answer);
}

std::vector<std::string> console_client::complete(const std::string& line) {
    std::vector<std::string> out;
    const auto answer = ask(value::table{{"complete", line}});
    if (!answer) return out;
    if (const auto* list = (*answer)["completions"].items())
        for (const auto& word : *list) out.push_back(printable(word.text_or("")));
    return out;
}

int run_console(const console_options& o) {
    auto engine = console_client::connect(o.socket);
    if (!engine) {
        complain(engine.error().text);
        return 1;
    }
    if (o.commands.empty()) return talk(*engine, o.json);
    int status = 0;
    for (const auto& line : o.commands)
        if (run_line(*engine, line, o.json) != outcome::good) status = 1;
    return status;
}

} // namespace strowger::control
