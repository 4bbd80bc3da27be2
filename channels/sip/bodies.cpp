#include "channels/sip/bodies.hpp"
#include "channels/sip/text.hpp"

namespace strowger::sip {
namespace {

/// The part of that type in a multipart body, or nothing.
std::optional<std::string> part(std::string_view body, std::string_view boundary, std::string_view type) {
    const auto mark = "--" + std::string(boundary);
    for (auto at = body.find(mark); at != std::string_view::npos;) {
        const auto begin = at + mark.size();
        const auto end = body.find(mark, begin);
        if (end == std::string_view::npos) return std::nullopt;
        const auto whole = body.substr(begin, end - begin);
        at = end;
        auto gap = whole.find("\r\n\r\n");
        std::size_t gap_size = 4;
        if (gap == std::string_view::npos) {
            gap = whole.find("\n\n");
            gap_size = 2;
        }
        if (gap == std::string_view::npos) continue;
        for (auto head = whole.substr(0, gap); !head.empty();) {
            const auto stop = std::min(head.find('\n'), head.size());
            const auto one = head.substr(0, stop);
            head.remove_prefix(std::min(stop + 1, head.size()));
            const auto colon = one.find(':');
            if (colon == std::string_view::npos || !same_text(trim(one.substr(0, colon)), "Content-Type")) continue;
            const auto value = one.substr(colon + 1);
            if (same_text(trim(value.substr(0, value.find(';'))), type)) return std::string(whole.substr(gap + gap_size));
        }
    }
    return std::nullopt;
}

} // namespace

result<std::string> sdp_of(const message& m) {
    if (m.body.empty()) return std::string();
    const auto type = m.content_type();
    if (type == "application/sdp") return m.body;
    if (type == "multipart/mixed") {
        const auto header = m.get("Content-Type");
        const auto semicolon = header.find(';');
        const auto use =
            semicolon == std::string::npos ? std::nullopt : param(std::string_view(header).substr(semicolon + 1), "boundary");
        if (use && !use->empty() && use->size() <= 70)
            if (auto text = part(m.body, *use, "application/sdp")) return std::move(*text);
        return fail("no application/sdp in the multipart body");
    }
    return fail("a body of type \"{}\", which is not understood", clean(type));
}

std::optional<char> key_of_info(const message& m) {
    std::string_view text = m.body;
    if (m.content_type() == "application/dtmf-relay") {
        const auto signal = text.find("Signal");
        if (signal == std::string_view::npos) return std::nullopt;
        text.remove_prefix(signal + 6);
        text = trim(text);
        if (!text.starts_with('=')) return std::nullopt;
        text = trim(text.substr(1));
    } else {
        text = trim(text);
    }
    constexpr std::string_view keys = "0123456789*#ABCD";
    if (text.starts_with("10") || text.starts_with("11")) return text[1] == '0' ? '*' : '#'; // by event number
    if (text.empty() || keys.find(text.front()) == std::string_view::npos) return std::nullopt;
    return text.front();
}

} // namespace strowger::sip
