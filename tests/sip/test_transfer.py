"""Blind transfer by REFER (RFC 3515, RFC 5589) from either side, and what goes wrong with it."""
import time
import unittest

from case import EngineCase


class Transfer(EngineCase):
    def conversation(self, a, b) -> None:
        a.rtp.play_tone(440)
        b.rtp.play_tone(880)
        time.sleep(0.6)
        marks = a.rtp.mark(), b.rtp.mark()
        time.sleep(0.8)
        self.assert_tone(a.rtp.heard(marks[0]), 880)
        self.assert_tone(b.rtp.heard(marks[1]), 440)

    def transfer_from(self, side: int) -> None:
        pair = self.connected()
        giver, stays = pair[side], pair[1 - side]
        carol = self.phone("carol")
        self.assertEqual(202, giver.refer("202").status)
        ringing = carol.wait_call()
        ringing.ring()
        ringing.answer().wait_answered()
        self.assertEqual(200, giver.wait_transfer())
        finals = [m for m in giver.notifies if "terminated" in m.get("Subscription-State").lower()]
        self.assertEqual(1, len(finals), "the subscription ends exactly once")
        if giver.state != "ended":
            giver.hang_up()
        self.conversation(stays, ringing)
        self.assertEqual("answered", stays.state)
        stays.hang_up()
        ringing.wait_ended()

    def test_the_caller_gives_the_called_party_to_carol(self):
        self.transfer_from(0)

    def test_the_called_party_gives_the_caller_to_carol(self):
        self.transfer_from(1)

    def test_a_transferor_who_hangs_up_at_once_still_transfers(self):
        out, back = self.connected()
        carol = self.phone("carol")
        self.assertEqual(202, out.refer("202").status)
        out.hang_up()
        ringing = carol.wait_call()
        ringing.answer().wait_answered()
        self.conversation(back, ringing)

    def test_a_busy_target_is_reported_and_the_call_comes_back(self):
        out, back = self.connected()
        carol = self.phone("carol")
        self.assertEqual(202, out.refer("202").status)
        carol.wait_call().refuse(486)
        self.assertEqual(486, out.wait_transfer())
        self.assertEqual("answered", out.state)
        self.conversation(out, back)

    def test_an_unknown_target_is_reported(self):
        out, _ = self.connected()
        answer = out.refer("999")
        self.assertIn(answer.status, (202, 404, 603))
        if answer.status == 202:
            self.assertGreaterEqual(out.wait_transfer(), 400)

    def test_a_transfer_to_an_announcement_plays_it_to_the_one_who_stays(self):
        out, back = self.connected()
        self.assertEqual(202, out.refer("300").status)
        mark = back.rtp.mark()
        self.wait_prompt(back, "demo-thanks", since=mark)

    def test_a_refer_without_a_target_or_with_two_is_400(self):
        out, _ = self.connected()
        self.assertEqual(400, out.request("REFER").status)
        twice = (("Refer-To", "<sip:202@x>"), ("Refer-To", "<sip:201@x>"))
        self.assertEqual(400, out.request("REFER", headers=twice).status)

    def test_a_refer_outside_a_dialog_is_refused(self):
        alice = self.phone("alice")
        refer = alice.build("REFER", f"sip:201@{alice.domain}", headers=(("Refer-To", f"<sip:202@{alice.domain}>"),))
        self.assertGreaterEqual(alice.request(refer).status, 400)

    def test_a_refer_to_another_scheme_or_host_is_refused_or_fails_politely(self):
        """None of these is ever dialled, so it does not matter what the network does with such an address."""
        out, back = self.connected()
        for giver in (out, back):
            for target in ("http://example.com/", "sip:202@192.0.2.1", "tel:", f"sip:sip%2Fsip:202@{out.phone.domain}"):
                giver.notifies.clear()  # before the REFER: the last NOTIFY may be here as soon as the 202
                answer = giver.request("REFER", headers=(("Refer-To", f"<{target}>"),))
                if answer.status == 202:
                    self.assertGreaterEqual(giver.wait_transfer(5), 400, target)
                else:
                    self.assertGreaterEqual(answer.status, 400, target)
                self.assertEqual("answered", giver.state)
        self.conversation(out, back)

    def test_a_transfer_to_a_silent_target_is_decided_within_the_first_answer_limit(self):
        for side in (0, 1):
            with self.subTest(("caller", "callee")[side]):
                pair = self.connected()
                carol = self.phone("carol")
                carol.on_request = lambda m: m.method == "INVITE"  # takes all and says nothing
                self.assertEqual(202, pair[side].refer("202").status)
                began = time.monotonic()
                self.assertGreaterEqual(pair[side].wait_transfer(10), 400)
                self.assertAlmostEqual(time.monotonic() - began, 4, delta=2)
                self.conversation(*pair)
                pair[0].hang_up()
                pair[1].wait_ended()
                carol.register(expires=0)

    def test_a_busy_target_of_the_called_side_is_reported_and_the_call_comes_back(self):
        out, back = self.connected()
        carol = self.phone("carol")
        self.assertEqual(202, back.refer("202").status)
        ringing = carol.wait_call()
        ringing.ring()
        time.sleep(0.3)
        self.assertEqual([100], back.sipfrags(), "nothing is decided while it rings")
        ringing.refuse(486)
        self.assertEqual(486, back.wait_transfer())
        self.assertEqual(("answered", "answered"), (out.state, back.state))
        self.conversation(out, back)

    def test_a_notify_that_is_never_answered_does_not_stop_the_transfer(self):
        out, back = self.connected()
        carol = self.phone("carol")
        out.withhold_notify_answer = True
        out.refer("202")
        ringing = carol.wait_call()
        ringing.answer().wait_answered()
        self.conversation(back, ringing)

    def test_a_caller_who_hangs_up_while_carol_rings_ends_all(self):
        out, back = self.connected()
        carol = self.phone("carol")
        back.refer("202")
        ringing = carol.wait_call()
        ringing.ring()
        out.hang_up()
        ringing.wait_ended()
        self.no_calls_left()


if __name__ == "__main__":
    unittest.main()
