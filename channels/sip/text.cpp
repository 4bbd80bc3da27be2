#include "channels/sip/text.hpp"
#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <fmt/format.h>

namespace strowger::sip {
namespace {

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_letter(char c) noexcept { return lower(c) >= 'a' && lower(c) <= 'z'; }
int hex_digit(char c) noexcept {
    if (is_digit(c)) return c - '0';
    const auto l = lower(c);
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}
bool has_control_or_blank(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7f; });
}

} // namespace

bool same_text(std::string_view a, std::string_view b) noexcept {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trim(std::string_view text) noexcept {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t' || text.front() == '\r' || text.front() == '\n'))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r' || text.back() == '\n'))
        text.remove_suffix(1);
    return text;
}

std::optional<std::uint32_t> parse_number(std::string_view digits) noexcept {
    std::uint32_t n = 0;
    const auto end = digits.data() + digits.size();
    const auto [stop, wrong] = std::from_chars(digits.data(), end, n);
    if (digits.empty() || wrong != std::errc() || stop != end) return std::nullopt;
    return n;
}

std::string unescape(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
            out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
            i += 2;
        } else {
            out += text[i];
        }
    }
    return out;
}

std::string escape_user(std::string_view text) {
    constexpr std::string_view allowed = "-_.!~*'()&=+$,;/";
    std::string out;
    for (const char c : text) {
        if (is_digit(c) || is_letter(c) || allowed.find(c) != std::string_view::npos)
            out += c;
        else
            out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

std::string clean(std::string_view text) {
    std::string out(text);
    std::erase_if(out, [](char c) { return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == 0x7f; });
    return out;
}

std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : clean(text)) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

std::string quoted_display(std::string_view name) { return name.empty() ? std::string() : quoted(name) + ' '; }

std::string host_text(std::string_view host) {
    return host.find(':') == std::string_view::npos ? std::string(host) : fmt::format("[{}]", host);
}

bool is_numeric_address(std::string_view host) noexcept {
    char copy[INET6_ADDRSTRLEN];
    if (host.empty() || host.size() >= sizeof copy || host.find('\0') != std::string_view::npos) return false;
    copy[host.copy(copy, host.size())] = 0;
    in6_addr any{};
    return inet_pton(AF_INET, copy, &any) == 1 || inet_pton(AF_INET6, copy, &any) == 1;
}

std::optional<uri> parse_uri(std::string_view text) {
    uri u;
    const auto colon = text.find(':');
    if (colon == std::string_view::npos || colon == 0 || has_control_or_blank(text)) return std::nullopt;
    if (!is_letter(text.front())) return std::nullopt;
    for (const char c : text.substr(0, colon)) {
        if (!is_letter(c) && !is_digit(c) && c != '+' && c != '-' && c != '.') return std::nullopt;
        u.scheme += lower(c);
    }
    auto rest = text.substr(colon + 1);
    if (!u.is_sip()) {
        u.user = rest;
        return u;
    }
    if (const auto at = rest.rfind('@', rest.find('?')); at != std::string_view::npos) {
        const auto user = rest.substr(0, at);
        u.user = unescape(user.substr(0, user.find(':')));
        if (clean(u.user) != u.user) return std::nullopt; // %00 and the like: no number has them, and who cuts them out errs
        rest.remove_prefix(at + 1);
    }
    rest = rest.substr(0, rest.find('?'));
    if (const auto semicolon = rest.find(';'); semicolon != std::string_view::npos) {
        u.params = rest.substr(semicolon + 1);
        rest = rest.substr(0, semicolon);
    }
    if (rest.starts_with('[')) {
        const auto close = rest.find(']');
        if (close == std::string_view::npos) return std::nullopt;
        u.host = rest.substr(1, close - 1);
        if (!is_numeric_address(u.host)) return std::nullopt; // zones mean nothing on another machine
        rest.remove_prefix(close + 1);
    } else {
        const auto end = std::min(rest.find(':'), rest.size());
        u.host = rest.substr(0, end);
        rest.remove_prefix(end);
        if (!std::all_of(u.host.begin(), u.host.end(),
                         [](char c) { return is_letter(c) || is_digit(c) || c == '.' || c == '-' || c == '_'; }))
            return std::nullopt;
    }
    if (u.host.empty()) return std::nullopt;
    if (!rest.empty()) {
        const auto port = rest.front() == ':' ? parse_number(rest.substr(1)) : std::nullopt;
        if (!port || *port == 0 || *port > 65535) return std::nullopt;
        u.port = static_cast<std::uint16_t>(*port);
    }
    return u;
}

std::optional<name_addr> parse_name_addr(std::string_view text) {
    name_addr a;
    text = trim(text);
    if (text.starts_with('"')) {
        std::size_t i = 1;
        for (; i < text.size() && text[i] != '"'; ++i) {
            if (text[i] == '\\' && i + 1 < text.size()) ++i;
            a.display += text[i];
        }
        if (i >= text.size()) return std::nullopt;
        text = trim(text.substr(i + 1));
        if (!text.starts_with('<')) return std::nullopt;
    }
    if (const auto open = text.find('<'); open != std::string_view::npos) {
        if (a.display.empty()) a.display = trim(text.substr(0, open));
        const auto close = text.find('>', open);
        if (close == std::string_view::npos) return std::nullopt;
        a.uri = trim(text.substr(open + 1, close - open - 1));
        text = trim(text.substr(close + 1));
        if (text.starts_with(';'))
            a.params = trim(text.substr(1));
        else if (!text.empty())
            return std::nullopt;
    } else {
        const auto end = std::min(text.find(';'), text.size());
        a.uri = trim(text.substr(0, end));
        if (end < text.size()) a.params = trim(text.substr(end + 1));
        if (a.uri.find_first_of("<>\"") != std::string::npos) return std::nullopt;
    }
    if (a.uri.empty()) return std::nullopt;
    return a;
}

std::vector<std::string> split_list(std::string_view text) {
    std::vector<std::string> out;
    bool quoted = false, angle = false;
    std::size_t begin = 0;
    const auto take = [&](std::size_t end) {
        const auto piece = trim(text.substr(begin, end - begin));
        if (!piece.empty()) out.emplace_back(piece);
        begin = end + 1;
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted && c == '\\') ++i;
        else if (c == '"' && !angle) quoted = !quoted;
        else if (!quoted && c == '<') angle = true;
        else if (!quoted && c == '>') angle = false;
        else if (c == ',' && !quoted && !angle) take(i);
    }
    if (begin < text.size()) take(text.size());
    return out;
}

std::optional<std::string> param(std::string_view params, std::string_view name) {
    while (!params.empty()) {
        std::size_t end = 0;
        for (bool quoted = false; end < params.size() && (quoted || params[end] != ';'); ++end) {
            if (quoted && params[end] == '\\' && end + 1 < params.size()) ++end;
            else if (params[end] == '"') quoted = !quoted;
        }
        const auto one = trim(params.substr(0, end));
        params.remove_prefix(std::min(end + 1, params.size()));
        const auto equals = one.find('=');
        if (!same_text(trim(one.substr(0, equals)), name)) continue;
        if (equals == std::string_view::npos) return std::string();
        auto value = trim(one.substr(equals + 1));
        if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
        return std::string(value);
    }
    return std::nullopt;
}

} // namespace strowger::sip
