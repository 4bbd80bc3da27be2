#include "core/control/phone_client.hpp"
#include "core/base/clock.hpp"
#include "core/control/console_client.hpp"
#include "core/control/table.hpp"
#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <termios.h>
#include <unistd.h>

namespace strowger::control {
namespace {

using steady = std::chrono::steady_clock;

constexpr auto longest_hear = 30s;
constexpr std::string_view sendable = "0123456789*#ABCDabcd";
volatile std::sig_atomic_t interrupted = 0;

std::string_view trimmed(std::string_view s) {
    while (!s.empty() && std::isspace(static_cast<unsigned char>(s.front())) != 0) s.remove_prefix(1);
    while (!s.empty() && std::isspace(static_cast<unsigned char>(s.back())) != 0) s.remove_suffix(1);
    return s;
}

std::string lower(std::string s) {
    std::transform(s.begin(), s.end(), s.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return s;
}

std::string quoted(const std::string& word) {
    std::string out = "'";
    for (const char c : word) out += c == '\'' ? "'\\''" : std::string(1, c);
    return out + "'";
}

/// Keys come at once and are not echoed while it lives.
class key_mode {
public:
    key_mode() {
        if (::isatty(STDIN_FILENO) == 0 || ::tcgetattr(STDIN_FILENO, &before_) != 0) return;
        auto now = before_;
        now.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
        now.c_cc[VMIN] = 1;
        now.c_cc[VTIME] = 0;
        on_ = ::tcsetattr(STDIN_FILENO, TCSANOW, &now) == 0;
    }
    key_mode(const key_mode&) = delete;
    key_mode& operator=(const key_mode&) = delete;
    ~key_mode() {
        if (on_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    }
    bool on() const noexcept { return on_; }

private:
    termios before_{};
    bool on_ = false;
};

/// The call, as its caller sees it.
class terminal_phone {
public:
    terminal_phone(console_client& engine, const phone_options& o, phone_steps steps, FILE* transcript)
        : engine_(engine), steps_(std::move(steps)), transcript_(transcript) {
        if (!o.script.empty() && !mode_.on()) input_open_ = false; // the script says it all
        if (o.limit != 0) limit_ = began_ + std::chrono::seconds(o.limit);
    }
    int run(const std::string& command);

private:
    void show(const std::string& text);
    void take(const value& part);
    void read_input();
    void take_line(std::string_view line);
    void press(const std::string& keys);
    void hang_up();
    void do_steps();
    int timeout() const;
    int ended(const value& answer);

    console_client& engine_;
    key_mode mode_;
    phone_steps steps_;
    FILE* transcript_;
    const steady::time_point began_ = steady::now();
    steady::time_point limit_ = steady::time_point::max();
    std::optional<steady::time_point> step_until_;
    std::size_t step_ = 0;
    std::string line_;  // of the input, unfinished
    std::string heard_; // since the last `hear`
    bool input_open_ = true, begun_ = false, hung_up_ = false;
    int status_ = 0;
};

void terminal_phone::show(const std::string& text) {
    const auto safe = printable(text);
    fmt::print("{}\n", safe);
    std::fflush(stdout);
    if (transcript_ == nullptr) return;
    fmt::print(transcript_, "{:8.2f}  {}\n", std::chrono::duration<double>(steady::now() - began_).count(), safe);
    std::fflush(transcript_);
}

void terminal_phone::take(const value& part) {
    const auto what = part["what"].text_or("");
    const auto text = part["text"].text_or("");
    show(text);
    heard_ += lower(text) + "\n";
    if (what == "answered" || what == "heard") begun_ = true;
}

void terminal_phone::press(const std::string& keys) {
    show("> " + keys);
    (void)engine_.send(value::table{{"input", keys}}); // an engine that has gone is noticed where it is read
}

void terminal_phone::hang_up() {
    if (!std::exchange(hung_up_, true)) (void)engine_.send(value::table{{"input", "h"}});
}

void terminal_phone::read_input() {
    std::array<char, 256> typed;
    const auto n = ::read(STDIN_FILENO, typed.data(), typed.size());
    if (n < 0 && errno == EINTR) return;
    if (n <= 0) {
        input_open_ = false;
        take_line(line_);
        return;
    }
    for (const char c : std::string_view(typed.data(), static_cast<std::size_t>(n))) {
        if (mode_.on()) {
            if (c == 'h' || c == '\x04')
                hang_up();
            else if (sendable.find(c) != std::string_view::npos)
                press(std::string(1, c));
        } else if (c == '\n') {
            take_line(std::exchange(line_, {}));
        } else if (line_.size() < 4096) {
            line_ += c;
        }
    }
}

void terminal_phone::take_line(std::string_view line) {
    auto more = parse_phone_script(std::string(line));
    if (!more) {
        fmt::print(stderr, "{}\n", more.error().text);
        return;
    }
    for (auto& s : *more) steps_.push_back(std::move(s));
}

/// As far as it goes now. Before anything is heard nobody listens to keys.
void terminal_phone::do_steps() {
    const auto now = steady::now();
    while (begun_ && !hung_up_ && step_ < steps_.size()) {
        const auto& step = steps_[step_];
        if (const auto* k = std::get_if<phone_step::keys>(&step)) {
            press(k->keys);
        } else if (const auto* w = std::get_if<phone_step::wait>(&step)) {
            if (!step_until_) step_until_ = now + w->length;
            if (now < *step_until_) return;
        } else if (const auto* h = std::get_if<phone_step::hear>(&step)) {
            const auto at = heard_.find(lower(h->text));
            if (at == std::string::npos) {
                if (!step_until_) step_until_ = now + longest_hear;
                if (now < *step_until_) return;
                fmt::print(stderr, "strowger: \"{}\" was not heard within 30 s\n", h->text);
                status_ = 15;
                return hang_up();
            }
            heard_.erase(0, heard_.find('\n', at));
        } else {
            return hang_up();
        }
        step_until_.reset();
        ++step_;
    }
}

int terminal_phone::timeout() const {
    auto next = limit_;
    if (step_until_) next = std::min(next, *step_until_);
    if (next == steady::time_point::max()) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - steady::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
}

int terminal_phone::ended(const value& answer) {
    if (!answer["ok"].boolean_or(false)) {
        fmt::print(stderr, "strowger: {}\n", printable(answer["error"].text_or("the engine gave no reason")));
        return 1;
    }
    auto text = answer["text"].text_or("");
    text.erase(text.find_last_not_of('\n') + 1);
    show(text);
    if (status_ != 0) return status_;
    return phone_status(static_cast<int>(answer["data"]["q850"].integer_or(0)));
}

int terminal_phone::run(const std::string& command) {
    if (auto sent = engine_.send(value::table{{"command", command}}); !sent) {
        fmt::print(stderr, "strowger: {}\n", sent.error().text);
        return 1;
    }
    for (;;) {
        do_steps();
        if (interrupted != 0 || steady::now() >= limit_) hang_up();
        const auto came = engine_.wait_also_for(input_open_ ? STDIN_FILENO : -1, hung_up_ ? -1 : timeout());
        if (came == console_client::came::other) read_input();
        if (came != console_client::came::line) continue;
        const auto answer = engine_.receive();
        if (!answer) {
            fmt::print(stderr, "strowger: {}\n", answer.error().text);
            return 1;
        }
        if ((*answer)["part"].is_null()) return ended(*answer);
        take((*answer)["part"]);
    }
}

} // namespace

result<phone_steps> parse_phone_script(const std::string& text) {
    phone_steps out;
    std::string_view rest = text;
    while (!rest.empty()) {
        const auto end = rest.find_first_of(",\n");
        const auto item = trimmed(rest.substr(0, end));
        rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
        if (item.empty()) continue;
        if (item == "h") {
            out.emplace_back(phone_step::hang_up{});
        } else if (item.starts_with("wait ")) {
            const auto number = trimmed(item.substr(5));
            double seconds = 0;
            const auto [at, wrong] = std::from_chars(number.data(), number.data() + number.size(), seconds);
            if (wrong != std::errc() || at != number.data() + number.size() || !(seconds >= 0 && seconds <= 3600))
                return fail("\"{}\": wait takes seconds, up to 3600", item);
            out.emplace_back(phone_step::wait{std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000))});
        } else if (item.starts_with("hear ")) {
            out.emplace_back(phone_step::hear{std::string(trimmed(item.substr(5)))});
        } else if (item.find_first_not_of(sendable) == std::string_view::npos) {
            out.emplace_back(phone_step::keys{std::string(item)});
        } else {
            return fail("\"{}\" is no step: keys (0-9 * # A-D), wait SECONDS, hear TEXT, or h to hang up", item);
        }
    }
    return out;
}

int phone_status(int q850) noexcept {
    switch (q850) {
    case 16:
    case 31: return 0;
    case 17: return 10;
    case 18:
    case 19:
    case 20: return 11;
    case 21:
    case 29:
    case 57: return 12;
    case 1:
    case 3:
    case 22:
    case 28: return 13;
    default: return 14;
    }
}

int run_phone(const phone_options& o) {
    auto steps = parse_phone_script(o.script);
    if (!steps) {
        fmt::print(stderr, "strowger: {}\n", steps.error().text);
        return 2;
    }
    auto engine = console_client::connect(o.socket);
    if (!engine) {
        fmt::print(stderr, "strowger: {}\n", engine.error().text);
        return 1;
    }
    std::unique_ptr<FILE, int (*)(FILE*)> transcript(nullptr, std::fclose);
    if (o.transcript) {
        transcript.reset(std::fopen(o.transcript->c_str(), "w"));
        if (!transcript) {
            fmt::print(stderr, "strowger: cannot write {}: {}\n", o.transcript->string(),
                       std::strerror(errno)); // NOLINT: one thread
            return 1;
        }
    }
    struct sigaction interrupt {};
    interrupt.sa_handler = [](int) { interrupted = 1; };
    ::sigaction(SIGINT, &interrupt, nullptr);
    ::sigaction(SIGTERM, &interrupt, nullptr);
    auto command = "phone " + quoted(o.extension);
    if (!o.from.empty()) command += " --from " + quoted(o.from);
    if (!o.context.empty()) command += " --context " + quoted(o.context);
    if (o.emergency) command += " --emergency";
    terminal_phone phone(*engine, o, std::move(*steps), transcript.get());
    return phone.run(command);
}

} // namespace strowger::control
