#include "core/media/service.hpp"
#include "core/base/log.hpp"
#include "core/media/media_thread_impl.hpp"
#include <algorithm>
#include <sys/resource.h>

namespace strowger::media {

media_thread::~media_thread() = default;

media_service::media_service(const clock& time, service_options options)
    : impl_(new impl{
          time, options, std::make_shared<port_pool>(time, options.first_port, options.last_port, options.port_rest), {}}) {
    for (int i = 0; i < std::max(options.threads, 1); ++i)
        impl_->threads.push_back(std::make_unique<media_thread_impl>(fmt::format("media {}", i), time));
}

media_service::~media_service() { stop(); }

void media_service::start() {
    for (auto& t : impl_->threads) {
        t->home().start();
        // Linux takes 0 for the calling thread. Without the right to it, the threads keep their ordinary priority.
        t->home().post([] {
            if (::setpriority(PRIO_PROCESS, 0, -10) != 0)
                log::debug("media", "no permission to raise the priority of a media thread");
        });
    }
}

void media_service::stop() {
    for (auto& t : impl_->threads) t->home().stop();
}

std::size_t media_service::size() const noexcept { return impl_->threads.size(); }
media_thread& media_service::thread(std::size_t index) noexcept { return *impl_->threads[index]; }

std::vector<worker*> media_service::workers() {
    std::vector<worker*> all;
    for (auto& t : impl_->threads) all.push_back(&t->home());
    return all;
}

media_service::port_figures media_service::ports() const {
    const auto f = impl_->ports->now();
    return {f.in_use, f.at_rest, f.total, f.usable};
}

bool media_service::exhausted() const noexcept { return impl_->ports->exhausted(); }
void media_service::keep_spare_sockets() { impl_->ports->keep_spare_sockets(); }

} // namespace strowger::media
