// The SIP stack end to end: real UDP on loopback, the test is the telephone.
#include "channels/sip/digest.hpp"
#include "core/base/ids.hpp"
#include "tests/channels/sip/fake_core.hpp"
#include <arpa/inet.h>
#include <catch2/catch.hpp>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sofia-sip/su_time.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace strowger;
using namespace strowger::sip;
using namespace strowger::sip::test;

namespace {

std::uint16_t port_of(int fd) {
    sockaddr_in own{};
    socklen_t size = sizeof own;
    getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size);
    return ntohs(own.sin_port);
}

/// A UDP socket that speaks in whole messages.
class telephone {
public:
    explicit telephone(std::uint16_t server) : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)), server_(server) {
        sockaddr_in any{};
        any.sin_family = AF_INET;
        any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(bind(fd_, reinterpret_cast<sockaddr*>(&any), sizeof any) == 0);
        port = port_of(fd_);
    }
    ~telephone() { ::close(fd_); }

    void send(const std::string& text) {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        to.sin_port = htons(server_);
        sendto(fd_, text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
    }
    /// The next message; empty when none comes in time.
    std::string receive(int milliseconds = 5000) {
        pollfd p{fd_, POLLIN, 0};
        if (poll(&p, 1, milliseconds) <= 0) return {};
        char buffer[65536];
        const auto got = recv(fd_, buffer, sizeof buffer, 0);
        return got > 0 ? std::string(buffer, static_cast<std::size_t>(got)) : std::string();
    }
    /// Skips until a message that begins so.
    std::string expect(const std::string& beginning) {
        for (int i = 0; i < 20; ++i) {
            auto m = receive();
            if (m.empty() || m.starts_with(beginning)) return m;
        }
        return {};
    }

    std::string build(const std::string& method, const std::string& uri, const std::string& to, const std::string& call_id,
                      unsigned cseq, const std::string& more = {}, const std::string& body = {}, const std::string& branch = {}) {
        return fmt::format("{} {} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{};branch=z9hG4bK{};rport\r\nMax-Forwards: 70\r\n"
                           "From: <sip:alice@127.0.0.1>;tag=a1\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {} {}\r\nContact: "
                           "<sip:alice@127.0.0.1:{}>\r\n{}"
                           "Content-Length: {}\r\n\r\n{}",
                           method, uri, port, branch.empty() ? fmt::format("{}{}{}", call_id, method, cseq) : branch, to, call_id,
                           cseq, method, port, more, body.size(), body);
    }
    std::string credentials(const std::string& challenge, const std::string& method, const std::string& uri,
                            const std::string& password = "secret") {
        return "Authorization: " +
               *answer_challenge(header(challenge, "WWW-Authenticate"), "alice", password, method, uri, "c0") + "\r\n";
    }
    static std::string header(const std::string& m, const std::string& name) {
        const auto at = m.find("\r\n" + name + ": ");
        if (at == std::string::npos) return {};
        const auto begin = at + name.size() + 4;
        return m.substr(begin, m.find("\r\n", begin) - begin);
    }
    /// A response to a request that we received.
    static std::string respond(const std::string& request, const std::string& status, const std::string& more = {},
                               const std::string& body = {}) {
        auto to = header(request, "To");
        if (to.find("tag=") == std::string::npos) to += ";tag=b1";
        return fmt::format(
            "SIP/2.0 {}\r\nVia: {}\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {}\r\n{}Content-Length: {}\r\n\r\n{}", status,
            header(request, "Via"), header(request, "From"), to, header(request, "Call-ID"), header(request, "CSeq"), more,
            body.size(), body);
    }
    /// An INVITE with its authentication; gives the final request's text.
    std::string invite(const std::string& number, const std::string& call_id, const std::string& sdp) {
        const auto uri = fmt::format("sip:{}@127.0.0.1", number), to = "<" + uri + ">";
        send(build("INVITE", uri, to, call_id, 1, sdp.empty() ? "" : "Content-Type: application/sdp\r\n", sdp));
        const auto challenge = expect("SIP/2.0 401");
        REQUIRE_FALSE(challenge.empty());
        send(build("ACK", uri, header(challenge, "To"), call_id, 1, {}, {}, call_id + "INVITE1"));
        auto again = build("INVITE", uri, to, call_id, 2,
                           credentials(challenge, "INVITE", uri) + (sdp.empty() ? "" : "Content-Type: application/sdp\r\n"), sdp);
        send(again);
        return again;
    }
    std::uint16_t port = 0;

private:
    int fd_;
    std::uint16_t server_;
};

