// An engine for a test, driven by hand in virtual time, with phones in memory: a test is a little phone call.
#pragma once
#include "core/async/virtual_time.hpp"
#include "core/engine.hpp"
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace strowger::test {

/// A directory that goes with the test.
class scratch {
public:
    scratch();
    scratch(const scratch&) = delete;
    scratch& operator=(const scratch&) = delete;
    ~scratch();
    const std::filesystem::path& path() const noexcept { return path_; }
    void write(const std::filesystem::path& name, const std::string& text) const;

private:
    std::filesystem::path path_;
};

/// Lines that were logged at warning or above while it lives.
class heard_log {
public:
    heard_log();
    heard_log(const heard_log&) = delete;
    heard_log& operator=(const heard_log&) = delete;
    ~heard_log();
    bool contains(std::string_view text) const;
    std::string all() const;

private:
    struct lines;
    std::unique_ptr<lines> lines_;
};

/// How often that prompt, tone or music began to be played to the phone, by its name.
int heard(const virtual_phone& p, const std::string& what);

struct office_options {
    std::vector<std::string> modules{"loop", "echo", "auto_attendant"};
    unsigned workers = 1;
    /// Changes the settings before the start.
    std::function<void(config::settings&)> adjust;
};

/// Users alice (200), bob (201) and carol (202), each with a phone in memory that "user/alice" and "ext/200" ring.
class office {
public:
    /// `dialplan` is the text of main.lua.
    explicit office(const std::string& dialplan, office_options o = {});
    office(const office&) = delete;
    office& operator=(const office&) = delete;
    /// Ends the calls, unloads the modules; fails the test when something does not go.
    ~office();

    engine& core() noexcept { return *engine_; }
    virtual_phone& alice() { return phone("alice"); }
    virtual_phone& bob() { return phone("bob"); }
    virtual_phone& carol() { return phone("carol"); }
    /// Made at the first use; one that is not a user's is reached as "loop/<name>".
    virtual_phone& phone(const std::string& name);

    /// Their code is the loop module's: let them go before it is to leave. A call in progress goes on.
    void drop_phone(const std::string& name) { phones_.erase(name); }
    void drop_phones() { phones_.clear(); }

    void pass(duration d) { time_.advance(d); }
    void settle() { time_.settle(); }
    virtual_clock& clock() noexcept { return clock_; }
    const scratch& files() const noexcept { return scratch_; }
    /// Replaces main.lua (without loading it).
    void write_dialplan(const std::string& text) const;

    /// Runs a task of the control thread to its end; at most an hour of virtual time.
    template <class T> T run(task<T> work) {
        std::optional<T> out;
        run_void(keep(std::move(work), out));
        return std::move(*out);
    }
    void run(task<void> work) { run_void(std::move(work)); }
    /// Runs a console command; throws std::runtime_error with its error.
    value command(const std::string& line);
    /// The ledger's newest record.
    value last_record();

private:
    template <class T> static task<void> keep(task<T> work, std::optional<T>& out) { out.emplace(co_await work); }
    void run_void(task<void> work);

    scratch scratch_;
    virtual_clock clock_;
    virtual_time time_{clock_};
    std::unique_ptr<engine> engine_;
    std::map<std::string, std::shared_ptr<virtual_phone>> phones_;
};

} // namespace strowger::test
