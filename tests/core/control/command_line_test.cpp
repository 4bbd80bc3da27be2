// What people type at the console, and what they see.
#include "core/control/command_line.hpp"
#include "core/control/table.hpp"
#include "core/async/virtual_time.hpp"
#include <catch2/catch.hpp>

using namespace strowger;
using namespace strowger::control;
using Catch::Matchers::Contains;
using words = std::vector<std::string>;

namespace {

task<result<command_reply>> nothing(words) { co_return command_reply(); }
task<words> three_names(words before) {
    words out;
    if (before.empty()) {
        out.emplace_back("echo");
        out.emplace_back("exchange");
        out.emplace_back("sip");
    }
    co_return out;
}
registry<command>& commands() {
    static registry<command> all;
    if (all.names().empty())
        for (const auto* name : {"module list", "module load", "module unload", "call hang up", "help"}) {
            command c;
            c.name = name;
            c.usage = "NAME [--now] [--hang-up-after SECONDS]";
            c.run = nothing;
            c.complete = three_names;
            all.add(name, c, nullptr);
        }
    return all;
}
task<void> completing(std::string line, words& out) { out = co_await complete_line(commands(), std::move(line)); }
words completions(std::string line) {
    virtual_clock clock;
    worker home("test", clock);
    virtual_time time(clock);
    time.add(home);
    words out;
    flow f(home);
    f.start(completing(std::move(line), out));
    time.settle();
    REQUIRE(f.finished());
    return out;
}

} // namespace

TEST_CASE("a console line is split into words as a shell does") {
    CHECK(*split_words("  module   load  echo ") == words{"module", "load", "echo"});
    CHECK(*split_words(R"(a "b c" 'd "e' f\ g "")") == words{"a", "b c", "d \"e", "f g", ""});
    CHECK(split_words("")->empty());
    CHECK_FALSE(split_words("a \"b"));
}

TEST_CASE("the longest command name wins, and mistakes are answered with what was meant") {
    const auto meant = find_command(commands(), {"call", "hang", "up", "all"}, "test");
    REQUIRE(meant);
    CHECK(meant->what.name == "call hang up");
    CHECK(meant->arguments == words{"all"});
    const auto error = [](words w) { return find_command(commands(), std::move(w), "test").error().text; };
    CHECK_THAT(error({"modul", "list"}), Contains("did you mean \"module\""));
    CHECK_THAT(error({"module", "lod"}), Contains("did you mean \"load\""));
    CHECK_THAT(error({"module"}), Contains("list, load, unload"));
    CHECK_THAT(error({}), Contains("help"));
}

TEST_CASE("options are sorted out by the usage, and unknown ones are refused") {
    const auto sort = [](words w) { return sort_arguments(std::move(w), "x", "NAME [--now] [--hang-up-after SECONDS]"); };
    const auto good = sort({"--hang-up-after", "30", "sip", "--now"});
    REQUIRE(good);
    CHECK(good->words == words{"sip"});
    CHECK(good->has("--now"));
    CHECK(good->options.at("--hang-up-after") == "30");
    CHECK(sort({"sip", "--hang-up-after=5"})->options.at("--hang-up-after") == "5");
    CHECK_FALSE(sort({}));
    CHECK_FALSE(sort({"a", "b"}));
    CHECK_FALSE(sort({"a", "--hang-up-after"}));
    CHECK_THAT(sort({"a", "--force"}).error().text, Contains("x has no option --force; usage: x NAME"));
    CHECK(*to_seconds("30") == 30s);
    CHECK_FALSE(to_seconds("-1"));
    CHECK_FALSE(to_seconds("soon"));
    CHECK_FALSE(to_seconds("99999999999999"));
}

TEST_CASE("Tab completes commands, options and live names") {
    CHECK(completions("") == words{"call", "help", "module"});
    CHECK(completions("mod") == words{"module"});
    CHECK(completions("module ") == words{"list", "load", "unload"});
    CHECK(completions("module l") == words{"list", "load"});
    CHECK(completions("module load e") == words{"echo", "exchange"});
    CHECK(completions("module load echo --h") == words{"--hang-up-after"});
    CHECK(completions("nonsense ") == words{});
    CHECK(completions("a \"b") == words{});
}

TEST_CASE("tables are aligned, cut to the terminal and safe to print") {
    const value rows = value::list{value::table{{"name", "echo"}, {"users", 2}, {"summary", "Says back what is dialled"}},
                                   value::table{{"name", "ключ"}, {"users", 10}, {"summary", "x\x1b[31m\ny"}}};
    CHECK(to_table(rows, {"name", "users", "summary"}, 100) == "name  users  summary\n"
                                                              "echo  2      Says back what is dialled\n"
                                                              "ключ  10     x?[31m y\n");
    CHECK(to_table(rows, {"name", "users", "summary"}, 24) == "name  users  summary\n"
                                                             "echo  2      Says back …\n"
                                                             "ключ  10     x?[31m y\n");
    CHECK(to_table(value::table{{"a", 1}, {"long", true}}, {}, 80) == "a:    1\nlong: yes\n");
    CHECK(to_table(value(), {}, 80).empty());
    CHECK(printable("a\x1b\x7f\xc2\x9b" "b\n") == "a???b\n");
}
