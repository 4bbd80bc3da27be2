#include "channels/sip/message.hpp"
#include "channels/sip/text.hpp"
#include <algorithm>

namespace strowger::sip {

const std::string* message::find(std::string_view name) const {
    const auto it = std::find_if(headers.begin(), headers.end(), [&](const header& h) { return same_text(h.name, name); });
    return it == headers.end() ? nullptr : &it->value;
}

std::string message::get(std::string_view name) const {
    const auto* v = find(name);
    return v == nullptr ? std::string() : *v;
}

std::vector<std::string> message::all(std::string_view name) const {
    std::vector<std::string> out;
    for (const auto& h : headers) {
        if (!same_text(h.name, name)) continue;
        for (auto& one : split_list(h.value)) out.push_back(std::move(one));
    }
    return out;
}

std::string message::content_type() const {
    const auto whole = get("Content-Type");
    std::string type(trim(std::string_view(whole).substr(0, whole.find(';'))));
    std::transform(type.begin(), type.end(), type.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return type;
}

std::string masked(std::string_view message_text) {
    constexpr std::string_view key = "response=";
    std::string out(message_text);
    for (std::size_t at = 0; at + key.size() <= out.size(); ++at) {
        if (!same_text(std::string_view(out).substr(at, key.size()), key)) continue;
        auto begin = at + key.size();
        while (begin < out.size() && out[begin] == '"') ++begin;
        for (; begin < out.size() && out[begin] != '"' && out[begin] != ',' && out[begin] != '\r' && out[begin] != '\n'; ++begin)
            out[begin] = '*';
        at = begin;
    }
    return out;
}

} // namespace strowger::sip
