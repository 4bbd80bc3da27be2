"""Requests that must be refused, in the words RFC 3261 has for each, and bytes that are no requests at all."""
import socket
import time
import unittest

from case import EngineCase
from phone import Phone
from sipmsg import make_sdp, param, token

SDP = make_sdp("127.0.0.1", 30000)


class Requests(EngineCase):
    def setUp(self) -> None:
        self.alice = self.phone("alice")

    def invite(self, target: str = "305", **options):
        options.setdefault("body", SDP)
        return self.alice.build("INVITE", f"sip:{target}@{self.alice.domain}", **options)

    def ask(self, request, timeout: float = 10.0):
        """The final answer after authentication."""
        return self.alice.request(request, timeout)

    def spoilt(self, status, **options):
        answer = self.ask(self.invite(**options))
        self.assertIn(answer.status, status if isinstance(status, tuple) else (status,), str(answer))
        return answer

    def test_options_outside_a_dialog_lists_methods_and_bodies(self):
        answer = self.alice.options()
        self.assertEqual(200, answer.status)
        for method in ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "REFER"):
            self.assertIn(method, answer.all("Allow"))
        self.assertIn("application/sdp", answer.get("Accept"))

    def test_an_unknown_extension_is_404(self):
        self.assertIn(self.alice.call("999").wait_final().status, (404, 484))

    def test_a_call_without_credentials_is_challenged(self):
        stranger = self.phone("alice", register=False, password="")
        self.assertIn(stranger.call("305").wait_final().status, (401, 407))

    def test_a_call_with_a_wrong_password_is_refused(self):
        stranger = self.phone("alice", register=False, password="guess", ip="127.0.0.21")
        self.assertIn(stranger.call("305").wait_final().status, (401, 403, 407))

    def test_an_unknown_extension_that_is_required_is_420_and_named(self):
        answer = self.spoilt(420, headers=(("Require", "time-travel"),))
        self.assertEqual(["time-travel"], answer.all("Unsupported"))

    def test_an_unknown_method_is_405_or_501_with_allow(self):
        answer = self.alice.request(self.alice.build("FETCH"))
        self.assertIn(answer.status, (405, 501))
        self.assertIn("INVITE", answer.all("Allow"))

    def test_an_unknown_body_is_415_and_says_what_is_accepted(self):
        answer = self.spoilt(415, body="hello", content_type="text/x-poem")
        self.assertIn("application/sdp", answer.get("Accept"))

    def test_max_forwards_0_is_483(self):
        self.assertEqual(483, self.ask(self.invite().set("Max-Forwards", "0")).status)

    def test_options_with_max_forwards_0_is_answered_or_483(self):
        self.assertIn(self.alice.request(self.alice.build("OPTIONS").set("Max-Forwards", "0")).status, (200, 483))

    def test_a_uri_scheme_that_is_unknown_is_416(self):
        request = self.invite()
        request.uri = "gopher:305"
        self.assertIn(self.ask(request).status, (400, 404, 416))

    def test_an_offer_without_audio_is_488(self):
        self.spoilt((488, 606),
                    body="v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 4000 RTP/AVP 31\r\n")

    def test_an_offer_with_unknown_codecs_alone_is_488(self):
        body = SDP.replace("RTP/AVP 0 8 101", "RTP/AVP 97 101").replace("rtpmap:0 PCMU", "rtpmap:97 EVRC")
        self.spoilt((488, 606), body=body.replace("a=rtpmap:8 PCMA/8000\r\n", ""))

    def test_an_offer_of_a_thousand_lines_is_refused(self):
        self.spoilt((400, 413, 488), body=SDP + "a=x:y\r\n" * 1000)

    def test_an_offer_that_is_no_sdp_is_refused(self):
        for body in ("garbage", "v=0\r\n", "v=0\r\nm=audio", "v=0\r\no=\r\nm=audio 99999999 RTP/AVP 0\r\n", "\x01" * 50):
            with self.subTest(body):
                self.spoilt((400, 488), body=body)

    def test_a_merged_request_is_482(self):
        first = self.invite("304")
        challenge = self.alice.exchange(first)
        good = self.alice.authorized(first, challenge)
        self.alice.exchange(good, final=False)
        copy = good.copy()
        copy.headers[0] = ("Via", self.alice.via())
        since = len(self.alice.messages)
        self.alice.send(copy)
        answer = self.alice.wait_message(lambda m: m.branch == copy.branch and m.status >= 200, 5, "482", since)
        self.assertEqual(482, answer.status)
        self.alice.send(self.alice.ack_of(copy, answer))
        cancel = self.alice.build("CANCEL", good.uri, call_id=good.call_id, cseq=good.cseq)
        cancel.set("From", good.get("From")).headers[0] = good.headers[0]
        self.assertEqual(200, self.alice.exchange(cancel).status)

    def test_a_retransmitted_invite_is_absorbed(self):
        first = self.invite("304")
        good = self.alice.authorized(first, self.alice.exchange(first))
        for _ in range(4):
            self.alice.send(good)
        self.alice.wait_message(lambda m: m.branch == good.branch and m.status == 180, 5, "180")
        tags = {m.to_tag for m in self.alice.messages if m.branch == good.branch and m.status > 100}
        self.assertEqual(1, len(tags))
        cancel = self.alice.build("CANCEL", good.uri, call_id=good.call_id, cseq=good.cseq)
        cancel.set("From", good.get("From")).headers[0] = good.headers[0]
        self.assertEqual(200, self.alice.exchange(cancel).status)
        final = self.alice.wait_message(lambda m: m.branch == good.branch and m.cseq_method == "INVITE" and m.status == 487, 5,
                                        "487")
        self.assertEqual(tags, {final.to_tag})
        self.alice.send(self.alice.ack_of(good, final))

    def test_a_cancel_of_nothing_is_481(self):
        self.assertEqual(481, self.alice.exchange(self.alice.build("CANCEL", f"sip:305@{self.alice.domain}")).status)

    def test_a_bye_of_an_unknown_dialog_is_481(self):
        bye = self.alice.build("BYE", to=f"<sip:305@{self.alice.domain}>;tag=nobody", cseq=5)
        self.assertEqual(481, self.alice.exchange(bye).status)

    def test_a_bye_without_a_to_tag_is_481_or_400(self):
        self.assertIn(self.alice.exchange(self.alice.build("BYE", f"sip:305@{self.alice.domain}")).status, (400, 481))

    def test_a_reinvite_of_an_unknown_dialog_is_481(self):
        request = self.invite(to=f"<sip:305@{self.alice.domain}>;tag=nobody")
        self.assertEqual(481, self.alice.exchange(request).status)

    def test_a_stray_ack_is_never_answered(self):
        for tag in ("", ";tag=nobody"):
            ack = self.alice.build("ACK", f"sip:305@{self.alice.domain}", to=f"<sip:305@{self.alice.domain}>{tag}")
            since = len(self.alice.messages)
            self.alice.send(ack)
            self.assertEqual(200, self.alice.options().status)
            self.assertFalse([m for m in self.alice.messages[since:] if m.call_id == ack.call_id])

    def test_a_stray_response_is_never_answered(self):
        since = len(self.alice.messages)
        self.alice.send_raw((f"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP {self.engine.address[0]}:{self.engine.port};branch=z9hG4bKx\r\n"
                             "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: stray\r\nCSeq: 1 INVITE\r\n\r\n").encode())
        self.assertEqual(200, self.alice.options().status)
        self.assertFalse([m for m in self.alice.messages[since:] if m.call_id == "stray"])

    def test_garbage_datagrams_do_no_harm(self):
        template = self.invite().encode()
        pieces = [b"", b"\0" * 40, b"\r\n" * 50, b"hello\r\n\r\n", bytes(range(256)) * 8, b"INVITE\r\n\r\n",
                  b"INVITE sip:a SIP/3.0\r\n\r\n",
                  b"SIP/2.0 999999999999 X\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n", b"INVITE " + b"a" * 60000 + b" SIP/2.0\r\n\r\n",
                  template.replace(b"CSeq: 1 INVITE", b"CSeq: 99999999999999999999 INVITE"),
                  template.replace(b"Content-Length: ", b"Content-Length: 9999999999999"),
                  template.replace(b"Via: SIP/2.0/UDP 127.0.0.1", b"Via: SIP/2.0/UDP [::"),
                  template.replace(b"Call-ID: ", b"Call-ID: \0\xff\xfe"),
                  template.replace(b"\r\nTo: ", b"\r\nTo: <<<>>>\"\";;=,")]
        for data in pieces:
            self.alice.send_raw(data)
        for cut in range(0, len(template), 7):
            self.alice.send_raw(template[:cut])
        self.assertEqual(200, self.alice.options().status)

    def test_a_keep_alive_is_answered_or_left(self):
        self.alice.send_raw(b"\r\n\r\n")
        self.assertEqual(200, self.alice.options().status)

    def test_a_message_cut_before_its_body_ends_is_refused_or_dropped(self):
        data = self.invite().encode()
        since = len(self.alice.messages)
        self.alice.send_raw(data[:-60])
        self.assertEqual(200, self.alice.options().status)
        self.assertFalse([m for m in self.alice.messages[since:] if m.cseq_method == "INVITE" and m.status in (180, 183, 200)])

    def test_a_request_of_60_kilobytes_is_refused_or_dropped(self):
        request = self.invite(headers=tuple(("X-Long", "x" * 900) for _ in range(60)))
        self.alice.send(request)
        self.assertEqual(200, self.alice.options().status)

    def test_a_tcp_stream_that_never_ends_its_headers_is_closed_or_ignored(self):
        with socket.create_connection(self.engine.address, 3) as stream:
            stream.settimeout(0.2)
            stream.sendall(b"INVITE sip:305@x SIP/2.0\r\n")
            try:
                for _ in range(300):
                    stream.sendall(b"X-Endless: " + b"y" * 8000 + b"\r\n")
            except OSError:
                pass
        self.assertEqual(200, self.alice.options().status)

    def test_the_answer_goes_to_where_the_request_came_from_with_rport(self):
        request = self.alice.build("OPTIONS")
        request.headers[0] = ("Via", self.alice.via().replace(f"{self.alice.ip}:{self.alice.port}", "192.0.2.9:4444"))
        answer = self.alice.exchange(request)
        via = answer.get("Via")
        self.assertEqual((self.alice.ip, str(self.alice.port)), (param(via, "received"), param(via, "rport")))

    def test_without_rport_the_answer_goes_to_the_port_in_the_via(self):
        with Phone("other") as other:
            request = self.alice.build("OPTIONS")
            request.headers[0] = ("Via", f"SIP/2.0/UDP {other.ip}:{other.port};branch=z9hG4bK{token()}")
            self.alice.send(request)
            answer = other.wait_message(lambda m: m.call_id == request.call_id, 3, "response at the Via's port")
            self.assertEqual(200, answer.status)

    def test_a_received_parameter_of_the_sender_is_not_believed(self):
        request = self.alice.build("OPTIONS")
        request.headers[0] = ("Via", self.alice.via() + ";received=192.0.2.77")
        self.assertEqual(self.alice.ip, param(self.alice.exchange(request).get("Via"), "received"))

    def test_two_invites_with_one_call_id_are_two_calls(self):
        other = self.phone("bob")
        shared = f"{token()}@weak"
        first = self.invite("304", call_id=shared)
        second = other.build("INVITE", f"sip:304@{other.domain}", call_id=shared, body=SDP)
        for phone, request in ((self.alice, first), (other, second)):
            good = phone.authorized(request, phone.exchange(request))
            self.assertEqual(180, self._provisional(phone, good))
            cancel = phone.build("CANCEL", good.uri, call_id=shared, cseq=good.cseq).set("From", good.get("From"))
            cancel.headers[0] = good.headers[0]
            phone.send(cancel)

    def _provisional(self, phone, request) -> int:
        phone.send(request)
        return phone.wait_message(lambda m: m.branch == request.branch and m.status > 100, 5, "180").status

    def test_100_comes_within_200_milliseconds(self):
        call = self.alice.call("304")
        began = time.monotonic()
        self.alice.wait(lambda: any(r.status < 200 for r in call.responses), 2, "provisional response")
        self.assertLess(time.monotonic() - began, 0.5)
        call.cancel()
        call.wait_ended()


if __name__ == "__main__":
    unittest.main()
