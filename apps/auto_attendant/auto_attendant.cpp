// auto_attendant: greets a caller, lets him choose by key or dial an extension, and connects him.
#include "core/call/call.hpp"
#include "core/modules/module.hpp"
#include <algorithm>
#include <map>
#include <stdexcept>

namespace strowger {
namespace {

/// What a dialplan said of the attendant; see README.md.
struct attendant {
    prompt_list greeting, menu, goodbye, not_available;
    std::map<std::string, std::string> keys; ///< key → target
    std::string operator_target;
    menu_options choice;
    duration ring_for;
    int rounds;                              ///< how often a caller whose choice did not answer may choose again
};

duration seconds(const value& v, double otherwise) {
    return std::chrono::duration_cast<duration>(std::chrono::duration<double>(v.number_or(otherwise)));
}

prompt_list prompts(const value& v, const char* otherwise) {
    prompt_list out;
    if (const auto* list = v.items()) {
        for (const auto& item : *list) out.add(item.text_or(""));
    } else if (const auto text = v.text_or(otherwise); !text.empty()) {
        out.add(text);
    }
    return out;
}

attendant read(const value& a) {
    static constexpr std::string_view known[] = {"greeting", "menu",       "goodbye",  "not_available", "keys",
                                                 "operator", "extensions", "timeout",  "between",       "tries",
                                                 "invalid",  "no_input",   "ring_for", "rounds"};
    if (const auto* fields = a.fields())
        for (const auto& [name, ignored] : *fields)
            if (std::find(std::begin(known), std::end(known), name) == std::end(known))
                throw std::runtime_error("auto_attendant has no option '" + name + "'; `help auto_attendant` lists them");

    attendant out;
    out.greeting = prompts(a["greeting"], "welcome");
    out.menu = prompts(a["menu"], "");
    out.goodbye = prompts(a["goodbye"], "goodbye");
    out.not_available = prompts(a["not_available"], "vm-nobodyavail");
    out.operator_target = a["operator"].text_or("");
    out.ring_for = seconds(a["ring_for"], 25);
    out.rounds = static_cast<int>(a["rounds"].integer_or(3));
    if (const auto* keys = a["keys"].fields())
        for (const auto& [key, target] : *keys) {
            if (target.text() == nullptr)
                throw std::runtime_error("auto_attendant: keys['" + key + "'] must be a target such as \"ext/200\"");
            out.keys[key] = *target.text();
        }
    if (!out.operator_target.empty()) out.keys.try_emplace("0", out.operator_target);

    auto& c = out.choice;
    for (const auto& [key, target] : out.keys) c.keys.push_back(key);
    if (const auto* patterns = a["extensions"].items()) {
        for (const auto& p : *patterns) c.extensions.push_back(p.text_or(""));
    } else if (const auto* pattern = a["extensions"].text()) {
        c.extensions.push_back(*pattern);
    }
    if (c.keys.empty() && c.extensions.empty())
        throw std::runtime_error(
            "auto_attendant has nothing to choose from: give it keys = {[\"1\"] = \"ext/200\"} or extensions = \"_2XX\"");
    c.prompt = out.menu;
    c.timeout = seconds(a["timeout"], 5);
    c.between = seconds(a["between"], 3);
    c.tries = static_cast<int>(a["tries"].integer_or(3));
    c.on_invalid = prompts(a["invalid"], "invalid");
    c.on_no_input = prompts(a["no_input"], "");
    return out;
}

value outcome(std::string chosen, std::string_view status) {
    return value::table{{"chosen", std::move(chosen)}, {"status", std::string(status)}};
}

task<value> auto_attendant(call& c, value arguments) {
    const auto attendant = read(arguments);
    co_await c.answer();
    co_await c.play(attendant.greeting); // a key stops it and counts: nobody has to hear it out
    std::string chosen;
    dial_status status = dial_status::failed;
    for (int round = 0; round < attendant.rounds; ++round) {
        auto choosing = c.menu(attendant.choice);
        const auto choice = co_await choosing;
        std::string target = attendant.operator_target;
        if (choice.how == menu_choice::kind::key) target = attendant.keys.at(choice.digits);
        else if (choice.how == menu_choice::kind::extension) target = "ext/" + choice.digits;
        chosen = choice.how == menu_choice::kind::otherwise ? choice.reason : choice.digits;
        if (target.empty()) {
            co_await c.play(attendant.goodbye);
            c.hang_up();
        }
        dial_options options(target);
        options.ring_time(attendant.ring_for);
        auto dialling = c.dial(std::move(options));
        const auto result = co_await dialling;
        status = result.status;
        if (status == dial_status::answered || status == dial_status::transferred) co_return outcome(chosen, to_string(status));
        co_await c.play(attendant.not_available);
    }
    co_return outcome(chosen, to_string(status));
}

class auto_attendant_module final : public module {
public:
    explicit auto_attendant_module(module_context& ctx) { ctx.add_application("auto_attendant", auto_attendant); }
};

} // namespace
} // namespace strowger

STROWGER_MODULE(strowger::auto_attendant_module, "auto_attendant", "1.0", "Greets callers and connects them by key or extension",
                stable)
