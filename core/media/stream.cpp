// The call's handle of a stream: every command is a job for its media thread.
#include "core/media/stream.hpp"
#include "core/media/stream_core.hpp"

namespace strowger::media {

stream::stream(std::shared_ptr<stream_core> core) noexcept : core_(std::move(core)) {
    core_->post([c = core_.get()] { c->open(); });
}

stream::~stream() {
    core_->post([c = core_.get()] { c->close(); });
}

result<std::unique_ptr<stream>> stream::open_rtp(media_service& service, media_thread& home, const std::string& local_address,
                                                 std::shared_ptr<leg_mailbox> events, std::string call_id, bool help) {
    auto ports = service.inside().ports->open(local_address, help ? urgency::emergency : urgency::ordinary);
    if (!ports) return fail(ports);
    return std::make_unique<stream>(std::make_shared<stream_core>(static_cast<media_thread_impl&>(home), std::move(*ports),
                                                                  nullptr, std::move(events), std::move(call_id), local_address));
}

std::unique_ptr<stream> stream::open_pipe(media_service&, media_thread& home, std::shared_ptr<frame_pipe> pipe,
                                          std::shared_ptr<leg_mailbox> events, std::string call_id) {
    return std::make_unique<stream>(std::make_shared<stream_core>(static_cast<media_thread_impl&>(home), port_pair(),
                                                                  std::move(pipe), std::move(events), std::move(call_id),
                                                                  std::string()));
}

bool stream::is_rtp() const noexcept { return core_->is_rtp; }
const std::string& stream::local_address() const noexcept { return core_->local_address; }
std::uint16_t stream::rtp_port() const noexcept { return core_->rtp_port; }
std::uint16_t stream::rtcp_port() const noexcept { return static_cast<std::uint16_t>(core_->is_rtp ? core_->rtp_port + 1 : 0); }
media_thread& stream::home() const noexcept { return *core_->handle_home; }

void stream::configure(const sdp::agreed_audio& agreed, const source_policy& from) {
    core_->post([c = core_.get(), agreed, from] { c->configure(agreed, from); });
}

void stream::set_silence_limit(duration limit) {
    core_->post([c = core_.get(), limit] { c->set_silence_limit(limit); });
}

void stream::play(std::uint64_t id, std::vector<play_item> items, int times) {
    core_->post([c = core_.get(), id, items = std::move(items), times]() mutable { c->play(id, std::move(items), times); });
}

void stream::stop_playing() {
    core_->post([c = core_.get()] { c->stop_playing(); });
}

void stream::send_digits(std::uint64_t id, std::string digits) {
    core_->post([c = core_.get(), id, digits = std::move(digits)]() mutable { c->send_digits(id, std::move(digits)); });
}

// Both sides are told in their own order of commands; the connection stands when the second one knows.
static void connect(const std::shared_ptr<stream_core>& hearer, const std::shared_ptr<stream_core>& heard, bool both) {
    auto c = std::make_shared<stream_core::connection>();
    c->hearer = hearer.get();
    c->heard = heard.get();
    c->both = both;
    hearer->post([to = hearer.get(), c] { to->connect(c); });
    heard->post([to = heard.get(), c] { to->connect(c); });
}

void stream::join(stream& other) { connect(core_, other.core_, true); }
void stream::listen_to(stream& other) { connect(core_, other.core_, false); }
void stream::part() {
    core_->post([c = core_.get()] { c->part(); });
}

void stream::request_figures() {
    core_->post([c = core_.get()] { c->report_figures(); });
}

void stream::tell_figures(std::function<void(media_figures)> to) {
    core_->post([c = core_.get(), to = std::move(to)] { to(c->figures()); });
}

void stream::move_to(media_thread& other) {
    auto& to = static_cast<media_thread_impl&>(other);
    if (&to == core_->handle_home) return;
    core_->handle_home = &to;
    core_->post([c = core_.get(), &to] { c->depart(to); });
}

std::vector<sdp::codec> our_codecs() {
    return {{"PCMA", 8, 8000, 1, ""}, {"PCMU", 0, 8000, 1, ""}};
}

} // namespace strowger::media
