// A module of which only one generation can run, with a thread of its own, and a stop() that takes a while.
#include "core/modules/module.hpp"
#include <condition_variable>
#include <mutex>
#include <stdexcept>

namespace {
class hermit_module final : public strowger::module {
public:
    explicit hermit_module(strowger::module_context& context) {
#ifdef HERMIT_THROWS
        throw std::runtime_error("the constructor is told to fail");
#endif
        strowger::command c;
        c.name = "hermit version";
        c.run = version;
        context.add_command(std::move(c));
        thread_ = context.start_thread("hermit", [this] {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return leaving_; });
        });
    }
    ~hermit_module() override { hermit_module::stop(); }
    void stop() override {
        {
            const std::lock_guard lock(mutex_);
            leaving_ = true;
        }
        changed_.notify_all();
        if (thread_.joinable()) thread_.join();
    }

private:
    static strowger::task<strowger::result<strowger::command_reply>> version(std::vector<std::string>) {
        strowger::command_reply reply;
        reply.text = HERMIT_VERSION;
        co_return reply;
    }
    std::mutex mutex_;
    std::condition_variable changed_;
    bool leaving_ = false;
    std::thread thread_;
};
} // namespace
STROWGER_MODULE_WITH(hermit_module, "hermit", HERMIT_VERSION, "Lives alone", experimental, nullptr, nullptr, true)
