// The loader: modules come and go with users inside, in virtual time.
#include "core/async/virtual_time.hpp"
#include "core/modules/host.hpp"
#include "core/modules/loader.hpp"
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace strowger;
namespace fs = std::filesystem;
using Catch::Matchers::Contains;

namespace {

const fs::path guests = fs::path(STROWGER_BUILD_DIR) / "guest_modules";

/// An engine's worth of registries, with a folder of modules that a test may change.
struct stage {
    static inline int count = 0; // what a test keeps mapped is not the next one's
    fs::path folder = fs::temp_directory_path() / fmt::format("strowger-loader-{}-{}", ::getpid(), ++count);
    virtual_clock clock;
    worker control{"control", clock}, aside{"aside", clock};
    virtual_time time{clock};
    registry<application> applications;
    registry<std::shared_ptr<channel_driver>> drivers;
    registry<std::shared_ptr<phone_exchange>> phones;
    registry<command> commands;
    std::vector<std::set<std::string>> ended;
    std::unique_ptr<module_loader> loader;

    explicit stage(bool keep_mapped = false) {
        time.add(control);
        time.add(aside);
        fs::remove_all(folder);
        fs::create_directories(folder / "run");
        for (const auto* name : {"guest", "needy", "hermit", "misnamed", "pinned", "stale", "plain"})
            fs::copy_file(guests / (std::string(name) + ".so"), folder / (std::string(name) + ".so"));
        module_host host{nullptr, control, aside,    applications,
                         drivers, phones,  commands, {},
                         {},      {},      {},       [this](std::set<std::string> ids) { ended.push_back(std::move(ids)); }};
        loader = std::make_unique<module_loader>(std::move(host), module_loader::options{folder, folder / "run", keep_mapped});
    }
    ~stage() {
        loader.reset();
        fs::remove_all(folder);
    }
    void install(const std::string& build, const std::string& name) {
        fs::copy_file(guests / build / (name + ".so"), folder / "incoming");
        fs::rename(folder / "incoming", folder / (name + ".so")); // as a package manager does
    }
    std::string error_of(const std::string& name) {
        const auto r = loader->load(name);
        return r ? "none" : r.error().text;
    }
    /// Of private copies.
    std::size_t mappings(const std::string& what = "") const {
        std::ifstream maps("/proc/self/maps");
        std::size_t entries = 0;
        for (std::string line; std::getline(maps, line);)
            if (line.find((folder / "run").string() + "/" + what) != std::string::npos) ++entries;
        return entries;
    }
    std::size_t copies() const { return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder / "run"), {})); }
    std::string states() const {
        std::string out;
        for (const auto& l : loader->list()) out += l.name + " " + l.version + " " + l.state + "; ";
        return out;
    }
    bool unload(const std::string& name, module_loader::unload_options o = {}) { return loader->unload(name, o).has_value(); }
};

task<void> run(command c, std::string& text) {
    auto work = c.run({"somebody"});
    const auto reply = co_await work;
    text = reply ? reply->text : reply.error().text;
}

/// Somebody inside a module: a flow, and beside it the lease that keeps its code.
struct user {
    std::string text;
    lease held;
    flow inside;

    user(stage& s, const std::string& name, std::string label) : inside(s.control) {
        auto found = s.commands.find(name, std::move(label));
        REQUIRE(found);
        held = std::move(found->use);
        inside.start(run(std::move(found->what), text));
        s.time.settle();
    }
};

task<void> reload(module_loader& loader, std::string name, result<>& out) { out = co_await loader.reload(std::move(name)); }
task<void> wait_gone(module_loader& loader, std::string name, duration d, std::optional<bool>& out) {
    out = co_await loader.wait_gone(std::move(name), d);
}

} // namespace

TEST_CASE("a module is loaded, used and gone without a trace") {
    stage s;
    REQUIRE(s.error_of("guest") == "none");
    REQUIRE(s.states() == "guest 1.0 running; ");
    REQUIRE(s.mappings("guest.1.so") > 0);
    {
        user u(s, "guest wait", "console");
        s.time.advance(60s);
        REQUIRE(u.text == "1.0");
    }
    REQUIRE(s.unload("guest"));
    s.time.settle();
    REQUIRE(s.states().empty());
    REQUIRE(s.commands.names().empty());
    REQUIRE(s.mappings() == 0);
    REQUIRE(s.copies() == 0);
}

