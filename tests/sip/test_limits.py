"""At each limit a new call is refused at the door, cleanly and cheaply; what is there already, and calls for help, go on."""
import contextlib
import os
import resource
import time
import unittest

from case import EngineCase
from engine import free_port, sanitizers

HELP = {"emergency": 'route = ["user/bob"]'}


class LimitCase(EngineCase):
    def refused_at_the_door(self, phone, target: str = "305", status: int = 503, counted: bool = True):
        """An INVITE without credentials is refused before a challenge, with Retry-After, and the same tag when it is repeated."""
        invite = phone.build("INVITE", f"sip:{target}@{phone.domain}")
        before = self.engine.console_json("sip show") if counted else {}
        first, again = phone.exchange(invite), phone.exchange(invite)
        after = self.engine.console_json("sip show") if counted else {}
        self.assertEqual((status, status), (first.status, again.status))
        for answer in (first, again):
            self.assertIn(int(answer.get("Retry-After")), range(1, 11))
        self.assertTrue(first.to_tag)
        self.assertEqual(first.to_tag, again.to_tag)
        if counted:
            self.assertGreaterEqual(after["refused"], before["refused"] + 2)
            self.assertEqual(before["server_transactions"], after["server_transactions"], "the refusal has made a transaction")
        return first

    def help_comes(self, caller) -> None:
        """112 reaches Bob, and both hear each other."""
        bob = self.phone("bob")
        out = caller.call("112")
        rung = bob.wait_call()
        rung.answer().wait_answered()
        out.wait_answered()
        out.rtp.play_tone(650)
        rung.rtp.play_tone(880)
        out.listen(0.4)
        self.assert_tone(out.listen(0.4), 880)
        self.assert_tone(rung.rtp.heard()[-3000:], 650)
        out.hang_up()
        rung.wait_ended()


class Calls(LimitCase):
    sections = {"limits": "calls = 1", **HELP}

    def test_past_the_limit_of_calls_only_new_ones_are_refused(self):
        alice, carol = self.phone("alice"), self.phone("carol")
        call = alice.call("305").wait_answered()
        self.refused_at_the_door(carol)
        self.assertEqual(200, carol.register().status)
        self.assertEqual(200, call.reinvite().status)
        self.assertEqual(200, call.request("OPTIONS").status)
        self.help_comes(carol)
        self.assertEqual(200, call.hang_up().status)
        self.no_calls_left()
        carol.call("305").wait_answered().hang_up()

    def test_a_call_that_rings_can_be_cancelled_and_acknowledged_past_the_limit(self):
        alice, carol = self.phone("alice"), self.phone("carol")
        ringing = alice.call("304")
        ringing.wait_ringing()
        self.refused_at_the_door(carol)
        ringing.cancel()
        self.assertEqual(487, ringing.wait_final().status)
        self.no_calls_left()


class Rate(LimitCase):
    sections = {"limits": "calls_per_second = 5", **HELP}

    def test_past_the_calls_of_a_second_the_next_are_refused_until_it_is_over(self):
        alice, carol = self.phone("alice"), self.phone("carol")
        time.sleep(1.0)  # a second of its own
        calls = [alice.call("305") for _ in range(15)]
        finals = [call.wait_final().status for call in calls]
        self.assertEqual({200, 503}, set(finals))
        self.assertIn(finals.count(200), range(5, 11), "five a second, over two seconds at most")
        for call in (c for c, status in zip(calls, finals) if status == 503):
            self.assertIn(int(call.wait_final().get("Retry-After")), range(1, 11))
        limit = time.monotonic() + 3
        while (status := carol.call("305").wait_final().status) == 503 and time.monotonic() < limit:
            self.help_comes(carol)
        self.assertEqual(200, status)


class Ports(LimitCase):
    first = free_port() + 2000 & ~1
    sections = {"media": f"first_port = {first}\nlast_port = {first + 15}\nport_rest = 1", **HELP}  # 8 pairs, 2 kept back

    def test_without_ports_calls_are_refused_but_calls_for_help_have_some(self):
        alice, carol = self.phone("alice"), self.phone("carol")
        calls = [alice.call("305").wait_answered() for _ in range(5)]  # the sixth might need two pairs, and there is one
        self.refused_at_the_door(carol)
        self.help_comes(carol)
        for call in calls:
            call.hang_up()
        self.no_calls_left()
        limit = time.monotonic() + 5
        while carol.call("305").wait_final().status == 503:
            self.assertLess(time.monotonic(), limit, "the ports do not come back")
            time.sleep(0.2)


# UBSan looks at objects through a pipe, and without a descriptor for that takes every object for a wrong one.
@unittest.skipIf("undefined" in sanitizers(), "UBSan needs descriptors of its own")
class Descriptors(LimitCase):
    sections = HELP

    @contextlib.contextmanager
    def with_descriptors(self, free: int):
        """The engine may open so many more."""
        pid = self.engine._process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
        number, left = 0, free
        while left or number in used:  # the limit is on the number, not on the count
            left -= number not in used
            number += 1
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (number, before[1]))
        try:
            time.sleep(1.2)  # the engine looks once a second when it has no calls
            yield
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)

    def test_without_descriptors_calls_are_refused_but_calls_for_help_have_some(self):
        alice, carol, bob = self.phone("alice"), self.phone("carol"), self.phone("bob")
        call = alice.call("305").wait_answered()
        for free in (8, 0):
            with self.with_descriptors(free):
                self.refused_at_the_door(carol, counted=free > 0)  # without any the console is out of reach
                self.assertEqual(200, carol.register().status)
                self.assertEqual(200, call.reinvite().status)
                self.help_comes(carol)
        call.hang_up()
        self.no_calls_left()
        time.sleep(1.2)
        carol.call("305").wait_answered().hang_up()

    def test_connections_that_use_up_the_descriptors_leave_udp_alone(self):
        import socket
        carol = self.phone("carol")
        with self.with_descriptors(6), contextlib.ExitStack() as open_ones:
            for _ in range(40):
                one = open_ones.enter_context(socket.socket())
                one.settimeout(1)
                one.connect(self.engine.address)
            self.assertEqual(200, carol.register().status)
            self.help_comes(carol)
        time.sleep(1.2)
        self.assertEqual(200, carol.register().status)


class Memory(LimitCase):
    sections = {"limits": 'memory = "16 MiB"', **HELP}

    def test_past_the_limit_of_memory_calls_and_registrations_are_refused(self):
        carol = self.phone("carol", register=False)
        self.refused_at_the_door(carol)
        answer = carol.register(expect=None)
        self.assertEqual(503, answer.status)
        self.assertIn(int(answer.get("Retry-After")), range(1, 11))


class OtherStatus(LimitCase):
    sections = {"limits": "calls = 1", "sip": "overload_status = 480"}

    def test_who_is_refused_can_be_told_another_status(self):
        alice, carol = self.phone("alice"), self.phone("carol")
        call = alice.call("305").wait_answered()
        self.refused_at_the_door(carol, status=480)
        call.hang_up()
