// What a caller hears of say.date, say.time and say.money.
#include "tests/support/office.hpp"
#include <catch2/catch.hpp>

using namespace strowger;
using namespace strowger::test;

namespace {

/// The prompts that an answered caller hears, in their order, or what the script was told.
std::string heard_of(const std::string& prompt) {
    office o(R"(context "internal" { ["100"] = function(call)
        call:answer()
        local ok, wrong = pcall(function() call:play()" + prompt + R"() end)
        call.vars.wrong = wrong and tostring(wrong):match("^[^\n]*") or ""
      end })");
    o.alice().dial("100");
    o.pass(60s);
    std::string out;
    for (const auto& name : o.alice().heard()) out += (out.empty() ? "" : " ") + name;
    const auto wrong = o.last_record()["vars"]["wrong"].text_or("");
    return wrong.empty() ? out : wrong;
}

} // namespace

TEST_CASE("a script says dates, times and money by Asterisk's prompts") {
    CHECK(heard_of("say.date('2026-12-25')") == "digits/day-5 digits/mon-11 digits/20 digits/h-5 digits/20 digits/20 digits/6");
    CHECK(heard_of("{'welcome', say.time('15:45')}") == "welcome digits/3 digits/40 digits/5 digits/p-m");
    CHECK(heard_of("say.time('2026-12-25 10:00')") == "digits/10 digits/oclock digits/a-m");
    CHECK(heard_of("say.money(12.5, 'USD')") == "digits/12 digits/dollars vm-and digits/50 digits/cents");
    CHECK(heard_of("say.money(0.1 + 0.2, 'EUR')") == "digits/30 digits/cents");
    // Seconds since 1970 and what time.format says of them are one moment, whatever the zone of the machine.
    CHECK(heard_of("say.time(1800000000)") == heard_of("say.time(time.format('%Y-%m-%d %H:%M', 1800000000))"));
    CHECK(heard_of("say.date()") == heard_of("say.date(time.now())"));
}

TEST_CASE("what cannot be said is the author's mistake, at its line") {
    const auto told = [](const std::string& prompt, const std::string& what) {
        const auto text = heard_of(prompt);
        INFO(text);
        return text.find("main.lua:3: ") != std::string::npos && text.find(what) != std::string::npos;
    };
    CHECK(told("say.date('tomorrow')", "is no moment; write"));
    CHECK(told("say.date('10:00')", "is no moment; write"));
    CHECK(told("say.time({})", "not a table"));
    CHECK(told("say.date(1e12)", "seconds since 1970 or"));
    CHECK(told("say.date(-1e11)", "too far away"));
    CHECK(told("say.money('12', 'EUR')", "an amount, such as 12.5, not"));
    CHECK(told("say.money(12, 'euro')", "three capital letters"));
    CHECK(told("say.money(0/0, 'EUR')", "an amount"));
}