TEST_CASE("a module that is in use drains: nobody new finds it, and it goes with its last user") {
    stage s;
    REQUIRE(s.error_of("guest") == "none");
    auto u = std::make_unique<user>(s, "guest wait", "call 7f3a in guest");
    s.time.advance(5s);
    const auto users = s.loader->unload("guest", {});
    REQUIRE(users->size() == 1);
    CHECK(users->front().user == "call 7f3a in guest");
    CHECK(users->front().since == 5s);
    s.time.settle();
    CHECK_FALSE(s.commands.find("guest wait", "nobody"));
    CHECK(s.states() == "guest 1.0 draining; ");
    CHECK_FALSE(s.loader->running("guest"));
    std::optional<bool> soon, later;
    flow waits_short(s.control), waits_long(s.control);
    waits_short.start(wait_gone(*s.loader, "guest", 10s, soon));
    waits_long.start(wait_gone(*s.loader, "guest", 1h, later));
    s.time.advance(55s);
    CHECK(soon == false);
    CHECK_FALSE(later);
    CHECK(u->text == "1.0"); // the frame ended on the module's code
    CHECK(s.mappings("guest.1.so") > 0);
    u.reset();
    CHECK(s.mappings("guest.1.so") > 0); // never below whoever gave the lease back
    s.time.settle();
    CHECK(later == true);
    CHECK(s.mappings() == 0);
}

TEST_CASE("the frame of a user that is cancelled in the module unwinds before the code goes") {
    stage s;
    REQUIRE(s.error_of("guest") == "none");
    auto u = std::make_unique<user>(s, "guest wait", "call 1 in guest");
    REQUIRE(s.unload("guest"));
    s.time.settle();
    u.reset();
    s.time.settle();
    CHECK(s.mappings() == 0);
}

TEST_CASE("a deadline ends the calls that use the module, and again until they have gone") {
    stage s;
    REQUIRE(s.error_of("guest") == "none");
    auto a = std::make_unique<user>(s, "guest wait", "call 7f3a in guest");
    auto b = std::make_unique<user>(s, "guest wait", "console: guest wait");
    REQUIRE(s.unload("guest", {30s, false}));
    s.time.advance(29s);
    CHECK(s.ended.empty());
    s.time.advance(1s);
    REQUIRE(s.ended.size() == 1);
    CHECK(s.ended[0] == std::set<std::string>{"7f3a"});
    a.reset();
    s.time.advance(5s);
    CHECK(s.ended.size() == 1); // a console is nobody's call
    b.reset();
    s.time.settle();
    CHECK(s.mappings() == 0);

    REQUIRE(s.error_of("guest") == "none");
    a = std::make_unique<user>(s, "guest wait", "call 8 in guest");
    REQUIRE(s.unload("guest"));
    s.time.advance(10s);
    REQUIRE(s.unload("guest", {0s, false})); // somebody became impatient
    s.time.settle();
    CHECK(s.ended.size() == 2);
    a.reset();
    s.time.settle();
    CHECK(s.states().empty());
}

TEST_CASE("a reload runs the new build beside the old one, which ends with its users") {
    stage s;
    REQUIRE(s.error_of("guest") == "none");
    auto first = std::make_unique<user>(s, "guest wait", "call a in guest");
    s.time.advance(10s);
    s.install("next", "guest");
    result<> outcome = fail("not asked");
    flow f(s.control);
    f.start(reload(*s.loader, "guest", outcome));
    s.time.settle();
    REQUIRE(outcome);
    CHECK(s.states() == "guest 1.0 draining; guest 2.0 running; ");
    CHECK(s.commands.names() == std::vector<std::string>{"guest wait"}); // what only the old build offered is withdrawn
    auto second = std::make_unique<user>(s, "guest wait", "call b in guest");
    CHECK(s.mappings("guest.1.so") > 0);
    CHECK(s.mappings("guest.2.so") > 0);
    s.time.advance(50s);
    CHECK(first->text == "1.0");
    first.reset();
    s.time.settle();
    CHECK(s.mappings("guest.1.so") == 0);
    CHECK(s.mappings("guest.2.so") > 0);
    s.time.advance(10s);
    CHECK(second->text == "2.0");
    second.reset();
    REQUIRE(s.unload("guest"));
    s.time.settle();
    CHECK(s.mappings() == 0);
}

TEST_CASE("a new build that fails leaves the running one in service") {
    stage s;
    REQUIRE(s.error_of("guest") == "none");
    REQUIRE(s.error_of("hermit") == "none");
    s.install("broken", "guest");
    std::ofstream(s.folder / "hermit.so") << "not a module";
    result<> guest, hermit;
    flow f(s.control), g(s.control);
    f.start(reload(*s.loader, "guest", guest));
    g.start(reload(*s.loader, "hermit", hermit));
    s.time.settle();
    REQUIRE_FALSE(guest);
    REQUIRE_FALSE(hermit);
    CHECK_THAT(guest.error().text, Contains("the constructor is told to fail"));
    CHECK_THAT(hermit.error().text, Contains("not a shared object"));
    CHECK(s.states() == "guest 1.0 running; hermit 1.0 running; ");
    CHECK(s.commands.names() == std::vector<std::string>{"guest old", "guest wait", "hermit version"});
    CHECK(s.copies() == 2);
    REQUIRE(s.unload("guest"));
    REQUIRE(s.unload("hermit"));
    s.time.settle();
    CHECK(s.mappings() == 0);
}

