"""Registration: RFC 3261 section 10.3, digest RFC 2617 and 7616, and what an attacker meets."""
import re
import unittest

import sipmsg
from case import EngineCase
from phone import Phone, WaitFailed
from sipmsg import param


class Registration(EngineCase):
    def test_the_right_password_is_answered_200_with_the_binding_and_its_seconds(self):
        alice = self.phone("alice", register=False)
        answer = alice.register(120)
        contact = next(c for c in answer.all("Contact") if str(alice.port) in c)
        self.assertLessEqual(int(param(contact, "expires")), 120)
        self.assertGreater(int(param(contact, "expires")), 0)

    def test_a_wrong_password_is_refused(self):
        alice = self.phone("alice", register=False, password="not-hers", ip="127.0.0.11")
        self.assertIn(alice.register(expect=None).status, (401, 403))

    def test_an_unknown_user_meets_the_same_answers_as_a_wrong_password(self):
        mallory = self.phone("mallory", register=False, password="guess", ip="127.0.0.12")
        first = mallory.exchange(mallory.build_register())
        self.assertEqual(401, first.status)
        alice = self.phone("alice", register=False, password="guess", ip="127.0.0.13")
        self.assertEqual(alice.register(expect=None).status, mallory.register(expect=None).status)

    def test_an_attacker_is_slowed_down_and_others_are_not(self):
        attacker = self.phone("alice", register=False, password="guess", ip="127.0.0.66")
        statuses = []
        for number in range(40):
            challenge = None
            try:
                challenge = attacker.exchange(attacker.build_register(), 0.7)
                request = attacker.authorized(attacker.build_register(), challenge) if challenge.status == 401 else None
                statuses.append(attacker.exchange(request, 0.7).status if request else challenge.status)
            except WaitFailed:
                statuses.append(0)  # silence is a fine answer to an attacker
            if statuses[-1] not in (401, 403):
                break
        self.assertTrue({0, 429, 503} & set(statuses), f"40 guesses were all answered: {statuses}")
        self.phone("bob", ip="127.0.0.14")

    def authorized_register(self, phone: Phone):
        challenge = phone.exchange(phone.build_register())
        self.assertEqual(401, challenge.status)
        return phone.authorized(phone.build_register(), challenge)

    def test_a_replayed_nonce_and_count_are_refused(self):
        alice = self.phone("alice", register=False)
        request = self.authorized_register(alice)
        self.assertEqual(200, alice.exchange(request).status)
        replay = request.copy().set("CSeq", f"{request.cseq + 1} REGISTER")
        replay.headers[0] = ("Via", alice.via())
        self.assertIn(alice.exchange(replay).status, (400, 401, 403))

    def test_a_counted_up_nonce_is_good_for_a_refresh(self):
        alice = self.phone("alice", register=False)
        challenge = alice.exchange(alice.build_register())
        self.assertEqual(200, alice.exchange(alice.authorized(alice.build_register(), challenge)).status)
        alice.register_cseq += 1
        self.assertEqual(200, alice.exchange(alice.authorized(alice.build_register(), challenge)).status)

    def test_a_made_up_nonce_is_challenged_again(self):
        alice = self.phone("alice", register=False)
        challenge = alice.exchange(alice.build_register())
        challenge.set("WWW-Authenticate", re.sub(r'nonce="[^"]*"', 'nonce="0123456789abcdef"', challenge.get("WWW-Authenticate")))
        answer = alice.exchange(alice.authorized(alice.build_register(), challenge))
        self.assertEqual(401, answer.status)

    def test_a_retransmitted_register_gets_the_same_answer_and_is_done_once(self):
        alice = self.phone("alice", register=False)
        request = self.authorized_register(alice)
        first, second = alice.exchange(request), alice.exchange(request)
        self.assertEqual((200, first.to_tag), (second.status, second.to_tag))

    def test_unregistering_removes_the_binding(self):
        bob, alice = self.phone("bob"), self.phone("alice")
        bob.unregister()
        self.assertNotIn(str(bob.port), str(bob.register(None, contact="").all("Contact")))
        self.assertIn(alice.call("201").wait_final().status, (404, 480, 500, 503))

    def test_registering_the_same_contact_again_leaves_one_binding(self):
        alice = self.phone("alice")
        answer = alice.register()
        self.assertEqual(1, sum(str(alice.port) in contact for contact in answer.all("Contact")))

    def test_two_phones_of_a_user_are_two_bindings_and_both_ring(self):
        first, second = self.phone("bob"), self.phone("bob")
        self.assertEqual(2, len(second.register().all("Contact")))
        out = self.phone("alice").call("201")
        first.wait_call().ring()
        second.wait_call().answer()
        out.wait_answered()
        first.wait(lambda: first.calls[0].state == "ended", 5, "CANCEL to the phone that did not answer")

    def test_a_query_without_contact_lists_the_bindings(self):
        alice = self.phone("alice")
        self.assertIn(str(alice.port), str(alice.register(None, contact="").all("Contact")))

    def test_a_star_with_expires_0_removes_all_bindings(self):
        first, second = self.phone("alice"), self.phone("alice")
        answer = first.register(0, contact="*")
        self.assertEqual([], answer.all("Contact"))
        self.assertEqual([], second.register(None, contact="").all("Contact"))

    def test_a_star_with_other_expires_or_beside_a_contact_is_refused(self):
        alice = self.phone("alice")
        self.assertEqual(400, alice.register(60, contact="*", expect=None).status)
        self.assertEqual(400, alice.register(0, contact=f"*, <{alice.contact_uri}>", expect=None).status)
        self.assertIn(str(alice.port), str(alice.register(None, contact="").all("Contact")))

    def test_an_older_cseq_of_the_same_call_id_changes_nothing(self):
        alice = self.phone("alice")
        alice.register()
        request = self.authorized_register(alice).set("CSeq", "1 REGISTER").set("Contact", f"<{alice.contact_uri}>;expires=0")
        self.assertIn(alice.exchange(request).status, (400, 500))
        self.assertIn(str(alice.port), str(alice.register(None, contact="").all("Contact")))

    def test_a_very_short_registration_is_refused_with_the_least_or_lengthened(self):
        answer = self.phone("alice", register=False).register(1, expect=None)
        self.assertTrue(answer.status == 200 or answer.status == 423 and int(answer.get("Min-Expires")) > 1, str(answer))

    def test_a_user_cannot_register_for_another(self):
        alice = self.phone("alice", register=False)
        request = alice.build_register().set("To", f"<sip:bob@{alice.domain}>")
        self.assertIn(alice.request(request).status, (401, 403, 404))
        bob = self.phone("bob")
        self.assertNotIn(f":{alice.port}", str(bob.register().all("Contact")))

    def test_a_contact_of_another_address_with_sips_or_rubbish_does_no_harm(self):
        alice = self.phone("alice", register=False)
        for contact in ("<http://example.com/>", "<sip:>", "<>", "sip:alice@[::", '"x', "<sip:alice@127.0.0.1:99999>"):
            with self.subTest(contact):
                self.assertGreaterEqual(alice.register(60, contact=contact, expect=None).status, 400)

    def test_registration_over_tcp(self):
        alice, bob = self.phone("alice", transport="tcp"), self.phone("bob")
        out = bob.call("200")
        alice.wait_call().answer()
        out.wait_answered().hang_up()

    def test_the_challenge_is_well_made(self):
        alice = self.phone("alice", register=False)
        first, second = alice.exchange(alice.build_register()), alice.exchange(alice.build_register())
        challenge = sipmsg.parse_challenge(first.get("WWW-Authenticate"))
        self.assertEqual(("auth", "MD5"), (challenge["qop"], challenge.get("algorithm", "MD5")))
        self.assertTrue(challenge["realm"] and len(challenge["nonce"]) >= 16)
        self.assertNotEqual(challenge["nonce"], sipmsg.parse_challenge(second.get("WWW-Authenticate"))["nonce"])


if __name__ == "__main__":
    unittest.main()