struct directory {
    std::filesystem::path path = std::filesystem::temp_directory_path() / ("strowger-sip-" + random_hex(6));
    ~directory() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
};

struct engine_with_phone {
    directory files;
    fake_core core{files.path};
    std::uint16_t port;
    std::unique_ptr<telephone> phone;
    engine_with_phone() {
        const int probe = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        sockaddr_in any{};
        any.sin_family = AF_INET;
        any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        bind(probe, reinterpret_cast<sockaddr*>(&any), sizeof any);
        port = port_of(probe);
        ::close(probe);
        core.passwords["alice"] = "secret";
        settings set;
        set.listen = {fmt::format("127.0.0.1:{}", port)};
        set.credentials = {{"telco", "me", "mine"}};
        core.start(set);
        phone = std::make_unique<telephone>(port);
    }
};

const std::string offer = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

} // namespace

TEST_CASE("a phone registers, is listed, and unregisters", "[sip][stack]") {
    engine_with_phone e;
    auto& p = *e.phone;
    const std::string uri = "sip:127.0.0.1", to = "<sip:alice@127.0.0.1>";
    p.send(p.build("REGISTER", uri, to, "r1", 1));
    auto challenge = p.expect("SIP/2.0 401");
    REQUIRE_FALSE(challenge.empty());
    p.send(p.build("REGISTER", uri, to, "r1", 2, p.credentials(challenge, "REGISTER", uri) + "Expires: 120\r\n"));
    const auto answer = p.expect("SIP/2.0 200");
    CHECK(telephone::header(answer, "Contact") == fmt::format("<sip:alice@127.0.0.1:{}>;expires=120", p.port));
    CHECK(e.core.locations->bindings_of("alice").size() == 1);
    p.send(p.build("REGISTER", uri, to, "r1", 3));
    challenge = p.expect("SIP/2.0 401");
    p.send(p.build("REGISTER", uri, to, "r1", 4, p.credentials(challenge, "REGISTER", uri) + "Expires: 0\r\n"));
    CHECK(telephone::header(p.expect("SIP/2.0 200"), "Contact").empty());
    CHECK(e.core.locations->bindings_of("alice").empty());
}

TEST_CASE("a call comes in, is answered, held in state and ended by the phone", "[sip][stack]") {
    engine_with_phone e;
    auto& p = *e.phone;
    e.core.on_call = [](std::shared_ptr<fake_leg> leg) {
        sdp::session s;
        media_description m;
        m.sdp = s.answer(*leg->facts.offer.sdp, pcmu())->answer;
        leg->line->ring();
        leg->line->answer(m);
    };
    const auto invite = p.invite("100", "c1", offer);
    CHECK_FALSE(p.expect("SIP/2.0 100").empty());
    const auto ringing = p.expect("SIP/2.0 180");
    const auto answer = p.expect("SIP/2.0 200");
    CHECK(telephone::header(ringing, "To") == telephone::header(answer, "To"));
    CHECK(answer.find("m=audio 40000") != std::string::npos);
    p.send(p.build("ACK", "sip:100@127.0.0.1", telephone::header(answer, "To"), "c1", 2));
    p.send(p.build("BYE", "sip:100@127.0.0.1", telephone::header(answer, "To"), "c1", 3, "Reason: Q.850;cause=17\r\n"));
    CHECK_FALSE(p.expect("SIP/2.0 200").empty());
    p.send(p.build("BYE", "sip:100@127.0.0.1", telephone::header(answer, "To"), "c1", 4));
    CHECK_FALSE(p.expect("SIP/2.0 481").empty());
    e.core.ask([&] {
        REQUIRE(e.core.legs.size() == 1);
        const auto& leg = *e.core.legs.front();
        CHECK(leg.facts.user == "alice");
        CHECK(leg.facts.to_number == "100");
        CHECK(leg.facts.offer.source_address == "127.0.0.1");
        CHECK_FALSE(leg.facts.offer.behind_nat);
        const auto* ended = std::get_if<event::ended>(&leg.events.back());
        REQUIRE(ended);
        CHECK(ended->cause == hangup_cause::busy);
        std::string state;
        for (const auto& one : leg.events)
            if (const auto* s = std::get_if<event::state>(&one)) state = s->text;
        const auto kept = dialog_from_text(state);
        REQUIRE(kept);
        CHECK(kept->remote_target == fmt::format("sip:alice@127.0.0.1:{}", p.port));
        return 0;
    });
}

