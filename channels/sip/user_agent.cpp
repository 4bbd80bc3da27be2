#include "channels/sip/user_agent.hpp"
#include "channels/sip/bodies.hpp"
#include "channels/sip/line.hpp"
#include "channels/sip/registrar.hpp"
#include "channels/sip/text.hpp"
#include "core/base/log.hpp"
#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace strowger::sip {
namespace {

constexpr std::array methods{"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REFER", "NOTIFY", "INFO", "REGISTER"};

response refused(int status, header_list headers = {}) { return {status, std::move(headers), {}, {}}; }

} // namespace

dialog_id next_dialog_id() noexcept {
    static std::atomic<dialog_id> last{0};
    return ++last;
}

std::string allowed_methods() {
    std::string out;
    for (const auto* m : methods) out += (out.empty() ? "" : ", ") + std::string(m);
    return out;
}

bool trace_filter::wants(const message& m) const {
    if (!active_) return false;
    const std::lock_guard lock(mutex_);
    if (what_ == "on") return true;
    if (what_.starts_with("call ")) return m.call_id == what_.substr(5);
    return m.source.ip == what_ || m.source.text() == what_;
}

user_agent::user_agent(host& core, settings set, std::string key, std::shared_ptr<agent_queue> queue,
                       std::shared_ptr<trace_filter> trace)
    : core_(core), settings_(std::move(set)), key_(key), auth_(core, settings_, std::move(key)), admission_(core, settings_),
      queue_(std::move(queue)), trace_(std::move(trace)), trunks_(*this, settings_.trunks) {}

