#include "channels/sip/sent_acks.hpp"
#include <chrono>
#include <fmt/format.h>

namespace strowger::sip {
namespace {

std::string invite_of(const message& success) {
    return fmt::format("{}\n{}\n{}", success.call_id, success.from_tag, success.cseq);
}

} // namespace

void sent_acks::keep(const message& success, request ack, instant now) {
    forget_old(now);
    auto invite = invite_of(success);
    by_invite_[invite].insert_or_assign(success.to_tag, std::move(ack));
    ages_.emplace_back(now, std::move(invite));
}

const request* sent_acks::find(const message& success) const {
    const auto invite = by_invite_.find(invite_of(success));
    if (invite == by_invite_.end()) return nullptr;
    const auto ack = invite->second.find(success.to_tag);
    return ack == invite->second.end() ? nullptr : &ack->second;
}

bool sent_acks::knows_invite(const message& success) const { return by_invite_.contains(invite_of(success)); }

void sent_acks::forget_old(instant now) {
    constexpr auto t1_64 = std::chrono::seconds(32);
    for (; !ages_.empty() && now - ages_.front().first > t1_64; ages_.pop_front()) by_invite_.erase(ages_.front().second);
}

} // namespace strowger::sip
