"""baresip as the phone: with each other by way of our proxy (which proves the control of it), then by way of the engine."""
import time
import unittest

import audio
import baresip
from baresip import Baresip
from case import EngineCase
from engine import USERS
from phone import Phone
from proxy import Proxy


@unittest.skipIf(baresip.available(), baresip.available())
class BaresipAlone(unittest.TestCase):
    def user(self, *arguments, **options) -> Baresip:
        phone = Baresip(*arguments, **options)
        self.addCleanup(phone.close)
        return phone

    def test_two_baresips_register_call_and_hear_each_other(self):
        with Proxy({"alice": "one", "bob": "two"}, challenge_calls=True) as proxy:
            alice, bob = self.user("alice", proxy.address, "one", 440), self.user("bob", proxy.address, "two", 880)
            alice.wait_registered()
            bob.wait_registered()
            alice.dial(f"sip:bob@{proxy.address[0]}:{proxy.address[1]}")
            bob.accept()
            alice.wait_event("CALL_ESTABLISHED")
            alice.listen(0.5)
            for phone, frequency in ((alice, 880), (bob, 440)):
                heard = phone.listen(1.0)
                self.assertTrue(audio.hears_tone(heard, frequency), (phone.user, audio.dominant_frequency(heard)))
                self.assertAlmostEqual(audio.level_dbm0(heard), -12, delta=1)
            alice.hang_up()
            bob.wait_event("CALL_CLOSED")

    def test_baresip_sends_digits_and_a_transfer_to_our_phone(self):
        with Proxy({"alice": "one", "bob": "two"}) as proxy, Phone("bob", proxy.address, "two") as bob:
            alice = self.user("alice", proxy.address, "one", 440)
            alice.wait_registered()
            bob.register()
            alice.dial(f"sip:bob@{bob.domain}")
            back = bob.wait_call()
            back.ring()
            alice.wait_event("CALL_RINGING")
            back.answer().wait_answered()
            back.rtp.play_tone(880)
            alice.wait_event("CALL_ESTABLISHED")
            alice.press("15#")
            back.wait_digits("15#")
            back.on_refer = lambda request: 202
            alice.transfer(f"sip:202@{bob.domain}")
            bob.wait(lambda: back.refers, 5, "REFER")
            self.assertIn("sip:202@", back.refers[0].get("Refer-To"))
            alice.hang_up()
            back.wait_ended()

    def test_our_phone_calls_baresip_and_holds_it(self):
        with Proxy({"alice": "one", "bob": "two"}) as proxy, Phone("alice", proxy.address, "one") as alice:
            bob = self.user("bob", proxy.address, "two", 880)
            bob.wait_registered()
            out = alice.call("bob")
            bob.accept()
            out.wait_answered()
            out.rtp.play_tone(440)
            bob.listen(0.5)
            self.assertTrue(audio.hears_tone(bob.listen(1), 440))
            self.assertEqual("recvonly", out.hold().sdp.direction)
            self.assertEqual("sendrecv", out.resume().sdp.direction)
            out.hang_up()


@unittest.skipIf(baresip.available(), baresip.available())
class BaresipAndTheEngine(EngineCase):
    def user(self, name: str, frequency: float) -> Baresip:
        phone = Baresip(name, self.engine.address, USERS[name][1], frequency)
        self.addCleanup(phone.close)
        phone.wait_registered()
        return phone

    def assert_hears(self, phone: Baresip, frequency: float) -> None:
        phone.listen(0.6)
        heard = phone.listen(1.0)
        self.assert_tone(heard, frequency)
        self.assertAlmostEqual(audio.level_dbm0(heard), -12, delta=1.5)

    def wait_prompt_at(self, phone: Baresip, name: str, timeout: float = 10.0) -> None:
        limit = time.monotonic() + timeout
        while time.monotonic() < limit:
            match = self.prompts().which(phone.heard())
            if match and match.name == name:
                return
            time.sleep(0.3)
        self.assert_prompt(name, phone.heard())

    def test_alice_reaches_bob_by_the_attendant_and_gives_him_to_carol(self):
        alice, bob, carol = self.user("alice", 440), self.user("bob", 880), self.user("carol", 1320)
        host = f"{self.engine.address[0]}:{self.engine.address[1]}"
        alice.dial(f"sip:100@{host}")
        alice.wait_event("CALL_ESTABLISHED")
        self.wait_prompt_at(alice, "demo-thanks")
        alice.press("1")
        bob.accept()
        self.assert_hears(alice, 880)
        self.assert_hears(bob, 440)
        alice.transfer(f"sip:202@{host}")
        carol.accept()
        self.assert_hears(carol, 880)
        self.assert_hears(bob, 1320)
        bob.hang_up()
        carol.wait_event("CALL_CLOSED")
        self.no_calls_left()

    def test_baresip_hears_its_own_tone_in_the_echo_and_hangs_up(self):
        alice = self.user("alice", 1000)
        alice.dial(f"sip:301@{self.engine.address[0]}:{self.engine.address[1]}")
        alice.wait_event("CALL_ESTABLISHED")
        alice.listen(1)
        self.assert_hears(alice, 1000)
        alice.hang_up()
        self.no_calls_left()


if __name__ == "__main__":
    unittest.main()
