// We offer; and what happens to a session in the course of a call.
#include "core/sdp/session.hpp"
#include "tests/core/sdp/peers.hpp"

using namespace strowger;
using namespace strowger::sdp;
using Catch::Matchers::Contains;

namespace {

const std::string plain = "m=audio 5000 RTP/AVP 8 101\na=rtpmap:101 telephone-event/8000\n";

/// What our session makes of an offer; ends the test when it refuses.
answered answers(session& us, const description& offer, const audio_capabilities& caps = our_side()) {
    auto a = us.answer(offer, caps);
    if (!a) FAIL(a.error().text);
    return *std::move(a);
}

agreed_audio accepts(session& us, const description& answer) {
    auto a = us.accept_answer(answer);
    if (!a) FAIL(a.error().text);
    return *std::move(a);
}

} // namespace

TEST_CASE("answers that cannot be are refused and the offer stays open") {
    session us(5);
    auto nothing = us.accept_answer(phone(plain));
    REQUIRE_FALSE(nothing);
    CHECK(nothing.error().kind == problem::no_offer);

    us.make_offer(our_side());
    const auto kind = [&](const description& answer) {
        const auto a = us.accept_answer(answer);
        return a ? -1 : static_cast<int>(a.error().kind);
    };
    const auto malformed = static_cast<int>(problem::malformed), useless = static_cast<int>(problem::no_usable_audio);
    CHECK(kind(phone("")) == malformed);
    CHECK(kind(phone(plain + plain)) == malformed);
    CHECK(kind(phone("m=video 5000 RTP/AVP 31\n")) == malformed);
    CHECK(kind(phone("m=audio 0 RTP/AVP 8\n")) == useless);
    CHECK(kind(phone("m=audio 5000 RTP/SAVP 8\n")) == useless);
    CHECK(kind(phone("m=audio 5000 RTP/AVP 18\n")) == useless);
    CHECK(kind(phone("m=audio 5000 RTP/AVP 101\na=rtpmap:101 telephone-event/8000\n")) == useless);
    CHECK(kind(phone(plain, 1, "IP4 name.example.com")) == useless);
    CHECK(kind(phone(plain, 1, "IP6 2001:db8::9")) == useless);
    CHECK(us.offer_pending());
    CHECK_FALSE(us.agreed());
    CHECK(accepts(us, phone(plain)).chosen.name == "PCMA");
}

TEST_CASE("an offer names all that we can") {
    session us(5);
    CHECK(write(us.make_offer(our_side())) ==
          "v=0\r\no=- 5 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 0 107 101 96\r\n"
          "a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:107 opus/48000/2\r\na=fmtp:107 useinbandfec=1\r\n"
          "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=rtpmap:96 telephone-event/48000\r\na=fmtp:96 0-16\r\n"
          "a=ptime:20\r\na=sendrecv\r\n");
}

TEST_CASE("payload types that clash or are missing are chosen anew") {
    auto caps = our_side();
    caps.codecs = {{"iLBC", 101, 8000, 1, ""},
                   {"speex", 101, 8000, 1, ""},
                   {"PCMU", -1, 8000, 1, ""},
                   {"PCMU", 5, 8000, 1, ""},
                   {"GSM", 200, 8000, 1, ""}};
    session us(5);
    CHECK(m_line(us.make_offer(caps)) == "m=audio 4000 RTP/AVP 101 96 0 3 97");
}

TEST_CASE("RTCP on the RTP port is offered as rtcp-mux") {
    auto caps = our_side();
    caps.rtcp_port = caps.rtp_port;
    session us(5);
    const auto offer = us.make_offer(caps);
    CHECK(has_line(offer, "a=rtcp-mux"));
    CHECK(accepts(us, phone(plain + "a=rtcp-mux\n")).remote_rtcp_port == 5000);
    session others(5);
    others.make_offer(our_side());
    CHECK(accepts(others, phone(plain + "a=rtcp-mux\n")).remote_rtcp_port == 5001);
}

TEST_CASE("an offer sent twice is the same twice, also when an agreement came between") {
    session us(5);
    const auto first = write(us.make_offer(our_side()));
    CHECK(write(us.make_offer(our_side())) == first);
    accepts(us, phone(plain));
    CHECK(write(us.make_offer(our_side())) == first);
}

