// Which tone sounds where: ITU-T E.180 and its supplement 2 (national tones), and the North American Precise Tone Plan.
#include "core/media/tone.hpp"
#include <array>
#include <string>

namespace strowger::media {
namespace {

// One row: the frequencies, together and at one level, and the cadence in ms: on, off, on, off …; an empty cadence is a steady
// tone. Zeros fill both lists up.
struct row {
    std::string_view country;
    std::string_view name;
    std::array<double, 4> hz;
    double dbm0;
    std::array<int, 6> cadence;
};

// The rows of "" are E.180's recommendation and serve each country that has no row of its own for a name.
constexpr std::array rows{
    row{"", "dial", {425}, -10, {}},
    row{"", "ring", {425}, -10, {1000, 4000}},
    row{"", "busy", {425}, -10, {500, 500}},
    row{"", "congestion", {425}, -10, {250, 250}},
    row{"", "call_waiting", {425}, -16, {200, 600, 200, 5000}},
    row{"", "unobtainable", {425}, -10, {200, 200}},
    row{"", "howler", {1400, 2060, 2450, 2600}, -9, {100, 100}},

    row{"us", "dial", {350, 440}, -13, {}},
    row{"us", "ring", {440, 480}, -19, {2000, 4000}},
    row{"us", "busy", {480, 620}, -24, {500, 500}},
    row{"us", "congestion", {480, 620}, -24, {250, 250}},
    row{"us", "unobtainable", {480, 620}, -24, {250, 250}},
    row{"us", "call_waiting", {440}, -13, {300, 9700}},

    row{"gb", "dial", {350, 440}, -13, {}},
    row{"gb", "ring", {400, 450}, -13, {400, 200, 400, 2000}},
    row{"gb", "busy", {400}, -10, {375, 375}},
    row{"gb", "congestion", {400}, -10, {400, 350, 225, 525}},
    row{"gb", "call_waiting", {400}, -16, {100, 2000}},
    row{"gb", "unobtainable", {400}, -10, {}},

    row{"de", "busy", {425}, -10, {480, 480}},
    row{"de", "congestion", {425}, -10, {240, 240}},
    row{"de", "unobtainable", {425}, -10, {240, 240}},
    row{"de", "call_waiting", {425}, -16, {200, 200, 200, 5000}},

    row{"at", "dial", {420}, -10, {}},
    row{"at", "ring", {420}, -10, {1000, 5000}},
    row{"at", "busy", {420}, -10, {400, 400}},
    row{"at", "congestion", {420}, -10, {200, 200}},
    row{"at", "call_waiting", {420}, -16, {40, 1950}},

    row{"ch", "congestion", {425}, -10, {200, 200}},
    row{"ch", "call_waiting", {425}, -16, {200, 200, 200, 4000}},

    row{"fr", "dial", {440}, -10, {}},
    row{"fr", "ring", {440}, -10, {1500, 3500}},
    row{"fr", "busy", {440}, -10, {500, 500}},
    row{"fr", "congestion", {440}, -10, {250, 250}},
    row{"fr", "call_waiting", {440}, -16, {300, 10000}},

    row{"it", "dial", {425}, -10, {200, 200, 600, 1000}},
    row{"it", "congestion", {425}, -10, {200, 200}},
    row{"it", "call_waiting", {425}, -16, {400, 100, 250, 100, 150, 14000}},

    row{"es", "ring", {425}, -10, {1500, 3000}},
    row{"es", "busy", {425}, -10, {200, 200}},
    row{"es", "congestion", {425}, -10, {200, 200, 200, 200, 200, 600}},
    row{"es", "call_waiting", {425}, -16, {175, 175, 175, 3500}},

    row{"nl", "call_waiting", {425}, -16, {500, 9500}},
};

tone_spec from_row(const row& r) {
    tone_spec spec;
    tone_segment on;
    for (const double hz : r.hz)
        if (hz > 0) on.parts.push_back({hz, r.dbm0});
    spec.repeat = r.cadence[0] != 0;
    if (!spec.repeat) spec.segments.push_back(on);
    bool sounding = true;
    for (const int ms : r.cadence) {
        if (ms == 0) break;
        on.length = std::chrono::milliseconds{ms};
        spec.segments.push_back(sounding ? on : tone_segment{{}, on.length});
        sounding = !sounding;
    }
    return spec;
}

// Tones that sound once: steps of a frequency (0 is silence) and ms.
struct step {
    double hz;
    int ms;
};
struct signal {
    std::string_view name;
    std::array<step, 4> steps;
};

constexpr double signal_dbm0 = -13;
constexpr std::array signals{
    // Special information tone (E.180, 7): before an announcement that says why a call failed.
    signal{"sit", {{{950, 330}, {1400, 330}, {1800, 330}, {0, 1000}}}},
    signal{"beep", {{{1000, 400}}}},
    signal{"error", {{{480, 150}, {0, 50}, {400, 300}}}},
    signal{"confirm", {{{600, 100}, {0, 50}, {800, 100}}}},
};

} // namespace

result<tone_spec> find_tone(std::string_view name, std::string_view country) {
    for (const auto& s : signals) {
        if (s.name != name) continue;
        tone_spec spec;
        for (const auto& [hz, ms] : s.steps) {
            if (ms == 0) break;
            tone_segment segment{{}, std::chrono::milliseconds{ms}};
            if (hz > 0) segment.parts.push_back({hz, signal_dbm0});
            spec.segments.push_back(std::move(segment));
        }
        return spec;
    }
    for (const auto wanted : {country, std::string_view{}})
        for (const auto& r : rows)
            if (r.country == wanted && r.name == name) return from_row(r);

    std::string known;
    for (const auto& r : rows)
        if (r.country.empty()) known += std::string(r.name) + ", ";
    for (const auto& s : signals) known += std::string(s.name) + ", ";
    known.resize(known.size() - 2);
    return fail("no tone is called '{}'; the tones are {}", name.substr(0, 40), known);
}

} // namespace strowger::media
