// The engine: its threads and services, made in order and taken down in reverse.
#pragma once
#include "core/async/virtual_time.hpp"
#include "core/async/worker.hpp"
#include "core/call/application.hpp"
#include "core/call/calls.hpp"
#include "core/call/emergency.hpp"
#include "core/call/ledger.hpp"
#include "core/call/load.hpp"
#include "core/call/user_activity.hpp"
#include "core/channel/channel.hpp"
#include "core/channel/phone.hpp"
#include "core/config/secrets.hpp"
#include "core/config/settings.hpp"
#include "core/control/command.hpp"
#include "core/dialplan/runtime.hpp"
#include "core/events/bus.hpp"
#include "core/location/location_table.hpp"
#include "core/media/prompt_library.hpp"
#include "core/media/service.hpp"
#include "core/modules/loader.hpp"
#include "core/modules/registry.hpp"
#include "core/store/store.hpp"
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace strowger {

/// Everything an engine consists of. `virtual_time` drives it by hand for tests; without it every worker has a thread.
class engine {
public:
    struct options {
        config::settings settings;
        std::filesystem::path configuration; ///< the file that was read, for messages
        bool keep_mapped = false;
    };
    engine(options o, const strowger::clock& time, virtual_time* by_hand = nullptr);
    ~engine();

    /// Opens the store, loads prompts and dialplan, starts the threads. On an error the engine can only be destroyed.
    result<> start();
    /// Loads the modules that the configuration names. The error names all that failed; the others run.
    result<> load_modules();
    /// Reads the scripts anew. Works on files.
    result<> load_dialplan();
    /// Takes no new calls, waits for the others up to `limit`, ends the rest, unloads the modules.
    task<void> stop(duration limit);

    const strowger::clock& time() const noexcept { return time_; }
    const config::settings& settings() const noexcept { return options_.settings; }
    const std::filesystem::path& configuration() const noexcept { return options_.configuration; }

    worker& control() noexcept { return *control_; }
    worker& files() noexcept { return *files_; }
    std::size_t worker_count() const noexcept { return workers_.size(); }
    worker& call_worker(std::size_t index) noexcept { return *workers_[index]; }
    std::size_t index_of(const worker& w) const noexcept;

    registry<application> applications;
    registry<std::shared_ptr<channel_driver>> drivers;
    registry<std::shared_ptr<phone_exchange>> phones;
    registry<command> commands;

    strowger::calls& calls() noexcept { return *calls_; }
    strowger::load& load() noexcept { return *load_; }
    strowger::ledger& ledger() noexcept { return *ledger_; }
    event_bus& events() noexcept { return *events_; }
    module_loader& modules() noexcept { return *modules_; }
    store::store& storage() noexcept { return *store_; }
    location_table& locations() noexcept { return *locations_; }
    media::media_service& media() noexcept { return *media_; }
    media::prompt_library& prompts() noexcept { return *prompts_; }
    dialplan_runtime& dialplan() noexcept { return *dialplan_; }
    const config::secrets& secrets() const noexcept { return *secrets_; }
    user_activity& activity() noexcept { return activity_; }
    const emergency_numbers& emergency() const noexcept { return emergency_; }
    /// The control thread's socket for consoles and tests.
    std::filesystem::path state_directory() const { return options_.settings.engine.state_directory; }

    /// What callers on hold hear: the music of that name, prepared at the start; a quiet tone without one.
    std::vector<media::play_item> music(const std::string& name) const;

    /// The devices that a target stands for, now: "user/anna", "ext/200", "loop/bob", "sip/…".
    result<std::vector<endpoint>> resolve(const std::string& target);

private:
    result<> load_prompts();
    void expire_registrations();
    void registration_changed(const binding& b, registration_change how);

    options options_;
    const strowger::clock& time_;
    virtual_time* by_hand_;
    emergency_numbers emergency_;
    user_activity activity_;
    std::unique_ptr<worker> control_, files_, writer_, event_writer_;
    std::vector<std::unique_ptr<worker>> workers_;
    std::unique_ptr<event_bus> events_;
    std::unique_ptr<media::media_service> media_;
    std::unique_ptr<store::store> store_;
    std::unique_ptr<config::secrets> secrets_;
    std::unique_ptr<location_table> locations_;
    std::unique_ptr<media::prompt_library> prompts_;
    std::vector<media::play_item> music_;
    std::unique_ptr<strowger::ledger> ledger_;
    std::unique_ptr<dialplan_runtime> dialplan_;
    std::unique_ptr<strowger::calls> calls_;
    std::unique_ptr<strowger::load> load_;
    std::unique_ptr<module_loader> modules_;
    timer expiry_;
};

} // namespace strowger
