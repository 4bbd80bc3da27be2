// Extensions: what matches what, which of several wins, and what a bad pattern says.
#include "core/dialplan/pattern.hpp"
#include <catch2/catch.hpp>
#include <chrono>

using namespace strowger::dialplan;

namespace {

extension_table table_of(const std::vector<std::string>& patterns) {
    extension_table out;
    for (std::size_t i = 0; i < patterns.size(); ++i) {
        const auto added = out.add(patterns[i], static_cast<std::int32_t>(i));
        INFO(patterns[i]);
        REQUIRE(added);
    }
    return out;
}
std::string winner(const extension_table& t, std::string_view digits) {
    const auto found = t.match(digits);
    return found ? *found->pattern : "";
}
std::string problem(std::string_view text) {
    const auto parsed = pattern::parse(text);
    return parsed ? "" : parsed.error().text;
}

} // namespace

TEST_CASE("patterns match what their characters say") {
    const auto t = table_of({"200", "_3XX", "_4ZN", "_5[1-37*]", "_9.", "_7!", "*98", "_#X", "s", "_+49."});
    CHECK(winner(t, "200") == "200");
    CHECK(winner(t, "2000").empty());
    CHECK(winner(t, "20").empty());
    CHECK(winner(t, "399") == "_3XX");
    CHECK(winner(t, "3a9").empty());
    CHECK(winner(t, "412") == "_4ZN");
    CHECK(winner(t, "402").empty());
    CHECK(winner(t, "411").empty());
    CHECK(winner(t, "52") == "_5[1-37*]");
    CHECK(winner(t, "57") == "_5[1-37*]");
    CHECK(winner(t, "5*") == "_5[1-37*]");
    CHECK(winner(t, "54").empty());
    CHECK(winner(t, "9").empty());
    CHECK(winner(t, "91") == "_9.");
    CHECK(winner(t, "9123456789") == "_9.");
    CHECK(winner(t, "7") == "_7!");
    CHECK(winner(t, "7abc") == "_7!");
    CHECK(winner(t, "*98") == "*98");
    CHECK(winner(t, "#4") == "_#X");
    CHECK(winner(t, "s") == "s");
    CHECK(winner(t, "+4930") == "_+49.");
    CHECK(winner(t, "").empty());
    CHECK(winner(t, "\xff").empty());
    CHECK(winner(t, std::string(81, '9')).empty());
}
TEST_CASE("the most specific pattern wins, whatever the order in which they were added") {
    const std::vector<std::string> specific_first{"200", "_20[1-3]", "_20X", "_2XX", "_2X.", "_2.", "_2!", "_X.", "_!"};
    for (const bool reversed : {false, true}) {
        auto patterns = specific_first;
        if (reversed) std::reverse(patterns.begin(), patterns.end());
        const auto t = table_of(patterns);
        CHECK(winner(t, "200") == "200");
        CHECK(winner(t, "201") == "_20[1-3]");
        CHECK(winner(t, "204") == "_20X");
        CHECK(winner(t, "214") == "_2XX");
        CHECK(winner(t, "2145") == "_2X.");
        CHECK(winner(t, "21") == "_2.");
        CHECK(winner(t, "2") == "_2!");
        CHECK(winner(t, "31") == "_X.");
        CHECK(winner(t, "3") == "_!");
        CHECK(winner(t, "*") == "_!");
    }
}
TEST_CASE("a branch that leads nowhere does not hide a less specific match") {
    const auto t = table_of({"_[12]34", "_[12]3X6", "_XX5", "_X!"});
    CHECK(winner(t, "134") == "_[12]34");
    CHECK(winner(t, "1346") == "_[12]3X6");
    CHECK(winner(t, "135") == "_XX5");
    CHECK(winner(t, "136") == "_X!");
}
TEST_CASE("dialling goes on as long as a longer number could match") {
    const auto t = table_of({"200", "2001", "_3XX", "_9.", "s"});
    CHECK(t.could_match_more(""));
    CHECK(t.could_match_more("2"));
    CHECK(t.could_match_more("200"));
    CHECK_FALSE(t.could_match_more("2001"));
    CHECK(t.could_match_more("31"));
    CHECK_FALSE(t.could_match_more("312"));
    CHECK(t.could_match_more("9"));
    CHECK(t.could_match_more("91"));
    CHECK_FALSE(t.could_match_more("4"));
}
TEST_CASE("a bad pattern names its position") {
    CHECK(problem("") == "an extension cannot be empty");
    CHECK(problem("_") == "pattern `_`: position 2: nothing after `_`");
    CHECK(problem("_2[13") == "pattern `_2[13`: position 3: `[` has no `]`");
    CHECK(problem("_2]") == "pattern `_2]`: position 3: `]` without `[`");
    CHECK(problem("2[13]") ==
          "extension `2[13]`: position 2: `[` is nothing that can be dialled; sets of digits need a pattern: `_2[13]`");
    CHECK(problem("2]").starts_with("extension `2]`: position 2: `]` is nothing that can be dialled"));
    CHECK(problem("_2[]X") == "pattern `_2[]X`: position 3: `[]` matches nothing");
    CHECK(problem("_[9-1]") == "pattern `_[9-1]`: position 3: the range 9-1 is empty");
    CHECK(problem("_9.X") == "pattern `_9.X`: position 3: `.` must be the last");
    CHECK(problem("2 0") == "extension `2 0`: position 2: not a character that can be dialled");
    CHECK(problem(std::string(81, '1')).find("longer than 80") != std::string::npos);
    extension_table t = table_of({"_2X"});
    CHECK(t.add("_2[0-9]", 1).error().text == "extension `_2[0-9]` is the same as `_2X`");
}
TEST_CASE("a match among 5,000 extensions costs what it costs among 50") {
    const auto time_of = [](int count) {
        extension_table t;
        for (int i = 0; i < count; ++i) REQUIRE(t.add(std::to_string(10000 + i), i));
        REQUIRE(t.add("_X.", -1));
        auto best = std::chrono::nanoseconds::max();
        for (int round = 0; round < 5; ++round) {
            const auto before = std::chrono::steady_clock::now();
            for (int i = 0; i < 2000; ++i) REQUIRE(t.match("10049")->entry == 49);
            best = std::min<std::chrono::nanoseconds>(best, std::chrono::steady_clock::now() - before);
        }
        return best;
    };
    CHECK(time_of(5000) < 5 * time_of(50));
}