TEST_CASE("the answer may use other payload types than the offer: each side sends what the other asked for") {
    session us(5);
    us.make_offer(our_side());
    const auto audio = accepts(us, phone("m=audio 5000 RTP/AVP 120 98 0\na=rtpmap:120 opus/48000/2\na=fmtp:120 stereo=0\n"
                                         "a=rtpmap:98 telephone-event/48000\n"));
    CHECK(audio.chosen == codec{"opus", 107, 48000, 2, "stereo=0"});
    CHECK(audio.send_payload_type == 120);
    CHECK(audio.receive_payload_type == 107);
    CHECK(audio.send_telephone_event_pt == 98);
    CHECK(audio.receive_telephone_event_pt == 96);
    CHECK(audio.telephone_event_clock_rate == 48000);
    REQUIRE(audio.also_agreed.size() == 1);
    CHECK(audio.also_agreed[0].name == "PCMU");
}

TEST_CASE("of two telephone-events for one clock the first counts") {
    session us(5);
    us.make_offer(our_side());
    const auto audio = accepts(us, phone("m=audio 5000 RTP/AVP 8 98 99\na=rtpmap:98 telephone-event/8000\n"
                                         "a=rtpmap:99 telephone-event/8000\n"));
    CHECK(audio.send_telephone_event_pt == 98);
}

TEST_CASE("the answer of a 18x may come again in the 2xx, the same or another") {
    session us(5);
    us.make_offer(our_side());
    const auto early = accepts(us, phone(plain));
    CHECK(accepts(us, phone(plain)) == early);
    CHECK(accepts(us, phone("m=audio 6000 RTP/AVP 0\n", 2)).remote_rtp_port == 6000);
    CHECK(us.agreed()->chosen.name == "PCMU");
}

TEST_CASE("each fork has its own agreement") {
    session us(5);
    us.make_offer(our_side());
    auto fork = us;
    accepts(us, phone("m=audio 5000 RTP/AVP 8\n"));
    accepts(fork, phone("m=audio 6000 RTP/AVP 0\n"));
    CHECK(us.agreed()->remote_rtp_port == 5000);
    CHECK(fork.agreed()->remote_rtp_port == 6000);
}

TEST_CASE("a refused re-offer leaves the session as it was and its version used") {
    session us(5);
    us.make_offer(our_side());
    const auto before = accepts(us, phone(plain));
    const auto hold = us.make_offer(our_side(direction::sendonly));
    CHECK(hold.origin.version == 2);
    us.offer_refused();
    CHECK(*us.agreed() == before);
    CHECK(us.local()->origin.version == 1);
    CHECK(us.make_offer(our_side(direction::sendonly)) == hold);
    us.offer_refused();
    const auto back = us.make_offer(our_side());
    CHECK(back.origin.version == 3);
    CHECK(has_line(back, "a=sendrecv"));
}

TEST_CASE("after a refused re-offer of ours, a refresh does not go back in versions") {
    session us(5);
    const auto first = answers(us, phone(plain)).answer;
    us.make_offer(our_side(direction::sendonly));
    us.offer_refused();
    const auto refreshed = answers(us, phone(plain)).answer;
    CHECK(refreshed.origin.version == 3);
    CHECK(refreshed.sections == first.sections);
}

TEST_CASE("a refresh gets the same answer byte for byte") {
    session us(5);
    const auto first = answers(us, phone(plain));
    const auto again = answers(us, phone(plain));
    CHECK(write(again.answer) == write(first.answer));
    CHECK(again.audio == first.audio);
}

TEST_CASE("a refresh by the one who answered us gets our offer's SDP byte for byte") {
    session us(5);
    const auto offer = us.make_offer(our_side());
    const auto agreed = accepts(us, phone("m=audio 5000 RTP/AVP 0 120\na=rtpmap:120 telephone-event/8000\n"));
    const auto refreshed = answers(us, phone("m=audio 5000 RTP/AVP 0 120\na=rtpmap:120 telephone-event/8000\n"));
    CHECK(write(refreshed.answer) == write(offer));
    CHECK(refreshed.audio == agreed);
}

TEST_CASE("an unchanged offer gets a changed answer when we moved") {
    session us(5);
    answers(us, phone(plain));
    auto caps = our_side();
    caps.address = "192.0.2.2";
    caps.rtp_port = 4400;
    const auto moved = answers(us, phone(plain), caps).answer;
    CHECK(has_line(moved, "o=- 5 2 IN IP4 192.0.2.1"));
    CHECK(has_line(moved, "c=IN IP4 192.0.2.2"));
    CHECK(moved.sections[0].port == 4400);
    caps.rtp_port = 4500;
    CHECK(answers(us, phone(plain), caps).answer.sections[0].port == 4500);
    caps.dir = direction::recvonly;
    CHECK(has_line(answers(us, phone(plain), caps).answer, "a=recvonly"));
}

