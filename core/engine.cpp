#include "core/engine.hpp"
#include "core/async/signal.hpp"
#include "core/base/log.hpp"
#include "strowger_abi.hpp"
#include <algorithm>
#include <thread>

namespace strowger {
namespace {

std::size_t count_or_cores(unsigned wanted) {
    return wanted != 0 ? wanted : std::max(1u, std::min(64u, std::thread::hardware_concurrency()));
}

std::string join_errors(const std::vector<error>& all) {
    std::string out;
    for (const auto& e : all) out += (out.empty() ? "" : "; ") + e.text;
    return out;
}

/// The folder of the program that runs, for what was built beside it.
std::filesystem::path beside_program(const char* name) {
    std::error_code failed;
    return std::filesystem::read_symlink("/proc/self/exe", failed).parent_path() / name;
}

} // namespace

engine::engine(options o, const strowger::clock& time, virtual_time* by_hand)
    : options_(std::move(o)), time_(time), by_hand_(by_hand),
      emergency_(options_.settings.emergency.country, options_.settings.emergency.numbers, {"0", "00", "9"}),
      activity_(time_) {
    control_ = std::make_unique<worker>("control", time_);
    files_ = std::make_unique<worker>("files", time_);
    writer_ = std::make_unique<worker>("store", time_);
    event_writer_ = std::make_unique<worker>("events", time_);
    events_ = std::make_unique<event_bus>(*event_writer_, time_);
    for (std::size_t i = 0; i < count_or_cores(options_.settings.engine.workers); ++i)
        workers_.push_back(std::make_unique<worker>("call-" + std::to_string(i), time_));
    media::service_options m;
    m.threads = static_cast<int>(count_or_cores(options_.settings.engine.media_threads));
    const auto& ports = options_.settings.media;
    m.first_port = static_cast<std::uint16_t>(ports.first_port);
    m.last_port = static_cast<std::uint16_t>(ports.last_port);
    m.port_rest = ports.port_rest;
    media_ = std::make_unique<media::media_service>(time_, m);
    if (by_hand_ == nullptr) return;
    by_hand_->add(*control_);
    by_hand_->add(*files_);
    by_hand_->add(*writer_);
    by_hand_->add(*event_writer_);
    for (auto& w : workers_) by_hand_->add(*w);
    for (auto* w : media_->workers()) by_hand_->add(*w);
}

engine::~engine() {
    // The threads first; then calls, and what was queued for them; then modules, whose code both need; then the services.
    if (by_hand_ != nullptr) {
        for (auto* w : media_->workers()) by_hand_->remove(*w);
        for (auto& w : workers_) by_hand_->remove(*w);
        by_hand_->remove(*event_writer_);
        by_hand_->remove(*writer_);
        by_hand_->remove(*files_);
        by_hand_->remove(*control_);
    }
    if (load_) load_->stop();
    control_->stop();
    expiry_.cancel();
    for (auto& w : workers_) w->stop();
    files_->stop();
    for (auto& w : workers_) w->discard();
    calls_.reset();
    media_->stop();
    for (auto& w : workers_) w->discard(); // what the ends of calls posted
    files_->discard();
    control_->discard();
    modules_.reset();
    dialplan_.reset();
    ledger_.reset();
    locations_.reset();
    writer_->stop();
    event_writer_->stop();
    events_->close();
    store_.reset();
}

std::size_t engine::index_of(const worker& w) const noexcept {
    for (std::size_t i = 0; i < workers_.size(); ++i)
        if (workers_[i].get() == &w) return i;
    return 0;
}

result<> engine::start() {
    auto& s = options_.settings;
    log::set_level(s.engine.log_level);
    std::error_code failed;
    std::filesystem::create_directories(s.engine.state_directory, failed);
    if (failed)
        return fail("cannot make the state directory {}: {}; set engine.state_directory to one that can be written",
                    s.engine.state_directory.string(), failed.message());

    auto secrets = config::secrets::open(s.engine.state_directory);
    if (!secrets) return fail(secrets);
    auto made = secrets->complete(s);
    if (!made) return fail(made);
    for (const auto& user : *made) log::info("core", "made a password for {}; it is in {}", user, secrets->file().string());
    secrets_ = std::make_unique<config::secrets>(std::move(*secrets));

    event_bus::options events;
    events.folder = s.engine.state_directory / "events";
    events.keep = s.events.keep;
    if (auto opened = events_->open(std::move(events)); !opened)
        log::error("events", "{}; no events are kept or followed", opened.error().text);

    auto storage = store::store::open(s.engine.state_directory / "store", *writer_);
    if (!storage) return fail(storage);
    store_ = std::move(*storage);
    ledger_ = std::make_unique<strowger::ledger>(*this);
    auto locations = location_table::open(*store_, time_);
    if (!locations) return fail(locations);
    locations_ = std::move(*locations);
    locations_->observe([this](const binding& b, registration_change how) { registration_changed(b, how); });
    if (auto loaded = load_prompts(); !loaded) return loaded;

    if (by_hand_ == nullptr) {
        control_->start();
        files_->start();
        writer_->start();
        event_writer_->start();
        for (auto& w : workers_) w->start();
        media_->start();
    }

    dialplan_runtime::options d;
    d.directory = s.dialplan.directory;
    d.cpu_budget = s.dialplan.cpu_budget;
    d.memory_per_call = s.dialplan.memory_per_call;
    d.memory_limit = s.dialplan.memory_limit;
    d.fallback_context = s.dialplan.fallback_context;
    d.fallback_extension = s.dialplan.fallback_extension;
    dialplan_ = std::make_unique<dialplan_runtime>(*this, d);
    load_ = std::make_unique<strowger::load>(*this);
    calls_ = std::make_unique<strowger::calls>(*this);
    if (by_hand_ == nullptr) load_->start();
    module_loader::options m;
    m.directory = s.engine.module_directory.empty() ? beside_program("modules") : s.engine.module_directory;
    m.run_directory = s.engine.state_directory / "modules";
    m.keep_mapped = options_.keep_mapped;
    modules_ = std::make_unique<module_loader>(*this, m);

    control_->post([this] { expire_registrations(); });
    files_->post([this] { ledger_->keep_in_bounds(); });
    // A broken dialplan must not keep the engine, and with it emergency calls, from starting.
    if (auto loaded = load_dialplan(); !loaded)
        log::error("dialplan", "{}; calls are refused until `dialplan reload` succeeds, emergency calls go through",
                   loaded.error().text);
    events_->publish(event_kind::engine_started, {}, [&] {
        return value::table{{"version", STROWGER_VERSION}, {"configuration", options_.configuration.string()},
                            {"dialplan", dialplan_->version()}};
    });
    return {};
}

result<> engine::load_dialplan() {
    auto loaded = dialplan_->load();
    if (loaded)
        events_->publish(event_kind::dialplan_loaded, {}, [&] { return value::table{{"version", dialplan_->version()}}; });
    else
        events_->publish(event_kind::dialplan_refused, {}, [&] { return value::table{{"why", loaded.error().text}}; });
    return loaded;
}

void engine::registration_changed(const binding& b, registration_change how) {
    const auto kind = how == registration_change::came   ? event_kind::registration_came
                      : how == registration_change::went ? event_kind::registration_went
                                                         : event_kind::registration_expired;
    events_->publish(kind, {}, [&b] {
        return value::table{{"user", b.user}, {"driver", b.driver}, {"address", b.address}, {"received", b.received},
                            {"user_agent", b.user_agent}};
    });
}

void engine::expire_registrations() {
    for (const auto& gone : locations_->expire(time_.now())) {
        log::info("location", "the registration of {} at {} has ended", gone.user, gone.address);
        registration_changed(gone, registration_change::expired);
    }
    expiry_ = control_->after(30s, [this] { expire_registrations(); });
}

result<> engine::load_modules() {
    std::vector<error> failures;
    for (const auto& name : options_.settings.engine.modules)
        if (auto loaded = modules_->load(name); !loaded) failures.push_back(loaded.error());
    if (!failures.empty()) return fail("{}", join_errors(failures));
    return {};
}

result<> engine::load_prompts() {
    const auto& s = options_.settings.sounds;
    media::prompt_sources sources;
    sources.directories = s.directories;
    sources.directories.push_back(beside_program("sounds"));
    sources.cache = options_.settings.engine.state_directory / "prompts";
    sources.cache_limit = s.cache_limit;
    for (const auto& directory : s.directories) {
        if (!std::filesystem::is_directory(directory / "catalogue")) continue;
        auto catalogue = media::load_catalogue(directory / "catalogue");
        if (!catalogue) return fail(catalogue);
        sources.catalogue = std::move(*catalogue);
        break;
    }
    auto keys = sources.catalogue.keys(s.language);
    prompts_ = std::make_unique<media::prompt_library>(std::move(sources));
    const auto report = prompts_->load_all(keys, s.language);
    if (!report.failures.empty())
        log::warn("sounds", "{} of {} prompts are missing and will be spoken by the fallback voice; the first: {}",
                  report.failures.size(), keys.size(), report.failures.front().text);
    if (s.music.empty()) return {};
    std::vector<std::filesystem::path> files;
    std::error_code failed;
    if (std::filesystem::is_directory(s.music, failed)) {
        for (const auto& entry : std::filesystem::directory_iterator(s.music, failed))
            if (entry.path().extension() == ".wav") files.push_back(entry.path());
    } else {
        files.emplace_back(s.music);
    }
    std::sort(files.begin(), files.end());
    for (const auto& file : files) {
        auto tune = prompts_->import_file(file);
        if (!tune) {
            log::warn("sounds", "music: {}", tune.error().text);
            continue;
        }
        media::play_item item;
        item.what = std::move(*tune);
        item.name = "music";
        music_.push_back(std::move(item));
    }
    return {};
}

std::vector<media::play_item> engine::music(const std::string&) const {
    if (!music_.empty()) return music_;
    media::play_item item; // no music is configured: a soft beep now and then says that the line lives
    if (auto beep = media::find_tone("call_waiting")) {
        item.what = std::move(*beep);
        item.length = 10s;
    }
    item.name = "music";
    return {std::move(item)};
}

result<std::vector<endpoint>> engine::resolve(const std::string& target) {
    const auto slash = target.find('/');
    if (slash == std::string::npos) return resolve("ext/" + target);
    const auto kind = target.substr(0, slash);
    const auto name = target.substr(slash + 1);
    const auto& users = options_.settings.users;
    std::vector<endpoint> out;
    if (kind == "ext") {
        for (const auto& [user, u] : users)
            if (!name.empty() && u.extension == name) return resolve("user/" + user);
        return fail("no user has the extension {}", name);
    }
    if (kind == "user") {
        if (!users.contains(name)) return fail("there is no user '{}' in the configuration", name);
        for (const auto& b : locations_->bindings_of(name))
            out.push_back(endpoint{b.driver, b.address, b.received, b.path, name});
        return out;
    }
    if (kind == "trunk") { // trunk/telco/+4930123
        const auto end = name.find('/');
        const auto trunk = name.substr(0, end), number = end == name.npos ? std::string() : name.substr(end + 1);
        const auto all = options_.settings.module("trunks");
        if (all[trunk].fields() == nullptr) return fail("there is no trunk '{}': write [trunks.{}]", trunk, trunk);
        if (number.empty()) return fail("trunk/{} needs a number: trunk/{}/4711", trunk, trunk);
        out.push_back(endpoint{all[trunk]["driver"].text_or("sip"), number, {}, {}, {}, trunk});
        return out;
    }
    if (!drivers.find(kind, "look-up")) return fail("'{}/' is neither user, ext, trunk nor a loaded channel driver", kind);
    out.push_back(endpoint{kind, name, {}, {}, {}});
    return out;
}

task<void> engine::stop(duration limit) {
    calls_->drain(true);
    events_->publish(event_kind::engine_stopping);
    const auto deadline = time_.now() + limit;
    signal tick;
    while (calls_->count() != 0 && time_.now() < deadline) co_await wait_through_end(tick, 50ms);
    if (calls_->count() != 0) {
        log::info("core", "{} calls are ended now", calls_->count());
        calls_->end_all(hangup_cause::normal_unspecified, "operator");
        const auto last = time_.now() + 12s; // on_end handlers have 10 s
        while (calls_->count() != 0 && time_.now() < last) co_await wait_through_end(tick, 20ms);
    }
    auto unloading = modules_->unload_all(2s);
    co_await unloading;
}

} // namespace strowger
