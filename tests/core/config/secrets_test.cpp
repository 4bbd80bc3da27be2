// Passwords that the engine makes: once, for itself alone, and never lost.
#include "core/base/ids.hpp"
#include "core/config/secrets.hpp"
#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <set>
#include <sys/stat.h>

using namespace strowger;
using namespace strowger::config;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

struct fixture {
    fs::path home = fs::temp_directory_path() / ("strowger-secrets-" + random_hex(8));
    fs::path file = home / "passwords";
    fixture() { fs::create_directory(home); }
    ~fixture() {
        std::error_code ignored;
        fs::remove_all(home, ignored);
    }
    void keep(std::string_view content, unsigned mode = 0600) {
        std::ofstream(file) << content;
        fs::permissions(file, fs::perms(mode));
    }
    std::string content() const {
        std::ifstream in(file);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    std::string complaint() const {
        const auto opened = secrets::open(home);
        return opened ? "none" : opened.error().text;
    }
};

settings with(std::initializer_list<const char*> users) {
    settings s;
    for (const auto* name : users) s.users[name].name = name;
    return s;
}

} // namespace

TEST_CASE("a password file that others can read is refused", "[secrets]") {
    fixture f;
    for (const unsigned mode : {0644u, 0640u, 0602u}) {
        f.keep("alice correct-horse\n", mode);
        CHECK_THAT(f.complaint(), Contains(f.file.string()) && Contains("chmod 600") && !Contains("correct-horse"));
    }
}

TEST_CASE("a damaged password file is refused by line, and what it says is not shown", "[secrets]") {
    fixture f;
    for (const auto* line :
         {"alice", "alice ", "alice short", " correct-horse", "Alice correct-horse", "alice correct horse", "\x01\x02"}) {
        f.keep(fmt::format("# comment\n\n{}\n", line));
        CHECK_THAT(f.complaint(), Contains(f.file.string() + ":3:") && !Contains("horse"));
    }
    f.keep("alice correct-horse\nalice battery-staple\n");
    CHECK_THAT(f.complaint(), Contains(":2:") && Contains("has a password already"));
    fs::remove(f.file);
    fs::create_directory(f.file);
    fs::permissions(f.file, fs::perms(0700));
    CHECK_THAT(f.complaint(), Contains("is not a file"));
}

TEST_CASE("when the passwords cannot be kept, no user gets one", "[secrets]") {
    fixture f;
    auto all = with({"alice"});
    secrets s = secrets::open(f.home / "other").value();
    std::ofstream(f.home / "other") << "a file in place of the directory";
    const auto made = s.complete(all);
    REQUIRE_FALSE(made);
    CHECK_THAT(made.error().text, Contains("engine.state_directory"));
    CHECK(all.users.at("alice").password.empty());
}

TEST_CASE("a user without a password gets one that stays, and the configured ones are left alone", "[secrets]") {
    fixture f;
    auto first = with({"alice", "bob"});
    first.users["bob"].password = "from-configuration";
    const auto made = secrets::open(f.home)->complete(first);
    REQUIRE(made);
    CHECK(*made == std::vector<std::string>{"alice"});
    const auto password = first.users.at("alice").password;
    CHECK(password.size() >= 20);
    CHECK(password.find_first_of("0OolI1i") == std::string::npos);
    CHECK(first.users.at("bob").password == "from-configuration");
    CHECK_THAT(f.content(), Contains("alice " + password + "\n") && !Contains("from-configuration"));
    CHECK(f.content().starts_with("# "));
    struct stat about {};
    REQUIRE(::stat(f.file.c_str(), &about) == 0);
    CHECK((about.st_mode & 07777) == 0600);
    CHECK_FALSE(fs::exists(f.file.string() + ".new"));

    auto second = with({"alice", "carol"});
    CHECK(*secrets::open(f.home)->complete(second) == std::vector<std::string>{"carol"});
    CHECK(second.users.at("alice").password == password);
    CHECK(second.users.at("carol").password != password);

    auto third = with({"carol"});
    const auto before = f.content();
    CHECK(secrets::open(f.home)->complete(third)->empty());
    CHECK(f.content() == before); // alice may come back
}

TEST_CASE("what a crash left half-written does not matter", "[secrets]") {
    fixture f;
    f.keep("alice correct-horse\n");
    std::ofstream(f.file.string() + ".new") << "alice corr";
    auto all = with({"alice", "bob"});
    REQUIRE(secrets::open(f.home)->complete(all));
    CHECK(all.users.at("alice").password == "correct-horse");
    CHECK(secrets::open(f.home));
}

TEST_CASE("passwords are random over the whole alphabet", "[secrets]") {
    std::set<std::string> seen;
    std::set<char> letters;
    for (int i = 0; i < 500; ++i) {
        const auto p = make_password();
        CHECK(p.size() == 24);
        letters.insert(p.begin(), p.end());
        seen.insert(p);
    }
    CHECK(seen.size() == 500);
    CHECK(letters.size() == 55);
}
