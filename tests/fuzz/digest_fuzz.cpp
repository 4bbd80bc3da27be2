// Any Authorization header is read without a fault and means the same when written again; any challenge that we can answer gets
// an answer that says what was asked.
#include "channels/sip/digest.hpp"
#include "channels/sip/text.hpp"
#include <cstdlib>
#include <fmt/format.h>

namespace {

using namespace strowger::sip;

void require(bool holds) {
    if (!holds) std::abort();
}

/// As a quoted-string (RFC 3261 §25.1); notes in `longest` how long it is.
std::string quoted(const std::string& text, std::size_t& longest) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    longest = std::max(longest, out.size());
    return out + '"';
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto c = parse_credentials(text)) {
        std::size_t longest = 0;
        const auto q = [&longest](const std::string& part) { return quoted(part, longest); };
        const auto written = fmt::format(
            "Digest username={}, realm={}, nonce={}, uri={}, response={}, algorithm={}, cnonce={}, qop={}, opaque={}, nc={:08x}",
            q(c->username), q(c->realm), q(c->nonce), q(c->uri), q(c->response), q(c->algorithm), q(c->cnonce), q(c->qop),
            q(c->opaque), c->nc);
        if (longest <= 512 && written.size() <= 4096) {
            const auto again = parse_credentials(written);
            require(again && again->username == c->username && again->realm == c->realm && again->nonce == c->nonce);
            require(again->uri == c->uri && again->response == c->response && again->algorithm == c->algorithm);
            require(again->cnonce == c->cnonce && again->qop == c->qop && again->opaque == c->opaque && again->nc == c->nc);
        }
        static nonce_book book("a key that nobody knows");
        require(book.use(c->nonce, c->nc, 1'000'000) == nonce_book::verdict::foreign);
    }
    const auto challenge = parse_challenge(text);
    const auto answer = answer_challenge(text, "alice", "secret", "REGISTER", "sip:example.org", "abcd", 7);
    require(answer.has_value() == challenge.has_value());
    if (!answer || !challenge->qop || answer->size() > 4096 || clean(text) != text) return 0;
    std::size_t longest = 0;
    for (const auto& part : {challenge->realm, challenge->nonce, challenge->opaque}) quoted(part, longest);
    if (longest > 512) return 0;
    const auto read = parse_credentials(*answer);
    require(read && read->username == "alice" && read->uri == "sip:example.org" && read->cnonce == "abcd" && read->nc == 7);
    require(read->realm == challenge->realm && read->nonce == challenge->nonce && read->opaque == challenge->opaque);
    return 0;
}
