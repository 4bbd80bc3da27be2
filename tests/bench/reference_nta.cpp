// The least that answering calls costs with Sofia's transactions: INVITE and BYE are answered with 200, and nothing else is done.
//
//   reference_nta PORT [--challenge]     on 127.0.0.1; prints "ready"; runs until it is killed
//
// With --challenge an INVITE without credentials is refused with 401 first; those of the second are taken unread.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

struct answered_call;
#define NTA_LEG_MAGIC_T answered_call
#define NTA_INCOMING_MAGIC_T answered_call
#include <sofia-sip/nta.h>
#include <sofia-sip/nta_tag.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/su_tag_io.h>
#include <sofia-sip/tport_tag.h>

// Sofia's hook for its clock; exported, but in no header.
extern "C" void (*_su_time)(su_time_t*);

struct answered_call {
    nta_leg_t* leg = nullptr;
    nta_incoming_t* invite = nullptr;
};

namespace {

constexpr const char* description = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                                    "m=audio 20000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";
constexpr const char* challenge = R"(Digest realm="strowger", nonce="0123456789abcdef", qop="auth")";
nta_agent_t* agent;
sip_contact_t* contact;
bool challenges;

/// Whole milliseconds: Sofia spins through the last fraction of one before every timer.
void whole_milliseconds(su_time_t* out) {
    constexpr std::int64_t seconds_1900_to_1970 = 2208988800;
    static const std::int64_t started = std::time(nullptr);
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    static const std::int64_t first = t.tv_sec;
    out->tv_sec = static_cast<decltype(out->tv_sec)>(t.tv_sec - first + started + seconds_1900_to_1970);
    out->tv_usec = static_cast<decltype(out->tv_usec)>(t.tv_nsec / 1'000'000 * 1000);
}

void forget(answered_call* c) {
    if (c->invite) nta_incoming_destroy(c->invite);
    nta_leg_destroy(c->leg);
    delete c;
}

int on_ack(answered_call* c, nta_incoming_t* invite, const sip_t* sip) {
    if (!sip) {
        forget(c); // no ACK came
    } else if (sip->sip_request->rq_method == sip_method_ack) {
        nta_incoming_destroy(invite);
        c->invite = nullptr;
    }
    return 0;
}

int on_request_in_dialog(answered_call* c, nta_leg_t*, nta_incoming_t* request, const sip_t* sip) {
    if (sip->sip_request->rq_method != sip_method_bye) return sip->sip_request->rq_method == sip_method_ack ? 0 : 501;
    nta_incoming_treply(request, SIP_200_OK, TAG_END());
    nta_incoming_destroy(request);
    forget(c);
    return 0;
}

int on_request(answered_call*, nta_leg_t*, nta_incoming_t* request, const sip_t* sip) {
    const auto method = sip->sip_request->rq_method;
    if (method == sip_method_ack) return 0;
    if (method != sip_method_invite) return 481;
    if (challenges && !sip->sip_authorization) {
        nta_incoming_treply(request, SIP_401_UNAUTHORIZED, SIPTAG_WWW_AUTHENTICATE_STR(challenge), TAG_END());
        nta_incoming_destroy(request);
        return 0;
    }
    auto* c = new answered_call;
    c->leg = nta_leg_tcreate(agent, on_request_in_dialog, c, SIPTAG_CALL_ID(sip->sip_call_id), SIPTAG_FROM(sip->sip_to),
                             SIPTAG_TO(sip->sip_from), TAG_END());
    nta_leg_tag(c->leg, nta_incoming_tag(request, nullptr));
    nta_leg_server_route(c->leg, sip->sip_record_route, sip->sip_contact);
    c->invite = request;
    nta_incoming_bind(request, on_ack, c);
    nta_incoming_treply(request, SIP_200_OK, SIPTAG_CONTACT(contact), SIPTAG_CONTENT_TYPE_STR("application/sdp"),
                        SIPTAG_PAYLOAD_STR(description), TAG_END());
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    const int port = argc > 1 ? std::atoi(argv[1]) : 0;
    challenges = argc > 2 && std::strcmp(argv[2], "--challenge") == 0;
    if (port < 1 || port > 65535 || argc > (challenges ? 3 : 2)) {
        std::fprintf(stderr, "usage: %s PORT [--challenge]\n", argv[0]);
        return 2;
    }
    _su_time = whole_milliseconds;
    su_init();
    su_home_t home[1] = {};
    su_home_init(home);
    su_root_t* root = su_root_create(nullptr);
    const auto url = "sip:127.0.0.1:" + std::to_string(port);
    contact = sip_contact_make(home, ("<" + url + ">").c_str());
    agent = nta_agent_create(root, URL_STRING_MAKE((url + ";transport=udp").c_str()), nullptr, nullptr, NTATAG_UA(1),
                             TPTAG_UDP_RMEM(8 << 20), TPTAG_UDP_WMEM(4 << 20), NTATAG_MAX_PROCEEDING(20000), TAG_END());
    if (!agent) {
        std::fprintf(stderr, "port %d cannot be used\n", port);
        return 1;
    }
    nta_leg_tcreate(agent, on_request, nullptr, NTATAG_NO_DIALOG(1), TAG_END());
    std::puts("ready");
    std::fflush(stdout);
    su_root_run(root);
}
