// What comes over the console's socket: a request in JSON, its words and options, and the completion of half a line.
#include "core/base/clock.hpp"
#include "core/control/command_line.hpp"
#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace {

using namespace strowger;
using namespace strowger::control;

void require(bool holds) {
    if (!holds) std::abort();
}

/// Numbers may lose their last digit on the way.
bool alike(const value& a, const value& b) {
    if (a.real() != nullptr && b.real() != nullptr)
        return *a.real() == *b.real() || std::abs(*a.real() - *b.real()) <= std::abs(*a.real()) * 1e-9;
    if (a.items() != nullptr && b.items() != nullptr)
        return std::equal(a.items()->begin(), a.items()->end(), b.items()->begin(), b.items()->end(), alike);
    if (a.fields() != nullptr && b.fields() != nullptr)
        return std::equal(a.fields()->begin(), a.fields()->end(), b.fields()->begin(), b.fields()->end(),
                          [](const auto& x, const auto& y) { return x.first == y.first && alike(x.second, y.second); });
    return a == b;
}

const registry<command>& commands() {
    static const auto made = [] {
        auto out = std::make_unique<registry<command>>();
        for (const auto& [name, usage] : {std::pair{"module list", ""},
                                          {"module unload", "NAME [--now] [--hang-up-after SECONDS]"},
                                          {"call", "USER EXTENSION..."},
                                          {"help", "[COMMAND...]"}})
            out->add(name, command{name, usage, "", "", {}}, nullptr);
        return out;
    }();
    return *made;
}

void check_line(std::string_view line) {
    auto words = split_words(line);
    if (!words) return;
    std::string quoted;
    for (const auto& word : *words) {
        quoted += '"';
        for (const char c : word) {
            if (c == '"' || c == '\\') quoted += '\\';
            quoted += c;
        }
        quoted += "\" ";
    }
    const auto again = split_words(quoted);
    require(again && *again == *words);
    auto meant = find_command(commands(), std::move(*words), "fuzzer");
    if (!meant) return require(!meant.error().text.empty());
    const auto sorted = sort_arguments(std::move(meant->arguments), meant->what.name, meant->what.usage);
    if (!sorted) return require(!sorted.error().text.empty());
    for (const auto& [option, given] : sorted->options)
        if (const auto seconds = to_seconds(given)) require(*seconds >= duration(0) && *seconds <= std::chrono::hours(7 * 24));
}

task<void> complete(std::string line) {
    auto work = complete_line(commands(), std::move(line));
    auto words = co_await work;
    require(std::is_sorted(words.begin(), words.end()));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    static const virtual_clock time;
    static worker home("fuzzer", time);
    std::string line(text);
    if (const auto request = from_json(text)) {
        for (const bool indent : {false, true}) {
            const auto again = from_json(to_json(*request, indent));
            require(again && alike(*again, *request));
        }
        if (const auto* typed = (*request)["command"].text()) line = *typed;
        else if (const auto* half = (*request)["complete"].text()) line = *half;
    }
    check_line(line);
    flow f(home);
    bool ended = false;
    f.start(complete(std::move(line)), [&ended] { ended = true; });
    while (home.run_ready()) {}
    require(ended);
    return 0;
}
