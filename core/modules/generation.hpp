// One generation of a module: its library, its object, what it registered and who uses it.
#pragma once
#include "core/modules/host.hpp"
#include "core/modules/library.hpp"
#include "core/modules/loader.hpp"
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace strowger {

/// Everything on the control thread except leases and threads. The loader closes the library when all of it is over; a generation
/// itself is core code and may live on in whatever still points to it.
class generation final : public leasable, public std::enable_shared_from_this<generation> {
public:
    /// found → loaded (opened) → running → draining → stopping → stopped → gone.
    enum class state { loaded, running, draining, stopping, stopped, gone };

    generation(module_host& host, unsigned number, std::filesystem::path file, module_library library);

    /// Makes the module's object. On failure nothing remains but the open library; the reason is in the module's words.
    result<> create(const generation* predecessor);

    std::uint64_t take_lease(std::string user) override;
    void give_back(std::uint64_t key) noexcept override;
    std::vector<lease_line> leases() const;
    std::size_t lease_count() const;
    /// No longer running: takes no new users. Any thread.
    bool leaving() const;
    /// Calls among the users, by id.
    std::set<std::string> calls_using() const;

    /// A thread of the module. Holds up `gone`, not `stop()`, which is what ends it.
    std::thread start_thread(std::string name, std::function<void()> body);
    std::size_t threads() const;

    void enter(state s);
    /// "echo 2", for people.
    std::string label() const;
    module_line line() const;

    module_host& host;
    const unsigned number;
    const std::filesystem::path file;
    // Copies: the descriptor goes with the library.
    const std::string name, version, summary;
    const strowger::maturity level;
    const bool exclusive;
    std::vector<std::shared_ptr<generation>> providers;
    std::vector<lease> needs;
    state now = state::loaded;
    instant since;
    bool kept_mapped = false;
    timer deadline;
    module_library library;
    std::unique_ptr<module_context> context;
    std::unique_ptr<module> object;
    /// Called on the control thread when the last lease or thread of a generation that is no longer running has gone.
    std::function<void(std::shared_ptr<generation>)> on_idle;

private:
    void tell_idle() noexcept;

    struct use {
        std::string user;
        instant since;
    };
    mutable std::mutex mutex_;
    std::map<std::uint64_t, use> uses_;
    std::uint64_t next_ = 0;
    std::size_t threads_ = 0;
    bool leaving_ = false; // no longer running
};

} // namespace strowger
