// One call of ours by SIP, on the SIP thread: its dialog, its transactions, and how they become events and come from commands.
#pragma once
#include "channels/sip/agent.hpp"
#include "channels/sip/dialog_state.hpp"
#include "channels/sip/host.hpp"
#include "channels/sip/session_timer.hpp"
#include "core/channel/channel.hpp"
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

namespace strowger::sip {

class trunk;
class user_agent;
using dialog_id = std::uint64_t;

/// Commands that come when what they were meant for has gone are dropped; the event that says so is on its way already.
class dialog final : public std::enable_shared_from_this<dialog> {
public:
    dialog(user_agent& owner, dialog_id id) : ua_(owner), id_(id) {}

    // inbound.cpp
    /// A checked INVITE of an authenticated user, or of a trunk; answered 100 already.
    void start_inbound(transaction_id invite, const message& m, std::string user, trunk* from = nullptr);
    void ring();
    void progress(const media_description& media);
    void answer(const media_description& media);

    // outbound.cpp
    void start_outbound(outgoing_call call, std::shared_ptr<leg_mailbox> events);

    /// Another fork of an INVITE of ours has answered too: acknowledges it and hangs up (§13.2.2.4), in a dialog made for that.
    void end_fork(const message& success);
    /// Waits for the answer to this INVITE: its 2xx is not of another fork.
    bool awaits(transaction_id t) const noexcept { return t != 0 && (t == invite_ || t == our_invite_); }

    // in_dialog.cpp
    void offer(std::uint64_t id, const media_description& media);
    void accept(std::uint64_t id, const media_description& media);
    void refuse(std::uint64_t id, hangup_cause why);
    void send_digit(char key);
    void identity(party who);
    void hang_up(hangup_cause why);
    void on_request(transaction_id t, const message& m);
    void on_ack(transaction_id t, const message& m);
    void on_cancel(transaction_id t, const message& m);
    void on_unacknowledged(transaction_id t);
    void on_response(transaction_id t, const message& m);

    // refer.cpp
    void transfer_result(std::uint64_t id, std::optional<hangup_cause> failed);
    /// Nobody will tell any more how transfers went.
    void channel_gone();

    dialog_id id() const noexcept { return id_; }
    const dialog_state& state() const noexcept { return state_; }
    bool over() const noexcept { return phase_ == phase::over; }
    std::string phase_name() const;
    /// Our tag and Call-ID are this request's, and their tag too, once it is known.
    bool owns(const message& m) const;

private:
    enum class phase { incoming, outgoing, confirming, up, ending, over };
    struct transfer {
        std::uint64_t id;
        std::string event;   ///< the Event header of its NOTIFYs
        bool silent = false; ///< norefersub
    };

    /// A request that may be challenged, and how it was answered, by realm.
    struct sent_request {
        struct answer {
            std::string header, value, nonce;
            int tries = 0;
        };
        request what;
        std::map<std::string, answer> answers;
    };

    void tell(leg_event e);
    /// The last event of the channel; the dialog may go on to finish its transactions.
    void tell_ended(hangup_cause cause, std::string detail) { tell_ended(event::ended{cause, std::move(detail)}); }
    void tell_ended(event::ended how);
    void save();
    /// Takes what refreshes the target (§12.2.1.2).
    void refresh_target(const message& m);
    media_description media(sdp::description d) const;
    /// Their SDP; empty when there is none.
    result<media_description> media_in(const message& m) const;
    header_list own_headers() const;
    request in_dialog(std::string method);
    /// Their SDP as text, with our public address where theirs is not reached by our own.
    std::string sdp_text(sdp::description d) const;
    // session_timer.cpp
    /// False when the request's time is too short, which has been said with 422.
    bool takes_session_terms(transaction_id t, const message& m);
    /// What was asked for holds from now on; for the 2xx.
    header_list agree_on_session();
    void session_of_success(const message& m);
    void start_session_timer();
    void refresh_after(duration delay);
    void refresh_session();
    void on_refresh_response(const message& m);
    // trunk_call.cpp
    void belong_to(trunk& t);
    void describe_trunk_call(incoming_call& call, const message& m) const;
    /// Turns a number at a trunk into an address; false when it is refused, which has been told.
    bool route_by_trunk(outgoing_call& call);
    /// Who we are towards the trunk: From and, for one that believes us, P-Asserted-Identity.
    void introduce_caller(const outgoing_call& call, header_list& headers);
    /// Our contact towards a peer: host and port.
    std::string contact_host(std::string_view peer) const;
    // challenge.cpp
    const credentials* credentials_for(std::string_view realm) const;
    transaction_id send(request r);
    transaction_id send(sent_request r);
    /// Sends the request again with credentials; false when there are none, or they were refused.
    bool answer_challenges(transaction_id t, const message& m);

