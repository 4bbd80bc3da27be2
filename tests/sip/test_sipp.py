"""SIPp's scenarios against the engine, and the same scenarios against our own phone, which proves that they are right."""
import os
import random
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from case import EngineCase
from engine import HERE, USERS
from phone import Phone
from proxy import Proxy


def run_sipp(server: tuple, scenario: str, target: str = "", user: str = "alice", password: str = "", calls: int = 3,
             rate: int = 5,
             lost: int = 0, challenge: int = 401, limit: int = 90) -> None:
    """Runs a scenario of this folder to its end; AssertionError with SIPp's own error text if one call failed.

    `challenge`: the status with which the server asks for credentials (a user agent asks by 401, a proxy by 407)."""
    with tempfile.TemporaryDirectory() as folder:
        script = (HERE / "sipp" / f"{scenario}.xml").read_text()
        if scenario != "register":
            script = script.replace('response="401"', f'response="{challenge}"')
        (Path(folder) / "scenario.xml").write_text(script)
        (Path(folder) / "users.csv").write_text(f"SEQUENTIAL\n{user};[authentication username={user} password={password}]\n")
        port = random.randrange(33000, 39000, 4)
        command = ["sipp", f"{server[0]}:{server[1]}", "-sf", "scenario.xml", "-inf", "users.csv", "-i", "127.0.0.1", "-p",
                   str(port),
                   "-mi", "127.0.0.1", "-mp", str(port + 2), "-m", str(calls), "-r", str(rate), "-l", "4", "-nostdin",
                   "-timeout", str(limit),
                   "-timeout_error", "-trace_err", "-error_file", "errors", "-cid_str", f"%u-{os.getpid()}-%p@%s"]
        if target:
            command += ["-s", target]
        if lost:
            command += ["-lost", str(lost)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=limit + 30,
                              env={**os.environ, "TERM": "dumb"})
        errors = Path(folder) / "errors"
        text = errors.read_text()[-3000:] if errors.exists() else ""
        if done.returncode:
            raise AssertionError(f"sipp {scenario} ended with {done.returncode}:\n{text}\n{done.stdout[-1500:]}\n"
                                 f"{done.stderr[-500:]}")


@unittest.skipUnless(shutil.which("sipp"), "SIPp is not installed (package sip-tester)")
class SippAgainstOurPhone(unittest.TestCase):
    def setUp(self) -> None:
        self.proxy = Proxy({"alice": "one", "bob": "two"}, challenge_calls=True)
        self.bob = Phone("bob", self.proxy.address, "two")
        self.addCleanup(self.proxy.__exit__)
        self.addCleanup(self.bob.close)
        self.bob.register()

    def run_scenario(self, scenario: str, **options) -> None:
        run_sipp(self.proxy.address, scenario, "bob", password="one", challenge=407, **options)

    def answering(self) -> None:
        self.bob.on_call = lambda call: call.answer()

    def test_the_registration(self):
        run_sipp(self.proxy.address, "register", password="one")
        self.assertIn("alice", self.proxy.bindings)

    def test_a_registration_with_a_wrong_password_fails(self):
        with self.assertRaises(AssertionError):
            run_sipp(self.proxy.address, "register", password="wrong", calls=1, limit=5)

    def test_the_digit(self):
        self.answering()
        self.run_scenario("call_digit", calls=1)
        self.assertEqual(["1"], self.bob.calls[0].rtp.digits)

    def test_the_cancel(self):
        self.bob.on_call = lambda call: call.ring()
        self.run_scenario("cancel", calls=2)
        self.assertEqual({"cancelled"}, {call.ended_by for call in self.bob.calls})

    def test_the_hold_and_resume(self):
        self.answering()
        self.run_scenario("reinvite", calls=2)
        self.assertEqual(2, len(self.bob.calls[0].reinvites))

    def test_calls_with_loss(self):
        self.answering()
        self.run_scenario("call", calls=20, rate=10, lost=5)
        self.assertGreaterEqual(len(self.bob.calls), 20)


@unittest.skipUnless(shutil.which("sipp"), "SIPp is not installed (package sip-tester)")
class SippAgainstTheEngine(EngineCase):
    def run_scenario(self, scenario: str, target: str = "", **options) -> None:
        options.setdefault("challenge", self.challenge())
        run_sipp(self.engine.address, scenario, target, password=USERS["alice"][1], **options)

    def challenge(self) -> int:
        stranger = self.phone("alice", register=False, password="")
        return stranger.call("305").wait_final().status

    def test_registrations(self):
        self.run_scenario("register", calls=10)

    def test_a_digit_by_rfc_4733_connects_to_bob(self):
        bob = self.phone("bob")
        self.run_scenario("call_digit", "100", calls=1, limit=30)
        self.assertEqual(1, len(bob.calls), "the attendant did not understand the key 1")

    def test_cancelled_calls(self):
        self.run_scenario("cancel", "304", calls=10)
        self.no_calls_left()

    def test_held_and_resumed_calls(self):
        self.run_scenario("reinvite", "305", calls=5)
        self.no_calls_left()

    def test_no_call_fails_with_five_per_cent_loss(self):
        self.run_scenario("call", "305", calls=100, rate=10, lost=5)
        time.sleep(1)
        self.no_calls_left(40)

    def test_no_registration_fails_with_five_per_cent_loss(self):
        self.run_scenario("register", calls=50, rate=10, lost=5)


if __name__ == "__main__":
    unittest.main()
