// Asking another worker for a value, and waiting for the answer.
#pragma once
#include "core/async/signal.hpp"
#include <functional>
#include <memory>
#include <optional>

namespace strowger {

/// Runs `question` on `where` and gives back what it returned. The question outlives a flow that ends meanwhile, so it takes
/// values. A worker that never runs never answers.
template <class T> task<T> ask(worker& where, std::function<T()> question) {
    struct reply {
        worker* home;
        signal came;
        std::optional<T> answer;
    };
    flow& self = co_await this_flow();
    auto shared = std::make_shared<reply>();
    shared->home = &self.home();
    where.post([shared, question = std::move(question)]() mutable {
        auto answer = question();
        shared->home->post([shared, answer = std::move(answer)]() mutable {
            shared->answer.emplace(std::move(answer));
            shared->came.notify();
        });
    });
    while (!shared->answer) co_await wait_for(shared->came);
    co_return std::move(*shared->answer);
}

} // namespace strowger
