#include "core/control/console_server.hpp"
#include "core/base/log.hpp"
#include "core/control/command_line.hpp"
#include "core/control/console_stream.hpp"
#include "core/control/unix_socket.hpp"
#include <array>
#include <cerrno>
#include <deque>
#include <list>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace strowger {

console_stream::~console_stream() = default;

namespace control {
namespace {

value refused(std::string why) { return value::table{{"ok", false}, {"error", std::move(why)}}; }

value answer_of(command_reply reply) {
    value::table out{{"ok", true}, {"data", std::move(reply.data)}};
    if (!reply.text.empty()) out["text"] = std::move(reply.text);
    if (!reply.columns.empty()) {
        value::list columns;
        for (auto& c : reply.columns) columns.emplace_back(std::move(c));
        out["columns"] = std::move(columns);
    }
    return out;
}

task<void> run_command(command what, std::vector<std::string> arguments, console_stream& with, value& answer) {
    std::string why;
    try {
        auto work = what.stream ? what.stream(std::move(arguments), with) : what.run(std::move(arguments));
        auto reply = co_await work;
        answer = reply ? answer_of(std::move(*reply)) : refused(reply.error().text);
        co_return;
    } catch (const std::exception& e) {
        why = e.what();
    } catch (...) {
        why = "the command failed without a reason";
    }
    answer = refused(std::move(why));
}

task<void> run_completion(const registry<command>& commands, std::string line, value& answer) {
    value::list found;
    try {
        auto work = complete_line(commands, std::move(line));
        auto words = co_await work;
        for (auto& word : words) found.emplace_back(std::move(word));
    } catch (const std::exception& e) {
        log::debug("console", "a completion failed: {}", e.what());
    }
    answer["ok"] = true;
    answer["completions"] = std::move(found);
}

constexpr std::size_t room_below = 64u << 10; // bytes that the console has not taken yet
constexpr std::size_t most_input = 64;        // that a command has not taken yet

/// What runs for a console: code of a module perhaps, hence the lease beside it.
struct running {
    lease use;
    value answer;
    bool streams = false;
    std::deque<value> input;
    signal changed;
    flow inside;
    explicit running(worker& home) : inside(home) {}
};

} // namespace

/// One console.
struct console_server::session final : console_stream {
    void send(const std::string& json) override;
    bool room() const override { return out.size() < room_below; }
    bool gone() const override { return !fd; }
    std::optional<value> input() override;
    signal& changed() override { return now->changed; }
    void tell() const {
        if (now) now->changed.notify();
    }
    bool reads() const { return !closing && requests.size() < 16 && (!now || now->input.size() < most_input); }

    state* server = nullptr;
    descriptor fd;
    fd_watch watch;
    std::string in, out;
    std::deque<std::string> requests;
    std::unique_ptr<running> now;
    timer stalled;
    bool closing = false; // when all is answered
};

struct console_server::state : std::enable_shared_from_this<console_server::state> {
    state(worker& c, const registry<command>& r, limits l) : control(c), commands(r), limit(l) {}

    void accept();
    void on_events(session& s, std::uint32_t events);
    void read(session& s);
    void next(session& s);
    void start(session& s, const std::string& request);
    void answered(session& s);
    void send(session& s, const value& answer) { send_line(s, to_json(answer) + "\n"); }
    void send_line(session& s, const std::string& line);
    void take_input(session& s);
    void write(session& s);
    void watch(session& s);
    void disconnect(session& s);
    void forget_later(session& s);

