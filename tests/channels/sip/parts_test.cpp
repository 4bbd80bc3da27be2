#include "channels/sip/bodies.hpp"
#include "channels/sip/causes.hpp"
#include "channels/sip/dialog_state.hpp"
#include "channels/sip/digest.hpp"
#include "channels/sip/nat.hpp"
#include "channels/sip/registrar.hpp"
#include "channels/sip/text.hpp"
#include "channels/sip/trunks.hpp"
#include <catch2/catch.hpp>
#include <fstream>

using namespace strowger;
using namespace strowger::sip;

TEST_CASE("the digest of RFC 2617 section 3.5 comes out", "[sip][digest]") {
    CHECK(digest_response(digest_algorithm::md5, "Mufasa", "testrealm@host.com", "Circle Of Life", "GET", "/dir/index.html",
                          "dcd98b7102dd2f0e8b11d0f600bfb0c093", "00000001", "0a4f113b",
                          "auth") == "6629fae49393a05397450978507c4ef1");
}

TEST_CASE("both digests of RFC 7616 section 3.9.1 come out", "[sip][digest]") {
    const auto of = [](digest_algorithm a) {
        return digest_response(a, "Mufasa", "http-auth@example.org", "Circle of Life", "GET", "/dir/index.html",
                               "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "00000001",
                               "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "auth");
    };
    CHECK(of(digest_algorithm::md5) == "8ca523f5e9506fed4657c9700eebdbec");
    CHECK(of(digest_algorithm::sha256) == "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
}

TEST_CASE("a client answers what it knows and leaves the rest", "[sip][digest]") {
    const auto answer =
        answer_challenge(R"(Digest realm="r", nonce="n", qop="auth-int,auth", opaque="o")", "u", "p", "BYE", "sip:x", "c");
    REQUIRE(answer);
    const auto read = parse_credentials(*answer);
    REQUIRE(read);
    CHECK(read->username == "u");
    CHECK(read->opaque == "o");
    CHECK(read->response == digest_response(digest_algorithm::md5, "u", "r", "p", "BYE", "sip:x", "n", "00000001", "c", "auth"));
    CHECK_FALSE(answer_challenge(R"(Digest realm="r", nonce="n", qop="auth-int")", "u", "p", "BYE", "sip:x", "c"));
    CHECK_FALSE(
        answer_challenge(R"(Digest realm="r", nonce="n", algorithm=MD5-sess, qop="auth")", "u", "p", "BYE", "sip:x", "c"));
}

TEST_CASE("credentials that are broken are none", "[sip][digest]") {
    const std::string good =
        R"(Digest username="u", realm="r", nonce="n", uri="sip:x", response="0", qop=auth, nc=00000001, cnonce="c")";
    REQUIRE(parse_credentials(good));
    CHECK(parse_credentials("dIGEST   " + good.substr(7)));
    CHECK_FALSE(parse_credentials("Basic dTpw"));
    CHECK_FALSE(parse_credentials(good + R"(, username="v")"));
    CHECK_FALSE(parse_credentials(good + ", x"));
    CHECK_FALSE(
        parse_credentials(R"(Digest username="u", realm="r", nonce="n", uri="sip:x", response="0", qop=auth, nc=1, cnonce="c")"));
    CHECK_FALSE(parse_credentials("Digest username=\"" + std::string(2000, 'a') + "\""));
    CHECK_FALSE(parse_credentials("Digest username=\"u"));
    CHECK_FALSE(parse_credentials(""));
}

TEST_CASE("a nonce holds over a restart, for its time, and each count once", "[sip][digest]") {
    nonce_book before("key", 300);
    const auto nonce = before.make(1000);
    nonce_book book("key", 300);
    using v = nonce_book::verdict;
    CHECK(book.use(nonce, 1, 1001) == v::good);
    CHECK(book.use(nonce, 1, 1002) == v::replayed);
    CHECK(book.use(nonce, 5, 1002) == v::good);
    CHECK(book.use(nonce, 3, 1002) == v::good);
    CHECK(book.use(nonce, 3, 1002) == v::replayed);
    CHECK(book.use(nonce, 200, 1003) == v::good);
    CHECK(book.use(nonce, 5, 1003) == v::replayed);
    CHECK(book.use(nonce, 201, 1301) == v::stale);
    CHECK(book.use("0123456789abcdef", 1, 1000) == v::foreign);
    CHECK(nonce_book("other").use(nonce, 1, 1001) == v::foreign);
    CHECK(book.make(1000) != book.make(1000));
}

TEST_CASE("guessing is stopped for a growing time, and only for who guesses", "[sip][digest]") {
    guess_limit g;
    for (int i = 0; i < 4; ++i) g.wrong("192.0.2.1", 100);
    CHECK(g.blocked_for("192.0.2.1", 100) == 0);
    g.wrong("192.0.2.1", 100);
    CHECK(g.blocked_for("192.0.2.1", 100) == 5);
    CHECK(g.blocked_for("192.0.2.2", 100) == 0);
    CHECK(g.blocked_for("192.0.2.1", 105) == 0);
    for (int i = 0; i < 5; ++i) g.wrong("192.0.2.1", 110);
    CHECK(g.blocked_for("192.0.2.1", 110) == 10);
}

TEST_CASE("a dialog's state survives being written", "[sip]") {
    dialog_state d;
    d.call_id = "a@b";
    d.local_tag = "1";
    d.remote_tag = "2";
    d.local_party = "\"A \\\"x\\\"\" <sip:a@10.0.0.1>";
    d.remote_party = "<sip:b@10.0.0.2>";
    d.local_cseq = 4'000'000'000u;
    d.remote_cseq = 7;
    d.remote_cseq_known = d.we_called = true;
    d.route_set = {"<sip:10.0.0.9;lr>", "<sip:10.0.0.8;lr>"};
    d.remote_target = "sip:b@192.168.1.2:5060";
    d.local_contact = "<sip:a@10.0.0.1:5060>";
    d.local_sdp = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\n";
    d.flow = "sip:203.0.113.1:40000";
    d.local_address = "10.0.0.1";
    const auto back = dialog_from_text(to_text(d));
    REQUIRE(back);
    CHECK(*back == d);
    CHECK_FALSE(dialog_from_text("{}"));
    CHECK_FALSE(dialog_from_text("{\"v\":1}"));
    CHECK_FALSE(dialog_from_text("no json"));
}

TEST_CASE("a request goes by the route set, the flow or the target", "[sip]") {
    dialog_state d;
    d.remote_target = "sip:b@192.168.1.2";
    CHECK(d.next_hop() == "sip:b@192.168.1.2");
    d.flow = "sip:203.0.113.1:40000";
    CHECK(d.next_hop() == d.flow);
    CHECK(d.request_uri() == d.remote_target);
    d.route_set = {"<sip:10.0.0.9;lr>", "<sip:10.0.0.8;lr>"};
    CHECK(d.next_hop() == "sip:10.0.0.9;lr");
    CHECK(d.routes() == d.route_set);
    d.route_set = {"<sip:10.0.0.9>", "<sip:10.0.0.8;lr>"}; // a strict router (RFC 3261 §12.2.1.1)
    CHECK(d.request_uri() == "sip:10.0.0.9");
    CHECK(d.routes() == std::vector<std::string>{"<sip:10.0.0.8;lr>", "<sip:b@192.168.1.2>"});
}

TEST_CASE("statuses and causes are translated both ways", "[sip]") {
    for (const auto c : {hangup_cause::busy, hangup_cause::unallocated, hangup_cause::incompatible, hangup_cause::number_changed,
                         hangup_cause::invalid_number})
        CHECK(cause_of_status(status_of_cause(c)) == c);
    CHECK(cause_of_status(603) == hangup_cause::rejected);
    CHECK(remedy_of_status(603) == remedy::none);
    CHECK(remedy_of_status(600) == remedy::everybody);
    CHECK(remedy_of_status(688) == remedy::everybody);
    CHECK(remedy_of_status(380) == remedy::none); // what 305 and 380 name is no place to call
    CHECK(cause_of_status(699) == hangup_cause::rejected);
    CHECK(status_of_cause(static_cast<hangup_cause>(99)) == 480);
    CHECK(cause_of_reason(reason_header(hangup_cause::no_circuit)) == hangup_cause::no_circuit);
    CHECK(cause_of_reason("SIP;cause=200;text=\"Call completed elsewhere\"") == hangup_cause::answered_elsewhere);
    CHECK(cause_of_reason("SIP;cause=487, Q.850 ;cause=17") == hangup_cause::busy);
    CHECK_FALSE(cause_of_reason("Q.850;cause=999"));
}

TEST_CASE("the table of refusals in the README is the one that is followed", "[sip]") {
    std::ifstream file(STROWGER_SOURCE_DIR "/channels/sip/README.md");
    const std::string readme(std::istreambuf_iterator<char>(file), {});
    INFO(refusal_table());
    CHECK(readme.find(refusal_table()) != std::string::npos);
}

TEST_CASE("addresses show who is behind a NAT and how it is reached", "[sip]") {
    const peer_address public_source{"udp", "203.0.113.5", 33000};
    CHECK(looks_natted(public_source, "192.168.1.2", "sip:a@192.168.1.2", ""));
    CHECK(looks_natted(public_source, "203.0.113.5", "sip:a@203.0.113.5", "10.1.1.1"));
    CHECK_FALSE(looks_natted(public_source, "203.0.113.5", "sip:a@phone.example", "203.0.113.5"));
    CHECK_FALSE(looks_natted(public_source, "203.0.113.5", "sip:a@203.0.113.5", "0.0.0.0"));
    CHECK(flow_for(public_source, "sip:a@192.168.1.2:5060") == "sip:203.0.113.5:33000");
    CHECK(flow_for(public_source, "sip:a@203.0.113.5:33000").empty());
    CHECK(flow_for({"tcp", "203.0.113.5", 33000}, "sip:a@203.0.113.5:5060;transport=tcp") ==
          "sip:203.0.113.5:33000;transport=tcp");
    CHECK(local_address_towards("127.0.0.1") == std::string("127.0.0.1"));
    CHECK_FALSE(local_address_towards("example.com"));
}

TEST_CASE("URIs and addresses are read with suspicion", "[sip][text]") {
    const auto u = parse_uri("sip:%23%2b1;x:pw@[2001:db8::1]:5062;transport=tcp;lr?h=v");
    REQUIRE(u);
    CHECK(u->user == "#+1;x");
    CHECK(u->host == "2001:db8::1");
    CHECK(u->port == 5062);
    CHECK(param(u->params, "TRANSPORT") == std::string("tcp"));
    for (const char* wrong : {"", "sip:", "sip:a@", "sip:a@[::", "sip:a@h:99999", "sip:a@h:0", "sip:a@h:1x", "no colon",
                              "sip:a b@h", "sip:a@h\r\nX: y"})
        CHECK_FALSE(parse_uri(wrong));
    const auto a = parse_name_addr(R"("Anna \"A\" <x>" <sip:200@h;a=b>;tag=1;q="0.5")");
    REQUIRE(a);
    CHECK(a->display == "Anna \"A\" <x>");
    CHECK(a->uri == "sip:200@h;a=b");
    CHECK(param(a->params, "q") == std::string("0.5"));
    CHECK_FALSE(parse_name_addr("\"x"));
    CHECK_FALSE(parse_name_addr("<sip:a"));
    CHECK(split_list(R"("a,b" <sip:x,y>, <sip:z>,,)").size() == 2);
    CHECK(quoted_display("a\r\n\"b\\") == "\"a\\\"b\\\\\" ");
}

TEST_CASE("traces hide digests", "[sip]") {
    CHECK(masked("x response=\"abc\", y RESPONSE=de") == "x response=\"***\", y RESPONSE=**");
}

TEST_CASE("SDP is found inside of multipart bodies, keys in INFO", "[sip]") {
    message m;
    m.headers = {{"Content-Type", "multipart/mixed;boundary=\"b1\""}};
    m.body = "--b1\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b1\r\ncontent-type: application/sdp\r\n\r\nv=0\r\n--b1--\r\n";
    CHECK(sdp_of(m) == std::string("v=0\r\n"));
    m.body = "--b1--";
    CHECK_FALSE(sdp_of(m));
    m.headers = {{"Content-Type", "application/dtmf-relay"}};
    m.body = "Signal= 5\r\nDuration=100\r\n";
    CHECK(key_of_info(m) == '5');
    m.body = "Signal=11\r\n";
    CHECK(key_of_info(m) == '#');
    m.body = "Duration=1";
    CHECK_FALSE(key_of_info(m));
}

TEST_CASE("a REGISTER is taken whole or refused whole", "[sip]") {
    settings set;
    message m;
    m.method = "REGISTER";
    m.source = {"udp", "192.0.2.1", 5060};
    const auto status = [&] {
        const auto r = read_register(m, set);
        return std::holds_alternative<response>(r) ? std::get<response>(r).status : 200;
    };
    m.headers = {{"Contact", "*"}};
    CHECK(status() == 400);
    m.headers = {{"Contact", "*"}, {"Expires", "0"}};
    CHECK(status() == 200);
    m.headers = {{"Contact", "*, <sip:a@192.0.2.1>"}, {"Expires", "0"}};
    CHECK(status() == 400);
    m.headers = {{"Contact", "<sip:a@192.0.2.1>;expires=5"}};
    CHECK(status() == 423);
    m.headers = {{"Contact", "<sip:a@192.0.2.1>;q=2"}};
    CHECK(status() == 400);
    m.headers = {{"Contact", "<sip:a@192.0.2.1>, <http://x/>"}};
    CHECK(status() == 400);
    m.headers = {{"Contact", "<sip:a@10.0.0.1>;expires=99999;q=0.3"}};
    const auto r = read_register(m, set);
    REQUIRE(std::holds_alternative<registration>(r));
    const auto& change = std::get<registration>(r).changes.at(0);
    CHECK(change.lasts == std::chrono::seconds(3600));
    CHECK(change.received == "sip:192.0.2.1:5060");
    CHECK(change.q == Approx(0.3));
}

TEST_CASE("a range holds what is in it, and of two the narrower one says more", "[sip][trunks]") {
    const auto net = parse_range("192.0.2.128/25"), one = parse_range("192.0.2.130:5070"), v6 = parse_range("2001:db8::/33");
    REQUIRE(net);
    REQUIRE(one);
    REQUIRE(v6);
    CHECK(net->contains("192.0.2.128"));
    CHECK_FALSE(net->contains("192.0.2.127"));
    CHECK_FALSE(net->contains("::ffff"));
    CHECK_FALSE(net->contains("example"));
    CHECK(one->contains("192.0.2.130", 5070));
    CHECK_FALSE(one->contains("192.0.2.130", 5060));
    CHECK(one->weight() > net->weight());
    CHECK(v6->contains("2001:db8:7fff::1"));
    CHECK_FALSE(v6->contains("2001:db8:8000::1"));
    CHECK(parse_range("0.0.0.0/0")->contains("203.0.113.1"));
    CHECK(parse_range("[::1]:5060")->contains("::1", 5060));
    for (const auto* bad : {"", "telco.example", "192.0.2.1/33", "192.0.2.1/", "fe80::1%eth0", "192.0.2.1:0", "a@192.0.2.1"})
        CHECK_FALSE(parse_range(bad));
}

TEST_CASE("a full engine tells a telephone when to come back, and a trunk what it is to say", "[sip][trunks]") {
    CHECK(busy_answer(nullptr, 7).status == 503);
    CHECK(busy_answer(nullptr, 7).headers.front().value == "7");
    trunk_settings t;
    CHECK(busy_answer(&t, 0).headers.front().value == "1");
    t.busy_status = 486;
    CHECK(busy_answer(&t, 7).status == 486);
    CHECK(busy_answer(&t, 7).headers.empty());
}
