// The console's socket: several consoles, garbage, slow readers.
#include "core/control/console_server.hpp"
#include "core/control/unix_socket.hpp"
#include "core/async/signal.hpp"
#include "core/async/virtual_time.hpp"
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace strowger;
using namespace strowger::control;
using Catch::Matchers::Contains;

namespace {

task<result<command_reply>> say(std::vector<std::string> arguments) {
    command_reply reply;
    reply.text = arguments.empty() ? "nothing" : arguments[0];
    co_return reply;
}
task<result<command_reply>> slow(std::vector<std::string>) {
    co_await sleep_for(5s);
    command_reply reply;
    reply.text = "at last";
    co_return reply;
}
task<result<command_reply>> big(std::vector<std::string>) {
    command_reply reply;
    reply.text.assign(3u << 20, 'x');
    co_return reply;
}
task<result<command_reply>> broken(std::vector<std::string>) {
    co_await sleep_for(1ms);
    throw std::runtime_error("it broke");
}

struct stage {
    std::filesystem::path path = std::filesystem::temp_directory_path() / ("strowger-console-" + std::to_string(::getpid()));
    virtual_clock clock;
    worker control{"control", clock};
    virtual_time time{clock};
    registry<command> commands;
    std::unique_ptr<console_server> server;

    stage() {
        time.add(control);
        add("say", say);
        add("slow", slow);
        add("big", big);
        add("broken", broken);
        console_server::limits l;
        l.consoles = 3;
        l.unread = 8u << 20;
        server = std::make_unique<console_server>(control, commands, path, l);
        const auto opened = server->listen();
        INFO((opened ? "" : opened.error().text));
        REQUIRE(opened);
    }
    void add(const char* name, task<result<command_reply>> (*run)(std::vector<std::string>)) {
        command c;
        c.name = name;
        c.usage = "[TEXT...]";
        c.run = run;
        commands.add(name, c, nullptr);
    }
};

struct console {
    stage& s;
    descriptor fd;
    std::string in;
    explicit console(stage& st) : s(st), fd(std::move(*connect_to(st.path))) { s.time.settle(); }
    void send(const std::string& text) {
        REQUIRE(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
        s.time.settle();
    }
    /// What has come until now.
    std::string receive() {
        char buffer[65536];
        for (;;) {
            const auto n = ::recv(fd.get(), buffer, sizeof buffer, MSG_DONTWAIT);
            if (n <= 0) break;
            in.append(buffer, static_cast<std::size_t>(n));
            s.time.settle();
        }
        return std::exchange(in, {});
    }
    bool closed() {
        char c;
        return ::recv(fd.get(), &c, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
    }
};

} // namespace

TEST_CASE("consoles get answers in the order of their requests, and do not wait for each other") {
    stage s;
    console a(s), b(s);
    a.send("{\"command\":\"slow\"}\n{\"command\":\"say one\"}\n");
    b.send("{\"command\":\"say two\"}\n");
    CHECK(a.receive().empty());
    CHECK_THAT(b.receive(), Contains("\"text\":\"two\""));
    s.time.advance(5s);
    const auto both = a.receive();
    CHECK(both.find("at last") < both.find("one"));
    CHECK(both.find("one") != std::string::npos);
}

TEST_CASE("garbage is answered with an error, and the console goes on") {
    stage s;
    console a(s);
    for (const auto* bad :
         {"", "garbage", "[]", "{}", "{\"command\":7}", "{\"command\":\"say \\\"x\"}", "{\"command\":\"sya\"}", "\xff\x00"}) {
        INFO(bad);
        a.send(std::string(bad) + "\n");
        CHECK_THAT(a.receive(), Contains("\"ok\":false"));
    }
    a.send("{\"command\":\"broken\"}\n");
    s.time.advance(1s);
    CHECK_THAT(a.receive(), Contains("it broke"));
    a.send("{\"comm");
    a.send("and\":\"say still here\"}\n");
    CHECK_THAT(a.receive(), Contains("still"));
    a.send("{\"complete\":\"sl\"}\n");
    CHECK_THAT(a.receive(), Contains("[\"slow\"]"));
}

TEST_CASE("a request without an end is refused before it fills the memory") {
    stage s;
    console a(s);
    std::string got;
    for (int i = 0; i < 5; ++i) {
        const std::string part(16000, 'x');
        if (::send(a.fd.get(), part.data(), part.size(), MSG_NOSIGNAL) < 0) break;
        s.time.settle();
    }
    CHECK_THAT(a.receive(), Contains("a request may have 65536 bytes"));
    CHECK(a.closed());
    CHECK(s.server->consoles() == 0);
}

TEST_CASE("a console that does not read its answers is dropped and holds up nobody") {
    stage s;
    console a(s), b(s);
    a.send("{\"command\":\"big\"}\n");
    b.send("{\"command\":\"say hello\"}\n");
    CHECK_THAT(b.receive(), Contains("hello"));
    CHECK(s.server->consoles() == 2);
    s.time.advance(10s);
    CHECK(s.server->consoles() == 1);
    b.send("{\"command\":\"big\"}\n");
    CHECK(b.receive().size() > 3u << 20); // read at once
}

TEST_CASE("a command goes on when its console has gone, and unwinds at the end") {
    stage s;
    {
        console a(s);
        a.send("{\"command\":\"slow\"}\n");
    }
    s.time.settle();
    CHECK(s.server->consoles() == 1);
    s.time.advance(5s);
    CHECK(s.server->consoles() == 0);
    console b(s);
    b.send("{\"command\":\"slow\"}\n");
    s.server.reset();
    s.time.settle();
    CHECK(b.closed());
    CHECK_FALSE(std::filesystem::exists(s.path));
}

TEST_CASE("half-closing after the last request still brings the answer") {
    stage s;
    console a(s);
    a.send("{\"command\":\"slow\"}\n");
    ::shutdown(a.fd.get(), SHUT_WR);
    s.time.advance(5s);
    CHECK_THAT(a.receive(), Contains("at last"));
    CHECK(a.closed());
}

TEST_CASE("the socket is its owner's, replaces a dead one, and is never taken from a running engine") {
    stage s;
    struct stat found {};
    REQUIRE(::stat(s.path.c_str(), &found) == 0);
    CHECK((found.st_mode & 07) == 0);
    console_server second(s.control, s.commands, s.path);
    const auto refused = second.listen();
    REQUIRE_FALSE(refused);
    CHECK_THAT(refused.error().text, Contains("another engine listens"));
    s.time.settle();

    const auto file = s.path.string() + ".file";
    std::ofstream(file) << "precious";
    console_server third(s.control, s.commands, file);
    CHECK_FALSE(third.listen());
    CHECK(std::filesystem::exists(file));
    std::filesystem::remove(file);
    CHECK_FALSE(listen_on(std::string(200, 'x')));
}

TEST_CASE("only so many consoles are served at a time") {
    stage s;
    console a(s), b(s), c(s), d(s);
    CHECK(s.server->consoles() == 3);
    CHECK(d.closed());
}
