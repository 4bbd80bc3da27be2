// A core of a few lines for tests of the SIP driver: takes every call and notes what it is told; users, locations and clocks are
// real.
#pragma once
#include "channels/sip/line.hpp"
#include "channels/sip/support/support.hpp"
#include "channels/sip/user_agent.hpp"
#include "core/sdp/session.hpp"
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <thread>

namespace strowger::sip::test {

/// One leg as the core would have it. Its events come on the core's worker.
struct fake_leg final : leg_listener {
    std::unique_ptr<channel> line;
    std::shared_ptr<leg_mailbox> mailbox;
    incoming_call facts;
    std::vector<leg_event> events;
    std::function<void(fake_leg&, leg_event&)> on;
    void on_event(leg_event e) override {
        events.push_back(e);
        if (on) on(*this, e);
    }
};

class fake_core final : public host {
public:
    explicit fake_core(const std::filesystem::path& directory) {
        work.start();
        writer.start();
        auto opened = store::store::open(directory, writer);
        if (!opened) throw std::runtime_error(opened.error().text);
        kept = std::move(*opened);
        auto table = location_table::open(*kept, time);
        if (!table) throw std::runtime_error(table.error().text);
        locations = std::move(*table);
    }
    ~fake_core() override { stop(); }
    void stop() {
        if (thread.joinable()) {
            door->post([](user_agent& live) { live.shut_down(std::chrono::seconds(2)); });
            thread.join();
        }
        work.stop();
        ua.reset();
        locations.reset();
        kept.reset();
        writer.stop();
    }

    void start(settings set) {
        if (!strowger_sip_support_start()) throw std::runtime_error("no libsofia");
        ua = std::make_shared<user_agent>(*this, set, "key", queue, trace);
        door->queue = queue;
        door->ua = ua;
        ua->set_door(door);
        std::promise<result<>> opened;
        thread = std::thread([this, &opened] {
            auto ok = ua->open();
            const bool good = ok.has_value();
            if (good) door->bound = ua->stack().bound();
            opened.set_value(std::move(ok));
            if (good) ua->run();
            ua->close();
        });
        if (const auto ok = opened.get_future().get(); !ok) throw std::runtime_error(ok.error().text);
    }

    tl::expected<std::shared_ptr<leg_mailbox>, refusal> incoming(incoming_call what, std::unique_ptr<channel> line) override {
        auto mailbox = std::make_shared<leg_mailbox>(work);
        auto leg = std::make_shared<fake_leg>();
        leg->facts = std::move(what);
        leg->mailbox = mailbox;
        work.post([this, leg, made = std::shared_ptr<channel>(std::move(line))]() mutable {
            leg->line = std::make_unique<shared_line>(std::move(made));
            leg->mailbox->open(*leg);
            legs.push_back(leg);
            if (on_call) on_call(leg);
        });
        return mailbox;
    }
    std::shared_ptr<fake_leg> originate(outgoing_call what) { // on the worker
        auto leg = std::make_shared<fake_leg>();
        leg->mailbox = std::make_shared<leg_mailbox>(work);
        leg->mailbox->open(*leg);
        auto made = driver(door).originate(std::move(what), leg->mailbox);
        if (!made) return nullptr;
        leg->line = std::move(*made);
        legs.push_back(leg);
        return leg;
    }
    std::optional<refusal> would_refuse(std::string_view) override {
        return refusing ? std::optional(refusal{hangup_cause::congestion, 7, "full"}) : std::nullopt;
    }
    bool is_emergency(std::string_view number) override { return number == "112"; }
    user_secret secret_of(std::string_view user) override {
        user_secret s;
        if (const auto it = passwords.find(user); it != passwords.end()) s.password = it->second;
        return s;
    }
    void apply(std::string user, std::vector<binding_change> changes, location_table::registered done) override {
        locations->apply(std::move(user), "sip", std::move(changes), std::move(done));
    }
    void remove_all(std::string user, std::string call_id, std::uint32_t cseq, location_table::registered done) override {
        locations->remove_all(std::move(user), "sip", std::move(call_id), cseq, std::move(done));
    }
    std::vector<binding> bindings() override { return locations->all(); }
    instant now() const override { return time.now(); }
    wall_time wall() const override { return time.wall(); }

    /// Runs on the worker and waits.
    template <class F> auto ask(F question) {
        std::promise<decltype(question())> answer;
        work.post([&] { answer.set_value(question()); });
        return answer.get_future().get();
    }

    real_clock time;
    worker work{"core", time}, writer{"writer", time};
    std::unique_ptr<store::store> kept;
    std::unique_ptr<location_table> locations;
    std::map<std::string, std::string, std::less<>> passwords;
    std::atomic<bool> refusing{false};
    std::vector<std::shared_ptr<fake_leg>> legs; // on the worker
    std::function<void(std::shared_ptr<fake_leg>)> on_call;
    std::shared_ptr<agent_queue> queue = std::make_shared<agent_queue>();
    std::shared_ptr<trace_filter> trace = std::make_shared<trace_filter>();
    std::shared_ptr<gate> door = std::make_shared<gate>();
    std::shared_ptr<user_agent> ua;
    std::thread thread;

private:
    struct shared_line final : channel { // a job must not be copied, a test's lambda may
        explicit shared_line(std::shared_ptr<channel> c) : to(std::move(c)) {}
        void ring() override { to->ring(); }
        void progress(media_description m) override { to->progress(std::move(m)); }
        void answer(media_description m) override { to->answer(std::move(m)); }
        void offer(std::uint64_t id, media_description m) override { to->offer(id, std::move(m)); }
        void accept(std::uint64_t id, media_description m) override { to->accept(id, std::move(m)); }
        void refuse(std::uint64_t id, hangup_cause why) override { to->refuse(id, why); }
        void send_digit(char key) override { to->send_digit(key); }
        void identity(party who) override { to->identity(std::move(who)); }
        void transfer_result(std::uint64_t id, std::optional<hangup_cause> failed) override { to->transfer_result(id, failed); }
        void hang_up(hangup_cause why) noexcept override { to->hang_up(why); }
        std::shared_ptr<channel> to;
    };
};

/// Capabilities of a fake phone in the core: PCMU on that port.
inline sdp::audio_capabilities pcmu(std::string address = "127.0.0.1", std::uint16_t port = 40000) {
    sdp::audio_capabilities c;
    c.address = std::move(address);
    c.rtp_port = port;
    c.codecs = {{"PCMU", 0, 8000, 1, ""}, {"PCMA", 8, 8000, 1, ""}};
    return c;
}

} // namespace strowger::sip::test
