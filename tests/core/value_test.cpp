// Values as JSON: what is written can be read, whatever peers call themselves.
#include "core/base/value.hpp"
#include <catch2/catch.hpp>
#include <limits>

using namespace strowger;

TEST_CASE("JSON that was written is read as what it was") {
    const value v = value::table{{"nothing", value()},
                                 {"yes", true},
                                 {"whole", -5},
                                 {"half", 0.5},
                                 {"five", 5.0},
                                 {"large", 1e300},
                                 {"text", "a \"quoted\" \\ ä\n\x01\x7f"},
                                 {"list", value::list{1, "two", value::list()}},
                                 {"empty", value::table()}};
    CHECK(from_json(to_json(v)).value() == v);
    CHECK(from_json(to_json(v, true)).value() == v);
    CHECK(to_json(value(value::list{1.05, 5.0, 3, "x"})) == R"([1.05,5.0,3,"x"])");
    CHECK(to_json(value(value::table{{"a", value::list{1}}, {"b", value::list()}}), true) ==
          "{\n  \"a\": [\n    1\n  ],\n  \"b\": []\n}");
    CHECK(to_json(value(std::numeric_limits<double>::infinity())) == "null");
}

TEST_CASE("what is no UTF-8 is replaced in JSON, character by character") {
    const auto written = [](std::string_view text) { return from_json(to_json(value(std::string(text)))).value().text_or(""); };
    for (const char* good : {"ä", "€", "\xf0\x9f\x93\x9e", "\xf4\x8f\xbf\xbf", "\xee\x80\x80"}) CHECK(written(good) == good);
    const std::string r = "\xef\xbf\xbd";
    CHECK(written("\xff\xfe") == r + r);
    CHECK(written("a\xc3") == "a" + r);
    CHECK(written("\xc0\xaf") == r + r);                    // an overlong '/'
    CHECK(written("\xed\xa0\x80") == r + r + r);            // half of a surrogate pair
    CHECK(written("\xf4\x90\x80\x80") == r + r + r + r);    // beyond Unicode
    CHECK(written("\xe2\x82z") == r + r + "z");
    CHECK(written(std::string_view("a\0b", 3)) == std::string("a\0b", 3));
}

TEST_CASE("a number that no double holds is refused") {
    CHECK_FALSE(from_json("[1e999]"));
    CHECK_FALSE(from_json(R"({"a": {"b": -2.5e3615}})"));
    CHECK(from_json("1e308").value() == value(1e308));
}