TEST_CASE("a hang-up between our answer and its ACK waits for the ACK", "[sip][stack]") {
    engine_with_phone e;
    auto& p = *e.phone;
    e.core.on_call = [](std::shared_ptr<fake_leg> leg) {
        sdp::session s;
        media_description m;
        m.sdp = s.answer(*leg->facts.offer.sdp, pcmu())->answer;
        leg->line->answer(m);
        leg->line->hang_up(hangup_cause::normal);
    };
    p.invite("100", "c2", offer);
    const auto answer = p.expect("SIP/2.0 200");
    CHECK(p.receive(300).empty());
    p.send(p.build("ACK", "sip:100@127.0.0.1", telephone::header(answer, "To"), "c2", 2));
    const auto bye = p.expect("BYE ");
    REQUIRE_FALSE(bye.empty());
    p.send(telephone::respond(bye, "200 OK"));
}

TEST_CASE("a CANCEL ends a ringing call with 487 of the same tag", "[sip][stack]") {
    engine_with_phone e;
    auto& p = *e.phone;
    e.core.on_call = [](std::shared_ptr<fake_leg> leg) { leg->line->ring(); };
    p.invite("100", "c3", offer);
    const auto ringing = p.expect("SIP/2.0 180");
    p.send(p.build("CANCEL", "sip:100@127.0.0.1", "<sip:100@127.0.0.1>", "c3", 2, {}, {}, "c3INVITE2"));
    std::string first = p.receive(), second = p.receive();
    if (first.starts_with("SIP/2.0 487")) std::swap(first, second);
    CHECK(first.starts_with("SIP/2.0 200"));
    CHECK(second.starts_with("SIP/2.0 487"));
    CHECK(telephone::header(second, "To") == telephone::header(ringing, "To"));
    p.send(p.build("ACK", "sip:100@127.0.0.1", telephone::header(second, "To"), "c3", 2, {}, {}, "c3INVITE2"));
    CHECK(e.core.ask([&] { return std::holds_alternative<event::ended>(e.core.legs.front()->events.back()); }));
}

TEST_CASE("a late offer goes into the 200 and its answer comes in the ACK", "[sip][stack]") {
    engine_with_phone e;
    auto& p = *e.phone;
    std::promise<bool> answered;
    e.core.on_call = [&](std::shared_ptr<fake_leg> leg) {
        CHECK(leg->facts.offer.empty());
        leg->on = [&](fake_leg&, leg_event& what) {
            if (const auto* r = std::get_if<event::offer_result>(&what))
                answered.set_value(r->media.has_value() && r->media->sdp.has_value());
        };
        sdp::session s;
        media_description m;
        m.sdp = s.make_offer(pcmu());
        leg->line->answer(m);
    };
    p.invite("100", "c4", "");
    const auto answer = p.expect("SIP/2.0 200");
    CHECK(answer.find("m=audio 40000") != std::string::npos);
    p.send(p.build("ACK", "sip:100@127.0.0.1", telephone::header(answer, "To"), "c4", 2, "Content-Type: application/sdp\r\n",
                   offer));
    auto came = answered.get_future();
    REQUIRE(came.wait_for(std::chrono::seconds(5)) == std::future_status::ready);
    CHECK(came.get());
}

