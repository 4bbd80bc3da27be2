#include "channels/sip/digest.hpp"
#include "channels/sip/text.hpp"
#include <catch2/catch.hpp>

using namespace strowger::sip;

TEST_CASE("a realm with quotes in it is answered as it was asked", "[sip][digest]") {
    const auto answer = answer_challenge(R"(Digest realm="a \"b\", uri=\"sip:x", nonce="n\\", opaque="\"", qop="auth")", "u", "p",
                                         "BYE", "sip:y", "c");
    REQUIRE(answer);
    const auto read = parse_credentials(*answer);
    REQUIRE(read);
    CHECK(read->realm == R"(a "b", uri="sip:x)");
    CHECK(read->nonce == "n\\");
    CHECK(read->opaque == "\"");
    CHECK(read->uri == "sip:y");
}

TEST_CASE("quotes stand around the whole of a digest's parameter or nowhere", "[sip][digest]") {
    CHECK(parse_challenge(R"(Digest realm="r", nonce="n")"));
    for (const char* wrong : {R"(Digest realm="r", nonce="n"6 algorithm="MD5")", R"(Digest realm="r", nonce=n")",
                              R"(Digest realm="r", nonce="n\")", R"(Digest realm="r", nonce=")"})
        CHECK_FALSE(parse_challenge(wrong));
}

TEST_CASE("a question mark in a number does not cut the address off", "[sip][text]") {
    const auto u = parse_uri("sip:12%3F3@example.org");
    REQUIRE(u);
    CHECK(u->user == "12?3");
    const auto again = parse_uri("sip:" + escape_user(u->user) + "@example.org");
    REQUIRE(again);
    CHECK(again->user == "12?3");
    CHECK(again->host == "example.org");
}

TEST_CASE("an address without < has no > either", "[sip][text]") {
    CHECK_FALSE(parse_name_addr("tel:+49301>"));
    CHECK_FALSE(parse_name_addr("sip:a\"b@h;tag=1"));
    CHECK(parse_name_addr("sip:a@h;tag=1"));
}

TEST_CASE("no zero byte hides what follows an address", "[sip][text]") {
    CHECK(is_numeric_address("192.0.2.1"));
    CHECK_FALSE(is_numeric_address(std::string_view("192.0.2.1\0x", 11)));
}
