// What a module is: a shared object with one exported symbol, a descriptor. See contrib/docs/decisions/0006.
#pragma once
#include "core/base/lease.hpp"
#include "core/base/log.hpp"
#include "core/base/result.hpp"
#include "core/base/value.hpp"
#include "core/call/application.hpp"
#include "core/channel/channel.hpp"
#include "core/channel/phone.hpp"
#include "core/control/command.hpp"
#include "strowger_abi.hpp"

#include <functional>
#include <memory>
#include <string>
#include <thread>

// Defined by the core alone. A module of another build refers to another name, and the dynamic linker refuses it.
extern "C" const char STROWGER_ABI_SYMBOL;

namespace strowger {

class module_context;
class engine;
struct module_host;

class generation;

enum class maturity { stable, preview, experimental };

/// A module's table of strowger.toml, and where each setting stands.
struct module_settings {
    value table = value::table();
    std::function<std::string(std::string_view setting)> where;
};

/// A loaded module's object. Whatever it registered through its context leaves by itself.
class module {
public:
    virtual ~module();
    /// Called when nobody uses the module any more, before it is destroyed: end what runs by itself (un-register, join own
    /// threads). It may block for a while, and so runs on the thread for files; the destructor follows on the control thread.
    virtual void stop() {}
};

/// What the module file exports under the name `strowger_module`. Plain data only.
struct module_descriptor {
    const char* abi;              ///< &STROWGER_ABI_SYMBOL
    const char* name;             ///< unique; the file's name without .so
    const char* version;
    const char* summary;          ///< one line for `module list`
    const char* const* needs;     ///< modules that must be running, nullptr at the end; may be null
    const char* const* pins; ///< libraries that must never leave memory (opened RTLD_NODELETE), nullptr at the end; may be null
    maturity level;
    /// A driver of which two generations cannot run at once (they would bind the same port): the old one drains first.
    bool exclusive;
    std::unique_ptr<module> (*create)(module_context&);
};

/// A module's door to the engine, valid as long as the module's object. Used on the control thread from the constructor, and from
/// any thread where it says so.
class module_context {
public:
    module_context(const module_context&) = delete;
    module_context& operator=(const module_context&) = delete;

    /// Throws std::runtime_error when the name is taken: let it leave the constructor, nothing then remains.
    void add_application(std::string name, application run);
    void add_driver(std::shared_ptr<channel_driver> driver);
    void add_phones(std::string name, std::shared_ptr<phone_exchange> phones);
    void add_command(command c);

    /// The module's table of strowger.toml, with defaults left out.
    const value& settings() const noexcept { return settings_.table; }
    /// "strowger.toml:12:5" of a setting, for error messages: `where("listen")`.
    std::string where(std::string_view setting) const;

    /// Hands a call that arrives to the core, which takes it over. Any thread. On refusal the channel is destroyed: tell the peer
    /// first.
    tl::expected<std::shared_ptr<leg_mailbox>, refusal> incoming(incoming_call what, std::unique_ptr<channel> line);
    /// Whether a new call would be taken now, without making one. Any thread.
    std::optional<refusal> would_refuse(std::string_view to_number) const;

    /// A thread of the module's own. It must end when stop() asks it to; the engine waits for it and holds the code until then.
    [[nodiscard]] std::thread start_thread(std::string name, std::function<void()> body);

    engine& core() noexcept;

    // For the loader.
    /// `predecessor` is the generation whose names this one takes over, or null.
    module_context(module_host& host, std::shared_ptr<generation> self, const leasable* predecessor);
    ~module_context();
    /// Offers what was registered since the constructor began: until then nobody finds a module that is half made.
    void publish();
    /// Takes back everything that was registered: nobody new will find the module.
    void withdraw() noexcept;

private:
    struct registrations;
    module_host& host_;
    std::shared_ptr<generation> self_;
    module_settings settings_;
    std::unique_ptr<registrations> registrations_;
};

} // namespace strowger

/// Declares the module of a file: STROWGER_MODULE(echo_module, "echo", "1.0", "Says back what is dialled", stable)
#define STROWGER_MODULE(type, module_name, module_version, module_summary, module_maturity) \
    STROWGER_MODULE_WITH(type, module_name, module_version, module_summary, module_maturity, nullptr, nullptr, false)
#define STROWGER_MODULE_WITH(type, module_name, module_version, module_summary, module_maturity, module_needs, module_pins, \
                             is_exclusive) \
    extern "C" __attribute__((visibility("default"))) const strowger::module_descriptor strowger_module{ \
        &STROWGER_ABI_SYMBOL, module_name, module_version, module_summary, module_needs, module_pins, \
        strowger::maturity::module_maturity, is_exclusive, \
        [](strowger::module_context& context) -> std::unique_ptr<strowger::module> { \
            return std::make_unique<type>(context); \
        }};
