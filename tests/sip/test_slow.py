"""What takes half a minute and more: the timers of RFC 3261 at their full length."""
import time
import unittest

import test_calls
from case import EngineCase


class Slow(EngineCase):
    sections = test_calls.Calls.sections

    def test_a_missing_ack_ends_the_call_by_bye_after_32_seconds_and_not_before(self):
        call = self.phone("alice").call("305", withhold_ack=True).wait_answered()
        began = time.monotonic()
        self.assertEqual("BYE", call.wait_ended(40).method)
        self.assertAlmostEqual(time.monotonic() - began, 32, delta=2)
        self.no_calls_left()

    def test_a_late_ack_is_dropped_in_silence(self):
        alice = self.phone("alice")
        call = alice.call("305", withhold_ack=True).wait_answered()
        call.wait_ended(40)
        since = len(alice.messages)
        call.acknowledge_now()
        self.assertEqual(200, alice.options().status)
        self.assertFalse([m for m in alice.messages[since:] if m.call_id == call.call_id])

    def test_a_called_phone_that_never_answers_a_bye_is_forgotten(self):
        out, back = self.connected()
        back.phone.on_request = lambda message: message.method == "BYE"
        out.hang_up()
        self.no_calls_left(40)

    def test_ringing_is_repeated_every_minute(self):
        alice = self.phone("alice")
        call = alice.call("304")
        call.wait_ringing()
        time.sleep(65)
        self.assertGreaterEqual(sum(100 < r.status < 200 for r in call.responses), 2, "RFC 3261 section 13.3.1.1")
        call.cancel()
        call.wait_ended()

    def test_a_phone_that_answers_neither_the_cancel_nor_the_invite_is_forgotten(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        out = alice.call("201")
        back = bob.wait_call()
        back.ring()
        out.wait_ringing()
        bob.on_request = lambda message: message.method == "CANCEL"
        out.cancel()
        out.wait_ended()
        self.assertEqual(1, len(self.engine.console_json("sip show")["dialogs"]))
        bob.wait(lambda: not self.engine.console_json("sip show")["dialogs"], 40, "end of the dialog")

    def test_a_thousand_cancels_around_the_answer_leave_no_call(self):
        for _ in range(5):  # a phone that remembers a thousand calls gets too slow itself
            test_calls.Calls.cancel_around_the_answer(self, 200)  # type: ignore[arg-type]
            self.doCleanups()

    def test_a_phone_that_does_not_answer_at_all_gives_the_caller_a_refusal(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        bob.on_request = lambda message: message.method == "INVITE"
        self.assertGreaterEqual(alice.call("201").wait_final(45).status, 400)


if __name__ == "__main__":
    unittest.main()
