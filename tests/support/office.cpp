#include "tests/support/office.hpp"
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <stdexcept>

namespace strowger::test {

scratch::scratch() {
    auto name = (std::filesystem::temp_directory_path() / "strowger-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = name;
}

scratch::~scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

void scratch::write(const std::filesystem::path& name, const std::string& text) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name) << text;
}

struct heard_log::lines {
    std::mutex mutex;
    std::string text;
};

heard_log::heard_log() : lines_(std::make_unique<lines>()) {
    log::set_listener(
        [](log::level l, const log::source& from, const std::string& text, void* context) {
            if (l < log::level::warning) return;
            auto& to = *static_cast<lines*>(context);
            const std::lock_guard lock(to.mutex);
            to.text += std::string(from.area) + " [" + std::string(from.call_id) + "]: " + text + "\n";
        },
        lines_.get());
}

heard_log::~heard_log() { log::set_listener(nullptr, nullptr); }

bool heard_log::contains(std::string_view text) const { return all().find(text) != std::string::npos; }

std::string heard_log::all() const {
    const std::lock_guard lock(lines_->mutex);
    return lines_->text;
}

int heard(const virtual_phone& p, const std::string& what) {
    const auto all = p.heard();
    return static_cast<int>(std::count(all.begin(), all.end(), what));
}

office::office(const std::string& dialplan, office_options o) {
    write_dialplan(dialplan);
    engine::options options;
    auto& s = options.settings;
    s.engine.workers = o.workers;
    s.engine.media_threads = o.workers;
    s.engine.state_directory = scratch_.path() / "state";
    s.engine.module_directory = std::filesystem::path(STROWGER_BUILD_DIR) / "modules";
    s.engine.modules = o.modules;
    s.engine.log_level = std::getenv("STROWGER_TEST_LOG") != nullptr ? log::level::debug : log::level::warning;
    s.dialplan.directory = scratch_.path() / "dialplan";
    s.sounds.directories = {std::filesystem::path(STROWGER_SOURCE_DIR) / "sounds", "/usr/share/asterisk/sounds"};
    int extension = 200;
    for (const std::string name : {"alice", "bob", "carol"}) {
        auto& user = s.users[name];
        user.name = name;
        user.extension = std::to_string(extension++);
    }
    if (o.adjust) o.adjust(s);
    engine_ = std::make_unique<engine>(std::move(options), clock_, &time_);
    if (auto started = engine_->start(); !started) throw std::runtime_error(started.error().text);
    if (auto loaded = engine_->load_modules(); !loaded) throw std::runtime_error(loaded.error().text);
    settle();
    for (const auto& [name, user] : engine_->settings().users) {
        binding_change here;
        here.address = name;
        here.lasts = std::chrono::hours(24);
        engine_->locations().apply(name, "loop", {here}, [](auto kept) {
            if (!kept) throw std::runtime_error(kept.error().text);
        });
        phone(name);
    }
    settle();
}

office::~office() {
    phones_.clear();
    run(engine_->stop(0s));
    engine_.reset();
}

virtual_phone& office::phone(const std::string& name) {
    auto& made = phones_[name];
    if (!made) {
        auto exchange = engine_->phones.find("loop", "test");
        if (!exchange) throw std::runtime_error("the loop module is not loaded");
        made = exchange->what->make(name, "internal");
    }
    return *made;
}

void office::write_dialplan(const std::string& text) const { scratch_.write("dialplan/main.lua", text); }

void office::run_void(task<void> work) {
    flow f(engine_->control());
    f.start(std::move(work));
    settle();
    for (int i = 0; i < 36'000 && !f.finished(); ++i) pass(100ms);
    if (!f.finished()) throw std::runtime_error("a task did not end within an hour");
    if (auto failed = f.error()) std::rethrow_exception(failed);
}

value office::command(const std::string& line) {
    std::vector<std::string> words;
    for (std::size_t at = 0; at < line.size();) {
        const auto end = std::min(line.find(' ', at), line.size());
        if (end > at) words.push_back(line.substr(at, end - at));
        at = end + 1;
    }
    for (std::size_t n = words.size(); n > 0; --n) {
        std::string name;
        for (std::size_t i = 0; i < n; ++i) name += (i == 0 ? "" : " ") + words[i];
        auto found = engine_->commands.find(name, "test");
        if (!found) continue;
        auto reply = run(found->what.run({words.begin() + static_cast<std::ptrdiff_t>(n), words.end()}));
        if (!reply) throw std::runtime_error(reply.error().text);
        return reply->data;
    }
    throw std::runtime_error("no command '" + line + "'");
}

value office::last_record() {
    settle();
    auto records = engine_->ledger().newest(1);
    return records.empty() ? value() : records.front();
}

} // namespace strowger::test
