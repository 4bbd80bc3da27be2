#include "core/sdp/description.hpp"
#include "core/sdp/text.hpp"
#include <algorithm>

namespace strowger::sdp {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// NUL, a CR in the middle of a line and the like hide lines from one reader and show them to another.
bool has_control_character(std::string_view line) {
    return std::any_of(line.begin(), line.end(), [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == 0x7f; });
}

/// Reads line by line into one description; the number of the line goes into every error.
class reader {
public:
    result<description> read(std::string_view text) {
        if (text.size() > limits::bytes) return fail("SDP of {} bytes: more than {} are not read", text.size(), limits::bytes);
        while (!text.empty()) {
            const auto end = text.find('\n');
            auto line = text.substr(0, end);
            text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
            if (++number_ > limits::lines) return fail("SDP line {}: more than {} lines are not read", number_, limits::lines);
            while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
            if (line.empty()) continue;
            bytes_ += line.size() + 2;
            ++lines_;
            if (const auto done = read_line(line); !done) return fail(done);
        }
        if (!seen_version_) return fail("SDP line 1: empty; expected v=0");
        if (!seen_origin_) return fail("SDP line {}: ends without an o= line", number_);
        finish();
        if (bytes_ > limits::bytes || lines_ > limits::lines)
            return fail("SDP line {}: written out again it would pass {} lines or {} bytes", number_, limits::lines,
                        limits::bytes);
        return std::move(d_);
    }

private:
    result<> read_line(std::string_view line) {
        if (has_control_character(line)) return fail("SDP line {}: has a control character", number_);
        if (line.size() < 2 || !is_letter(line[0]) || line[1] != '=')
            return fail("SDP line {}: expected a letter, '=' and a value", number_);
        const auto type = line[0];
        const auto value = line.substr(2);
        if (!seen_version_) {
            if (type != 'v' || trimmed(value) != "0") return fail("SDP line {}: expected v=0", number_);
            seen_version_ = true;
            return {};
        }
        switch (type) {
        case 'v': return fail("SDP line {}: a second v= line", number_);
        case 'o': return read_origin(value);
        case 's': return read_name(value);
        case 'c': return read_connection(value);
        case 'm': return read_media(value);
        case 'a': return read_attribute(value);
        case 'b': (in_media() ? section().bandwidth : d_.bandwidth).emplace_back(value); return {};
        case 't':
            if (in_media()) break;
            d_.times.push_back({std::string(value), {}});
            return {};
        case 'r':
            if (in_media()) break;
            if (d_.times.empty()) add_time();
            d_.times.back().repeats.emplace_back(value);
            return {};
        default: break;
        }
        (in_media() ? section().others : d_.others).push_back({type, std::string(value)});
        return {};
    }

    /// The user name may hold spaces, although it must not: the last five words are taken from the end.
    result<> read_origin(std::string_view value) {
        if (seen_origin_ || in_media()) return fail("SDP line {}: a second or misplaced o= line", number_);
        std::string_view words[5];
        for (int i = 4; i >= 0; --i) {
            value = trimmed(value);
            const auto space = value.find_last_of(" \t");
            words[i] = space == std::string_view::npos ? value : value.substr(space + 1);
            value = value.substr(0, space == std::string_view::npos ? 0 : space);
        }
        const auto user = trimmed(value);
        const auto id = number<std::uint64_t>(words[0]), version = number<std::uint64_t>(words[1]);
        if (user.empty()) return fail("SDP line {}: o= needs a user name, two numbers and an address", number_);
        if (!id || !version) return fail("SDP line {}: session id and version in o= must be numbers below 2^64", number_);
        d_.origin = {std::string(user), *id, *version, {std::string(words[2]), std::string(words[3]), std::string(words[4])}};
        seen_origin_ = true;
        return {};
    }

    result<> read_name(std::string_view value) {
        if (seen_name_ || in_media()) return fail("SDP line {}: a second or misplaced s= line", number_);
        seen_name_ = true;
        if (value.empty())
            ++bytes_; // Written as "-".
        else
            d_.session_name = value;
        return {};
    }

