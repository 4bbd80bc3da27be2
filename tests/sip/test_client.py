"""The engine as the calling side: challenges of trunks and phones, forks, provisional answers, CANCEL and its races."""
import hashlib
import re
import time
import unittest

from call import Call
from case import EngineCase
from phone import Phone
from sipmsg import Message, parse_challenge

REALM, USER, PASSWORD = "telco.example", "trunk-user", "trunk-secret"


def hashed(algorithm: str, text: str) -> str:
    return hashlib.new("sha256" if algorithm == "SHA-256" else "md5", text.encode()).hexdigest()


class Guard:
    """Challenges what comes to a phone, and judges the answers. Set as the phone's `on_request`."""

    def __init__(self, phone: Phone, methods: tuple[str, ...] = ("INVITE",), status: int = 407, realm: str = REALM,
                 extra: str = ', qop="auth"', more: tuple[str, ...] = ()):
        self.phone, self.methods, self.status, self.realm, self.extra, self.more = phone, methods, status, realm, extra, more
        self.nonces: list[str] = []
        self.seen: list[Message] = []
        self.stale_once = self.refuse_always = False
        phone.on_request = self

    @property
    def headers(self) -> tuple[str, str]:
        return ("Proxy-Authenticate", "Proxy-Authorization") if self.status == 407 else ("WWW-Authenticate", "Authorization")

    def challenge(self, message: Message, stale: bool = False) -> bool:
        self.nonces.append(f"nonce{len(self.nonces)}")
        text = f'Digest realm="{self.realm}", nonce="{self.nonces[-1]}", opaque="o-1"{self.extra}'
        self.phone.reply(message, self.status, headers=tuple((self.headers[0], h) for h in self.more)
                         + ((self.headers[0], text + (", stale=true" if stale else "")),))
        return True

    def right(self, message: Message) -> bool:
        given = parse_challenge(message.get(self.headers[1]))
        algorithm = given.get("algorithm", "MD5")
        a1 = hashed(algorithm, f"{USER}:{self.realm}:{PASSWORD}")
        a2 = hashed(algorithm, f"{message.method}:{given.get('uri')}")
        middle = f"{given['nonce']}:{given['nc']}:{given['cnonce']}:{given['qop']}" if "qop" in given else given.get("nonce")
        return (given.get("nonce") == self.nonces[-1] and given.get("opaque") == "o-1" and given.get("uri") == message.uri
                and given.get("username") == USER and given.get("response") == hashed(algorithm, f"{a1}:{middle}:{a2}"))

    def __call__(self, message: Message) -> bool:
        if message.method not in self.methods:
            return False
        self.seen.append(message)
        if not message.has(self.headers[1]) or self.refuse_always:
            return self.challenge(message)
        if self.stale_once:
            self.stale_once = False
            return self.challenge(message, stale=True)
        if not self.right(message):
            self.phone.reply(message, 403)
            return True
        return False


