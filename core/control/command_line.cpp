#include "core/control/command_line.hpp"
#include "core/config/reader.hpp"
#include <algorithm>
#include <cctype>
#include <charconv>
#include <fmt/ranges.h>
#include <set>

namespace strowger::control {
namespace {

std::string join(const std::vector<std::string>& words, std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) out += (i == 0 ? "" : " ") + words[i];
    return out;
}

/// The next words of commands that begin with `prefix`, which is empty or ends with a blank.
std::vector<std::string> next_words(const registry<command>& in, const std::string& prefix) {
    std::set<std::string> out;
    for (const auto& name : in.names())
        if (name.starts_with(prefix) && name.size() > prefix.size())
            out.insert(name.substr(prefix.size(), name.find(' ', prefix.size()) - prefix.size()));
    return {out.begin(), out.end()};
}

/// What a usage text allows.
struct usage_rules {
    std::size_t least = 0, most = 0;
    std::map<std::string, bool, std::less<>> options; ///< true: with a value
};

usage_rules rules_of(const std::string& usage) {
    usage_rules rules;
    const auto words = split_words(usage);
    if (!words) return rules;
    std::string* open_option = nullptr;
    std::string option;
    for (const auto& word : *words) {
        std::string bare;
        for (const char c : word)
            if (c != '[' && c != ']') bare += c;
        if (bare.starts_with("--")) {
            option = bare;
            rules.options[option] = false;
            open_option = word.ends_with("]") ? nullptr : &option;
        } else if (open_option != nullptr) {
            rules.options[*open_option] = true;
            open_option = nullptr;
        } else {
            ++rules.most;
            if (!word.starts_with("[")) ++rules.least;
            if (bare.ends_with("...")) rules.most = SIZE_MAX;
        }
    }
    return rules;
}

} // namespace

result<std::vector<std::string>> split_words(std::string_view line) {
    std::vector<std::string> words;
    std::string word;
    bool inside = false;
    char quote = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (c == '\\' && i + 1 < line.size()) {
            word += line[++i];
            inside = true;
        } else if (quote != 0) {
            if (c == quote) quote = 0;
            else word += c;
        } else if (c == '"' || c == '\'') {
            quote = c;
            inside = true;
        } else if (std::isspace(static_cast<unsigned char>(c)) != 0) {
            if (inside) words.push_back(std::exchange(word, {}));
            inside = false;
        } else {
            word += c;
            inside = true;
        }
    }
    if (quote != 0) return fail("a {} is opened and not closed", quote);
    if (inside) words.push_back(std::move(word));
    return words;
}

result<command_arguments> sort_arguments(std::vector<std::string> arguments, const std::string& name, const std::string& usage) {
    const auto rules = rules_of(usage);
    const auto full = usage.empty() ? name : name + " " + usage;
    command_arguments out;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        if (!arguments[i].starts_with("--")) {
            out.words.push_back(std::move(arguments[i]));
            continue;
        }
        auto option = arguments[i];
        std::optional<std::string> given;
        if (const auto equals = option.find('='); equals != std::string::npos) {
            given = option.substr(equals + 1);
            option.erase(equals);
        }
        const auto it = rules.options.find(option);
        if (it == rules.options.end()) return fail("{} has no option {}; usage: {}", name, option, full);
        if (it->second && !given) {
            if (i + 1 == arguments.size()) return fail("{} needs a value; usage: {}", option, full);
            given = std::move(arguments[++i]);
        }
        out.options[option] = given.value_or("");
    }
    if (out.words.size() < rules.least || out.words.size() > rules.most) return fail("usage: {}", full);
    return out;
}

result<duration> to_seconds(const std::string& text) {
    unsigned seconds = 0;
    const auto digits = text.ends_with("s") ? text.substr(0, text.size() - 1) : text;
    const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
    if (bad != std::errc() || end != digits.data() + digits.size() || seconds > 7 * 24 * 3600)
        return fail("\"{}\" is not a number of seconds", text);
    return duration(std::chrono::seconds(seconds));
}

result<meant_command> find_command(const registry<command>& in, std::vector<std::string> words, const std::string& user) {
    if (words.empty()) return fail("no command; `help` lists them");
    for (auto count = std::min<std::size_t>(words.size(), 4); count > 0; --count) {
        auto found = in.find(join(words, count), user + ": " + join(words, count));
        if (!found) continue;
        words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(count));
        return meant_command{std::move(found->use), std::move(found->what), std::move(words)};
    }
    if (const auto more = next_words(in, words[0] + " "); !more.empty()) {
        if (words.size() == 1) return fail("{} is followed by one of: {}", words[0], fmt::join(more, ", "));
        return fail("there is no command \"{} {}\"{}; {} is followed by one of: {}", words[0], words[1],
                    config::did_you_mean(words[1], more), words[0], fmt::join(more, ", "));
    }
    const auto first = next_words(in, "");
    return fail("there is no command \"{}\"{}; `help` lists them all", words[0], config::did_you_mean(words[0], first));
}

task<std::vector<std::string>> complete_line(const registry<command>& in, std::string line) {
    auto words = split_words(line);
    if (!words) co_return std::vector<std::string>{};
    std::string typed;
    if (!line.empty() && std::isspace(static_cast<unsigned char>(line.back())) == 0 && !words->empty()) {
        typed = std::move(words->back());
        words->pop_back();
    }
    auto all = next_words(in, words->empty() ? "" : join(*words, words->size()) + " ");
    if (!words->empty()) {
        if (auto meant = find_command(in, *words, "completion")) {
            for (const auto& [option, valued] : rules_of(meant->what.usage).options) all.push_back(option);
            if (meant->what.complete) {
                auto asked = meant->what.complete(std::move(meant->arguments));
                auto more = co_await asked;
                all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
            }
        }
    }
    std::erase_if(all, [&](const std::string& word) { return !word.starts_with(typed); });
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    co_return all;
}

} // namespace strowger::control