TEST_CASE("a call goes out, rings, is answered, and is hung up by us", "[sip][stack]") {
    engine_with_phone e;
    auto& p = *e.phone;
    e.core.ask([&] {
        outgoing_call call;
        call.to.driver = "sip";
        call.to.address = fmt::format("sip:bob@192.0.2.55:5060"); // behind a NAT: the packet goes to the flow, the URI stays
        call.to.received = fmt::format("sip:127.0.0.1:{}", p.port);
        call.caller = {"200", "An\"na\r\nX-Evil: 1", false};
        call.headers = {{"X-Good", "1"}, {"Bad", "1"}, {"X-Bad: y\r\nZ", "1"}};
        call.hops_left = 20;
        sdp::session s;
        call.offer.sdp = s.make_offer(pcmu());
        return e.core.originate(std::move(call)) != nullptr;
    });
    const auto invite = p.expect("INVITE sip:bob@192.0.2.55:5060 SIP/2.0");
    REQUIRE_FALSE(invite.empty());
    CHECK(telephone::header(invite, "Max-Forwards") == "19");
    CHECK(telephone::header(invite, "X-Good") == "1");
    CHECK(invite.find("\r\nX-Evil") == std::string::npos);
    CHECK(invite.find("Bad") == std::string::npos);
    p.send(telephone::respond(invite, "180 Ringing", fmt::format("Contact: <sip:bob@127.0.0.1:{}>\r\n", p.port)));
    p.send(telephone::respond(
        invite, "200 OK", fmt::format("Contact: <sip:bob@127.0.0.1:{}>\r\nContent-Type: application/sdp\r\n", p.port), offer));
    const auto ack = p.expect("ACK ");
    CHECK(telephone::header(ack, "CSeq") == "1 ACK");
    CHECK(ack.starts_with(fmt::format("ACK sip:bob@127.0.0.1:{} ", p.port)));
    p.send(telephone::respond(
        invite, "200 OK", fmt::format("Contact: <sip:bob@127.0.0.1:{}>\r\nContent-Type: application/sdp\r\n", p.port), offer));
    CHECK(p.expect("ACK ") == ack); // the ACK was lost: the same again
    e.core.ask([&] {
        const auto& events = e.core.legs.front()->events;
        CHECK(std::any_of(events.begin(), events.end(),
                          [](const auto& one) { return std::holds_alternative<event::ringing>(one); }));
        CHECK(std::any_of(events.begin(), events.end(),
                          [](const auto& one) { return std::holds_alternative<event::answered>(one); }));
        e.core.legs.front()->line->hang_up(hangup_cause::normal);
        return 0;
    });
    const auto bye = p.expect("BYE ");
    CHECK(telephone::header(bye, "Reason").find("cause=16") != std::string::npos);
    p.send(telephone::respond(bye, "200 OK"));
}

TEST_CASE("a 200 that crosses our CANCEL is acknowledged and ended", "[sip][stack]") {
    engine_with_phone e;
    auto& p = *e.phone;
    e.core.ask([&] {
        outgoing_call call;
        call.to.address = fmt::format("sip:bob@127.0.0.1:{}", p.port);
        sdp::session s;
        call.offer.sdp = s.make_offer(pcmu());
        return e.core.originate(std::move(call)) != nullptr;
    });
    const auto invite = p.expect("INVITE ");
    const auto contact = fmt::format("Contact: <sip:bob@127.0.0.1:{}>\r\n", p.port);
    p.send(telephone::respond(invite, "180 Ringing", contact));
    e.core.ask([&] {
        e.core.legs.front()->line->hang_up(hangup_cause::answered_elsewhere);
        return 0;
    });
    const auto cancel = p.expect("CANCEL ");
    REQUIRE_FALSE(cancel.empty());
    CHECK(telephone::header(cancel, "Reason").starts_with("SIP;cause=200"));
    CHECK(telephone::header(cancel, "Via") == telephone::header(invite, "Via"));
    p.send(telephone::respond(invite, "200 OK", contact + "Content-Type: application/sdp\r\n", offer));
    CHECK_FALSE(p.expect("ACK ").empty());
    const auto bye = p.expect("BYE ");
    REQUIRE_FALSE(bye.empty());
    p.send(telephone::respond(bye, "200 OK"));
}

TEST_CASE("a challenged re-INVITE is sent again with credentials, and so is its ACK", "[sip][stack]") {
    engine_with_phone e;
    auto& p = *e.phone;
    sdp::session s;
    e.core.ask([&] {
        outgoing_call call;
        call.to.address = fmt::format("sip:bob@127.0.0.1:{}", p.port);
        call.to.user = "bob";
        call.offer.sdp = s.make_offer(pcmu());
        return e.core.originate(std::move(call)) != nullptr;
    });
    const auto more = fmt::format("Contact: <sip:bob@127.0.0.1:{}>\r\nContent-Type: application/sdp\r\n", p.port);
    p.send(telephone::respond(p.expect("INVITE "), "200 OK", more, offer));
    REQUIRE_FALSE(p.expect("ACK ").empty());
    e.core.ask([&] {
        media_description again;
        again.sdp = s.make_offer(pcmu());
        e.core.legs.front()->line->identity({"202", "Carol", false});
        e.core.legs.front()->line->offer(7, std::move(again));
        return 0;
    });
    const auto first = p.expect("INVITE ");
    CHECK(telephone::header(first, "P-Asserted-Identity").starts_with("\"Carol\" <sip:202@127.0.0.1:"));
    CHECK(telephone::header(first, "Remote-Party-ID").find(";party=calling") != std::string::npos);
    p.send(telephone::respond(first, "407 Proxy Authentication Required",
                              "Proxy-Authenticate: Digest realm=\"telco\", nonce=\"n1\", qop=\"auth\"\r\n"));
    CHECK(telephone::header(p.expect("ACK "), "CSeq") == "2 ACK");
    const auto second = p.expect("INVITE ");
    REQUIRE_FALSE(second.empty());
    CHECK(telephone::header(second, "CSeq") == "3 INVITE");
    CHECK(telephone::header(second, "Call-ID") == telephone::header(first, "Call-ID"));
    const auto given = parse_credentials(telephone::header(second, "Proxy-Authorization"));
    REQUIRE(given);
    CHECK(given->response == digest_response(digest_algorithm::md5, "me", "telco", "mine", "INVITE", given->uri, "n1", "00000001",
                                             given->cnonce, "auth"));
    p.send(telephone::respond(second, "200 OK", more, offer));
    const auto ack = p.expect("ACK ");
    CHECK(telephone::header(ack, "CSeq") == "3 ACK");
    CHECK(telephone::header(ack, "Proxy-Authorization") == telephone::header(second, "Proxy-Authorization"));
    e.core.ask([&] {
        e.core.legs.front()->line->hang_up(hangup_cause::normal);
        return 0;
    });
    p.send(telephone::respond(p.expect("BYE "), "200 OK"));
    e.core.ask([&] {
        const auto& events = e.core.legs.front()->events;
        CHECK(std::any_of(events.begin(), events.end(),
                          [](const auto& one) { return std::holds_alternative<event::offer_result>(one); }));
        return 0;
    });
}