class Challenges(EngineCase):
    extra = "".join(f'[[sip.credentials]]\nrealm = "{realm}"\nuser = "{USER}"\npassword = "{PASSWORD}"\n'
                    for realm in (REALM, "second.example"))

    def pair(self, **options) -> tuple[Phone, Phone, Guard]:
        alice, bob = self.phone("alice"), self.phone("bob")
        return alice, bob, Guard(bob, **options)

    def answered(self, alice: Phone, bob: Phone) -> tuple[Call, Call]:
        out = alice.call("201")
        back = bob.wait_call()
        back.answer().wait_answered()
        return out.wait_answered(), back

    def test_a_challenged_invite_is_sent_again_with_credentials_and_its_ack_carries_them(self):
        for status in (401, 407):
            with self.subTest(status):
                alice, bob, guard = self.pair(status=status)
                out, back = self.answered(alice, bob)
                first, second = guard.seen
                self.assertEqual((first.call_id, first.from_tag, first.cseq + 1),
                                 (second.call_id, second.from_tag, second.cseq), "RFC 3261 section 22.2")
                self.assertNotEqual(first.branch, second.branch)
                self.assertEqual("", second.to_tag, "the tag of the refusal is not of the dialog")
                self.assertEqual(second.get(guard.headers[1]), back.acks[0].get(guard.headers[1]), "section 13.2.2.4")
                self.assertEqual(second.cseq, back.acks[0].cseq)
                out.hang_up()
                back.wait_ended()

    def test_the_password_is_sent_once_per_nonce_and_a_refusal_ends_the_call(self):
        alice, bob, guard = self.pair()
        guard.refuse_always = True
        self.assertGreaterEqual(alice.call("201").wait_final().status, 400)
        self.assertEqual(2, len(guard.seen))

    def test_a_stale_nonce_is_one_more_try_and_no_second(self):
        alice, bob, guard = self.pair()
        guard.stale_once = True
        out, back = self.answered(alice, bob)
        self.assertEqual(3, len(guard.seen))
        out.hang_up()
        back.wait_ended()
        guard.seen.clear()
        bob.on_request = lambda m: m.method == "INVITE" and (guard.seen.append(m) or guard.challenge(m, stale=True))
        self.assertGreaterEqual(alice.call("201").wait_final().status, 400)
        self.assertEqual(3, len(guard.seen))

    def test_an_unknown_realm_gets_no_credentials_at_all(self):
        alice, bob, guard = self.pair(realm="elsewhere.example")
        self.assertGreaterEqual(alice.call("201").wait_final().status, 400)
        self.assertEqual(1, len(guard.seen))
        self.assertFalse(guard.seen[0].has("Proxy-Authorization"))

    def test_of_several_algorithms_the_first_known_one_is_answered(self):
        unknown = f'Digest realm="{REALM}", nonce="n", algorithm=SHA-512-256, qop="auth"'
        only_integrity = f'Digest realm="{REALM}", nonce="n", qop="auth-int"'
        for extra in (', algorithm=SHA-256, qop="auth"', ', algorithm=MD5, qop="auth,auth-int"', ""):
            with self.subTest(extra):
                alice, bob, guard = self.pair(extra=extra, more=(unknown, only_integrity))
                out, back = self.answered(alice, bob)
                self.assertEqual(2, len(guard.seen))
                self.assertEqual(1, len([h for h in guard.seen[1].headers if h[0] == "Proxy-Authorization"]))
                out.hang_up()
                back.wait_ended()

    def test_challenges_of_several_realms_are_answered_together(self):
        """RFC 3261 section 22.3: each proxy that forked or relayed may want its own, and all come in one refusal."""
        alice, bob, guard = self.pair(more=('Digest realm="second.example", nonce="n2", qop="auth"',
                                            'Digest realm="nobody.example", nonce="n3", qop="auth"'))
        bob.on_request = lambda m: m.method == "INVITE" and not m.has("Proxy-Authorization") and guard.challenge(m)
        out = alice.call("201")
        given = [parse_challenge(text) for text in bob.wait_call().incoming_invite.all("Proxy-Authorization")]
        self.assertEqual({("second.example", "n2"), (REALM, "nonce0")}, {(c["realm"], c["nonce"]) for c in given})
        self.assertEqual(2, len(given))
        out.cancel()

    def test_a_challenged_bye_is_sent_again(self):
        alice, bob, guard = self.pair(methods=("INVITE", "BYE"))
        out, back = self.answered(alice, bob)
        out.hang_up()
        back.wait_ended()
        byes = [m for m in guard.seen if m.method == "BYE"]
        self.assertEqual([False, True], [m.has("Proxy-Authorization") for m in byes])
        self.assertEqual(byes[0].cseq + 1, byes[1].cseq)
        self.no_calls_left()

    def test_a_challenged_notify_is_sent_again(self):
        alice, bob, guard = self.pair(methods=("NOTIFY",), status=401)
        out, back = self.answered(alice, bob)
        self.assertEqual(202, back.refer("300").status)
        bob.wait(lambda: any(m.has("Authorization") for m in guard.seen), 5, "NOTIFY with credentials")

    def test_a_cancelled_call_is_not_tried_again(self):
        alice, bob, guard = self.pair()
        bob.on_request = lambda m: m.method == "INVITE" and (guard.seen.append(m) or bool(bob.reply(m, 100)))
        out = alice.call("201")
        bob.wait(lambda: guard.seen, 5, "INVITE")
        alice.wait(lambda: out.responses, 5, "provisional")
        out.cancel()
        bob.wait_message(lambda m: m.method == "CANCEL", 5, "CANCEL")
        guard.challenge(guard.seen[0])
        self.assertEqual(487, out.wait_final().status)
        time.sleep(0.5)
        self.assertEqual(1, len(guard.seen))

    def test_no_password_is_in_the_log(self):
        self.engine.console("sip trace on")
        alice, bob, guard = self.pair()
        out, back = self.answered(alice, bob)
        out.hang_up()
        back.wait_ended()
        self.engine.console("sip trace off")
        log = self.engine.output()
        self.assertIn("Proxy-Authorization", log)
        self.assertNotIn(PASSWORD, log)
        response = parse_challenge(guard.seen[-1].get("Proxy-Authorization"))["response"]
        self.assertNotIn(response, log)


