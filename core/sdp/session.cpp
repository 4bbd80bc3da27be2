#include "core/sdp/session.hpp"
#include "core/base/ids.hpp"
#include "core/sdp/matching.hpp"
#include <algorithm>
#include <fmt/format.h>

namespace strowger::sdp {
namespace {

/// Payload types for our offers: a number keeps its meaning for the life of the session (RFC 3264 §8.3.2).
class payload_types {
public:
    explicit payload_types(std::vector<codec> known) : known_(std::move(known)) {}

    /// The number that the codec has already, else the one it wishes for, else its static one, else a free one.
    std::optional<int> assign(const codec& c) {
        if (const auto* k = find_codec(known_, c)) return k->payload_type;
        std::vector<int> choice{c.payload_type};
        for (int n = 0; n < 35; ++n)
            if (const auto map = media().rtpmap(n); map && same_codec(c, {map->name, n, map->clock_rate, map->channels, {}}))
                choice.push_back(n);
        for (int n = 96; n <= 127; ++n) choice.push_back(n);
        for (int n = 35; n <= 63; ++n) choice.push_back(n);
        const auto free = std::find_if(choice.begin(), choice.end(), [this](int n) { return is_free(n); });
        if (free == choice.end()) return std::nullopt;
        known_.push_back(c);
        known_.back().payload_type = *free;
        return *free;
    }

private:
    bool is_free(int n) const {
        return n >= 0 && n <= 127 &&
               std::none_of(known_.begin(), known_.end(), [n](const codec& c) { return c.payload_type == n; });
    }

