// The module's door: settings, the SIP thread, console commands.
#include "channels/sip/line.hpp"
#include "channels/sip/secret_book.hpp"
#include "channels/sip/support/support.hpp"
#include "channels/sip/text.hpp"
#include "channels/sip/user_agent.hpp"
#include "core/async/ask.hpp"
#include "core/base/ids.hpp"
#include "core/engine.hpp"
#include "core/modules/module.hpp"
#include <fmt/format.h>
#include <future>
#include <stdexcept>
#include <sys/resource.h>

namespace strowger::sip {
namespace {

/// The engine as the SIP thread sees it.
class engine_host final : public host {
public:
    explicit engine_host(module_context& ctx) : ctx_(ctx), core_(ctx.core()) {
        for (const auto& [name, user] : core_.settings().users)
            secrets_.add(name, {user.password, user.ha1_md5, user.ha1_sha256, user.digest != "SHA-256", user.digest != "MD5"});
    }
    tl::expected<std::shared_ptr<leg_mailbox>, refusal> incoming(incoming_call what, std::unique_ptr<channel> made) override {
        return ctx_.incoming(std::move(what), std::move(made));
    }
    std::optional<refusal> would_refuse(std::string_view to_number) override { return ctx_.would_refuse(to_number); }
    bool is_emergency(std::string_view number) override { return !core_.emergency().classify(number).empty(); }
    std::optional<refusal> short_of_memory() override { return core_.load().memory_shortage(); }
    duration queue_delay() const override { return core_.settings().limits.queue_delay; }
    int retry_after() override { return retry_after_seconds(); }
    user_secret secret_of(std::string_view user) override { return secrets_.of(user); }
    void apply(std::string user, std::vector<binding_change> changes, location_table::registered done) override {
        core_.locations().apply(std::move(user), "sip", std::move(changes), std::move(done));
    }
    void remove_all(std::string user, std::string call_id, std::uint32_t cseq, location_table::registered done) override {
        core_.locations().remove_all(std::move(user), "sip", std::move(call_id), cseq, std::move(done));
    }
    std::vector<binding> bindings() override { return core_.locations().all(); }
    instant now() const override { return core_.time().now(); }
    wall_time wall() const override { return core_.time().wall(); }

private:
    module_context& ctx_;
    engine& core_;
    secret_book secrets_;
};

settings read_settings(module_context& ctx) {
    settings s;
    const auto& table = ctx.settings();
    const auto wrong = [&](std::string_view key, std::string_view what) {
        throw std::runtime_error(fmt::format("{}: {}: {}", ctx.where(key), key, what));
    };
    if (const auto* listen = table["listen"].items()) {
        s.listen.clear();
        for (const auto& one : *listen) {
            const auto* text = one.text();
            if (text == nullptr) wrong("listen", "a list of texts such as [\"0.0.0.0:5060\"]");
            if (const auto l = parse_listen(*text); !l) wrong("listen", l.error().text);
            s.listen.push_back(*text);
        }
        if (s.listen.empty()) wrong("listen", "at least one address");
    } else if (!table["listen"].is_null()) {
        wrong("listen", "a list of texts such as [\"0.0.0.0:5060\"]");
    }
    s.realm = table["realm"].text_or(s.realm);
    if (s.realm.empty() || s.realm.find_first_of("\"\\\r\n") != std::string::npos) wrong("realm", "a text without quotes");
    s.user_agent = clean(table["user_agent"].text_or(s.user_agent));
    s.trace = table["trace"].boolean_or(s.trace);
    const auto number = [&](std::string_view key, auto& out, std::int64_t least, std::int64_t most) {
        if (table[key].is_null()) return;
        const auto* n = table[key].integer();
        if (n == nullptr || *n < least || *n > most) wrong(key, fmt::format("a whole number from {} to {}", least, most));
        out = static_cast<std::remove_reference_t<decltype(out)>>(*n);
    };
    number("max_contacts", s.max_contacts, 1, 100);
    number("min_expires", s.min_expires, 10, 3600);
    number("max_expires", s.max_expires, 60, 86400);
    number("nonce_seconds", s.nonce_seconds, 10, 86400);
    number("first_answer_ms", s.first_answer_ms, 500, 32000);
    number("overload_status", s.overload_status, 480, 606);
    if (s.overload_status >= 490 && s.overload_status < 500) wrong("overload_status", "a status such as 503, 480, 486 or 600");
    if (s.max_expires < s.min_expires) wrong("max_expires", "not below min_expires");
    if (const auto* list = table["credentials"].items()) {
        for (const auto& one : *list) {
            credentials c{one["realm"].text_or(""), one["user"].text_or(""), one["password"].text_or("")};
            const bool odd = c.user.find_first_of("\"\\\r\n") != std::string::npos;
            if (c.realm.empty() || c.user.empty() || c.password.empty() || odd)
                wrong("credentials", "each needs a realm, a user without quotes and a password");
            s.credentials.push_back(std::move(c));
        }
    } else if (!table["credentials"].is_null()) {
        wrong("credentials", "a list of tables: [[sip.credentials]] with realm, user and password");
    }
    s.public_address = table["public_address"].text_or("");
    if (!s.public_address.empty())
        if (const auto ok = parse_listen(s.public_address); !ok) wrong("public_address", "an address such as \"203.0.113.5\"");
    auto networks = usual_local_networks();
    if (const auto* list = table["local_networks"].items()) {
        networks.clear();
        for (const auto& one : *list) networks.push_back(one.text_or(""));
    } else if (!table["local_networks"].is_null()) {
        wrong("local_networks", "a list of texts such as [\"192.168.0.0/16\"]");
    }
    for (const auto& text : networks) {
        const auto range = parse_range(text);
        if (!range) wrong("local_networks", range.error().text);
        s.local_networks.push_back(*range);
    }
    auto trunks = read_trunks(ctx.core().settings().module("trunks"));
    if (!trunks) throw std::runtime_error(trunks.error().text);
    s.trunks = std::move(*trunks);
    constexpr std::string_view known[] = {"listen",          "realm",       "user_agent",     "trace",
                                          "max_contacts",    "min_expires", "max_expires",    "nonce_seconds",
                                          "first_answer_ms", "credentials", "public_address", "local_networks",
                                          "overload_status"};
    if (const auto* fields = table.fields())
        for (const auto& [key, ignored] : *fields)
            if (std::find(std::begin(known), std::end(known), key) == std::end(known)) wrong(key, "no such setting");
    return s;
}

/// The key of the nonces: kept, so that those of an earlier run still hold and a restart costs nobody a round trip.
std::string nonce_key(engine& core) {
    auto& store = core.storage();
    const auto table = store.open_table("sip");
    if (!table) throw std::runtime_error(table.error().text);
    if (auto kept = store.get(*table, "nonce_key")) return std::move(*kept);
    auto made = random_hex(32);
    auto kept = std::make_shared<std::promise<result<>>>();
    auto outcome = kept->get_future();
    store.write(store::batch().put(*table, "nonce_key", made), [kept](result<> done) { kept->set_value(std::move(done)); });
    if (outcome.wait_for(std::chrono::seconds(5)) != std::future_status::ready)
        log::warn("sip", "the key of the nonces is not on the disk yet");
    else if (const auto done = outcome.get(); !done)
        log::warn("sip", "the key of the nonces was not kept: {}", done.error().text);
    return made;
}

class sip_module final : public module {
public:
    explicit sip_module(module_context& ctx) : set_(read_settings(ctx)), host_(ctx) {
        if (!strowger_sip_support_start()) throw std::runtime_error("libsofia-sip-ua.so.0 cannot be kept in memory");
        trace_->set(set_.trace ? "on" : "off");
        ua_ = std::make_shared<user_agent>(host_, set_, nonce_key(ctx.core()), queue_, trace_);
        gate_->queue = queue_;
        gate_->ua = ua_;
        gate_->trunks = set_.trunks;
        ua_->set_door(gate_);
        std::promise<result<>> opened;
        auto outcome = opened.get_future();
        thread_ = ctx.start_thread("sip", [this, &opened] { live(opened); });
        if (const auto ok = outcome.get(); !ok) {
            thread_.join();
            throw std::runtime_error(fmt::format("{}: {}", ctx.where("listen"), ok.error().text));
        }
        try {
            ctx.add_driver(std::make_shared<driver>(gate_));
            add_commands(ctx);
        } catch (...) { // no destructor runs for a module that was not made
            end();
            throw;
        }
    }

