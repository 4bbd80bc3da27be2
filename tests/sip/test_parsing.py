"""Forms of messages that must be understood, and forms that must not get through (RFC 3261 section 7, RFC 5621)."""
import socket
import time
import unittest

from case import EngineCase
from phone import Phone
from sipmsg import make_sdp

LONG = {"From": "f", "To": "t", "Via": "v", "Call-ID": "i", "Contact": "m", "Content-Type": "c", "Content-Length": "l"}


class Forms(EngineCase):
    def options(self, phone: Phone, spoil) -> bytes:
        """An OPTIONS as bytes, changed by `spoil(text)`."""
        message = phone.build("OPTIONS")
        self.branch = message.branch
        return spoil(message.add("Content-Length", "0").encode().decode()).encode()

    def status(self, phone: Phone, data: bytes, timeout: float = 2.0) -> int:
        """Of the answer to what was sent last; 0: none came."""
        since = len(phone.messages)
        phone.send_raw(data)
        try:
            return phone.wait_message(lambda m: m.branch == self.branch, timeout, "answer", since).status
        except AssertionError:
            return 0

    def test_compact_names_any_case_folds_tabs_and_empty_lines(self):
        alice = self.phone("alice")

        def compact(text: str) -> str:
            for name, short in LONG.items():
                text = text.replace(f"\r\n{name}:", f"\r\n{short}:")
            return text
        forms = {"compact": compact, "capital": lambda t: compact(t).replace("\r\nv:", "\r\nV:").replace("\r\nf:", "\r\nF:"),
                 "any case": lambda t: t.replace("\r\nVia:", "\r\nvIA :").replace("\r\nCall-ID:", "\r\nCALL-id\t:"),
                 "folded": lambda t: t.replace("\r\nFrom: ", "\r\nFrom:\r\n \t").replace(";rport", "\r\n ;rport"),
                 "empty lines before": lambda t: "\r\n\r\n" + t}
        for name, form in forms.items():
            self.assertEqual(200, self.status(alice, self.options(alice, form)), name)

    def test_lists_in_one_line_and_in_several_are_the_same(self):
        alice = self.phone("alice")
        for value in ("100rel, x-one", "100rel ,\r\n\tx-one"):
            answer = alice.exchange(alice.build("OPTIONS", headers=(("Require", value),)))
            self.assertEqual((420, ["100rel", "x-one"]), (answer.status, answer.all("Unsupported")))
        answer = alice.exchange(alice.build("OPTIONS", headers=(("Require", "100rel"), ("Require", "x-one"))))
        self.assertEqual(["100rel", "x-one"], answer.all("Unsupported"))

    def test_a_call_in_compact_form(self):
        alice = self.phone("alice")
        call = alice.call("305", headers=(("k", "timer"), ("x", "1800;refresher=uac")))
        self.assertEqual("1800;refresher=uac", call.wait_answered().final.get("Session-Expires"))
        call.hang_up()

    def test_content_length_missing_on_udp_means_to_the_end_and_too_much_is_400(self):
        alice = self.phone("alice")
        self.assertEqual(200, self.status(alice, self.options(alice, lambda t: t.replace("Content-Length: 0\r\n", ""))))
        self.assertEqual(400, self.status(alice, self.options(alice, lambda t: t.replace("Length: 0", "Length: 50"))))
        self.assertEqual(200, self.status(alice, self.options(alice, lambda t: t + "rubbish behind the end")))
        for bad in ("-1", "abc", "99999999999999999999"):
            text = self.options(alice, lambda t, bad=bad: t.replace("Length: 0", f"Length: {bad}"))
            self.assertIn(self.status(alice, text, 0.7), (0, 400))

    def test_content_length_missing_on_tcp_is_refused_and_a_keep_alive_is_answered(self):
        alice = self.phone("alice")
        with socket.create_connection(self.engine.address, 3) as stream:
            stream.settimeout(3)
            stream.sendall(b"\r\n\r\n")
            self.assertEqual(b"\r\n", stream.recv(100), "RFC 5626 section 4.4.1")
            text = self.options(alice, lambda t: t.replace("Content-Length: 0\r\n", "").replace("SIP/2.0/UDP", "SIP/2.0/TCP"))
            stream.sendall(text)
            got = b""
            try:
                while b"\r\n\r\n" not in got and (piece := stream.recv(4000)):
                    got += piece
            except TimeoutError:
                pass
            self.assertTrue(got == b"" or got.startswith(b"SIP/2.0 400"), got)
        self.assertEqual(200, alice.options().status)

    def test_multipart_bodies_with_the_sdp_anywhere_in_them(self):
        alice = self.phone("alice")
        sdp = make_sdp("127.0.0.1", 30000)
        location = ("Content-Type: application/pidf+xml\r\nContent-Disposition: by-reference;handling=optional\r\n\r\n"
                    "<presence/>\r\n")
        offer = f"Content-Type: application/sdp\r\n\r\n{sdp}\r\n"
        whole = {"sdp first": f"--b\r\n{offer}--b\r\n{location}--b--\r\n",
                 "sdp second": f"--b\r\n{location}--b\r\n{offer}--b--\r\n",
                 "with a preamble": f"preamble\r\n--b\r\n{offer}--b--\r\nepilogue"}
        for name, body in whole.items():
            call = alice.call("305", body=body, content_type='multipart/mixed;boundary="b"')
            call.wait_answered()
            self.assertTrue(call.final.sdp, name)
            call.hang_up()
        for body in ("", "--b--\r\n", "--b\r\n--b--", "--b", "no boundary at all", f"--b\r\n{location}--b--\r\n"):
            call = alice.call("305", body=body or b"", content_type="multipart/mixed;boundary=b")
            final = call.wait_final()
            self.assertIn(final.status, (200, 400, 415, 488), body)
            call.hang_up()
        self.assertEqual(400, alice.call("305", body="x", content_type="application/sdp").wait_final().status)

    def test_display_names_of_all_kinds_reach_the_called_phone(self):
        alice, telco = self.phone("alice"), self.phone("bob")
        for shown in ('"Anna \\"the <x>\\" Berg, Ltd." ', '"Bj\u00f6rn; \u65e5\u672c" ', "Anna ", '"" '):
            invite = alice.build("INVITE", f"sip:201@{alice.domain}", body=make_sdp("127.0.0.1", 30000))
            invite.set("From", f"{shown}<{alice.aor}>;tag=x{id(shown)}")
            challenge = alice.exchange(invite)
            self.assertEqual(401, challenge.status, shown)
            again = alice.authorized(invite, challenge)
            alice.send(again)
            back = telco.wait_call()
            self.assertIn("tag=", back.incoming_invite.get("From"))
            back.refuse(486)
            alice.wait_message(lambda m: m.branch == again.branch and m.status >= 300, 5, "refusal")
            alice.send(alice.ack_of(again, challenge))

    def test_two_from_or_to_or_call_ids_are_refused(self):
        alice = self.phone("alice")
        for name in ("From", "To", "Call-ID", "CSeq"):
            message = alice.build("OPTIONS")
            message.add(name, message.get(name) + "0")
            self.branch = message.branch
            self.assertIn(self.status(alice, message.encode(), 0.7), (0, 400), name)

    def test_a_nul_in_a_header_does_not_get_through(self):
        alice = self.phone("alice")
        self.status(alice, self.options(alice, lambda t: t.replace("Max-Forwards: 70", "Subject: a\0b\r\nMax-Forwards: 70")), 0.7)
        self.assertEqual(200, alice.options().status)

    def test_three_hundred_vias_are_answered_or_refused(self):
        alice = self.phone("alice")
        more = "".join(f"Via: SIP/2.0/UDP 10.0.{n // 250}.{n % 250 + 1}:5060;branch=z9hG4bKn{n}\r\n" for n in range(300))
        status = self.status(alice, self.options(alice, lambda t: t.replace("Max-Forwards:", more + "Max-Forwards:")), 3)
        self.assertIn(status, (0, 200, 400, 413, 513))
        self.assertEqual(200, alice.options().status)

    def test_responses_of_nobody_are_dropped(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        out = alice.call("201")
        back = bob.wait_call()
        back.ring()
        out.wait_ringing()
        invite = back.incoming_invite
        good = bob.reply(invite, 180, to_tag=back.local_tag)
        for spoil in (lambda m: m.set("CSeq", f"{invite.cseq} BYE"), lambda m: m.set("CSeq", f"{invite.cseq + 7} INVITE"),
                      lambda m: m.set("Via", invite.get("Via").replace(invite.branch, "z9hG4bKof-somebody-else")),
                      lambda m: m.set("Call-ID", "another")):
            message = spoil(good.copy())
            message.status, message.reason = 486, "Busy Here"
            bob.send_raw(message.encode(), self.engine.address)
        time.sleep(0.3)
        self.assertEqual("ringing", out.state)
        back.answer().wait_answered()
        out.wait_answered().hang_up()
        back.wait_ended()

    def test_a_request_that_is_not_invite_is_never_answered_408(self):
        """Each is answered at once, so none can run into a time-out (RFC 4320 section 4.2)."""
        alice = self.phone("alice")
        for method in ("OPTIONS", "REGISTER", "BYE", "INFO", "NOTIFY", "REFER", "MESSAGE", "SUBSCRIBE", "PUBLISH", "UPDATE",
                       "PRACK"):
            answer = alice.exchange(alice.build(method), 2)
            self.assertNotEqual(408, answer.status, method)


if __name__ == "__main__":
    unittest.main()
