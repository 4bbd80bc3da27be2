// Playing to the caller, and reading what he presses.
#include "core/async/ask.hpp"
#include "core/call/call.hpp"
#include "core/call/leg.hpp"
#include "core/dialplan/pattern.hpp"
#include "core/engine.hpp"
#include <algorithm>
#include <stdexcept>

namespace strowger {
namespace {

using prompt_ptr = std::shared_ptr<const media::prompt>;

/// What is played in place of a prompt that cannot be made at all.
media::play_item beep() {
    media::play_item item;
    if (auto tone = media::find_tone("beep")) item.what = std::move(*tone);
    item.name = "tone:beep";
    return item;
}

/// The prompt of a key, else its text by the fallback voice; works on files, so not on a call worker.
std::function<prompt_ptr()> importing(media::prompt_library& library, std::string key, std::string language,
                                      std::string call_id) {
    return [&library, key = std::move(key), language = std::move(language), call_id = std::move(call_id)]() -> prompt_ptr {
        auto found = library.find(key, language);
        if (found) return *found;
        log::warn({"call", call_id}, "prompt '{}' ({}) is missing: {}", key, language, found.error().text);
        auto spoken = library.speak(library.text_for(key, language), language);
        if (spoken) return *spoken;
        log::warn({"call", call_id}, "prompt '{}' cannot be spoken either: {}", key, spoken.error().text);
        return nullptr;
    };
}

std::function<prompt_ptr()> speaking(media::prompt_library& library, std::string text, std::string language,
                                     std::string call_id) {
    return [&library, text = std::move(text), language = std::move(language), call_id = std::move(call_id)]() -> prompt_ptr {
        auto spoken = library.speak(text, language);
        if (spoken) return *spoken;
        log::warn({"call", call_id}, "a text cannot be spoken: {}", spoken.error().text);
        return nullptr;
    };
}

/// Stops what is played when an operation is left before its end.
class playing {
public:
    playing(leg& to, std::vector<media::play_item> items, int times) : to_(to), id_(to.play(std::move(items), times)) {}
    playing(const playing&) = delete;
    playing& operator=(const playing&) = delete;
    ~playing() {
        if (!done()) to_.stop_playing();
    }
    bool done() const noexcept { return to_.played >= id_; }

private:
    leg& to_;
    std::uint64_t id_;
};

bool interrupts(const std::string& keys, char digit) {
    if (keys == "any") return true;
    return keys != "none" && keys.find(digit) != std::string::npos;
}

} // namespace

task<std::vector<media::play_item>> call::resolve(prompt_list what) {
    std::vector<media::play_item> out;
    auto& library = core_.prompts();
    for (auto& ref : what.items) {
        if (const auto* by_language = std::get_if<prompt_ref::by_language>(&ref.what)) {
            auto it = by_language->find(language);
            if (it == by_language->end()) it = by_language->begin();
            if (it == by_language->end()) continue;
            auto chosen = it->second;
            ref.what = prompt_ref::key{std::move(chosen)};
        }
        media::play_item item;
        if (const auto* key = std::get_if<prompt_ref::key>(&ref.what)) {
            auto found = library.lookup(key->name, language);
            if (!found) {
                auto import = importing(library, key->name, language, id_);
                auto work = ask<prompt_ptr>(core_.files(), std::move(import));
                found = co_await work;
            }
            item.name = key->name;
            if (found) item.what = std::move(found);
            else item = beep();
        } else if (const auto* speech = std::get_if<prompt_ref::speech>(&ref.what)) {
            auto found = library.lookup_spoken(speech->text, language);
            if (!found) {
                auto speak = speaking(library, speech->text, language, id_);
                auto work = ask<prompt_ptr>(core_.files(), std::move(speak));
                found = co_await work;
            }
            item.name = "text:" + speech->text;
            if (found) item.what = std::move(found);
            else item = beep();
        } else if (const auto* tone = std::get_if<prompt_ref::tone>(&ref.what)) {
            auto found = media::find_tone(tone->name);
            if (!found) throw std::runtime_error(found.error().text);
            item.name = "tone:" + tone->name;
            item.length = found->repeat ? duration(5s) : duration::zero();
            item.what = std::move(*found);
        } else if (const auto* silence = std::get_if<prompt_ref::silence>(&ref.what)) {
            item.name = "silence";
            item.length = silence->length;
        }
        out.push_back(std::move(item));
    }
    co_return out;
}

task<std::optional<char>> call::play(prompt_list what, play_options options) {
    throw_if_ended();
    auto& keys = caller_->digits;
    const auto pressed = [&]() -> std::optional<char> {
        if (!keys.empty() && interrupts(options.interrupt, keys.front())) return keys.front();
        return std::nullopt;
    };
    if (const auto key = pressed()) co_return key;
    auto resolving = resolve(std::move(what));
    auto items = co_await resolving;
    throw_if_ended();
    if (items.empty()) co_return std::nullopt;
    if (!caller_->up()) { // before the answer it is early media
        if (auto opened = caller_->progress(); !opened) {
            log::warn(*this, "'{}' is not heard: {}", items.front().name, opened.error().text);
            co_return std::nullopt;
        }
    }
    reached();
    doing = "playing " + items.front().name;
    const playing now(*caller_, std::move(items), options.times);
    while (!now.done()) {
        co_await wait_for(caller_->changed());
        if (const auto key = pressed()) co_return key;
    }
    co_return std::nullopt;
}

task<std::optional<char>> call::read_digit(duration timeout) {
    throw_if_ended();
    const auto deadline = home_.now() + timeout;
    auto& keys = caller_->digits;
    while (keys.empty()) {
        if (home_.now() >= deadline) co_return std::nullopt;
        co_await wait_until(caller_->changed(), deadline);
    }
    const char key = keys.front();
    keys.pop_front();
    co_return key;
}

task<std::string> call::collect(const gather_options& o) {
    std::string digits;
    while (static_cast<int>(digits.size()) < o.max) {
        const auto key = co_await read_digit(digits.empty() ? o.timeout : o.between);
        if (!key || o.terminator.find(*key) != std::string::npos) break;
        digits += *key;
    }
    co_return digits;
}

task<gather_result> call::gather(gather_options o) {
    co_await answer();
    gather_result out;
    for (int attempt = 1; attempt <= o.tries; ++attempt) {
        co_await play(o.prompt);
        doing = "gathering digits";
        auto collecting = collect(o);
        out.digits = co_await collecting;
        if (static_cast<int>(out.digits.size()) >= o.min && (!o.valid || o.valid(out.digits))) {
            out.how = gather_result::status::ok;
            co_return out;
        }
        out.how = out.digits.empty() ? gather_result::status::no_input : gather_result::status::invalid;
        if (attempt == o.tries) break;
        co_await play(out.digits.empty() ? o.on_no_input : o.on_invalid);
    }
    co_return out;
}

task<menu_choice> call::menu(menu_options o) {
    co_await answer();
    dialplan::extension_table extensions;
    for (const auto& pattern : o.extensions)
        if (auto added = extensions.add(pattern, 0); !added) throw std::runtime_error(added.error().text);

    menu_choice out;
    for (int attempt = 1; attempt <= o.tries; ++attempt) {
        co_await play(o.prompt);
        doing = "menu";
        std::string digits;
        for (;;) {
            const bool is_key = std::find(o.keys.begin(), o.keys.end(), digits) != o.keys.end();
            const bool is_extension = !digits.empty() && extensions.match(digits).has_value();
            const bool may_go_on = digits.empty() || extensions.could_match_more(digits) ||
                                   std::any_of(o.keys.begin(), o.keys.end(), [&](const std::string& k) {
                                       return k.size() > digits.size() && k.starts_with(digits);
                                   });
            std::optional<char> key;
            if (may_go_on) key = co_await read_digit(digits.empty() ? o.timeout : o.between);
            const bool enough = key == '#' && !digits.empty(); // as on most phones: "that was all"
            if (key && !enough) {
                digits += *key;
                continue;
            }
            if (is_key || is_extension) {
                out.how = is_key ? menu_choice::kind::key : menu_choice::kind::extension;
                out.digits = std::move(digits);
                co_return out;
            }
            break;
        }
        out.digits = std::move(digits);
        out.reason = out.digits.empty() ? "no_input" : "invalid";
        if (attempt < o.tries) co_await play(out.digits.empty() ? o.on_no_input : o.on_invalid);
    }
    co_return out;
}

} // namespace strowger