TEST_CASE("a full engine says when to come back, and helps in an emergency", "[sip][stack]") {
    engine_with_phone e;
    auto& p = *e.phone;
    e.core.refusing = true;
    p.send(p.build("INVITE", "sip:100@127.0.0.1", "<sip:100@127.0.0.1>", "c5", 1));
    const auto answer = p.receive(); // at the door: before a challenge, and without a 100
    CHECK(answer.starts_with("SIP/2.0 503"));
    CHECK_FALSE(telephone::header(answer, "Retry-After").empty());
    e.core.on_call = [](std::shared_ptr<fake_leg> leg) { leg->line->ring(); };
    p.invite("112", "c6", offer);
    CHECK_FALSE(p.expect("SIP/2.0 180").empty());
}

TEST_CASE("the stack's clock shows the time of day in whole milliseconds and goes with the monotonic one", "[sip][stack]") {
    REQUIRE(strowger_sip_support_start());
    constexpr std::int64_t from_1900 = 2208988800;
    const auto read = [] {
        su_time_t t{};
        su_time(&t);
        REQUIRE(t.tv_usec % 1000 == 0);
        return std::chrono::seconds(static_cast<std::int64_t>(t.tv_sec) - from_1900) + std::chrono::microseconds(t.tv_usec);
    };
    const auto wall = std::chrono::system_clock::now().time_since_epoch();
    const auto first = read();
    CHECK(first > wall - 60s); // not since boot: Date and the CSeq of a REGISTER come from it
    CHECK(first < wall + 60s);
    const auto from = std::chrono::steady_clock::now();
    auto last = first;
    while (std::chrono::steady_clock::now() - from < 20ms) {
        const auto now = read();
        REQUIRE(now >= last);
        last = now;
    }
    last = read(); // the loop may have been stopped for a while before its end
    CHECK(last - first >= 19ms);
    CHECK(last - first < 5s);
}

TEST_CASE("garbage neither stops nor answers", "[sip][stack]") {
    engine_with_phone e;
    auto& p = *e.phone;
    const auto good = p.build("OPTIONS", "sip:127.0.0.1", "<sip:127.0.0.1>", "g", 1);
    for (std::size_t cut = 0; cut < good.size(); cut += 5) p.send(good.substr(0, cut));
    for (const auto* text : {"", "\r\n\r\n", "hello\r\n\r\n", "INVITE\r\n\r\n", "SIP/2.0 99999 X\r\n\r\n"}) p.send(text);
    p.send(std::string(60000, 'x'));
    p.send(p.build("OPTIONS", "sip:127.0.0.1", "<sip:127.0.0.1>", "good", 1));
    std::string m;
    for (int i = 0; i < 200 && m.find("Call-ID: good") == std::string::npos; ++i) m = p.receive();
    CHECK(m.starts_with("SIP/2.0 200"));
}

TEST_CASE("the stack starts and stops again and again in one process", "[sip][stack]") {
    for (int i = 0; i < 5; ++i) {
        engine_with_phone e;
        e.core.on_call = [](std::shared_ptr<fake_leg> leg) { leg->line->ring(); };
        e.phone->invite("100", "s", offer);
        CHECK_FALSE(e.phone->expect("SIP/2.0 180").empty());
    } // stops with a call that rings
}