TEST_CASE("an exclusive module drains before its next generation begins") {
    stage s;
    REQUIRE(s.error_of("hermit") == "none");
    auto u = std::make_unique<user>(s, "hermit version", "call a in hermit");
    s.install("next", "hermit");
    result<> outcome = fail("not asked");
    flow f(s.control);
    f.start(reload(*s.loader, "hermit", outcome));
    s.time.settle();
    CHECK_FALSE(f.finished());
    CHECK(s.states() == "hermit 1.0 draining; ");
    CHECK_THAT(s.error_of("hermit"), Contains("two of it cannot run at once"));
    u.reset();
    s.time.settle();
    REQUIRE(f.finished());
    REQUIRE(outcome);
    CHECK(s.states() == "hermit 2.0 running; ");
    u = std::make_unique<user>(s, "hermit version", "call b in hermit");
    CHECK(u->text == "2.0");
    u.reset();
    REQUIRE(s.unload("hermit"));
    s.time.settle();
    CHECK(s.mappings() == 0);
}

TEST_CASE("a constructor that throws leaves nothing behind") {
    stage s;
    s.install("broken", "guest");
    CHECK(s.error_of("guest") == "guest: guest: the constructor is told to fail");
    CHECK(s.states().empty());
    CHECK(s.commands.names().empty());
    CHECK(s.mappings() == 0);
    CHECK(s.copies() == 0);
}

TEST_CASE("a name that another module offers is refused, and the module with it") {
    stage s;
    command mine;
    mine.name = "guest wait";
    REQUIRE(s.commands.add("guest wait", mine, nullptr));
    CHECK_THAT(s.error_of("guest"), Contains("the command \"guest wait\" is offered by another module already"));
    CHECK(s.commands.names() == std::vector<std::string>{"guest wait"});
    CHECK(s.mappings() == 0);
}

TEST_CASE("what is not a module of this core is refused with the reason") {
    stage s;
    std::ofstream(s.folder / "text.so") << "#!/bin/sh\necho not a module\n";
    std::ofstream(s.folder / "empty.so");
    fs::create_directory(s.folder / "folder.so");
    fs::copy_file(s.folder / "guest.so", s.folder / "half.so");
    fs::resize_file(s.folder / "half.so", fs::file_size(s.folder / "half.so") / 2);
    fs::copy_file(s.folder / "guest.so", s.folder / "head.so");
    fs::resize_file(s.folder / "head.so", 100);
    for (const auto* name : {"text", "empty", "half", "head"}) {
        INFO(name);
        CHECK_THAT(s.error_of(name), Contains(std::string(name) + ".so: not a shared object for this machine, or cut short"));
    }
    CHECK_THAT(s.error_of("folder"), Contains("folder.so: not a file"));
    CHECK_THAT(s.error_of("nothing"), Contains("there is no module \"nothing\""));
    CHECK_THAT(s.error_of("./nothing.so"), Contains("there is no such file"));
    CHECK_THAT(s.error_of(""), Contains("there is no module"));
    CHECK_THAT(s.error_of("plain"), Contains("not a module: it exports no strowger_module"));
    CHECK_THAT(s.error_of("misnamed"), Contains("the module calls itself another"));
    CHECK(s.error_of("stale") == "stale.so was built for another core (0123456789ab; this one is " STROWGER_ABI_TEXT
                                 "); rebuild it with this engine's headers");
    CHECK(s.states().empty());
    CHECK(s.mappings() == 0);
    CHECK(s.copies() == 0);
}

TEST_CASE("what a module needs must run, and cannot leave before it") {
    stage s;
    CHECK_THAT(s.error_of("needy"), Contains("needy needs the module guest, which is not running"));
    CHECK(s.copies() == 0);
    REQUIRE(s.error_of("guest") == "none");
    REQUIRE(s.error_of("needy") == "none");
    CHECK(s.loader->leases("guest")->front().user == "module needy 3");
    const auto refused = s.loader->unload("guest", {});
    REQUIRE_FALSE(refused);
    CHECK_THAT(refused.error().text, Contains("guest is needed by needy"));
    CHECK(s.states() == "guest 1.0 running; needy 1.0 running; ");
    REQUIRE(s.unload("guest", {std::nullopt, true}));
    s.time.settle();
    CHECK(s.states().empty());
    CHECK(s.mappings() == 0);
}

