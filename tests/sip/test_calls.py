"""Calls as people make them: prompts, echo, digits, ringing, busy, cancel, and two people in a conversation."""
import random
import time
import unittest

import audio
from case import EngineCase


class Calls(EngineCase):
    sections = {"limits": "calls_per_second = 1000"}  # for the races, which make twenty calls at once

    def test_an_announcement_is_heard_and_the_engine_hangs_up(self):
        call = self.phone("alice").call("300").wait_answered()
        self.wait_prompt(call, "demo-thanks")
        self.assertEqual("BYE", call.wait_ended(20).method)
        self.assert_prompt("vm-goodbye", audio.trim(call.rtp.heard())[-7000:])

    def test_the_announcement_is_as_loud_as_the_recording(self):
        call = self.phone("alice").call("300", codecs=("PCMA",)).wait_answered()
        call.wait_ended(20)
        heard, reference = call.rtp.heard(), self.prompts().references["demo-thanks"]
        match = next(m for m in self.prompts().rank(heard) if m.name == "demo-thanks")
        begin = max(0, int(match.offset * 8000))
        self.assertAlmostEqual(audio.level_dbm0(heard[begin:begin + len(reference)]), audio.level_dbm0(reference), delta=0.5)
        self.assertGreater(match.score, 0.97)

    def test_the_echo_gives_back_the_callers_tone_in_either_codec(self):
        for codec in ("PCMU", "PCMA"):
            with self.subTest(codec):
                call = self.phone("alice").call("301", codecs=(codec,)).wait_answered()
                call.rtp.play_tone(1234, -15)
                call.listen(1.5)
                heard = call.listen(1)
                self.assert_tone(heard, 1234)
                self.assertAlmostEqual(audio.level_dbm0(heard), -15, delta=1)
                self.assertEqual(200, call.hang_up().status)

    def test_the_codec_that_is_offered_first_is_answered_and_sent(self):
        for codecs, pt in ((("PCMA", "PCMU"), 8), (("PCMU", "PCMA"), 0), (("PCMU:97",), 97)):
            with self.subTest(codecs):
                call = self.phone("alice").call("301", codecs=codecs).wait_answered()
                self.assertEqual(pt, call.remote_sdp.codec_pt)
                call.rtp.play_tone(500)
                call.listen(1)
                self.assertEqual({pt}, set(call.rtp.statistics().payload_types) - call.rtp.event_pts)
                call.hang_up()

    def test_digits_arrive_with_payload_type_101_and_with_96(self):
        for pt in (101, 96):
            with self.subTest(pt):
                call = self.phone("alice").call("303", event_pt=pt).wait_answered()
                self.assertEqual(pt, call.remote_sdp.event_pt)
                call.send_digits("19#")
                self.wait_prompt(call, "vm-goodbye")
                call.wait_ended()

    def test_a_digit_twice_is_two_digits_and_a_lost_end_packet_is_none_more(self):
        call = self.phone("alice", rtp_loss=10, seed=5).call("303").wait_answered()
        call.send_digits("196", seconds=0.16)
        self.wait_prompt(call, "hello-world")
        call.wait_ended()

    def test_digits_from_the_engine_arrive_once_each(self):
        call = self.phone("alice").call("308", event_pt=96).wait_answered()
        call.wait_digits("147*", 8)
        call.listen(0.4)  # the end packets of the last
        ends = [p for p in call.rtp.received() if p.pt == 96 and p.payload[1] & 0x80]
        self.assertEqual(3 * 4, len(ends), "each digit ends with three packets (RFC 4733 section 2.5.1.4)")
        call.hang_up()

    def test_the_attendant_connects_to_bob_when_1_is_pressed_in_the_prompt(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        out = alice.call("100").wait_answered()
        self.wait_prompt(out, "demo-thanks")
        out.send_digits("1")
        back = bob.wait_call()
        back.ring()
        back.answer().wait_answered()
        self.both_hear(out, back)
        out.hang_up()
        back.wait_ended()

    def both_hear(self, out, back, frequencies=(440, 880)):
        out.rtp.play_tone(frequencies[0])
        back.rtp.play_tone(frequencies[1])
        time.sleep(0.5)
        marks = out.rtp.mark(), back.rtp.mark()
        time.sleep(1)
        self.assert_tone(out.rtp.heard(marks[0]), frequencies[1])
        self.assert_tone(back.rtp.heard(marks[1]), frequencies[0])

    def test_an_invalid_key_is_answered_and_asked_again(self):
        call = self.phone("alice").call("100").wait_answered()
        call.send_digits("9")
        self.wait_prompt(call, "pbx-invalid")
        call.send_digits("2")
        self.wait_prompt(call, "vm-goodbye")
        call.wait_ended()

    def test_two_phones_with_different_codecs_hear_each_other(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        out = alice.call("201", codecs=("PCMU",))
        back = bob.wait_call()
        back.answer(codecs=("PCMA",)).wait_answered()
        self.both_hear(out.wait_answered(), back)

    def test_either_side_may_hang_up(self):
        for side in (0, 1):
            with self.subTest(side):
                pair = self.connected()
                self.assertEqual(200, pair[side].hang_up().status)
                self.assertEqual("BYE", pair[1 - side].wait_ended().method)

    def test_both_hang_up_at_once_and_both_are_answered(self):
        out, back = self.connected()
        byes = out.build("BYE"), back.build("BYE")
        out.phone.send(byes[0])
        back.phone.send(byes[1])
        for call, bye in ((out, byes[0]), (back, byes[1])):
            answer = call.phone.wait_message(lambda m: m.branch == bye.branch, 5, "answer to a crossing BYE")
            self.assertIn(answer.status, (200, 481))

    def test_the_caller_sees_ringing_and_a_contact(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        out = alice.call("201")
        bob.wait_call().ring()
        ringing = out.wait_ringing()
        self.assertTrue(ringing.to_tag and ringing.get("Contact"))
        out.cancel()
        out.wait_ended()

    def test_a_busy_phone_makes_the_caller_hear_busy(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        out = alice.call("201")
        bob.wait_call().refuse(486)
        self.assertEqual(486, out.wait_final().status)

    def test_a_refusal_by_the_dialplan_is_a_refusal_in_sip(self):
        self.assertIn(self.phone("alice").call("307").wait_final().status, (403, 603))

    def test_a_user_who_is_not_there_is_refused_at_once(self):
        began = time.monotonic()
        self.assertGreaterEqual(self.phone("alice").call("202").wait_final().status, 400)
        self.assertLess(time.monotonic() - began, 3)

    def test_early_media_is_heard_before_any_answer(self):
        call = self.phone("alice").call("302")
        progress = call.wait_status(183)
        self.assertIsNotNone(progress.sdp)
        self.wait_prompt(call, "hello-world")
        self.assertEqual(486, call.wait_final().status)
        self.assertFalse([r for r in call.responses if r.status == 200])

    def test_early_media_of_the_called_phone_is_heard_by_the_caller(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        out = alice.call("201")
        back = bob.wait_call()
        back.rtp.play_tone(425)
        back.ring(183, sdp=True)
        self.assertIsNotNone(out.wait_status(183).sdp)
        out.listen(0.4)
        self.assert_tone(out.listen(0.6), 425)
        out.cancel()
        back.wait_ended()

    def test_cancel_ends_the_ringing_at_both_sides(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        out = alice.call("201")
        back = bob.wait_call()
        back.ring()
        ringing = out.wait_ringing()
        out.cancel()
        final = out.wait_ended()
        self.assertEqual((487, ringing.to_tag), (final.status, final.to_tag))
        self.assertEqual(200, alice.finish(out.cancel_transaction).status)
        self.assertEqual("CANCEL", back.wait_ended().method)

    def test_a_cancel_in_any_moment_around_the_answer_leaves_no_call(self):
        self.cancel_around_the_answer(200)

    def cancel_around_the_answer(self, count: int, together: int = 20) -> None:
        """Extension 309 answers 0.2 s after it rings: some are cancelled before, some are hung up after."""
        alice, moments = self.phone("alice"), random.Random(11)
        how = {"cancelled": 0, "local": 0}
        for _ in range(count // together):
            calls = [alice.call("309") for _ in range(together)]
            for call in calls:
                call.wait_ringing()
                alice.later(0.2 + moments.uniform(-0.05, 0.02), call.cancel)
            for call in calls:
                call.wait_ended()
                how[call.ended_by] = how.get(call.ended_by, 0) + 1
        self.assertGreater(min(how["cancelled"], how["local"]), 0, f"only one side of the race was met: {how}")
        self.no_calls_left()

    def test_a_called_phone_whose_200_crosses_the_cancel_is_hung_up(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        bob.on_request = lambda m: m.method == "CANCEL" and bool(bob.reply(m, 200)) and bool(
            bob.calls[-1].answer())  # the phone was lifted in that moment: the 200 to the INVITE goes out all the same
        out = alice.call("201")
        back = bob.wait_call()
        back.ring()
        out.wait_ringing()
        out.cancel()
        self.assertEqual(487, out.wait_ended().status)
        self.assertEqual("BYE", back.wait_ended().method)
        self.assertTrue(back.acks, "the 200 must be acknowledged before the BYE")

    def test_hanging_up_in_the_middle_of_a_prompt_ends_the_call(self):
        call = self.phone("alice").call("300").wait_answered()
        call.listen(0.5)
        call.hang_up()
        mark = call.rtp.mark()
        time.sleep(0.5)
        self.assertLess(call.rtp.mark() - mark, 10, "sound went on after the BYE was answered")
        self.no_calls_left()

    def test_a_call_over_tcp_is_like_one_over_udp(self):
        alice, bob = self.phone("alice", transport="tcp"), self.phone("bob")
        out = alice.call("201")
        back = bob.wait_call()
        back.answer().wait_answered()
        self.both_hear(out.wait_answered(), back)
        back.hang_up()
        self.assertEqual("BYE", out.wait_ended().method)

    def test_calls_succeed_with_ten_per_cent_of_the_signalling_lost(self):
        alice, bob = self.phone("alice", loss=10, seed=21), self.phone("bob", loss=10, seed=22)
        for _ in range(4):
            out = alice.call("201")
            back = bob.wait_call(30)
            back.answer().wait_answered(30)
            out.wait_answered(30).hang_up()
            back.wait_ended(30)

    def test_the_callers_number_is_shown(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        out = alice.call("201")
        back = bob.wait_call()
        self.assertIn("200", back.incoming_invite.get("From"))
        out.hang_up()

    def test_a_loop_of_forwards_does_not_live_for_ever(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        alice.call("201").phone.wait(lambda: bob.calls, 5, "call")
        received = int(bob.calls[0].incoming_invite.get("Max-Forwards"))
        self.assertLess(received, 70, "a B2BUA sends what it received, less one")


if __name__ == "__main__":
    unittest.main()
