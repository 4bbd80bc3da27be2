"""Session timers (RFC 4028): what we agree to, who refreshes, and how a call ends that nobody refreshes."""
import time
import unittest

from call import Call
from case import EngineCase

TIMER = (("Supported", "timer"),)


def asks(seconds: int, refresher: str = "", supported: bool = True) -> tuple:
    who = f";refresher={refresher}" if refresher else ""
    return (("Session-Expires", f"{seconds}{who}"), *(TIMER if supported else ()))


class SessionTimerCase(EngineCase):
    def answered(self, headers: tuple) -> Call:
        return self.phone("alice").call("305", headers=headers).wait_answered()

    def answered_by_bob(self, headers: tuple) -> tuple[Call, Call]:
        alice, bob = self.phone("alice"), self.phone("bob")
        out = alice.call("201")
        back = bob.wait_call()
        with bob._changed:
            back.respond(200, sdp=back._media_for_answer(), headers=headers)
            back.state = "answered"
        return out.wait_answered(), back.wait_answered()


class SessionTimers(SessionTimerCase):
    def test_the_caller_that_knows_the_timer_is_to_refresh(self):
        for headers in (asks(1800), asks(90, "uac")):
            call = self.answered(headers)
            seconds = headers[0][1].split(";")[0]
            self.assertEqual(f"{seconds};refresher=uac", call.final.get("Session-Expires"))
            self.assertIn("timer", call.final.get("Require"))
            call.hang_up()

    def test_we_refresh_for_who_asks_so_or_does_not_know_the_timer(self):
        for headers in (asks(1800, "uas"), asks(1800, supported=False)):
            call = self.answered(headers)
            self.assertEqual(("1800;refresher=uas", False), (call.final.get("Session-Expires"), call.final.has("Require")))
            call.hang_up()

    def test_without_a_session_expires_there_is_no_timer(self):
        call = self.answered(TIMER)
        self.assertFalse(call.final.has("Session-Expires"))
        self.assertIn("timer", call.final.all("Supported"))
        call.hang_up()

    def test_less_than_90_seconds_is_refused_with_422_for_who_knows_it(self):
        alice = self.phone("alice")
        refused = alice.call("305", headers=asks(89)).wait_final()
        self.assertEqual((422, "90"), (refused.status, refused.get("Min-SE")))
        call = alice.call("305", headers=asks(30, supported=False)).wait_answered()
        self.assertFalse(call.final.has("Session-Expires"))
        call.hang_up()
        self.no_calls_left()

    def test_a_refresh_gets_our_sdp_byte_for_byte_and_disturbs_nothing(self):
        with self.undisturbed() as (out, back):
            first = out.final.body
            for count in range(2):
                request = out.build("INVITE", body=out.local_sdp, headers=asks(1800, "uac"))
                answer = out.phone.request(request)
                self.assertEqual((200, first), (answer.status, answer.body))
                self.assertEqual("1800;refresher=uac", answer.get("Session-Expires"))
                out.cseq = answer.cseq
                out.phone.send(out.build("ACK", cseq=answer.cseq))
            self.assertEqual([], back.reinvites, "the other side hears nothing of it")

    def test_a_refresh_that_asks_for_too_little_is_refused_and_the_call_goes_on(self):
        with self.undisturbed() as (out, _):
            answer = out.phone.request(out.build("INVITE", body=out.local_sdp, headers=asks(60, "uac")))
            self.assertEqual((422, "90"), (answer.status, answer.get("Min-SE")))
            out.cseq = answer.cseq

    def test_a_hold_in_a_timed_call_is_still_a_hold(self):
        out, back = self.connected()
        held = out.reinvite(direction="sendonly")
        self.assertEqual("recvonly", held.sdp.direction)
        self.assertEqual("sendrecv", out.resume().sdp.direction)
        out.hang_up()
        back.wait_ended()

    def test_a_called_phone_may_ask_for_a_timer_and_requires_nothing_else(self):
        out, back = self.answered_by_bob((("Session-Expires", "1800;refresher=uas"), ("Require", "timer"), *TIMER))
        self.assertIn("timer", back.incoming_invite.all("Supported"))
        self.assertEqual("answered", out.state)
        out.hang_up()
        back.wait_ended()


class SlowSessionTimers(SessionTimerCase):
    """About a minute, as 90 seconds are the least that may be agreed on."""

    def test_the_session_that_a_phone_does_not_refresh_ends_and_the_one_that_we_refresh_goes_on(self):
        out, back = self.answered_by_bob((("Session-Expires", "90;refresher=uac"), ("Require", "timer"), *TIMER))
        silent = self.phone("carol").call("305", headers=asks(90, "uac")).wait_answered()
        began = time.monotonic()
        bob = back.phone
        bob.wait(lambda: back.reinvites, 50, "our refresh")
        self.assertAlmostEqual(45, time.monotonic() - began, delta=2)
        refresh = back.reinvites[0]
        self.assertEqual("90;refresher=uac", refresh.get("Session-Expires"))
        self.assertEqual(back.incoming_invite.body, refresh.body, "the same version, byte for byte")
        bye = silent.wait_ended(25)
        self.assertAlmostEqual(60, time.monotonic() - began, delta=2)
        self.assertIn("cause=102", bye.get("Reason"))
        self.assertEqual("answered", back.state)
        out.hang_up()
        back.wait_ended()


if __name__ == "__main__":
    unittest.main()