result<> user_agent::open() {
    agent::options o;
    for (const auto& text : settings_.listen) {
        auto l = parse_listen(text);
        if (!l) return fail(l);
        o.listen.push_back(std::move(*l));
    }
    o.user_agent = settings_.user_agent;
    o.tracing = [filter = trace_] { return filter->active(); };
    o.admit = [this](const arrival& a) {
        const auto* by_trunk = trunks_.from(a.source);
        return admission_.refuse(a, by_trunk == nullptr ? nullptr : &by_trunk->set());
    };
    o.wants_trace = [filter = trace_](const message& m) { return filter->wants(m); };
    // The log writes control characters as \xNN, so each line goes by itself.
    o.trace = [](std::string text) {
        for (std::string_view rest = text; !rest.empty();) {
            const auto end = std::min(rest.find('\n'), rest.size());
            log::info("sip", "{}", trim(rest.substr(0, end)));
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
    };
    auto opened = agent::open(std::move(o), *this, queue_);
    if (!opened) return fail(opened);
    stack_ = std::move(*opened);
    trunks_.start();
    return {};
}

void user_agent::shut_down(duration limit) {
    closing_ = true;
    std::vector<std::shared_ptr<dialog>> all;
    for (const auto& [id, d] : dialogs_) all.push_back(d.kept);
    for (const auto& d : all) d->hang_up(hangup_cause::normal);
    trunks_.end();
    if (idle()) return stack_->stop();
    stack_->after(limit, [this] { stack_->stop(); });
}

void user_agent::close() {
    stack_.reset(); // first: its transactions call nobody any more
    servers_.clear();
    clients_.clear();
    asked_.clear();
    by_tag_.clear();
    dialogs_.clear();
}

void user_agent::add(std::shared_ptr<dialog> d) {
    const auto id = d->id();
    dialogs_.emplace(id, entry{std::move(d), {}});
}

void user_agent::own(owners& in, transaction_id t, const dialog& d) {
    in[t] = d.id();
    const auto at = dialogs_.find(d.id());
    if (at == dialogs_.end()) return;
    auto& all = at->second.transactions;
    if (all.size() == all.capacity())
        std::erase_if(all, [this](auto one) { return !servers_.contains(one) && !clients_.contains(one); });
    all.push_back(t);
}

void user_agent::remove(const dialog& d) {
    const auto id = d.id();
    // Not now: the dialog's own code runs.
    stack_->later([this, id] {
        if (const auto gone = dialogs_.find(id); gone != dialogs_.end()) {
            for (const auto t : gone->second.transactions) {
                servers_.erase(t);
                clients_.erase(t);
            }
            const auto tag = by_tag_.find(gone->second.kept->state().local_tag);
            if (tag != by_tag_.end() && tag->second == id) by_tag_.erase(tag); // else it is of the dialog whose other fork it was
            dialogs_.erase(gone);
        }
        if (closing_ && idle()) stack_->stop();
    });
}

std::shared_ptr<dialog> user_agent::find(dialog_id id) const {
    const auto it = dialogs_.find(id);
    return it == dialogs_.end() ? nullptr : it->second.kept;
}

std::shared_ptr<dialog> user_agent::owner(const owners& in, transaction_id t) const {
    const auto it = in.find(t);
    return it == in.end() ? nullptr : find(it->second);
}

std::string user_agent::loop_mark(std::string_view number) const {
    return hash_hex(digest_algorithm::sha256, fmt::format("{}:loop:{}", key_, number)).substr(0, 16);
}

bool user_agent::ask(request r, std::function<void(const message&)> on_final) {
    const auto t = stack_->send(std::move(r));
    if (t != 0) asked_.emplace(t, std::move(on_final));
    return t != 0;
}

std::string user_agent::contact_host(std::string_view local, std::string_view peer, const std::string* seen) const {
    const auto own = [&] { return fmt::format("{}:{}", host_text(local), stack_->port_on(local)); };
    if (!is_numeric_address(peer) || any_contains(settings_.local_networks, peer)) return own();
    const bool v6 = local.find(':') != std::string_view::npos;
    if (const auto& set = settings_.public_address; !set.empty() && set.starts_with('[') == v6) {
        const auto u = parse_uri("sip:" + set);
        return u && u->port != 0 ? set : fmt::format("{}:{}", set, stack_->port_on(local));
    }
    if (seen != nullptr) return seen->empty() ? own() : *seen;
    // Another peer may see another port, but hardly another address.
    const auto any = trunks_.seen_as(v6);
    return any.empty() ? own() : fmt::format("{}:{}", any.substr(0, any.rfind(':')), stack_->port_on(local));
}

bool user_agent::is_ours(std::string_view name) const {
    if (same_text(name, settings_.realm)) return true;
    if (const auto u = parse_uri("sip:" + settings_.public_address); u && u->host == name) return true;
    return stack_->port_on(name) != 0;
}

namespace {

std::string peer_of(const std::string& hop) {
    const auto u = parse_uri(hop).value_or(uri{});
    return fmt::format("{} {} {}", u.host, u.port, param(u.params, "transport").value_or("udp"));
}

} // namespace

void user_agent::pause(const std::string& hop, std::chrono::seconds time) {
    const auto now = core_.now();
    std::erase_if(pauses_, [now](const auto& p) { return p.second <= now; });
    pauses_[peer_of(hop)] = now + std::min(time, std::chrono::seconds(600));
}

std::chrono::seconds user_agent::pauses(const std::string& hop) {
    const auto it = pauses_.find(peer_of(hop));
    return it == pauses_.end() ? 0s : std::chrono::ceil<std::chrono::seconds>(it->second - core_.now());
}

std::vector<dialog_line> user_agent::dialogs() const {
    std::vector<dialog_line> out;
    for (const auto& [id, one] : dialogs_) {
        const auto& d = one.kept;
        out.push_back(
            {d->state().call_id, d->state().local_party, d->state().remote_party, d->phase_name(), d->state().next_hop()});
    }
    return out;
}

std::shared_ptr<dialog> user_agent::dialog_of(const message& m) const {
    const auto it = by_tag_.find(m.to_tag);
    const auto found = it == by_tag_.end() ? nullptr : find(it->second);
    return found && found->owns(m) ? found : nullptr;
}

// --- requests
// ------------------------------------------------------------------------------------------------------------------------

bool user_agent::well_formed(transaction_id id, const message& m) {
    const auto refuse = [&](int status, header_list headers = {}) {
        stack_->reply(id, refused(status, std::move(headers)));
        return false;
    };
    if (const auto* length = m.find("Content-Length");
        length != nullptr && parse_number(trim(*length)).value_or(0) > m.body.size())
        return refuse(400);
    if (std::none_of(methods.begin(), methods.end(), [&](const char* known) { return m.method == known; }))
        return refuse(405, {{"Allow", allowed_methods()}});
    const auto u = parse_uri(m.uri);
    if (!u) return refuse(400);
    if (!u->is_sip() && u->scheme != "tel" && u->scheme != "urn") return refuse(416);
    if (const auto* hops = m.find("Max-Forwards"); hops != nullptr && parse_number(trim(*hops)) == 0u && m.method == "INVITE")
        return refuse(483);
    if (const auto required = m.all("Require"); !required.empty()) {
        std::string all;
        for (const auto& r : required)
            if (!same_text(r, "norefersub") && !same_text(r, "timer")) all += (all.empty() ? "" : ", ") + clean(r);
        if (!all.empty()) return refuse(420, {{"Unsupported", all}});
    }
    return true;
}

void user_agent::on_request(transaction_id id, message m) {
    if (!well_formed(id, m)) return;
    if (!m.to_tag.empty()) {
        if (const auto d = dialog_of(m)) return d->on_request(id, m);
        return stack_->reply(id, refused(481));
    }
    if (m.method == "INVITE") return on_invite(id, std::move(m));
    if (m.method == "REGISTER") return on_register(id, std::move(m));
    if (m.method == "OPTIONS") return on_options(id, m);
    if (m.method == "NOTIFY" && same_text(trim(m.get("Event")), "keep-alive")) return stack_->reply(id, refused(200));
    if (m.method == "REFER") return stack_->reply(id, refused(403));
    stack_->reply(id, refused(481)); // BYE, INFO, NOTIFY belong into a dialog
}

void user_agent::on_options(transaction_id id, const message& m) {
    const auto u = parse_uri(m.uri);
    if (const auto no = closing_ ? std::optional(refusal{}) : core_.would_refuse(u ? u->user : ""))
        return stack_->reply(id, refused(503, {{"Retry-After", std::to_string(std::max(1, no->retry_after_seconds))}}));
    stack_->reply(
        id, refused(200, {{"Allow", allowed_methods()}, {"Accept", "application/sdp"}, {"Supported", "norefersub, timer"}}));
}

std::string user_agent::registered_user_at(std::string_view ip) {
    for (const auto& b : core_.bindings()) {
        const auto u = parse_uri(b.received.empty() ? b.address : b.received);
        if (b.driver == "sip" && u && u->host == ip) return b.user;
    }
    return {};
}

void user_agent::on_invite(transaction_id id, message m) {
    const auto u = parse_uri(m.uri);
    const auto number = u && u->is_sip() ? u->user : m.uri;
    if (m.find("Replaces") != nullptr) return stack_->reply(id, refused(501)); // attended transfer: not yet
    if (const auto body = sdp_of(m); !body) return stack_->reply(id, refused(415, {{"Accept", "application/sdp"}}));
    const bool emergency = core_.is_emergency(number);
    auto* const by_trunk = trunks_.from(m.source);
    auto who = emergency && by_trunk == nullptr ? registered_user_at(m.source.ip) : std::string();
    if (by_trunk == nullptr && who.empty()) {
        auto v = auth_.check(m);
        if (v.user.empty()) return stack_->reply(id, std::move(v.answer));
        who = std::move(v.user);
    }
    const auto passed = m.all(loop_header);
    if (std::find(passed.begin(), passed.end(), loop_mark(number)) != passed.end()) {
        log::warn({"sip", m.call_id}, "the call to {} has been here before: a loop of forwardings", clean(number));
        return stack_->reply(id, refused(482));
    }
    const auto no =
        closing_ ? std::optional(refusal{hangup_cause::congestion, 10, "SIP is stopping"}) : core_.would_refuse(number);
    if (no && !emergency) {
        log::debug({"sip", m.call_id}, "INVITE refused: {}", no->why);
        return stack_->reply(id, busy_answer(by_trunk == nullptr ? nullptr : &by_trunk->set(), no->retry_after_seconds));
    }
    if (by_trunk != nullptr && by_trunk->full() && !emergency) {
        log::info({"sip", m.call_id}, "trunk {} has {} calls already: its max_calls", by_trunk->set().name, by_trunk->calls());
        return stack_->reply(id, busy_answer(&by_trunk->set(), 5));
    }
    stack_->reply(id, refused(100));
    const auto d = std::make_shared<dialog>(*this, next_dialog_id());
    add(d);
    d->start_inbound(id, m, std::move(who), by_trunk);
}

void user_agent::on_register(transaction_id id, message m) {
    auto v = auth_.check(m);
    if (v.user.empty()) return stack_->reply(id, std::move(v.answer));
    const auto to = parse_name_addr(m.to);
    const auto aor = to ? parse_uri(to->uri) : std::nullopt;
    if (!aor || aor->user != v.user) return stack_->reply(id, refused(403)); // nobody registers for another
    auto wanted = read_register(m, settings_);
    if (auto* no = std::get_if<response>(&wanted)) return stack_->reply(id, std::move(*no));
    auto& r = std::get<registration>(wanted);
    // The answer waits for the disk; the thread does not.
    location_table::registered done = [under_way = under_way_, queue = queue_, weak = weak_from_this(),
                                       id](tl::expected<std::vector<binding>, registration_error> outcome) {
        queue->post([weak, id, outcome = std::move(outcome)] {
            const auto self = weak.lock();
            if (!self || !self->stack_) return;
            if (!outcome) log::info("sip", "registration refused: {}", outcome.error().text);
            self->stack_->reply(id, outcome ? registered_response(*outcome, self->core_.now())
                                            : registration_refusal(outcome.error()));
        });
    };
    if (r.remove_all) return core_.remove_all(std::move(v.user), m.call_id, m.cseq, std::move(done));
    core_.apply(std::move(v.user), std::move(r.changes), std::move(done));
}

// --- what belongs to dialogs
// -----------------------------------------------------------------------------------------------------------

void user_agent::on_ack(transaction_id id, message m) {
    if (const auto d = owner(servers_, id)) d->on_ack(id, m);
    servers_.erase(id);
}

void user_agent::on_cancel(transaction_id id, message m) {
    if (const auto d = owner(servers_, id)) d->on_cancel(id, m);
}

void user_agent::on_unacknowledged(transaction_id id) {
    if (const auto d = owner(servers_, id)) d->on_unacknowledged(id);
    servers_.erase(id);
}

void user_agent::on_response(transaction_id id, message m) {
    if (const auto it = asked_.find(id); it != asked_.end()) {
        if (m.status < 200) return;
        const auto hear = std::move(it->second);
        asked_.erase(it);
        hear(m);
        if (closing_ && idle()) stack_->stop();
        return;
    }
    const auto d = owner(clients_, id);
    if (m.method == "INVITE" && m.status / 100 == 2 && !(d && d->awaits(id))) return on_stray_success(std::move(m));
    if (m.status >= 200) clients_.erase(id);
    if (d) d->on_response(id, m);
}

void user_agent::on_stray_success(message m) {
    if (const auto* ack = acks_.find(m)) {
        stack_->send(*ack);
    } else if (acks_.knows_invite(m)) { // only what we have asked for: a forged 2xx gets nothing
        log::info({"sip", m.call_id}, "another fork has answered too and is hung up");
        const auto d = std::make_shared<dialog>(*this, next_dialog_id());
        add(d);
        d->end_fork(m);
    }
}

void user_agent::acknowledge(const message& success, request ack) {
    stack_->send(ack);
    acks_.keep(success, std::move(ack), core_.now());
}

} // namespace strowger::sip