    /// Further c= lines of a section are layers of multicast (RFC 8866 §5.7), which nobody here uses.
    result<> read_connection(std::string_view value) {
        auto& connection = in_media() ? section().connection : d_.connection;
        if (connection) {
            (in_media() ? section().others : d_.others).push_back({'c', std::string(value)});
            return {};
        }
        const auto network = next_word(value), family = next_word(value), address = next_word(value);
        if (address.empty() || !next_word(value).empty())
            return fail("SDP line {}: c= needs three words, as in \"IN IP4 192.0.2.1\"", number_);
        connection = net_address{std::string(network), std::string(family), std::string(address)};
        return {};
    }

    result<> read_media(std::string_view value) {
        if (d_.sections.size() == limits::sections)
            return fail("SDP line {}: more than {} m= lines are not read", number_, limits::sections);
        const auto kind = next_word(value), port_text = next_word(value), protocol = next_word(value);
        if (protocol.empty()) return fail("SDP line {}: m= needs a kind, a port, a protocol and formats", number_);
        const auto slash = port_text.find('/');
        const auto port = number<std::uint16_t>(port_text.substr(0, slash));
        const auto count = slash == std::string_view::npos ? 1 : number<std::uint16_t>(port_text.substr(slash + 1));
        if (!port || !count || *count == 0) return fail("SDP line {}: the port in m= must be a number up to 65535", number_);
        media m;
        m.kind = kind;
        m.port = *port;
        m.port_count = *count;
        m.protocol = protocol;
        for (auto format = next_word(value); !format.empty(); format = next_word(value)) {
            if (m.formats.size() == limits::formats)
                return fail("SDP line {}: more than {} formats are not read", number_, limits::formats);
            m.formats.emplace_back(format);
        }
        d_.sections.push_back(std::move(m));
        return {};
    }

    result<> read_attribute(std::string_view value) {
        auto& attributes = in_media() ? section().attributes : d_.attributes;
        if (attributes.size() == limits::attributes)
            return fail("SDP line {}: more than {} attributes in one section are not read", number_, limits::attributes);
        const auto colon = value.find(':');
        const auto name = trimmed(value.substr(0, colon));
        if (name.empty()) return fail("SDP line {}: a= without a name", number_);
        attribute a{std::string(name), std::nullopt};
        if (colon != std::string_view::npos) a.value = value.substr(colon + 1);
        attributes.push_back(std::move(a));
        return {};
    }

    bool in_media() const { return !d_.sections.empty(); }
    media& section() { return d_.sections.back(); }

    /// Makes the description equal to what `parse(write(d))` gives: the lines that `write` adds, and others in its order.
    void finish() {
        if (d_.times.empty()) add_time();
        if (!seen_name_) bytes_ += std::string_view("s=-\r\n").size(), ++lines_;
        const auto rank = [](const other_line& l) { return std::min<std::size_t>(std::string_view("iuepc").find(l.type), 5); };
        const auto earlier = [&](const other_line& x, const other_line& y) { return rank(x) < rank(y); };
        std::stable_sort(d_.others.begin(), d_.others.end(), earlier);
        for (auto& m : d_.sections) std::stable_sort(m.others.begin(), m.others.end(), earlier);
    }

    void add_time() {
        d_.times.emplace_back();
        bytes_ += std::string_view("t=0 0\r\n").size();
        ++lines_;
    }

    description d_;
    std::size_t number_ = 0; ///< Of the line in the text received.
    std::size_t lines_ = 0;  ///< Of the description when written.
    std::size_t bytes_ = 0;  ///< At most, of the description when written.
    bool seen_version_ = false;
    bool seen_origin_ = false;
    bool seen_name_ = false;
};

} // namespace

result<description> parse(std::string_view text) { return reader().read(text); }

} // namespace strowger::sdp
