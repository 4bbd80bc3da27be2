#include "core/sdp/matching.hpp"
#include "core/sdp/text.hpp"
#include <algorithm>
#include <arpa/inet.h>

namespace strowger::sdp {
namespace {

/// Where the peer receives audio.
negotiated<checked_address> address_of(const description& d, const media& section) {
    const auto* connection = d.connection_of(section);
    if (!connection) return refuse(problem::malformed, "the SDP has no c= line for its {} section", section.kind);
    return check_address(*connection);
}

void set_rtcp(agreed_audio& audio, const media& ours, const media& theirs, const checked_address& rtp) {
    audio.rtcp_mux = ours.rtcp_mux() && theirs.rtcp_mux();
    audio.remote_rtcp_address = rtp.text;
    if (audio.rtcp_mux) {
        audio.remote_rtcp_port = theirs.port;
        return;
    }
    audio.remote_rtcp_port = theirs.port == 65535 ? std::uint16_t{0} : static_cast<std::uint16_t>(theirs.port + 1);
    const auto said = theirs.rtcp();
    if (!said) return;
    if (said->address) {
        const auto elsewhere = check_address(*said->address);
        if (!elsewhere || elsewhere->unspecified || elsewhere->is_ip6 != rtp.is_ip6) return;
        audio.remote_rtcp_address = elsewhere->text;
    }
    audio.remote_rtcp_port = said->port;
}

} // namespace

int sip_status(problem kind) {
    switch (kind) {
    case problem::malformed:
    case problem::no_offer: return 400;
    case problem::no_usable_audio: return 488;
    case problem::offer_pending: return 491;
    }
    return 400;
}

bool same_codec(const codec& a, const codec& b) {
    return a.clock_rate == b.clock_rate && a.channels == b.channels && equal_without_case(a.name, b.name);
}

negotiated<checked_address> check_address(const net_address& address) {
    const auto& text = address.address;
    const auto ip6 = equal_without_case(address.family, "IP6");
    if (!equal_without_case(address.network, "IN") || (!ip6 && !equal_without_case(address.family, "IP4")))
        return refuse(problem::malformed, "\"{} {}\" in the SDP is not a kind of address that is known", address.network,
                      address.family);
    if (text.find('%') != std::string::npos)
        return refuse(problem::malformed, "address {} in the SDP has a zone, which means nothing outside its machine", text);
    in_addr four{};
    in6_addr six{};
    const bool is_four = inet_pton(AF_INET, text.c_str(), &four) == 1;
    const bool is_six = inet_pton(AF_INET6, text.c_str(), &six) == 1;
    if (!is_four && !is_six)
        return refuse(
            problem::no_usable_audio,
            "address {} in the SDP is not a numeric unicast address; names are not resolved here: let the peer send its IP",
            text);
    if (is_six != ip6) return refuse(problem::malformed, "address {} in the SDP is not of its family {}", text, address.family);
    if (is_six && IN6_IS_ADDR_V4MAPPED(&six))
        return refuse(problem::no_usable_audio, "address {} in the SDP hides an IPv4 address; it has to come as IP4", text);
    const auto host_order = ntohl(four.s_addr);
    if ((is_four && host_order >= 0xe0000000U) || (is_six && IN6_IS_ADDR_MULTICAST(&six)))
        return refuse(problem::no_usable_audio, "address {} in the SDP is for a group; audio goes to single hosts only", text);
    return checked_address{text, is_six, is_six ? IN6_IS_ADDR_UNSPECIFIED(&six) != 0 : host_order == 0};
}

bool is_plain_audio(const media& section) {
    return section.is("audio") && section.port != 0 &&
           (equal_without_case(section.protocol, "RTP/AVP") || equal_without_case(section.protocol, "RTP/AVPF"));
}

std::vector<codec> codecs_of(const media& section) {
    std::vector<codec> all;
    for (const auto type : section.payload_types())
        if (auto map = section.rtpmap(type))
            all.push_back({std::move(map->name), type, map->clock_rate, map->channels, std::string(section.fmtp(type))});
    return all;
}

const codec* find_codec(const std::vector<codec>& list, const codec& wanted) {
    const auto found = std::find_if(list.begin(), list.end(), [&](const codec& c) { return same_codec(c, wanted); });
    return found == list.end() ? nullptr : &*found;
}

const codec* find_telephone_event(const std::vector<codec>& list, int clock_rate) {
    codec wanted{std::string(telephone_event), -1, clock_rate, 1, {}};
    if (const auto* exact = find_codec(list, wanted)) return exact;
    wanted.clock_rate = 8000;
    return find_codec(list, wanted);
}

negotiated<std::vector<codec>> usable_codecs(const description& offer, const media& offered, const audio_capabilities& caps) {
    if (!is_plain_audio(offered))
        return refuse(problem::no_usable_audio, "{} over {} on port {} is not audio over plain RTP", offered.kind,
                      offered.protocol, offered.port);
    const auto address = address_of(offer, offered);
    if (!address) return tl::unexpected<refusal>(address.error());
    const bool we_use_ip6 = caps.address.find(':') != std::string::npos;
    if (!address->unspecified && address->is_ip6 != we_use_ip6)
        return refuse(problem::no_usable_audio, "the peer is at {} and we are at {}: not the same family of addresses",
                      address->text, caps.address);
    std::vector<codec> usable;
    for (auto& c : codecs_of(offered)) {
        if (find_codec(caps.codecs, c) && !find_codec(usable, c)) usable.push_back(std::move(c));
    }
    if (usable.empty()) return refuse(problem::no_usable_audio, "none of the offered audio codecs is known here");
    return usable;
}

int usable_ptime(int wish) { return wish >= 10 && wish <= 60 && wish % 10 == 0 ? wish : 20; }

int ptime_for(const media& section, int otherwise) {
    const auto wish = usable_ptime(section.ptime().value_or(otherwise));
    const auto most = section.maxptime();
    if (!most || *most >= wish) return wish;
    return std::max(10, *most / 10 * 10);
}

direction effective_direction(const description& d, const media& section) {
    const auto said = d.direction_of(section);
    const auto address = address_of(d, section);
    return address && address->unspecified ? narrowed(said, direction::sendonly) : said;
}

std::optional<std::size_t> audio_in_use(const description& ours) {
    const auto found = std::find_if(ours.sections.begin(), ours.sections.end(), is_plain_audio);
    if (found == ours.sections.end()) return std::nullopt;
    return static_cast<std::size_t>(found - ours.sections.begin());
}

negotiated<agreed_audio> agree(const description& ours, const description& theirs) {
    const auto at = audio_in_use(ours);
    if (!at) return refuse(problem::no_usable_audio, "our own description has no audio");
    if (theirs.sections.size() != ours.sections.size())
        return refuse(problem::malformed, "the peer's SDP has {} m= lines where {} are due", theirs.sections.size(),
                      ours.sections.size());
    const auto& mine = ours.sections[*at];
    const auto& peer = theirs.sections[*at];
    if (!peer.is("audio")) return refuse(problem::malformed, "m= line {} of the peer is {}, not audio", *at + 1, peer.kind);
    if (!is_plain_audio(peer))
        return refuse(problem::no_usable_audio, "the peer refuses the audio (port {}, {})", peer.port, peer.protocol);
    const auto address = address_of(theirs, peer);
    if (!address) return tl::unexpected<refusal>(address.error());
    const auto our_address = address_of(ours, mine);
    if (our_address && !address->unspecified && our_address->is_ip6 != address->is_ip6)
        return refuse(problem::no_usable_audio, "the peer is at {} and we are at {}: not the same family of addresses",
                      address->text, our_address->text);

    agreed_audio audio;
    const auto known = codecs_of(mine), said = codecs_of(peer);
    for (const auto& c : said) {
        const auto* own = find_codec(known, c);
        if (!own || equal_without_case(c.name, telephone_event)) continue;
        if (audio.chosen.name.empty()) {
            audio.send_payload_type = c.payload_type;
            audio.receive_payload_type = own->payload_type;
            audio.chosen = c;
            audio.chosen.payload_type = own->payload_type;
        } else if (!same_codec(audio.chosen, c) && !find_codec(audio.also_agreed, c)) {
            audio.also_agreed.push_back(c);
            audio.also_agreed.back().payload_type = own->payload_type;
        }
    }
    if (audio.chosen.name.empty()) return refuse(problem::no_usable_audio, "the peer's SDP has no audio codec of ours");

    for (const auto& event : said) {
        const auto* own = find_codec(known, event);
        if (!own || !equal_without_case(event.name, telephone_event)) continue;
        const bool exact = event.clock_rate == audio.chosen.clock_rate;
        if (!exact && (event.clock_rate != 8000 || audio.send_telephone_event_pt)) continue;
        audio.send_telephone_event_pt = event.payload_type;
        audio.receive_telephone_event_pt = own->payload_type;
        audio.telephone_event_clock_rate = event.clock_rate;
        if (exact) break;
    }
    audio.remote_address = address->text;
    audio.remote_rtp_port = peer.port;
    set_rtcp(audio, mine, peer, *address);
    audio.ptime = ptime_for(peer, mine.ptime().value_or(20));
    const auto peer_does = effective_direction(theirs, peer);
    audio.dir = narrowed(ours.direction_of(mine), reversed(peer_does));
    audio.held_by_peer = !receives(peer_does);
    return audio;
}

} // namespace strowger::sdp