    std::vector<codec> known_;
};

codec event_codec(int payload_type, int clock_rate) {
    return {std::string(telephone_event), payload_type, clock_rate, 1, "0-16"};
}

void add_codec(media& section, const codec& c, int payload_type) {
    section.formats.push_back(fmt::format("{}", payload_type));
    auto map = fmt::format("{} {}/{}", payload_type, c.name, c.clock_rate);
    if (c.channels > 1) map += fmt::format("/{}", c.channels);
    section.attributes.push_back({"rtpmap", std::move(map)});
    if (!c.fmtp.empty()) section.attributes.push_back({"fmtp", fmt::format("{} {}", payload_type, c.fmtp)});
}

/// What follows the codecs.
void finish_audio(media& section, const audio_capabilities& caps, int ptime, bool mux, direction dir) {
    section.port = caps.rtp_port;
    section.attributes.push_back({"ptime", fmt::format("{}", ptime)});
    if (caps.rtcp_port != 0 && caps.rtcp_port != caps.rtp_port + 1)
        section.attributes.push_back({"rtcp", fmt::format("{}", caps.rtcp_port)});
    if (mux) section.attributes.push_back({"rtcp-mux", std::nullopt});
    section.attributes.push_back({std::string(to_string(dir)), std::nullopt});
}

media offered_audio(const audio_capabilities& caps, const media* before) {
    media section;
    if (before) section.protocol = before->protocol;
    payload_types types(before ? codecs_of(*before) : std::vector<codec>());
    std::vector<codec> listed;
    const auto add = [&](const codec& c) {
        if (find_codec(listed, c)) return;
        const auto number = types.assign(c);
        if (!number) return;
        add_codec(section, c, *number);
        listed.push_back(c);
    };
    for (const auto& c : caps.codecs) add(c);
    if (caps.offers_telephone_event) {
        add(event_codec(caps.telephone_event_pt, 8000));
        for (const auto& c : caps.codecs) add(event_codec(-1, c.clock_rate));
    }
    finish_audio(section, caps, usable_ptime(caps.ptime), caps.rtcp_port == caps.rtp_port, caps.dir);
    return section;
}

media answered_audio(const description& offer, const media& offered, std::vector<codec> usable, const audio_capabilities& caps) {
    media section;
    section.kind = offered.kind;
    section.protocol = offered.protocol;
    if (caps.answers_with_one_codec) usable.resize(1);
    for (auto& c : usable) {
        c.fmtp = find_codec(caps.codecs, c)->fmtp;
        add_codec(section, c, c.payload_type);
    }
    if (caps.offers_telephone_event) {
        const auto all = codecs_of(offered);
        std::vector<codec> listed;
        for (const auto& c : usable) {
            const auto* event = find_telephone_event(all, c.clock_rate);
            if (!event || find_codec(listed, *event)) continue;
            add_codec(section, event_codec(0, event->clock_rate), event->payload_type);
            listed.push_back(*event);
        }
    }
    finish_audio(section, caps, ptime_for(offered, caps.ptime), offered.rtcp_mux() && caps.accepts_rtcp_mux,
                 narrowed(caps.dir, reversed(effective_direction(offer, offered))));
    return section;
}

/// Port 0 and the same formats (RFC 3264 §6); a list that was missing gets the one word that the grammar asks for.
media refused(const media& offered) {
    media section;
    section.kind = offered.kind;
    section.protocol = offered.protocol;
    section.formats = offered.formats;
    if (section.formats.empty()) section.formats.emplace_back("0");
    return section;
}

/// Whether the description in force still says what a new answer would, apart from codecs that it has besides.
bool still_holds(const description& in_force, const description& fresh) {
    const auto at = audio_in_use(in_force);
    if (!at || at != audio_in_use(fresh) || in_force.sections.size() != fresh.sections.size()) return false;
    const auto &before = in_force.sections[*at], &now = fresh.sections[*at];
    const auto known = codecs_of(before), wanted = codecs_of(now);
    return in_force.connection == fresh.connection && before.port == now.port && before.rtcp() == now.rtcp() &&
           before.rtcp_mux() == now.rtcp_mux() && in_force.direction_of(before) == fresh.direction_of(now) &&
           std::all_of(wanted.begin(), wanted.end(), [&](const codec& c) { return find_codec(known, c) != nullptr; });
}

} // namespace

// RFC 3264 §5 allows 63 bits; some phones keep 32 with a sign.
session::session() : session(random_u64() & 0x7fffffffU) {}

description session::frame(const audio_capabilities& caps) const {
    description d;
    const net_address here{"IN", caps.address.find(':') == std::string::npos ? "IP4" : "IP6", caps.address};
    d.origin = {"-", id_, 0, sent_ ? sent_->origin.address : here};
    d.connection = here;
    d.times.emplace_back();
    return d;
}

description session::stamped(description body) const {
    body.origin.version = 1;
    if (!sent_) return body;
    body.origin.version = sent_->origin.version;
    if (body != *sent_) ++body.origin.version;
    return body;
}

description session::make_offer(const audio_capabilities& caps) {
    auto body = frame(caps);
    if (local_) {
        body.times = local_->times;
        const auto slot = audio_in_use(*local_);
        for (std::size_t i = 0; i < local_->sections.size(); ++i) {
            const auto& before = local_->sections[i];
            body.sections.push_back(i == slot ? offered_audio(caps, &before) : refused(before));
        }
    } else {
        body.sections.push_back(offered_audio(caps, nullptr));
    }
    sent_ = stamped(std::move(body));
    pending_ = true;
    return *sent_;
}

negotiated<agreed_audio> session::accept_answer(const description& answer) {
    if (!pending_ && !offered_last_) return refuse(problem::no_offer, "an SDP answer came although nothing was offered");
    auto ours = pending_ ? *sent_ : *local_;
    auto audio = agree(ours, answer);
    if (!audio) return audio;
    local_ = std::move(ours);
    remote_ = answer;
    pending_ = false;
    offered_last_ = true;
    return audio;
}

void session::offer_refused() { pending_ = false; }

negotiated<answered> session::answer(const description& offer, const audio_capabilities& caps) {
    if (pending_) return refuse(problem::offer_pending, "an SDP offer came while our own waits for its answer");
    auto body = frame(caps);
    if (!offer.times.empty()) body.times = offer.times; // RFC 3264 §6: equal to that of the offer.
    std::optional<refusal> reason;
    bool found = false;
    for (const auto& section : offer.sections) {
        auto usable = found ? std::vector<codec>() : usable_codecs(offer, section, caps);
        if (!found && usable) {
            body.sections.push_back(answered_audio(offer, section, std::move(*usable), caps));
            found = true;
            continue;
        }
        if (!usable && !reason && section.is("audio")) reason = usable.error();
        body.sections.push_back(refused(section));
    }
    if (!found)
        return tl::unexpected<refusal>(reason.value_or(refusal{{"the SDP offer has no audio"}, problem::no_usable_audio}));
    if (remote_ && offer == *remote_ && still_holds(*local_, body)) body = *local_;

    body = stamped(std::move(body));
    auto audio = agree(body, offer);
    if (!audio) return tl::unexpected<refusal>(audio.error());
    sent_ = body;
    local_ = body;
    remote_ = offer;
    offered_last_ = false;
    return answered{std::move(body), std::move(*audio)};
}

negotiated<agreed_audio> session::agreed() const {
    if (!local_ || !remote_) return refuse(problem::no_offer, "no audio is agreed yet");
    return agree(*local_, *remote_);
}

} // namespace strowger::sdp
