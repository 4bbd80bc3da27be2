// event follow, show.
#include "core/async/ask.hpp"
#include "core/control/commands.hpp"
#include "core/engine.hpp"
#include <charconv>

namespace strowger::control {
namespace {

constexpr std::size_t at_once = 256;   // events fetched in one go
constexpr std::uint64_t behind = 1000; // events that a follower is told of when it has not kept up

/// What of the stream is wanted.
struct selection {
    std::uint64_t next = 0;
    std::string type, call; // empty: any
    bool to_now = false;
};

result<selection> selected(const command_arguments& a, std::uint64_t last) {
    selection s;
    s.next = last + 1;
    s.to_now = a.has("--to-now");
    if (const auto it = a.options.find("--type"); it != a.options.end()) s.type = it->second;
    if (const auto it = a.options.find("--call"); it != a.options.end()) s.call = it->second;
    const auto from = a.options.find("--from");
    if (from == a.options.end()) return s;
    const auto* end = from->second.data() + from->second.size();
    if (const auto [at, wrong] = std::from_chars(from->second.data(), end, s.next); wrong != std::errc() || at != end)
        return fail("\"{}\" is no number of an event; they begin with 1", from->second);
    s.next = std::max<std::uint64_t>(s.next, 1);
    if (s.next > last + 1) return fail("event {} has not happened yet; the newest is {}", s.next, last);
    return s;
}

std::string remark(std::string text, value::table with = {}) {
    with["remark"] = std::move(text);
    return to_json(with);
}

std::string gone(std::uint64_t first, std::uint64_t last) {
    auto text = first == last ? fmt::format("event {} is gone, the next is {}", first, last + 1)
                              : fmt::format("events {}-{} are gone, the oldest is {}", first, last, last + 1);
    return remark(std::move(text), {{"gone", value::table{{"first", first}, {"last", last}}}});
}

/// What is sent of a batch, made where it was read: the control thread has others to serve.
struct lines {
    std::vector<std::string> json;
    std::uint64_t next = 0;
    bool any = false;
};

lines chosen(const event_follower::batch& got, const selection& s) {
    lines out;
    out.next = s.next;
    out.any = !got.events.empty() || got.gone_until != 0;
    if (got.gone_until != 0) {
        out.json.push_back(gone(s.next, got.gone_until));
        out.next = got.gone_until + 1;
    }
    for (const auto& e : got.events) {
        if (e->number > out.next) out.json.push_back(gone(out.next, e->number - 1));
        out.next = e->number + 1;
        if (!s.type.empty() || !s.call.empty()) {
            const auto v = from_json(e->text);
            if (!v || !(*v)["type"].text_or("").starts_with(s.type)) continue;
            if (!s.call.empty() && (*v)["call"].text_or("") != s.call) continue;
        }
        out.json.push_back(e->text);
    }
    return out;
}

task<result<command_reply>> follow(engine& core, command_arguments a, console_stream& to) {
    event_follower follower(core.events(), core.control(), to.changed());
    auto wanted = selected(a, follower.last());
    if (!wanted) co_return fail(wanted);
    auto s = std::move(*wanted);
    const auto stop_at = follower.last();
    bool caught_up = false;
    to.send(R"({"begin":true})");
    while (!to.gone() && !to.input()) {
        if (!to.room()) {
            co_await wait_for(to.changed());
            continue;
        }
        std::function<lines()> read = [source = follower.reading(), s] {
            return chosen(event_follower::fetch(*source, s.next, at_once), s);
        };
        auto reading = ask(core.files(), std::move(read));
        auto got = co_await reading;
        const auto newest = follower.last();
        if (caught_up && newest > got.next + behind) {
            caught_up = false;
            to.send(remark(fmt::format("{} events behind; catching up", newest - got.next + 1)));
        }
        for (const auto& line : got.json) to.send(line);
        s.next = got.next;
        if (s.to_now && s.next > stop_at) break;
        if (got.any) continue;
        caught_up = true;
        if (follower.last() < s.next) co_await wait_for(to.changed());
    }
    co_return text_reply("", value::table{{"next", s.next}});
}

result<command_reply> show(engine& core) {
    const auto f = core.events().now();
    return command_reply{value::table{{"newest", f.last},
                                      {"oldest", f.oldest},
                                      {"kept", f.kept},
                                      {"bytes", f.bytes},
                                      {"lost", f.lost},
                                      {"disk_fails", f.disk_fails},
                                      {"followers", f.followers}},
                         {},
                         {}};
}

} // namespace

void add_event_commands(engine& core) {
    command head{
        "event follow",
        "[--from N] [--to-now] [--type TYPE] [--call ID]",
        "What happens, as it happens",
        "From event N on, first what is kept, then live; without --from what happens from now on. --to-now ends it at the "
        "newest. TYPE is how a type begins (\"call.\"), ID a call's. It ends by Enter on the console, or by Ctrl-C.\n"
        "Example: event follow --from 4711 --json",
        {}};
    add_streaming(core, std::move(head),
                  [&core](command_arguments a, console_stream& to) { return follow(core, std::move(a), to); });

    head = {
        "event show",
        "",
        "How many events there were and what is kept of them",
        "The number of the newest, of the oldest that is kept, bytes on disk, those lost, and who follows.\nExample: event show",
        {}};
    add_plain(core, std::move(head), [&core](command_arguments) { return show(core); });
}

} // namespace strowger::control