class Forks(EngineCase):
    def ringing(self) -> tuple[Call, Call]:
        alice, bob = self.phone("alice"), self.phone("bob")
        out = alice.call("201")
        return out, bob.wait_call()

    def second_fork(self, back: Call, tag: str = "fork-late", **headers) -> None:
        back.respond(200, tag=tag, sdp=back.local_sdp, **headers)

    def test_the_bye_to_another_fork_is_repeated_until_it_is_answered(self):
        out, back = self.ringing()
        back.answer().wait_answered()
        out.wait_answered()
        bob = back.phone
        silent = {"left": 2}

        def ignore(message: Message) -> bool:
            if message.method == "BYE" and message.to_tag == "fork-late" and silent["left"]:
                silent["left"] -= 1
                bob._server.pop((message.branch, "BYE"), None)
                return True
            return False

        bob.on_request = ignore
        self.second_fork(back)
        bob.wait(lambda: sum(m.method == "BYE" and m.to_tag == "fork-late" for m in bob.messages) >= 3, 8, "third BYE")
        self.assertEqual("answered", out.state)

    def test_a_repeated_200_of_another_fork_gets_its_ack_again(self):
        out, back = self.ringing()
        back.answer().wait_answered()
        bob = back.phone
        for _ in range(3):
            self.second_fork(back)
        acks = lambda: [m for m in bob.messages if m.method == "ACK" and m.to_tag == "fork-late"]
        bob.wait(lambda: len(acks()) >= 3, 5, "three ACKs")
        self.assertEqual(1, len({m.branch for m in acks()}), "the same ACK again, not others")
        self.assertEqual(1, len({m.cseq for m in bob.messages if m.method == "BYE" and m.to_tag == "fork-late"}))

    def test_a_fork_that_answers_after_the_call_is_over_is_ended_too(self):
        out, back = self.ringing()
        back.answer().wait_answered()
        out.wait_answered().hang_up()
        back.wait_ended()
        time.sleep(0.3)
        self.second_fork(back)
        for method in ("ACK", "BYE"):
            back.phone.wait_message(lambda m: m.method == method and m.to_tag == "fork-late", 5, method)

    def test_a_200_repeated_after_our_bye_gets_its_ack_again(self):
        out, back = self.ringing()
        back.answer().wait_answered()
        out.wait_answered().hang_up()
        back.wait_ended()
        before = len(back.acks)
        back.respond(200, sdp=back.local_sdp)
        back.phone.wait(lambda: len(back.acks) > before, 3, "ACK")
        self.assertEqual((back.acks[0].cseq, back.acks[0].branch), (back.acks[-1].cseq, back.acks[-1].branch))

    def test_a_forks_bye_follows_its_own_route_set(self):
        out, back = self.ringing()
        back.answer().wait_answered()
        here = f"sip:{back.phone.ip}:{back.phone.port};lr"
        self.second_fork(back, headers=(("Record-Route", f"<{here};n=2>, <{here};n=1>"),))
        bye = back.phone.wait_message(lambda m: m.method == "BYE" and m.to_tag == "fork-late", 5, "BYE")
        self.assertEqual(["1", "2"], [route.rpartition("n=")[2].rstrip(">") for route in bye.all("Route")])

    def test_a_forged_200_of_a_call_that_was_never_made_gets_nothing(self):
        out, back = self.ringing()
        back.answer().wait_answered()
        forged = back.phone.reply(back.incoming_invite, 100)
        forged.status, since = 200, len(back.phone.messages)
        forged.set("Call-ID", "never-made").set("To", forged.get("To") + ";tag=forged")
        back.phone.send(forged)
        self.assertEqual(200, back.phone.options().status)
        self.assertFalse([m for m in back.phone.messages[since:] if m.call_id == "never-made"])

    def test_181_and_182_are_not_ringing_and_180_is(self):
        out, back = self.ringing()
        for status in (181, 182):
            back.respond(status)
        time.sleep(0.5)
        self.assertFalse([r for r in out.responses if 100 < r.status < 200])
        back.ring()
        self.assertEqual(180, out.wait_ringing().status)

    def test_199_ends_one_early_dialog_and_not_the_call(self):
        out, back = self.ringing()
        back.respond(180, tag="early-one")
        back.respond(199, tag="early-one")
        out.wait_ringing()
        back.answer().wait_answered()
        self.assertEqual("answered", out.wait_answered().state)

    def test_the_last_early_media_wins_and_its_fork_need_not_answer(self):
        out, back = self.ringing()
        back.rtp.play_tone(425)
        back.respond(183, tag="early-one", sdp=back._media_for_answer().replace(f"m=audio {back.rtp.port}", "m=audio 9"))
        back.ring(183, sdp=True)
        out.wait_status(183)
        out.listen(0.5)
        self.assert_tone(out.listen(0.5), 425)
        back.answer().wait_answered()
        out.wait_answered()

    def test_the_ack_goes_to_the_target_of_the_200_with_a_branch_of_its_own(self):
        alice, bob, elsewhere = self.phone("alice"), self.phone("bob"), Phone("elsewhere")
        self.addCleanup(elsewhere.close)
        out = alice.call("201")
        back = bob.wait_call()
        bob.reply(back.incoming_invite, 200, to_tag=back.local_tag, body=back._media_for_answer(),
                  headers=(("Contact", f"<{elsewhere.contact_uri}>"),))
        ack = elsewhere.wait_message(lambda m: m.method == "ACK", 5, "ACK at the Contact of the 200")
        self.assertEqual(elsewhere.contact_uri, ack.uri)
        self.assertEqual(back.incoming_invite.cseq, ack.cseq)
        self.assertNotEqual(back.incoming_invite.branch, ack.branch)
        bob.mark_acked(back.incoming_invite)
        out.wait_answered()


