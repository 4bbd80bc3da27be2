#include "core/sdp/matching.hpp"
#include "core/sdp/session.hpp"
#include "core/sdp/text.hpp"
#include <fmt/format.h>

namespace strowger::sdp {
namespace {

constexpr std::string_view heading = "sdp-session 1";

/// Takes a line "name value" off the front; none when it is another line.
std::optional<std::string_view> take_field(std::string_view& text, std::string_view name) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    auto line = text.substr(0, end);
    if (next_word(line) != name) return std::nullopt;
    text.remove_prefix(end + 1);
    return trimmed(line);
}

void put(std::string& out, std::string_view name, const std::optional<description>& d) {
    if (!d) return;
    const auto body = write(*d);
    out += fmt::format("{} {}\n{}", name, body.size(), body);
}

/// A field that counts the bytes of the description behind it; none when the field is not there.
result<std::optional<description>> take_description(std::string_view& text, std::string_view name) {
    const auto field = take_field(text, name);
    if (!field) return std::optional<description>();
    const auto size = number<std::size_t>(*field);
    if (!size || *size > text.size()) return fail("kept SDP session: the size of '{}' is not right", name);
    auto d = parse(text.substr(0, *size));
    if (!d) return fail("kept SDP session, '{}': {}", name, d.error().text);
    text.remove_prefix(*size);
    return std::optional<description>(std::move(*d));
}

} // namespace

std::string session::to_text() const {
    auto out = fmt::format("{}\nid {}\npending {:d}\noffered-last {:d}\n", heading, id_, pending_, offered_last_);
    put(out, "sent", sent_);
    put(out, "local", local_);
    put(out, "remote", remote_);
    return out;
}

result<session> session::from_text(std::string_view text) {
    if (take_field(text, "sdp-session") != "1") return fail("kept SDP session: does not begin with '{}'", heading);
    const auto id = number<std::uint64_t>(take_field(text, "id").value_or(""));
    const auto pending = take_field(text, "pending"), offered_last = take_field(text, "offered-last");
    const auto is_flag = [](const auto& field) { return field == "0" || field == "1"; };
    if (!id || !is_flag(pending) || !is_flag(offered_last)) return fail("kept SDP session: a field is missing or unreadable");
    auto sent = take_description(text, "sent");
    if (!sent) return fail(sent);
    auto local = take_description(text, "local");
    if (!local) return fail(local);
    auto remote = take_description(text, "remote");
    if (!remote) return fail(remote);
    if (!text.empty()) return fail("kept SDP session: has {} bytes too many", text.size());

    session s(*id);
    s.sent_ = std::move(*sent);
    s.local_ = std::move(*local);
    s.remote_ = std::move(*remote);
    s.pending_ = pending == "1";
    s.offered_last_ = offered_last == "1";
    const bool in_force = s.local_ && s.remote_;
    if (s.local_.has_value() != s.remote_.has_value() || ((s.pending_ || in_force) && !s.sent_) || (s.offered_last_ && !in_force))
        return fail("kept SDP session: a description is missing");
    if (in_force && !s.agreed()) return fail("kept SDP session: {}", s.agreed().error().text);
    return s;
}

} // namespace strowger::sdp
