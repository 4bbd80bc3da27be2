#include "channels/sip/line.hpp"
#include "channels/sip/text.hpp"
#include "core/base/log.hpp"

namespace strowger::sip {

template <class F> void line::command(F work) {
    gate_->post([id = id_, work = std::move(work)](user_agent& ua) mutable {
        if (const auto d = ua.find(id)) work(*d);
    });
}

line::~line() {
    try {
        command([](dialog& d) {
            d.hang_up(hangup_cause::normal);
            d.channel_gone();
        });
    } catch (const std::exception& e) { // out of memory: the peer's BYE or the session's end has to do
        log::error("sip", "a channel could not be hung up: {}", e.what());
    }
}
void line::ring() {
    command([](dialog& d) { d.ring(); });
}
void line::progress(media_description media) {
    command([m = std::move(media)](dialog& d) { d.progress(m); });
}
void line::answer(media_description media) {
    command([m = std::move(media)](dialog& d) { d.answer(m); });
}
void line::offer(std::uint64_t id, media_description media) {
    command([id, m = std::move(media)](dialog& d) { d.offer(id, m); });
}
void line::accept(std::uint64_t id, media_description media) {
    command([id, m = std::move(media)](dialog& d) { d.accept(id, m); });
}
void line::refuse(std::uint64_t id, hangup_cause why) {
    command([id, why](dialog& d) { d.refuse(id, why); });
}
void line::send_digit(char key) {
    command([key](dialog& d) { d.send_digit(key); });
}
void line::identity(party who) {
    command([who = std::move(who)](dialog& d) { d.identity(who); });
}
void line::transfer_result(std::uint64_t id, std::optional<hangup_cause> failed) {
    command([id, failed](dialog& d) { d.transfer_result(id, failed); });
}
void line::hang_up(hangup_cause why) noexcept {
    try {
        command([why](dialog& d) { d.hang_up(why); });
    } catch (const std::exception& e) {
        log::error("sip", "a channel could not be hung up: {}", e.what());
    }
}

result<std::string> driver::local_address(const endpoint& to) {
    auto reached = to.received.empty() ? to.address : to.received;
    if (!to.trunk.empty()) {
        const auto it = gate_->trunks.find(to.trunk);
        if (it == gate_->trunks.end()) return fail("SIP knows no trunk \"{}\"; load the module again", clean(to.trunk));
        reached = it->second->hop(0);
    }
    const auto u = parse_uri(reached);
    if (!u || !is_numeric_address(u->host)) return fail("{}: no numeric address", clean(reached));
    auto own = local_address_towards(u->host);
    if (!own) return own;
    for (const auto& l : gate_->bound)
        if (l.ip == *own) return own;
    const bool v6 = u->host.find(':') != std::string::npos;
    for (const auto& l : gate_->bound)
        if ((l.ip.find(':') != std::string::npos) == v6) return l.ip;
    return fail("SIP listens on no address from which {} can be reached", u->host);
}

result<std::unique_ptr<channel>> driver::originate(outgoing_call what, std::shared_ptr<leg_mailbox> events) {
    const auto reached = what.to.received.empty() ? what.to.address : what.to.received;
    if (what.to.trunk.empty() && !has_numeric_host(reached))
        return fail("{}: SIP can call numeric addresses only for now", clean(reached));
    if (what.hops_left <= 1) return fail("the call has passed too many systems");
    const auto id = next_dialog_id();
    gate_->post([id, call = std::move(what), events = std::move(events)](user_agent& ua) mutable {
        const auto d = std::make_shared<dialog>(ua, id);
        ua.add(d);
        d->start_outbound(std::move(call), std::move(events));
    });
    return std::make_unique<line>(gate_, id);
}

} // namespace strowger::sip
