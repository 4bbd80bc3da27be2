#include "core/sdp/description.hpp"
#include <fmt/format.h>

namespace strowger::sdp {
namespace {

class writer {
public:
    std::string write(const description& d) {
        line('v', "0");
        line('o', fmt::format("{} {} {} {}", d.origin.username, d.origin.session_id, d.origin.version, words(d.origin.address)));
        line('s', d.session_name.empty() ? "-" : d.session_name);
        others(d.others, "iuep");
        connection(d.connection, d.others);
        for (const auto& b : d.bandwidth) line('b', b);
        if (d.times.empty()) line('t', "0 0");
        for (const auto& t : d.times) {
            line('t', t.when);
            for (const auto& r : t.repeats) line('r', r);
        }
        last_others(d.others);
        attributes(d.attributes);
        for (const auto& m : d.sections) section(m);
        return std::move(out_);
    }

private:
    void section(const media& m) {
        auto text = fmt::format("{} {}", m.kind, m.port);
        if (m.port_count != 1) text += fmt::format("/{}", m.port_count);
        text += ' ' + m.protocol;
        for (const auto& format : m.formats) text += ' ' + format;
        line('m', text);
        others(m.others, "iuep");
        connection(m.connection, m.others);
        for (const auto& b : m.bandwidth) line('b', b);
        last_others(m.others);
        attributes(m.attributes);
    }

    void connection(const std::optional<net_address>& first, const std::vector<other_line>& further) {
        if (first) line('c', words(*first));
        others(further, "c");
    }

    void attributes(const std::vector<attribute>& all) {
        for (const auto& a : all) line('a', a.value ? a.name + ':' + *a.value : a.name);
    }

    void others(const std::vector<other_line>& all, std::string_view types) {
        for (const auto& o : all)
            if (types.find(o.type) != std::string_view::npos) line(o.type, o.value);
    }

    void last_others(const std::vector<other_line>& all) {
        for (const auto& o : all)
            if (std::string_view("iuepc").find(o.type) == std::string_view::npos) line(o.type, o.value);
    }

    static std::string words(const net_address& a) { return fmt::format("{} {} {}", a.network, a.family, a.address); }

    void line(char type, std::string_view value) {
        out_ += type;
        out_ += '=';
        for (const char c : value)
            if (c < 0 || c >= ' ' || c == '\t') out_ += c;
        out_ += "\r\n";
    }

    std::string out_;
};

} // namespace

std::string write(const description& d) { return writer().write(d); }

} // namespace strowger::sdp
