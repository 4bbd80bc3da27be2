"""The SIP module goes and comes while phones are registered and talk: the code leaves memory, registrations stay."""
import re
import time
import unittest
from pathlib import Path

from case import EngineCase
from sipmsg import make_sdp

SDP = make_sdp("127.0.0.1", 30000)


class Unloading(EngineCase):
    sections = {"emergency": 'numbers = ["112"]'}

    def copies(self) -> set[str]:
        """The private copies of the module that are mapped into the engine."""
        maps = Path(f"/proc/{self.engine._process.pid}/maps").read_text()
        return set(re.findall(r"\S+/sip\.\d+\.so", maps))

    def load(self) -> None:
        self.engine.console("module load sip")
        self.wait_up()

    def wait_up(self) -> None:
        self.assertEqual(200, self.phone("carol", register=False).options().status)

    def gone(self, timeout: float = 10.0) -> None:
        limit = time.monotonic() + timeout
        while self.copies():
            self.assertLess(time.monotonic(), limit, f"still mapped: {self.copies()}")
            time.sleep(0.02)

    def cycle(self, rounds: int) -> None:
        alice, bob = self.phone("alice"), self.phone("bob")
        for number in range(rounds):
            self.assertEqual(1, len(self.copies()))
            if number % 2:
                self.assertEqual(200, alice.register().status)
            else:
                out = alice.call("201")
                back = bob.wait_call()
                back.answer().wait_answered()
                out.wait_answered()
            self.engine.console("module unload sip --now", 20)
            if number % 2 == 0:
                for call in (out, back):
                    self.assertEqual("BYE", call.wait_ended(5).method)
            self.gone()
            self.load()
        self.assertIn(str(bob.port), str(bob.register(None, contact="").all("Contact")), "the registration has survived")
        out = alice.call("201")
        bob.wait_call().answer().wait_answered()
        out.wait_answered().hang_up()
        self.no_calls_left()

    def test_ten_cycles_of_unload_now_and_load_with_calls_and_registrations(self):
        self.cycle(10)

    def test_a_draining_module_refuses_new_calls_and_keeps_the_old_until_they_end(self):
        out, back = self.connected()
        alice, bob = out.phone, back.phone
        self.engine.console("module unload sip")
        time.sleep(0.3)
        self.assertEqual("answered", out.state)
        refused = alice.request(alice.build("INVITE", f"sip:300@{alice.domain}", body=SDP))
        self.assertEqual(503, refused.status)
        self.assertTrue(refused.get("Retry-After"))
        self.assertEqual(503, alice.options().status)
        help_wanted = alice.build("INVITE", f"sip:112@{alice.domain}", body=SDP)
        answer = alice.request(help_wanted)
        self.assertFalse(answer.status == 503 and answer.get("Retry-After"), "an emergency call is taken even now")
        back.rtp.play_tone(880)
        out.listen(0.4)
        self.assert_tone(out.listen(0.5), 880)
        self.assertEqual(200, out.hold().status)
        self.assertEqual(200, out.resume().status)
        self.assertEqual(1, len(self.copies()))
        self.assertEqual(200, out.hang_up().status)
        back.wait_ended()
        self.gone()
        self.load()
        self.assertEqual(200, bob.register().status)

    def test_a_reload_brings_the_module_back_with_its_registrations(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        before = self.copies()
        self.engine.console("module reload sip", 20)
        limit = time.monotonic() + 10
        while not (self.copies() and not self.copies() & before):
            self.assertLess(time.monotonic(), limit, f"before {before}, now {self.copies()}")
            time.sleep(0.05)
        self.wait_up()
        out = alice.call("201")
        bob.wait_call().answer().wait_answered()
        out.wait_answered().hang_up()


class ManyCycles(Unloading):
    """The same a hundred times: slow."""
    test_ten_cycles_of_unload_now_and_load_with_calls_and_registrations = None
    test_a_draining_module_refuses_new_calls_and_keeps_the_old_until_they_end = None
    test_a_reload_brings_the_module_back_with_its_registrations = None

    def test_a_hundred_cycles(self):
        self.cycle(100)


if __name__ == "__main__":
    unittest.main()