TEST_CASE("a library that a module pins stays in memory, and one that is missing is named") {
    stage s;
    const auto mapped = [](const std::string& name) {
        std::ifstream maps("/proc/self/maps");
        for (std::string line; std::getline(maps, line);)
            if (line.find(name) != std::string::npos) return true;
        return false;
    };
    CHECK_FALSE(mapped("libBrokenLocale.so.1"));
    REQUIRE(s.error_of("pinned") == "none");
    REQUIRE(s.unload("pinned"));
    s.time.settle();
    CHECK(s.mappings() == 0);
    CHECK(mapped("libBrokenLocale.so.1"));
    s.install("broken", "pinned");
    CHECK_THAT(s.error_of("pinned"), Contains("the library libnowhere.so.1") && Contains("cannot be opened"));
    CHECK(s.mappings() == 0);
}

TEST_CASE("a module is loaded once, and unknown ones cannot be unloaded") {
    stage s;
    REQUIRE(s.error_of("guest") == "none");
    CHECK_THAT(s.error_of("guest"), Contains("module reload guest"));
    CHECK_FALSE(s.unload("needy"));
    CHECK_FALSE(s.loader->leases("needy"));
    CHECK(s.loader->available().size() == 7);
    REQUIRE(s.unload("guest"));
    s.time.settle();
}

TEST_CASE("the file of a running module may be overwritten in place") {
    stage s;
    REQUIRE(s.error_of("guest") == "none");
    std::ofstream(s.folder / "guest.so", std::ios::trunc) << "garbage";
    {
        user u(s, "guest wait", "call a in guest");
        s.time.advance(60s);
        CHECK(u.text == "1.0");
    }
    REQUIRE(s.unload("guest"));
    s.time.settle();
}

TEST_CASE("all modules leave at the end, users first") {
    stage s;
    for (const auto* name : {"guest", "needy", "hermit"}) REQUIRE(s.error_of(name) == "none");
    auto u = std::make_unique<user>(s, "guest wait", "call a in guest");
    flow f(s.control);
    f.start(s.loader->unload_all(10s));
    s.time.advance(10s);
    CHECK(s.states() == "guest 1.0 draining; ");
    CHECK(s.ended.size() == 1);
    CHECK_THAT(s.error_of("hermit"), Contains("the engine is stopping"));
    u.reset();
    s.time.settle();
    CHECK(f.finished());
    CHECK(s.states().empty());
}

TEST_CASE("private copies that a crashed engine left are removed") {
    const auto folder = fs::temp_directory_path() / ("strowger-copies-" + std::to_string(::getpid()));
    fs::create_directories(folder);
    for (const auto* name : {"sip.12.so", "echo.1.so", "sip.so", "notes.txt"}) std::ofstream(folder / name) << "x";
    stage s;
    module_host host{nullptr, s.control, s.aside, s.applications, s.drivers, s.phones, s.commands, {}, {}, {}, {}, {}};
    module_loader loader(std::move(host), {folder, folder, false});
    CHECK_FALSE(fs::exists(folder / "sip.12.so"));
    CHECK_FALSE(fs::exists(folder / "echo.1.so"));
    CHECK(fs::exists(folder / "sip.so"));
    CHECK(fs::exists(folder / "notes.txt"));
    fs::remove_all(folder);
}

TEST_CASE("modules can be kept mapped for leak reports") {
    stage s(true);
    REQUIRE(s.error_of("needy") != "none");
    REQUIRE(s.error_of("hermit") == "none");
    REQUIRE(s.unload("hermit"));
    s.time.settle();
    CHECK(s.states() == "hermit 1.0 kept mapped; ");
    CHECK(s.mappings("hermit") > 0);
    CHECK(s.copies() > 0); // where a leak report finds the names of functions
    REQUIRE(s.error_of("hermit") == "none");
    REQUIRE(s.unload("hermit"));
    s.time.settle();
}

TEST_CASE("a hundred cycles leave no mapping, thread, descriptor or file behind") {
    const auto count = [](const char* folder) { return std::distance(fs::directory_iterator(folder), {}); };
    stage s;
    const auto cycle = [&](const std::string& name) {
        REQUIRE(s.error_of(name) == "none");
        s.time.settle();
        REQUIRE(s.unload(name));
        s.time.settle();
        REQUIRE(s.states().empty());
    };
    cycle("guest");
    const auto descriptors = count("/proc/self/fd"), threads = count("/proc/self/task");
    for (int i = 0; i < 100; ++i)
        for (const auto* name : {"guest", "hermit"}) cycle(name);
    CHECK(s.mappings() == 0);
    CHECK(s.copies() == 0);
    CHECK(count("/proc/self/fd") == descriptors);
    CHECK(count("/proc/self/task") == threads);
}