    ~sip_module() override { end(); }
    void stop() override { end(); }

private:
    void live(std::promise<result<>>& opened) {
        // To refuse must go on when everything else is late. Linux takes 0 for this thread; it needs a right that may be missing.
        static_cast<void>(::setpriority(PRIO_PROCESS, 0, -5));
        auto ok = ua_->open();
        const bool good = ok.has_value();
        if (good) gate_->bound = ua_->stack().bound();
        opened.set_value(std::move(ok)); // from here on `opened` is gone
        if (good) ua_->run();
        ua_->close();
    }

    void end() {
        if (!thread_.joinable()) return;
        gate_->post([](user_agent& ua) { ua.shut_down(std::chrono::seconds(2)); });
        thread_.join();
        // The store may still hold completions of registrations: their code must not go before them. The last of them may be in
        // its destructor when it is no longer counted, hence the pause; the loader calls this where it may block.
        if (ua_->under_way() == 0) return;
        while (ua_->under_way() != 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }

    void add_commands(module_context& ctx) {
        command trace;
        trace.name = "sip trace";
        trace.usage = "on | off | ADDRESS | call CALL-ID";
        trace.summary = "Logs SIP messages: all, none, those of one address or of one call";
        trace.help = "Messages go to the log, without the digests of passwords; retransmissions are not shown. Example: sip "
                     "trace 192.0.2.7";
        trace.run = [filter = trace_](std::vector<std::string> arguments) { return run_trace(filter, std::move(arguments)); };
        ctx.add_command(std::move(trace));

        command show;
        show.name = "sip show";
        show.summary = "The SIP dialogs, and what the stack has counted";
        show.help = "One line for each dialog, with its state and where its requests go.";
        show.run = [gate = gate_, &control = ctx.core().control()](std::vector<std::string>) {
            return ask_stack(gate, control, show_dialogs);
        };
        ctx.add_command(std::move(show));

        command trunks;
        trunks.name = "trunk list";
        trunks.summary = "The trunks: whether they are registered, and how many calls they have";
        trunks.help =
            "One line for each [trunks.NAME]: registered, registering, unreachable or refused with the reason, or open when "
            "it needs no registration; the seconds until the next REGISTER; our address as it is seen there.";
        trunks.run = [gate = gate_, &control = ctx.core().control()](std::vector<std::string>) {
            return ask_stack(gate, control, list_trunks);
        };
        ctx.add_command(std::move(trunks));
    }

    static task<result<command_reply>> run_trace(std::shared_ptr<trace_filter> filter, std::vector<std::string> arguments) {
        std::string what;
        for (const auto& a : arguments) what += (what.empty() ? "" : " ") + a;
        const bool good =
            what == "on" || what == "off" || what.starts_with("call ") ||
            (arguments.size() == 1 &&
             is_numeric_address(what.substr(0, what.find(':', what.find(']') == std::string::npos ? 0 : what.find(']')))));
        if (!good) co_return fail("sip trace on | off | ADDRESS | call CALL-ID");
        filter->set(what);
        command_reply reply;
        reply.data["trace"] = what;
        reply.text = "SIP trace: " + what + "\n";
        co_return reply;
    }

    /// Runs on the SIP thread and waits for its reply.
    static task<result<command_reply>> ask_stack(std::shared_ptr<gate> to, worker& control,
                                                 command_reply (*question)(user_agent&)) {
        struct answer {
            signal came;
            bool done = false;
            command_reply reply;
        };
        const auto shared = std::make_shared<answer>();
        to->post([shared, &control, question](user_agent& ua) {
            control.post([shared, reply = question(ua)]() mutable {
                shared->reply = std::move(reply);
                shared->done = true;
                shared->came.notify();
            });
        });
        if (!shared->done) co_await wait_for(shared->came, std::chrono::seconds(2));
        if (!shared->done) co_return fail("the SIP thread does not answer");
        co_return std::move(shared->reply);
    }

    static command_reply show_dialogs(user_agent& ua) {
        command_reply reply;
        value::list lines;
        for (const auto& d : ua.dialogs()) {
            value line;
            line["call_id"] = d.call_id;
            line["local"] = d.local;
            line["remote"] = d.remote;
            line["state"] = d.phase;
            line["next_hop"] = d.flow;
            lines.push_back(std::move(line));
        }
        const auto f = ua.stack().load();
        reply.data["dialogs"] = std::move(lines);
        reply.data["requests"] = f.requests;
        reply.data["responses"] = f.responses;
        reply.data["bad_messages"] = f.bad;
        reply.data["refused"] = ua.refused_at_the_door();
        reply.data["sent"] = f.sent;
        reply.data["retransmitted"] = f.retransmitted;
        reply.data["server_transactions"] = static_cast<std::uint64_t>(f.servers);
        reply.data["client_transactions"] = static_cast<std::uint64_t>(f.clients);
        return reply;
    }

    static command_reply list_trunks(user_agent& ua) {
        value::list lines;
        for (const auto& t : ua.all_trunks().describe()) {
            value line;
            line["name"] = t.name;
            line["host"] = t.host;
            line["state"] = t.state;
            line["reason"] = t.reason;
            line["calls"] = static_cast<std::int64_t>(t.calls);
            line["max_calls"] = t.max_calls;
            line["next_register"] = t.seconds;
            line["seen_as"] = t.seen_as;
            lines.push_back(std::move(line));
        }
        return {std::move(lines), {}, {"name", "host", "state", "calls", "max_calls", "next_register", "seen_as", "reason"}};
    }

    settings set_;
    engine_host host_;
    std::shared_ptr<agent_queue> queue_ = std::make_shared<agent_queue>();
    std::shared_ptr<trace_filter> trace_ = std::make_shared<trace_filter>();
    std::shared_ptr<gate> gate_ = std::make_shared<gate>();
    std::shared_ptr<user_agent> ua_;
    std::thread thread_;
};

constexpr const char* pinned[] = {"libstrowger_sip_support.so", nullptr};

} // namespace
} // namespace strowger::sip

STROWGER_MODULE_WITH(strowger::sip::sip_module, "sip", "1.0", "SIP telephones by UDP and TCP", preview, nullptr,
                     strowger::sip::pinned, true)
