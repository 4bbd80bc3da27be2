#include "core/async/together.hpp"
#include <memory>

namespace strowger {
namespace {

/// One of several tasks that run side by side.
struct branch {
    explicit branch(worker& home) : stack(home) {}
    flow stack;
    bool done = false;
};

std::vector<std::unique_ptr<branch>> start_all(worker& home, std::vector<task<void>>& tasks, signal& changed) {
    std::vector<std::unique_ptr<branch>> branches;
    branches.reserve(tasks.size());
    for (auto& t : tasks) {
        branches.push_back(std::make_unique<branch>(home));
        auto* b = branches.back().get();
        b->stack.start(std::move(t), [b, &changed] {
            b->done = true;
            changed.notify();
        });
    }
    return branches;
}

} // namespace

task<std::size_t> first_of(std::vector<task<void>> tasks) {
    flow& self = co_await this_flow();
    signal changed;
    auto branches = start_all(self.home(), tasks, changed);
    for (;;) {
        for (std::size_t i = 0; i < branches.size(); ++i) {
            if (!branches[i]->done) continue;
            if (auto failed = branches[i]->stack.error()) std::rethrow_exception(failed);
            co_return i;
        }
        co_await wait_for(changed);
    }
}

task<void> all_of(std::vector<task<void>> tasks) {
    flow& self = co_await this_flow();
    signal changed;
    auto branches = start_all(self.home(), tasks, changed);
    for (;;) {
        bool all = true;
        for (auto& b : branches) {
            if (!b->done) all = false;
            else if (auto failed = b->stack.error()) std::rethrow_exception(failed);
        }
        if (all) co_return;
        co_await wait_for(changed);
    }
}

task<bool> with_deadline(task<void> work, duration at_most) {
    flow& self = co_await this_flow();
    signal changed;
    std::vector<task<void>> one;
    one.push_back(std::move(work));
    auto branches = start_all(self.home(), one, changed);
    const auto deadline = self.home().now() + at_most;
    while (!branches.front()->done)
        if (!co_await wait_until(changed, deadline)) co_return false;
    if (auto failed = branches.front()->stack.error()) std::rethrow_exception(failed);
    co_return true;
}

} // namespace strowger