class Cancelling(EngineCase):
    def test_a_cancel_waits_for_a_provisional_answer(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        bob.on_request = lambda m: m.method == "INVITE"  # silence
        out = alice.call("201")
        bob.wait_message(lambda m: m.method == "INVITE", 5, "INVITE")
        out.cancel()
        out.wait_ended()
        time.sleep(0.3)
        self.assertFalse([m for m in bob.messages if m.method == "CANCEL"], "RFC 3261 section 9.1")
        invite = next(m for m in bob.messages if m.method == "INVITE")
        bob.reply(invite, 180)
        bob.wait_message(lambda m: m.method == "CANCEL", 5, "CANCEL after the 180")

    def test_the_cancel_is_of_the_invite(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        out = alice.call("201")
        back = bob.wait_call()
        back.ring()
        out.wait_ringing()
        out.cancel()
        cancel, invite = back.wait_ended(), back.incoming_invite
        self.assertEqual((invite.uri, invite.branch, invite.cseq, invite.from_tag, invite.get("To"), invite.all("Route")),
                         (cancel.uri, cancel.branch, cancel.cseq, cancel.from_tag, cancel.get("To"), cancel.all("Route")))

    def test_who_did_not_answer_first_is_told_that_another_did(self):
        first, second = self.phone("bob"), self.phone("bob")
        out = self.phone("alice").call("201")
        loser, winner = first.wait_call(), second.wait_call()
        loser.ring()
        winner.answer()
        out.wait_answered()
        self.assertRegex(loser.wait_ended().get("Reason"), r"(?i)SIP\s*;\s*cause=200")

    def test_a_busy_phone_in_a_parallel_ring_leaves_the_other_ringing(self):
        for status in (486, 603):
            with self.subTest(status):
                first, second = self.phone("bob"), self.phone("bob")
                out = self.phone("alice").call("201")
                first.wait_call().refuse(status)
                other = second.wait_call()
                time.sleep(0.3)
                other.answer().wait_answered()
                out.wait_answered().hang_up()
                self.assertEqual(200, second.unregister("*").status)

    def test_a_silent_phone_is_given_up_after_the_first_answer_limit(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        bob.on_request = lambda m: m.method == "INVITE"
        began = time.monotonic()
        self.assertGreaterEqual(alice.call("201").wait_final().status, 400)
        self.assertAlmostEqual(time.monotonic() - began, 4, delta=1)

    def test_100_alone_stops_the_first_answer_limit(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        out = alice.call("201")
        back = bob.wait_call()
        bob.reply(back.incoming_invite, 100)
        time.sleep(5)
        self.assertIsNone(out.final)
        back.answer().wait_answered()
        out.wait_answered()

    def test_max_forwards_goes_down_and_a_call_through_ourselves_is_482(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        out = alice.call("201")
        invite = bob.wait_call().incoming_invite
        received = int(invite.get("Max-Forwards"))
        self.assertIn(received, (68, 69))
        loop = alice.build("INVITE", f"sip:201@{alice.domain}", body=out.local_sdp,
                           headers=tuple((n, v) for n, v in invite.headers if re.match("(?i)x-strowger-path$", n)))
        self.assertGreater(len([h for h in loop.headers if h[0].lower() == "x-strowger-path"]), 0, "our own loop marker")
        self.assertEqual(482, alice.request(loop).status)
        spiral = alice.build("INVITE", f"sip:300@{alice.domain}", body=out.local_sdp,
                             headers=tuple(h for h in loop.headers if h[0].lower() == "x-strowger-path"))
        self.assertEqual(200, alice.request(spiral).status, "through us again to another number is no loop")
        out.cancel()

    def test_the_last_hop_is_not_passed_on(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        request = alice.build("INVITE", f"sip:201@{alice.domain}", body="").set("Max-Forwards", "1")
        self.assertGreaterEqual(alice.request(request).status, 400)
        self.assertFalse([m for m in bob.messages if m.method == "INVITE"])


if __name__ == "__main__":
    unittest.main()
