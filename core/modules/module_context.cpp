#include "core/base/ids.hpp"
#include "core/modules/generation.hpp"
#include <stdexcept>

namespace strowger {

module::~module() = default;

/// What the module offers. Until publish() only noted, so that a constructor that throws has touched nothing.
struct module_context::registrations {
    std::vector<std::function<void()>> to_publish, to_withdraw;
    bool published = false;
    const leasable* predecessor = nullptr;

    template <class T>
    void add(registry<T>& in, std::string kind, std::string name, T what, const std::shared_ptr<generation>& owner) {
        if (!in.is_free(name, published ? nullptr : predecessor))
            throw std::runtime_error(fmt::format("the {} \"{}\" is offered by another module already", kind, name));
        to_withdraw.push_back([&in, name, key = owner.get()] { in.remove(name, key); });
        auto put = [&in, name = std::move(name), what = std::move(what), owner]() mutable {
            in.replace(name, std::move(what), owner);
        };
        if (published) put();
        else to_publish.push_back(std::move(put));
    }
};

module_context::module_context(module_host& host, std::shared_ptr<generation> self, const leasable* predecessor)
    : host_(host), self_(std::move(self)), settings_(host.settings ? host.settings(self_->name) : module_settings{}),
      registrations_(std::make_unique<registrations>()) {
    registrations_->predecessor = predecessor;
}

module_context::~module_context() { withdraw(); }

void module_context::add_application(std::string name, application run) {
    registrations_->add(host_.applications, "application", std::move(name), std::move(run), self_);
}
void module_context::add_driver(std::shared_ptr<channel_driver> driver) {
    auto name = std::string(driver->technology());
    registrations_->add(host_.drivers, "driver", std::move(name), std::move(driver), self_);
}
void module_context::add_phones(std::string name, std::shared_ptr<phone_exchange> phones) {
    registrations_->add(host_.phones, "phone exchange", std::move(name), std::move(phones), self_);
}
void module_context::add_command(command c) {
    auto name = c.name;
    registrations_->add(host_.commands, "command", std::move(name), std::move(c), self_);
}

std::string module_context::where(std::string_view setting) const {
    return settings_.where ? settings_.where(setting) : std::string(setting);
}

tl::expected<std::shared_ptr<leg_mailbox>, refusal> module_context::incoming(incoming_call what, std::unique_ptr<channel> line) {
    if (auto refused = would_refuse(what.to_number)) return tl::unexpected(std::move(*refused));
    // `module leases` and a deadline find the call by it.
    if (what.protocol_id.empty()) what.protocol_id = random_hex(6);
    lease driver(self_, fmt::format("call {} from {} to {}", what.protocol_id, what.from.number, what.to_number));
    return host_.incoming(std::move(what), std::move(line), std::move(driver));
}

std::optional<refusal> module_context::would_refuse(std::string_view to_number) const {
    if (self_->leaving() && !host_.is_emergency(to_number))
        return refusal{hangup_cause::temporary_failure, 10, fmt::format("the module {} is being unloaded", self_->name)};
    return host_.would_refuse(to_number);
}

std::thread module_context::start_thread(std::string name, std::function<void()> body) {
    return self_->start_thread(std::move(name), std::move(body));
}

engine& module_context::core() noexcept { return *host_.core; }

void module_context::publish() {
    registrations_->published = true;
    for (auto& put : registrations_->to_publish) put();
    registrations_->to_publish.clear();
}

void module_context::withdraw() noexcept {
    registrations_->to_publish.clear();
    for (auto& take_back : registrations_->to_withdraw) take_back();
    registrations_->to_withdraw.clear();
}

} // namespace strowger
