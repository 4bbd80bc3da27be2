"""The demonstration itself: it says yes to an attendant that works and no to ones that do not."""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np

import audio
from attendant import Attendant
from case import EngineCase
from engine import SOURCE, USERS, sounds_folder

DEMO = SOURCE / "contrib" / "demo" / "demo.py"


def run_demo(*arguments: str) -> tuple[int, str]:
    done = subprocess.run([sys.executable, str(DEMO), *arguments], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


class DemoWithoutTheEngine(unittest.TestCase):
    def demo(self, fault: str) -> tuple[int, str]:
        rng = np.random.default_rng(3)
        with tempfile.TemporaryDirectory() as folder:
            for name in ("welcome", "goodbye"):
                audio.write_wav(Path(folder) / f"{name}.wav", (rng.normal(size=20000) * 2500).astype(np.int16))
            (Path(folder) / "passwords").write_text("# a comment\nalice one two\nbob two\n")
            with Attendant({"alice": "one two", "bob": "two"}, audio.read_wav(Path(folder) / "welcome.wav"),
                           fault=fault) as attendant:
                host, port = attendant.proxy.address
                return run_demo("--sip", f"{host}:{port}", "--passwords", f"{folder}/passwords", "--sounds", folder,
                                "--wait", "3",
                                "--record", f"{folder}/kept")

    def test_a_working_attendant_passes_every_step(self):
        status, text = self.demo("")
        self.assertEqual(0, status, text)
        self.assertIn("“welcome”", text)
        self.assertNotIn("✗", text)

    def test_a_silent_attendant_fails(self):
        status, text = self.demo("silent")
        self.assertEqual(1, status, text)
        self.assertIn("✗ alice hears the attendant", text)

    def test_a_one_way_bridge_fails(self):
        status, text = self.demo("one way")
        self.assertEqual(1, status, text)
        self.assertIn("✗ alice hears bob's tone", text)

    def test_a_bridge_that_outlives_its_caller_fails(self):
        status, text = self.demo("keeps the call")
        self.assertEqual(1, status, text)
        self.assertIn("✗ bob's call ends too", text)

    def test_nobody_there_fails_with_a_question(self):
        with tempfile.TemporaryDirectory() as folder:
            audio.write_wav(Path(folder) / "x.wav", audio.tone(500, 1))
            status, text = run_demo("--sip", "127.0.0.1:9", "--password", "alice=a", "--password", "bob=b", "--sounds", folder,
                                    "--wait", "1")
        self.assertEqual(1, status, text)
        self.assertIn("is the engine running?", text)


class DemoWithTheEngine(EngineCase):
    def test_the_demonstration_comes_true(self):
        folder = sounds_folder()
        status, text = run_demo("--sip", f"127.0.0.1:{self.engine.port}", "--sounds", str(folder), "--prompt", "demo-thanks",
                                *[word for user in ("alice", "bob") for word in ("--password", f"{user}={USERS[user][1]}")])
        self.assertEqual(0, status, text)


if __name__ == "__main__":
    unittest.main()