TEST_CASE("a phone that changes its SDP under the same version is still heard") {
    session us(5);
    answers(us, phone(plain, 1));
    const auto held = answers(us, phone(plain + "a=sendonly\n", 1));
    CHECK(held.audio.held_by_peer);
    CHECK(held.answer.origin.version == 2);
}

TEST_CASE("hold by sendonly, and resume by an SDP without a direction") {
    session us(5);
    answers(us, phone(plain, 1));
    const auto held = answers(us, phone(plain + "a=sendonly\n", 2));
    CHECK(has_line(held.answer, "a=recvonly"));
    CHECK(held.audio.held_by_peer);
    CHECK(held.audio.dir == direction::recvonly);
    const auto resumed = answers(us, phone(plain, 3));
    CHECK(has_line(resumed.answer, "a=sendrecv"));
    CHECK_FALSE(resumed.audio.held_by_peer);
    CHECK(resumed.audio.dir == direction::sendrecv);
    CHECK(resumed.answer.origin.version == 3);
}

TEST_CASE("hold by inactive, for one section or for the whole session") {
    session us(5);
    CHECK(has_line(answers(us, phone(plain + "a=inactive\n", 1)).answer, "a=inactive"));
    CHECK(us.agreed()->held_by_peer);
    auto whole = phone(plain, 2);
    whole.attributes.push_back({"inactive", std::nullopt});
    CHECK(answers(us, whole).audio.dir == direction::inactive);
}

TEST_CASE("hold in the old style, by an address of zeros") {
    session us(5);
    answers(us, phone(plain, 1));
    const auto held = answers(us, phone(plain, 2, "IP4 0.0.0.0"));
    CHECK(has_line(held.answer, "a=recvonly"));
    CHECK(held.audio.held_by_peer);
    CHECK_FALSE(sends(held.audio.dir));
    CHECK(held.audio.remote_address == "0.0.0.0");
    CHECK(answers(us, phone(plain + "a=recvonly\n", 3, "IP4 0.0.0.0")).audio.dir == direction::inactive);
    CHECK(answers(us, phone(plain, 4, "IP6 ::")).audio.held_by_peer);
    CHECK_FALSE(answers(us, phone(plain, 5)).audio.held_by_peer);
}

TEST_CASE("recvonly is no hold: the peer still wants to hear us") {
    session us(5);
    const auto a = answers(us, phone(plain + "a=recvonly\n"));
    CHECK_FALSE(a.audio.held_by_peer);
    CHECK(a.audio.dir == direction::sendonly);
}

TEST_CASE("we hold and resume") {
    session us(5);
    us.make_offer(our_side());
    accepts(us, phone(plain, 1));
    const auto hold = us.make_offer(our_side(direction::sendonly));
    CHECK(has_line(hold, "a=sendonly"));
    CHECK(hold.origin.version == 2);
    auto audio = accepts(us, phone(plain + "a=recvonly\n", 2));
    CHECK(audio.dir == direction::sendonly);
    CHECK_FALSE(audio.held_by_peer);
    CHECK(us.make_offer(our_side()).origin.version == 3);
    CHECK(accepts(us, phone(plain, 3)).dir == direction::sendrecv);
}

TEST_CASE("a peer that answers our hold as if it were none does not undo it") {
    session us(5);
    us.make_offer(our_side(direction::sendonly));
    CHECK(accepts(us, phone(plain)).dir == direction::sendonly);
    session silent(5);
    silent.make_offer(our_side(direction::inactive));
    CHECK(accepts(silent, phone(plain)).dir == direction::inactive);
}

TEST_CASE("both sides hold, and resume in the other order") {
    session us(5);
    answers(us, phone(plain, 1));
    us.make_offer(our_side(direction::sendonly));
    accepts(us, phone(plain + "a=recvonly\n", 2));

    const auto both = answers(us, phone(plain + "a=sendonly\n", 3), our_side(direction::sendonly));
    CHECK(has_line(both.answer, "a=inactive"));
    CHECK(both.audio.held_by_peer);
    CHECK(both.audio.dir == direction::inactive);

    us.make_offer(our_side());
    const auto we_resumed = accepts(us, phone(plain + "a=sendonly\n", 4));
    CHECK(we_resumed.held_by_peer);
    CHECK(we_resumed.dir == direction::recvonly);
    CHECK(answers(us, phone(plain, 5)).audio.dir == direction::sendrecv);
}

TEST_CASE("a re-offer with other payload types is answered with those") {
    session us(5);
    answers(us, phone("m=audio 5000 RTP/AVP 96 97\na=rtpmap:96 opus/48000/2\na=rtpmap:97 telephone-event/48000\n", 1));
    const auto a =
        answers(us, phone("m=audio 5000 RTP/AVP 97 96\na=rtpmap:97 opus/48000/2\na=rtpmap:96 telephone-event/48000\n", 2));
    CHECK(m_line(a.answer) == "m=audio 4000 RTP/AVP 97 96");
    CHECK(a.audio.send_payload_type == 97);
    CHECK(a.audio.receive_telephone_event_pt == 96);
}

