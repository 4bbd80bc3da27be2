"""`strowger phone` as a person at a terminal uses it, and as a script does, on the example dialplan."""
import os
import pty
import select
import signal
import subprocess
import time
import unittest

import engine
from case import EngineCase
from engine import SOURCE, Engine, program


class Terminal:
    """The phone with a terminal of its own."""

    def __init__(self, running: Engine, *arguments: str):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(program(), [str(program()), "phone", "--socket", str(running.socket), *arguments])
        self.text = ""
        self.at = 0

    def wait(self, text: str, timeout: float = 20.0) -> None:
        """Until that text has come, behind what was waited for before."""
        limit = time.monotonic() + timeout
        while (found := self.text.find(text, self.at)) < 0:
            ready, _, _ = select.select([self.fd], [], [], max(0.0, limit - time.monotonic()))
            if not ready:
                raise AssertionError(f"no {text!r} within {timeout} s in:\n{self.text}")
            try:
                more = os.read(self.fd, 4096)
            except OSError:  # the other end has closed
                more = b""
            if not more:
                raise AssertionError(f"no {text!r} before the end of:\n{self.text}")
            self.text += more.decode()
        self.at = found + len(text)

    def type(self, keys: str) -> None:
        os.write(self.fd, keys.encode())

    def status(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def close(self) -> None:
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(self.fd)


class TextPhone(EngineCase):
    @classmethod
    def setUpClass(cls) -> None:
        missing = engine.available()
        if missing:
            raise unittest.SkipTest(missing)
        cls.engine = Engine(dialplan=SOURCE / "dialplan").start()

    def terminal(self, *arguments: str) -> Terminal:
        made = Terminal(self.engine, *arguments)
        self.addCleanup(made.close)
        return made

    def run_phone(self, *arguments: str, input_: str = "", timeout: float = 60) -> subprocess.CompletedProcess:
        return subprocess.run([str(program()), "phone", "--socket", str(self.engine.socket), *arguments], input=input_,
                              capture_output=True, text=True, timeout=timeout)

    def test_a_person_walks_the_auto_attendant_to_a_user_and_both_hear_the_end(self):
        bob = self.phone("bob")
        phone = self.terminal("100", "--from", "alice")
        phone.wait("[calling 100 as alice]")
        phone.wait("[answered]")
        phone.wait("sales")
        phone.type("1")
        phone.wait("> 1")
        call = bob.wait_call()
        call.ring()
        phone.wait("[ringback]")
        call.answer()
        call.wait_answered()
        phone.wait("[connected with 201]")
        phone.type("5")
        call.wait_digits("5")
        call.hang_up()
        phone.wait("[ended: normal]")
        self.assertEqual(0, phone.status())
        self.no_calls_left()

    def test_h_and_control_d_hang_up(self):
        for key in ("h", "\x04"):
            phone = self.terminal("100")
            phone.wait("[answered]")
            phone.type(key)
            phone.wait("[ended: hung up here]")
            self.assertEqual(0, phone.status())
            self.no_calls_left()

    def test_the_call_ends_when_the_phone_dies(self):
        phone = self.terminal("600")
        phone.wait("[answered]")
        self.assertEqual(1, len(self.engine.console_json("call list")))
        os.kill(phone.pid, signal.SIGKILL)
        self.no_calls_left()

    def test_a_terminal_that_stalls_holds_up_nobody(self):
        phone = self.terminal("600")
        phone.wait("[answered]")
        os.kill(phone.pid, signal.SIGSTOP)
        time.sleep(12)  # longer than the console server waits for others
        began = time.monotonic()
        self.assertEqual(1, len(self.engine.console_json("call list")))
        self.assertLess(time.monotonic() - began, 3)
        os.kill(phone.pid, signal.SIGCONT)
        phone.type("h")
        phone.wait("[ended")
        self.assertEqual(0, phone.status())

    def test_a_script_with_a_transcript(self):
        file = self.engine.folder / "transcript"
        done = self.run_phone("602", "--from", "alice", "--script", "wait 0.2, 4711, hear entered, hear one, wait 1, h",
                              "--transcript", str(file))
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        lines = [line.split(maxsplit=1) for line in file.read_text().splitlines()]
        self.assertEqual([text for _, text in lines], done.stdout.splitlines())
        self.assertEqual(sorted(float(at) for at, _ in lines), [float(at) for at, _ in lines])
        self.assertIn("> 4711", done.stdout)
        self.assertIn("[beep]", done.stdout)

    def test_keys_from_a_pipe(self):
        done = self.run_phone("602", input_="4711\nhear entered\nh\n")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertIn("> 4711", done.stdout)
        self.assertIn("[ended: hung up here]", done.stdout)

    def test_the_exit_status_says_how_it_ended(self):
        self.assertEqual(13, self.run_phone("999").returncode)
        self.assertEqual(15, self.run_phone("600", "--script", "hear what is never said", timeout=60).returncode)
        self.assertEqual(2, self.run_phone("600", "--script", "sing").returncode)
        self.assertEqual(0, self.run_phone("600", "--limit", "1").returncode)
        refused = self.run_phone("100", "--from", "nobody")
        self.assertEqual((1, ""), (refused.returncode, refused.stdout))
        self.assertIn('no user "nobody"', refused.stderr)
        nowhere = subprocess.run([str(program()), "phone", "100", "--socket", "/nonexistent"], capture_output=True, text=True)
        self.assertEqual(1, nowhere.returncode)
        self.assertIn("no engine answers", nowhere.stderr)

    def test_an_emergency_number_is_refused_unless_it_is_meant(self):
        for number in ("112", "0112"):
            done = self.run_phone(number)
            self.assertEqual((1, ""), (done.returncode, done.stdout))
            self.assertIn("--emergency", done.stderr)
        self.assertNotIn("EMERGENCY CALL", self.engine.output())
        meant = self.run_phone("112", "--emergency")
        self.assertEqual(14, meant.returncode)  # this engine has no route for it
        self.assertIn("EMERGENCY CALL", self.engine.output())

    def test_the_loop_module_is_loaded_when_it_is_not_there(self):
        self.engine.console("module unload loop")
        phone = self.terminal("100")
        phone.wait("[answered]")
        phone.type("h")
        self.assertEqual(0, phone.status())


if __name__ == "__main__":
    unittest.main()
