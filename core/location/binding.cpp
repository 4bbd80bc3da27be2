#include "core/location/binding.hpp"
#include "core/base/value.hpp"
#include <algorithm>

namespace strowger {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

/// A record with a later moment is damaged; arithmetic with it could overflow.
constexpr auto latest = std::chrono::hours(24 * 365 * 200);

/// JSON takes no bytes that are not UTF-8, and phones send such: all but ASCII is written as %XX.
std::string escape(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 128 && c != '%')
            out += c;
        else
            out += fmt::format("%{:02x}", byte);
    }
    return out;
}

int digit_of(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

std::string unescape(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool escaped = text[i] == '%' && i + 2 < text.size() && digit_of(text[i + 1]) >= 0 && digit_of(text[i + 2]) >= 0;
        out += escaped ? static_cast<char>(digit_of(text[i + 1]) * 16 + digit_of(text[i + 2])) : text[i];
        if (escaped) i += 2;
    }
    return out;
}

} // namespace

std::string encode_bindings(const std::vector<binding>& all, std::string_view run) {
    value::list list;
    for (const auto& b : all) {
        value::table t;
        const auto put = [&t](const char* key, const std::string& text) {
            if (!text.empty()) t[key] = escape(text);
        };
        put("driver", b.driver);
        put("address", b.address);
        put("received", b.received);
        put("path", b.path);
        put("instance", b.instance);
        put("user_agent", b.user_agent);
        put("call_id", b.call_id);
        t["q"] = b.q;
        t["cseq"] = std::uint64_t(b.cseq);
        t["lasts"] = std::int64_t(b.lasts.count());
        t["expires"] = std::int64_t(duration_cast<milliseconds>(b.expires.time_since_epoch()).count());
        t["expires_mono"] = std::int64_t(duration_cast<nanoseconds>(b.expires_mono.time_since_epoch()).count());
        list.emplace_back(std::move(t));
    }
    value record;
    record["run"] = run;
    record["bindings"] = std::move(list);
    return to_json(record);
}

std::optional<decoded_bindings> decode_bindings(std::string_view user, std::string_view record, std::string_view run,
                                                const clock& time) {
    const auto parsed = from_json(record);
    if (!parsed || !(*parsed)["bindings"].items()) return std::nullopt;
    const bool same_run = (*parsed)["run"].text_or("") == run;
    decoded_bindings out;
    for (const auto& v : *(*parsed)["bindings"].items()) {
        const auto text = [&v](std::string_view key) { return unescape(v[key].text_or("")); };
        binding b;
        b.user = user;
        b.driver = text("driver");
        b.address = text("address");
        b.received = text("received");
        b.path = text("path");
        b.instance = text("instance");
        b.user_agent = text("user_agent");
        b.call_id = text("call_id");
        b.q = v["q"].number_or(1);
        b.cseq = static_cast<std::uint32_t>(v["cseq"].integer_or(0));
        b.lasts = seconds(v["lasts"].integer_or(-1));
        const auto expires = milliseconds(v["expires"].integer_or(-1));
        if (b.driver.empty() || b.address.empty() || b.lasts < seconds(0) || b.lasts > latest || expires < seconds(0) ||
            expires > latest)
            return std::nullopt;
        b.expires = wall_time(expires);
        b.expires_mono = instant(nanoseconds(v["expires_mono"].integer_or(0)));
        if (!same_run) {
            const nanoseconds by_wall = b.expires - time.wall();
            const auto left = std::min<nanoseconds>(by_wall, b.lasts);
            if (left < by_wall) out.corrected = true;
            b.expires_mono = time.now() + duration_cast<instant::duration>(left);
            b.expires = time.wall() + duration_cast<wall_time::duration>(left);
        }
        if (b.expires_mono > time.now())
            out.all.push_back(std::move(b));
        else
            out.corrected = true;
    }
    return out;
}

} // namespace strowger