    void send_ack(const message& success);
    void await_first_answer();
    void refused(const message& m);
    /// The Contacts of a 3xx, best first.
    std::vector<std::string> forwarded_to(const message& m) const;
    void cancel_invite(header_list headers);
    void send_bye(hangup_cause why);
    void refuse_pending();
    void finish();

    void on_reinvite(transaction_id t, const message& m);
    void on_bye(transaction_id t, const message& m);
    void on_info(transaction_id t, const message& m);
    void on_refer(transaction_id t, const message& m);
    void on_invite_response(const message& m);
    void on_invite_success(const message& m);
    void on_reinvite_response(const message& m);
    void send_offer();
    void retry_offer();
    void notify(const transfer& which, int status, bool last);
    void reply(transaction_id t, int status, header_list headers = {}, std::string sdp = {});
    void reply_invite(int status, bool with_sdp, const media_description& media);
    void stop_timer(std::uint64_t& timer);

    user_agent& ua_;
    const dialog_id id_;
    dialog_state state_;
    trunk* trunk_ = nullptr;
    std::shared_ptr<const int> counted_;   ///< among the trunk's calls
    std::vector<credentials> credentials_; ///< those of the trunk
    phase phase_ = phase::incoming;
    std::shared_ptr<leg_mailbox> events_;
    bool told_ended_ = false;
    std::string source_address_;
    bool behind_nat_ = false;
    std::uint64_t last_offer_ = 0;
    bool with_telephone_ = false;          ///< of a user of ours, who may know whom he talks with
    party connected_;                      ///< whom the core has connected it with

    transaction_id invite_ = 0;            ///< the INVITE that made the dialog, until its final answer
    std::optional<hangup_cause> hang_up_later_; ///< wanted between our 2xx and its ACK
    bool we_offered_ = false;              ///< our 2xx carried the offer: the ACK brings the answer

    // The caller's side.
    std::uint32_t invite_cseq_ = 0;
    std::uint64_t first_answer_timer_ = 0;
    bool told_ringing_ = false;
    std::uint64_t give_up_timer_ = 0;
    header_list invite_credentials_; ///< of the last INVITE; its ACK carries them too (§13.2.2.4)
    std::optional<hangup_cause> cancelled_; ///< CANCEL was asked for
    std::map<std::string, media_description> early_; ///< by fork

    // Changes in mid-call.
    transaction_id their_invite_ = 0;      ///< a re-INVITE of theirs, unanswered
    std::uint64_t their_offer_ = 0;
    transaction_id their_unacked_ = 0;     ///< the same, answered with 2xx, without ACK
    transaction_id our_invite_ = 0;
    std::uint32_t our_invite_cseq_ = 0;
    std::uint64_t our_offer_ = 0, retry_timer_ = 0;
    int retries_ = 0;
    std::string our_offer_sdp_;

    session_timer session_, session_asked_;
    std::uint64_t session_end_timer_ = 0, refresh_timer_ = 0;
    bool refreshing_ = false;              ///< `our_invite_` is a refresh
    std::string their_offer_sdp_;          ///< of `their_invite_`
    std::string remote_sdp_;               ///< theirs, as it was sent last and taken

    transaction_id bye_ = 0;
    std::unordered_map<transaction_id, sent_request> sent_; ///< what waits for an answer; empty without credentials
    std::map<std::uint64_t, transfer> transfers_;
    unsigned refers_ = 0;
};

} // namespace strowger::sip
