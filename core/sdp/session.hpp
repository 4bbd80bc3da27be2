// Our side of the offers and answers of one dialog (RFC 3264), as a plain value.
#pragma once
#include "core/sdp/audio.hpp"
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace strowger::sdp {

/// Our answer to an offer, and what was agreed with it.
struct answered {
    description answer;
    agreed_audio audio;
};

/// Keeps what RFC 3264 §8 asks for: a fixed o= line whose version grows by one when the body changes and only then, m-lines
/// that keep their number and order, and payload types that keep their meaning. What fails changes nothing. A copy is a fork:
/// one for each early dialog. It compares addresses and codecs; it opens no socket and knows no SIP.
class session {
public:
    /// A session with an unguessable id that also fits the phones that keep it in 31 bits.
    session();
    explicit session(std::uint64_t session_id) : id_(session_id) {}

    /// The first offer, or a new one. Always of all `caps` (RFC 3261 §14.1); other streams than the audio stay refused. Repeating
    /// it, with or without an answer between, gives the same bytes while nothing changed. The offer then waits for
    /// `accept_answer` or `offer_refused`.
    description make_offer(const audio_capabilities& caps);

    /// The answer to our last offer. May come again: the answer of a 18x in its 2xx, also a different one. After a failure the
    /// offer still waits.
    negotiated<agreed_audio> accept_answer(const description& answer);

    /// Our offer was refused or given up: what was agreed before holds on (RFC 3261 §14.1). Its version stays used.
    void offer_refused();

    /// Answers with the first audio stream that we can speak and refuses all others with port 0. An unchanged offer gets an
    /// unchanged answer, byte for byte, as long as our address, ports and direction are the same.
    negotiated<answered> answer(const description& offer, const audio_capabilities& caps);

    bool offer_pending() const { return pending_; }
    /// The descriptions in force, null before the first agreement.
    const description* local() const { return local_ ? &*local_ : nullptr; }
    const description* remote() const { return remote_ ? &*remote_ : nullptr; }
    /// What is in force, worked out again from both descriptions; fails before the first agreement.
    negotiated<agreed_audio> agreed() const;

    /// All of it as text, for keeping dialogs elsewhere, and back. `from_text` checks what it reads.
    std::string to_text() const;
    static result<session> from_text(std::string_view text);

    bool operator==(const session&) const = default;

private:
    /// Everything above the first m= line. The origin's address stays when c= moves.
    description frame(const audio_capabilities& caps) const;
    /// Gives the body its version: that of the last one sent if it says the same, else one more.
    description stamped(description body) const;

    std::uint64_t id_;
    std::optional<description> sent_;   ///< The last that we sent, agreed or not: versions count from here.
    std::optional<description> local_;  ///< Ours in force.
    std::optional<description> remote_; ///< Theirs in force; there is one when there is `local_`, and they agree.
    bool pending_ = false;              ///< `sent_` is an offer without an answer.
    bool offered_last_ = false;         ///< The agreement in force came from our offer.
};

} // namespace strowger::sdp