TEST_CASE("our re-offer keeps the payload types that the peer's offer gave to our codecs") {
    session us(5);
    answers(us, phone("m=audio 5000 RTP/AVP 101 107\na=rtpmap:101 opus/48000/2\na=rtpmap:107 telephone-event/8000\n"));
    const auto offer = us.make_offer(our_side());
    CHECK(m_line(offer) == "m=audio 4000 RTP/AVP 8 0 101 107 96");
    CHECK(has_line(offer, "a=rtpmap:101 opus/48000/2"));
    CHECK(has_line(offer, "a=rtpmap:107 telephone-event/8000"));
}

TEST_CASE("our re-offer keeps number and order of m= lines, and the refused ones refused") {
    session us(5);
    answers(us, phone("m=video 6000 RTP/AVP 31\n" + plain + "m=image 0 udptl t38\n"));
    const auto offer = us.make_offer(our_side(direction::sendonly));
    REQUIRE(offer.sections.size() == 3);
    CHECK(m_line(offer, 0) == "m=video 0 RTP/AVP 31");
    CHECK(m_line(offer, 1) == "m=audio 4000 RTP/AVP 8 0 107 101 96");
    CHECK(m_line(offer, 2) == "m=image 0 udptl t38");
    const auto audio = accepts(us, phone("m=video 0 RTP/AVP 31\n" + plain + "m=image 0 udptl t38\n", 2));
    CHECK(audio.remote_rtp_port == 5000);
}

TEST_CASE("a fax machine adds T.38 in mid-call: refused beside audio, 488 in its place, and audio goes on") {
    session us(5);
    const auto before = answers(us, phone(plain, 1)).audio;
    const auto beside = answers(us, phone(plain + "m=image 6000 udptl t38\na=T38FaxVersion:0\n", 2));
    CHECK(m_line(beside.answer, 1) == "m=image 0 udptl t38");
    CHECK(beside.audio == before);
    const auto instead = us.answer(phone("m=audio 0 RTP/AVP 8\nm=image 6000 udptl t38\n", 3), our_side());
    REQUIRE_FALSE(instead);
    CHECK(sip_status(instead.error().kind) == 488);
    CHECK(*us.agreed() == before);
}

TEST_CASE("a session is kept as text and goes on elsewhere") {
    session us(5);
    const auto restored = [](const session& s) {
        auto back = session::from_text(s.to_text());
        if (!back) FAIL(back.error().text);
        return *std::move(back);
    };
    CHECK(restored(us) == us);
    us.make_offer(our_side());
    CHECK(restored(us) == us);
    us = restored(us);
    const auto agreed = accepts(us, phone("m=audio 5000 RTP/AVP 0 120\na=rtpmap:120 telephone-event/8000\n"));
    us.make_offer(our_side(direction::sendonly));
    us = restored(us);
    CHECK(us.offer_pending());
    CHECK(*us.agreed() == agreed);
    CHECK(write(us.make_offer(our_side(direction::sendonly))) == write(restored(us).make_offer(our_side(direction::sendonly))));
    us.offer_refused();
    CHECK(restored(us) == us);
}

TEST_CASE("text that was no session is refused, wherever it is cut") {
    session us(5);
    us.make_offer(our_side());
    accepts(us, phone(plain));
    const auto text = us.to_text();
    for (std::size_t n = 0; n < text.size(); ++n) {
        INFO(n);
        REQUIRE_FALSE(session::from_text(std::string_view(text).substr(0, n)));
    }
    CHECK_FALSE(session::from_text(text + "x"));
    CHECK_FALSE(session::from_text("sdp-session 2\nid 5\npending 0\noffered-last 0\n"));
    CHECK_FALSE(session::from_text("sdp-session 1\nid 5\npending 1\noffered-last 0\n"));
    CHECK_FALSE(session::from_text("sdp-session 1\nid 5\npending 0\noffered-last 0\nsent 99999999999999999999\n"));
    CHECK(session::from_text("sdp-session 1\nid 5\npending 0\noffered-last 0\n"));
}

TEST_CASE("session ids are not guessed and fit 31 bits") {
    session a, b;
    const auto first = a.make_offer(our_side()).origin.session_id, second = b.make_offer(our_side()).origin.session_id;
    CHECK(first != second);
    CHECK(first < 0x80000000U);
}