    worker& control;
    const registry<command>& commands;
    const limits limit;
    descriptor listener;
    fd_watch incoming;
    std::list<session> sessions;
};

void console_server::session::send(const std::string& json) {
    if (fd) server->send_line(*this, "{\"part\":" + json + "}\n");
}

std::optional<value> console_server::session::input() {
    if (!now || now->input.empty()) return std::nullopt;
    auto first = std::move(now->input.front());
    now->input.pop_front();
    if (fd) server->next(*this); // there is room for more of it
    return first;
}

void console_server::state::accept() {
    descriptor fd(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) return;
    if (sessions.size() >= limit.consoles) return; // closed at once: too many
    auto& s = sessions.emplace_back();
    s.server = this;
    s.fd = std::move(fd);
    watch(s);
}

void console_server::state::watch(session& s) {
    // Nothing more is read while requests wait for their turn: the console's own buffers fill up then.
    std::uint32_t events = 0;
    if (s.reads()) events |= EPOLLIN;
    if (!s.out.empty()) events |= EPOLLOUT;
    s.watch.stop();
    s.watch = control.watch(s.fd.get(), events, [this, &s](std::uint32_t e) { on_events(s, e); });
}

void console_server::state::on_events(session& s, std::uint32_t events) {
    if ((events & EPOLLIN) != 0) read(s);
    if (s.fd && (events & EPOLLOUT) != 0) write(s);
    if (s.fd && (events & (EPOLLHUP | EPOLLERR)) != 0) disconnect(s);
}

void console_server::state::read(session& s) {
    std::array<char, 16384> buffer;
    const auto got = ::recv(s.fd.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
        s.closing = true;
        if (!s.now && s.requests.empty() && s.out.empty()) disconnect(s);
        else watch(s);
        return;
    }
    s.in.append(buffer.data(), static_cast<std::size_t>(got));
    for (auto end = s.in.find('\n'); end != std::string::npos; end = s.in.find('\n')) {
        s.requests.push_back(s.in.substr(0, end));
        s.in.erase(0, end + 1);
    }
    if (s.in.size() > limit.line) {
        s.in.clear();
        s.closing = true;
        s.requests.clear();
        send(s, refused("a request may have " + std::to_string(limit.line) + " bytes"));
    }
    if (s.fd) next(s);
}

void console_server::state::next(session& s) {
    take_input(s);
    while (s.fd && !s.now && !s.requests.empty()) {
        const auto request = std::move(s.requests.front());
        s.requests.pop_front();
        start(s, request);
    }
    if (!s.fd) return;
    if (s.closing && !s.now && s.out.empty()) disconnect(s);
    else watch(s);
}

/// While a command streams, requests with input are for it; one of another kind waits for its turn.
void console_server::state::take_input(session& s) {
    if (!s.now || !s.now->streams) return;
    const auto before = s.now->input.size();
    while (!s.requests.empty() && s.now->input.size() < most_input) {
        const auto request = from_json(s.requests.front());
        if (!request || (*request)["input"].is_null()) break;
        s.now->input.push_back((*request)["input"]);
        s.requests.pop_front();
    }
    if (s.now->input.size() != before) s.tell();
}

void console_server::state::start(session& s, const std::string& request) {
    if (request.size() > limit.line) return send(s, refused("a request may have " + std::to_string(limit.line) + " bytes"));
    const auto parsed = from_json(request);
    if (!parsed) return send(s, refused("not a request in JSON: " + parsed.error().text));
    auto work = std::make_unique<running>(control);
    const auto finished = [this, &s] { answered(s); };
    if (const auto* line = (*parsed)["command"].text()) {
        auto words = split_words(*line);
        if (!words) return send(s, refused(words.error().text));
        auto meant = find_command(commands, std::move(*words), "console");
        if (!meant) return send(s, refused(meant.error().text));
        work->use = std::move(meant->use);
        work->streams = static_cast<bool>(meant->what.stream);
        s.now = std::move(work);
        s.now->inside.start(run_command(std::move(meant->what), std::move(meant->arguments), s, s.now->answer), finished);
    } else if (const auto* typed = (*parsed)["complete"].text()) {
        s.now = std::move(work);
        s.now->inside.start(run_completion(commands, *typed, s.now->answer), finished);
    } else if (!(*parsed)["input"].is_null()) {
        return; // the command that it was for has ended; its answer is on the way
    } else {
        send(s, refused("a request has the field \"command\" or \"complete\", with a text"));
    }
}

void console_server::state::answered(session& s) {
    // The frames go first, then the lease on their code.
    auto done = std::move(s.now);
    auto answer = std::move(done->answer);
    done.reset();
    if (!s.fd) return forget_later(s);
    send(s, answer);
    next(s);
}

void console_server::state::send_line(session& s, const std::string& line) {
    s.out += line;
    if (s.out.size() > limit.unread) {
        log::warn("console", "a console is dropped: it does not read its answers");
        return disconnect(s);
    }
    write(s);
}

void console_server::state::write(session& s) {
    std::size_t sent = 0;
    while (sent < s.out.size()) {
        const auto n = ::send(s.fd.get(), s.out.data() + sent, s.out.size() - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) break;
        if (n <= 0) return disconnect(s);
        sent += static_cast<std::size_t>(n);
    }
    s.out.erase(0, sent);
    if (sent != 0 && s.room()) s.tell();
    if (s.out.empty() || (s.now && s.now->streams)) { // what streams waits for its console by itself
        s.stalled.cancel();
    }
    if (s.out.empty()) {
        if (s.closing && !s.now && s.requests.empty()) return disconnect(s);
    } else if (!(s.now && s.now->streams) && (sent != 0 || !s.stalled.pending())) {
        s.stalled = control.after(limit.stalled, [this, &s] {
            log::warn("console", "a console is dropped: it does not read its answers");
            disconnect(s);
        });
    }
    watch(s);
}

void console_server::state::disconnect(session& s) {
    if (!s.fd) return;
    s.watch.stop();
    s.stalled.cancel();
    s.fd = descriptor();
    s.requests.clear();
    s.tell();
    if (!s.now) forget_later(s); // else when its command has ended
}

void console_server::state::forget_later(session& s) {
    control.post([weak = weak_from_this(), &s] {
        if (const auto self = weak.lock()) self->sessions.remove_if([&s](const session& other) { return &other == &s; });
    });
}

console_server::console_server(worker& control, const registry<command>& commands, std::filesystem::path socket)
    : console_server(control, commands, std::move(socket), limits{}) {}
console_server::console_server(worker& control, const registry<command>& commands, std::filesystem::path socket, limits l)
    : socket_(std::move(socket)), state_(std::make_shared<state>(control, commands, l)) {}

console_server::~console_server() {
    if (!state_->listener) return;
    state_->incoming.stop();
    for (auto& s : state_->sessions) {
        s.watch.stop();
        s.now.reset();
    }
    ::unlink(socket_.c_str());
}

result<> console_server::listen() {
    auto opened = listen_on(socket_);
    if (!opened) return fail(opened);
    state_->listener = std::move(*opened);
    state_->incoming = state_->control.watch(state_->listener.get(), EPOLLIN, [s = state_.get()](std::uint32_t) { s->accept(); });
    return {};
}

std::size_t console_server::consoles() const noexcept { return state_->sessions.size(); }

} // namespace control
} // namespace strowger
