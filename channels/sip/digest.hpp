// Digest authentication (RFC 2617, RFC 7616): the server's side with nonces that need no memory but the key, and the client's
// answer.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct evp_mac_ctx_st; // OpenSSL

namespace strowger::sip {

enum class digest_algorithm { md5, sha256 };

/// What an Authorization or Proxy-Authorization header holds.
struct digest_credentials {
    std::string username, realm, nonce, uri, response, algorithm, cnonce, qop, opaque;
    std::uint32_t nc = 0;
};
/// Nothing for another scheme, a repeated or overlong parameter, or a missing one; `nc` must have its 8 hexadecimal digits.
std::optional<digest_credentials> parse_credentials(std::string_view header);

/// Lower-case hexadecimal hash of a text.
std::string hash_hex(digest_algorithm a, std::string_view text);
/// `request-digest` for qop=auth, or of RFC 2069 when `qop` is empty.
std::string digest_response(digest_algorithm a, std::string_view username, std::string_view realm, std::string_view password,
                            std::string_view method, std::string_view uri, std::string_view nonce, std::string_view nc,
                            std::string_view cnonce, std::string_view qop);

/// The same from the hash of `username:realm:password`, which is all that a server has to keep.
std::string digest_response(digest_algorithm a, std::string_view ha1, std::string_view method, std::string_view uri,
                            std::string_view nonce, std::string_view nc, std::string_view cnonce, std::string_view qop);

/// What a WWW-Authenticate or Proxy-Authenticate header asks for.
struct digest_challenge {
    std::string realm, nonce, algorithm, opaque;
    bool qop = false;   ///< qop=auth is wanted, not the form of RFC 2069
    bool stale = false; ///< the password was right, only the nonce too old
};
/// Nothing when it asks for what we do not know (auth-int alone, another algorithm).
std::optional<digest_challenge> parse_challenge(std::string_view header);

/// The credentials header for a challenge, as a client. Nothing when the challenge asks for what we do not know (auth-int alone,
/// another algorithm). `cnonce` is unguessable text of the caller's; `nc` counts the uses of this nonce.
std::optional<std::string> answer_challenge(std::string_view challenge, std::string_view username, std::string_view password,
                                            std::string_view method, std::string_view uri, std::string_view cnonce,
                                            std::uint32_t nc = 1);

/// Makes and checks nonces: moment, random part and a MAC of both, so that those of an earlier run still hold.
class nonce_book {
public:
    /// `key` is kept over restarts; `seconds` is how long a nonce may be used.
    explicit nonce_book(std::string key, std::uint32_t seconds = 300);
    /// `now`: wall time in seconds.
    std::string make(std::int64_t now);
    enum class verdict { good, stale, foreign, replayed };
    /// `good` notes the count as used. A count may be skipped and may come late, but only once.
    verdict use(std::string_view nonce, std::uint32_t nc, std::int64_t now);
    /// The same without noting anything.
    verdict check(std::string_view nonce, std::int64_t now) const;

private:
    struct used {
        std::uint32_t highest = 0;
        std::uint64_t window = 0; ///< bit i: highest - i was used
        std::int64_t made = 0;
    };
    struct freed {
        void operator()(evp_mac_ctx_st* c) const noexcept;
    };
    std::string mac(std::string_view body) const;
    std::unique_ptr<evp_mac_ctx_st, freed> keyed_; ///< made once: for OpenSSL to find an algorithm takes longer than to run it
    std::uint32_t lifetime_;
    std::map<std::string, used, std::less<>> used_;
};

/// Compares without telling by its duration where the difference is.
bool equal_secret(std::string_view a, std::string_view b) noexcept;

/// Who guesses passwords is stopped for a growing time. By source address.
class guess_limit {
public:
    /// Seconds that this source has still to wait; 0: go on.
    std::uint32_t blocked_for(std::string_view source, std::int64_t now) const;
    void wrong(std::string_view source, std::int64_t now);
    void right(std::string_view source);

private:
    struct record {
        unsigned count = 0;       ///< wrong ones within the minute
        std::int64_t since = 0;
        unsigned blocks = 0;
        std::int64_t until = 0;
    };
    void forget_old(std::int64_t now);
    std::map<std::string, record, std::less<>> sources_;
};

} // namespace strowger::sip
