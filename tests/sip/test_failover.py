"""What the engine tries when a called phone refuses, forwards or says nothing, and what its caller then hears."""
import time
import unittest

from case import EngineCase
from phone import Phone

MANY = [f"user{n}" for n in range(1, 7)]


class Forwarding(EngineCase):
    sections = {f"users.{name}": f'extension = "21{n}"\npassword = "phone-secret"' for n, name in enumerate(MANY, 1)}

    def forward(self, phone: Phone, *contacts: str, status: int = 302, timeout: float = 5.0):
        """Answers the next call with these Contacts."""
        call = phone.wait_call(timeout)
        phone.reply(call.incoming_invite, status, to_tag="forwards", headers=tuple(("Contact", c) for c in contacts))
        return call

    def at(self, number: str) -> str:
        return f"sip:{number}@{self.engine.address[0]}:{self.engine.port}"

    def test_a_302_to_another_user_rings_him_and_tells_who_forwarded(self):
        alice, bob, carol = self.phone("alice"), self.phone("bob"), self.phone("carol")
        out = alice.call("310")
        self.forward(bob, f"<{self.at('202')}>")
        back = carol.wait_call()
        self.assertIn("sip:201@", back.incoming_invite.get("Diversion"))
        back.answer().wait_answered()
        out.wait_answered().hang_up()
        back.wait_ended()

    def test_the_very_address_of_a_registered_phone_is_followed_too(self):
        alice, bob, carol = self.phone("alice"), self.phone("bob"), self.phone("carol")
        out = alice.call("310")
        self.forward(bob, f"<{carol.contact_uri}>", status=301)
        back = carol.wait_call()
        back.answer().wait_answered()
        out.wait_answered().hang_up()
        back.wait_ended()

    def test_contacts_are_tried_by_q_one_after_the_other_and_headers_in_them_are_ignored(self):
        alice, bob, carol = self.phone("alice"), self.phone("bob"), self.phone("carol")
        other = self.phone("user1", password="phone-secret")
        alice.call("310")
        self.forward(bob, f"<{self.at('211')}>;q=0.2", f"<{self.at('202')}?X-Evil=1&Subject=evil&Route=%3Csip:6.6.6.6%3E>;q=0.7")
        first = carol.wait_call()
        first.ring()
        self.assertEqual(("", "", []), (first.incoming_invite.get("X-Evil"), first.incoming_invite.get("Subject"),
                                        first.incoming_invite.all("Route")), "RFC 3261 section 19.1.5")
        time.sleep(0.3)
        self.assertFalse(other.incoming, "the second rings only when the first has failed")
        first.refuse(486)
        other.wait_call().refuse(486)

    def test_elsewhere_emergency_numbers_and_circles_are_not_followed(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        odd = (self.at("112"), self.at("201"), self.at("999"), self.at("sip%2Fsip:202"), "sip:202@192.0.2.1", "tel:+19005550100",
               f"sip:202@127.0.0.1:{bob.port}", "mailto:a@b")
        out = alice.call("310")
        self.forward(bob, *(f"<{place}>" for place in odd))
        self.assertEqual(480, out.wait_final().status)
        self.assertEqual([], bob.incoming)
        log = self.engine.output()
        for text in ("it is an emergency number", "bob has been rung already", "no user of ours"):
            self.assertIn(text, log)

    def test_305_and_380_name_no_place_to_call(self):
        for status in (305, 380):
            with self.subTest(status):
                alice, bob, carol = self.phone("alice"), self.phone("bob"), self.phone("carol")
                out = alice.call("310")
                self.forward(bob, f"<{self.at('202')}>", status=status)
                self.assertGreaterEqual(out.wait_final().status, 400)
                self.assertEqual([], carol.incoming)

    def test_two_who_forward_to_each_other_end_the_call(self):
        alice, bob, carol = self.phone("alice"), self.phone("bob"), self.phone("carol")
        out = alice.call("310")
        self.forward(bob, f"<{self.at('202')}>")
        self.forward(carol, f"<{self.at('201')}>")
        self.assertEqual(480, out.wait_final().status)
        self.assertEqual([], bob.incoming)

    def test_five_are_followed_to_and_no_sixth(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        others = [self.phone(name, password="phone-secret") for name in MANY]
        out = alice.call("310")
        self.forward(bob, *(f"<{self.at(f'21{n}')}>" for n in range(1, 7)))
        for other in others[:5]:
            other.wait_call().refuse(486)
        self.assertEqual(486, out.wait_final().status)
        self.assertEqual([], others[5].incoming)

    def test_a_dial_that_does_not_follow_is_told_where_the_user_is(self):
        alice, bob, carol = self.phone("alice"), self.phone("bob"), self.phone("carol")
        out = alice.call("312")
        self.forward(bob, f"<{self.at('202')}>")
        self.assertEqual(484, out.wait_final().status, "the script has seen forwarded_to = 202")
        self.assertEqual([], carol.incoming)


class Failover(EngineCase):
    def test_a_silent_target_makes_way_for_the_next_after_the_first_answer_limit(self):
        alice, bob, carol = self.phone("alice"), self.phone("bob"), self.phone("carol")
        bob.on_request = lambda m: m.method == "INVITE"
        began = time.monotonic()
        out = alice.call("311")
        back = carol.wait_call(10)
        self.assertAlmostEqual(4, time.monotonic() - began, delta=1.5)
        back.answer().wait_answered()
        self.assertEqual("answered", out.wait_answered().state)

    def test_a_silent_contact_of_a_user_does_not_disturb_his_other_one(self):
        alice, silent, bob = self.phone("alice"), self.phone("bob"), self.phone("bob")
        silent.on_request = lambda m: m.method == "INVITE"
        out = alice.call("201")
        back = bob.wait_call()
        back.ring()
        time.sleep(5)
        self.assertIsNone(out.final)
        back.answer().wait_answered()
        out.wait_answered()

    def test_who_asks_for_a_pause_has_it_and_the_next_is_rung(self):
        alice, bob, carol = self.phone("alice"), self.phone("bob"), self.phone("carol")
        for status in (503, 500):
            with self.subTest(status):
                for asked in (True, False):
                    out = alice.call("311")
                    if asked:
                        bob.wait_call().refuse(status, headers=(("Retry-After", "3 (restarting)"),))
                    carol.wait_call().refuse(486)
                    self.assertEqual(486, out.wait_final().status)
                    self.assertEqual([], bob.incoming)
                time.sleep(3)
                out = alice.call("311")
                bob.wait_call().refuse(status)  # without Retry-After: the next call comes again
                carol.wait_call().refuse(486)
                out.wait_final()

    def test_what_the_caller_hears_of_each_refusal(self):
        heard = {300: 480, 301: 410, 302: 480, 305: 500, 380: 500, 400: 503, 401: 403, 403: 403, 404: 404, 407: 403, 408: 408,
                 410: 410, 413: 500, 415: 501, 420: 500, 421: 500, 422: 500, 480: 408, 484: 484, 486: 486, 488: 488, 491: 503,
                 493: 500, 494: 500, 500: 503, 503: 503, 504: 504, 600: 486, 603: 403, 604: 404, 606: 488, 499: 500, 599: 503,
                 699: 403}
        alice, bob = self.phone("alice"), self.phone("bob")
        for status, expected in heard.items():
            with self.subTest(status):
                out = alice.call("310")
                call = bob.wait_call()
                bob.reply(call.incoming_invite, status, to_tag="refuses")
                self.assertEqual(expected, out.wait_final().status)

    def test_6xx_stops_all_phones_of_the_user_and_603_none(self):
        for status in (600, 606, 603):
            with self.subTest(status):
                first, second, carol = self.phone("bob"), self.phone("bob"), self.phone("carol")
                out = self.phone("alice").call("313")
                refusing, other, colleague = first.wait_call(), second.wait_call(), carol.wait_call()
                for call in (other, colleague):
                    call.ring()
                refusing.refuse(status)
                if status != 603:
                    other.wait_ended()
                time.sleep(0.3)
                self.assertNotEqual("ended", colleague.state, "another user is not concerned")
                if status == 603:
                    self.assertNotEqual("ended", other.state, "nor is his other phone by a 603")
                colleague.answer().wait_answered()
                out.wait_answered().hang_up()
                colleague.wait_ended()
                self.assertEqual(200, second.unregister("*").status)


class Identity(EngineCase):
    sections = {"users.bob": 'display_name = "Bob Baker"'}

    def test_the_200_tells_the_caller_with_whom_he_talks(self):
        alice, carol = self.phone("alice"), self.phone("bob")
        out = alice.call("313")
        back = carol.wait_call()
        back.ring()
        ringing = out.wait_ringing()
        self.assertEqual("", ringing.get("P-Asserted-Identity"), "nobody has answered yet")
        back.answer().wait_answered()
        answer = out.wait_answered().final
        self.assertRegex(answer.get("P-Asserted-Identity"), r'^"Bob Baker" <sip:201@127\.0\.0\.1:\d+>$')
        self.assertRegex(answer.get("Remote-Party-ID"), r"^\"Bob Baker\" <sip:201@[^>]*>;party=called;privacy=off;screen=yes$")

    def test_an_answer_to_a_re_invite_after_a_transfer_names_the_new_party(self):
        out, back = self.connected()
        carol = self.phone("carol")
        self.assertEqual(202, out.refer("202").status)
        carol.wait_call().answer().wait_answered()
        self.assertEqual(200, out.wait_transfer())
        self.assertIn("<sip:202@", back.hold().get("P-Asserted-Identity"))


if __name__ == "__main__":
    unittest.main()
