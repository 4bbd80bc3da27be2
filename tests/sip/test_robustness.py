"""What goes wrong beside a call must not be noticed in it: broken modules, broken scripts, two engines, sudden ends."""
import re
import shutil
import signal
import socket
import subprocess
import time
import unittest

import engine
from case import EngineCase
from engine import USERS, Engine

RUNAWAY = unittest.skipIf("thread" in engine.sanitizers(),
                          "ThreadSanitizer delivers the timer's signal late, so no script is stopped in time")


class Modules(EngineCase):
    def setUp(self) -> None:
        self.folder = self.engine.folder / "broken"
        self.folder.mkdir(exist_ok=True)
        self.before = [(m["name"], m["generation"]) for m in self.engine.console_json("module list")]

    def refused(self, what, *parts: str) -> None:
        with self.undisturbed():
            text = self.engine.console_error(f"module load {what}")
            for part in parts:
                self.assertIn(part, text)
        self.assertEqual(self.before, [(m["name"], m["generation"]) for m in self.engine.console_json("module list")])

    def guest(self, name: str, folder: str = ""):
        return engine.build_folder() / "guest_modules" / folder / f"{name}.so"

    def test_a_text_file_is_no_module(self):
        file = self.folder / "text.so"
        file.write_text("not a module\n" * 100)
        self.refused(file, str(file), "not a shared object")

    def test_an_empty_file_is_no_module(self):
        file = self.folder / "empty.so"
        file.write_bytes(b"")
        self.refused(file, str(file), "not a shared object")

    def test_a_module_that_was_cut_short_is_refused_wherever_it_was_cut(self):
        whole = (engine.build_folder() / "modules" / "echo.so").read_bytes()
        with self.undisturbed():
            for length in (1, 20, 64, 4096, len(whole) // 2, len(whole) - 1):
                file = self.folder / "short.so"
                file.write_bytes(whole[:length])
                self.assertIn("cut short", self.engine.console_error(f"module load {file}"), f"{length} of {len(whole)} bytes")

    def test_a_directory_is_no_module(self):
        file = self.folder / "folder.so"
        file.mkdir(exist_ok=True)
        self.refused(file, str(file), "not a file")

    def test_a_shared_object_that_is_no_module_is_told_so(self):
        self.refused(self.guest("plain"), "plain.so", "exports no strowger_module")

    def test_a_module_for_another_core_is_refused_before_its_code_runs(self):
        self.refused(self.guest("stale"), "stale.so", "built for another core", "rebuild it")

    def test_a_constructor_that_throws_leaves_nothing_behind(self):
        self.refused(self.guest("guest", "broken"), "guest: the constructor is told to fail")
        self.assertIn("no command", self.engine.console_error("guest wait").lower())

    def test_a_module_that_is_missing_is_named_with_how_to_load_it(self):
        self.refused(self.guest("needy"), "needs the module guest", "module load guest")

    def test_a_library_that_is_missing_is_named(self):
        self.refused(self.guest("pinned", "broken"), "libnowhere.so.1")

    def test_a_name_that_nobody_has_is_told_so(self):
        self.refused("nothing", "there is no module \"nothing\"")

    def test_a_file_that_is_replaced_by_rubbish_does_not_harm_what_runs(self):
        modules = self.folder / "own"
        modules.mkdir()
        file = shutil.copy(self.guest("guest"), modules)
        self.engine.console(f"module load {file}")
        try:
            with self.undisturbed():
                with open(file, "wb") as there:  # in place: the mapped copy is another file
                    there.write(b"rubbish")
                self.assertIn("not a shared object", self.engine.console_error("module reload guest"))
                self.assertIn("Waits a minute", self.engine.console("help guest wait"))
        finally:
            self.engine.console("module unload guest")


class Dialplan(EngineCase):
    def setUp(self) -> None:
        self.main = self.engine.folder / "dialplan" / "main.lua"
        self.text = self.main.read_text()
        self.addCleanup(self.put_back)

    def put_back(self) -> None:
        if self.main.is_dir():
            self.main.rmdir()
        self.main.write_text(self.text)
        self.engine.console("dialplan reload", 60)

    def refused(self, *parts: str, timeout: float = 10.0) -> None:
        before = self.engine.console_json("dialplan show")["version"]
        with self.undisturbed():
            text = self.engine.console_error("dialplan reload", timeout)
            for part in parts + ("stays in service",):
                self.assertIn(part, text)
        self.assertEqual(before, self.engine.console_json("dialplan show")["version"])

    def test_a_syntax_error_is_told_by_file_and_line(self):
        self.main.write_text("-- one\nlocal x = = 2\n")
        self.refused("main.lua:2:")

    def test_an_error_in_a_required_file_is_told_by_that_file(self):
        (self.main.parent / "other.lua").write_text("\n\nerror('no good')\n")
        self.addCleanup((self.main.parent / "other.lua").unlink)
        self.main.write_text("require 'other'\n" + self.text)
        self.refused("other.lua:3:", "no good")

    def test_a_directory_in_place_of_main_lua_is_told_so(self):
        self.main.unlink()
        self.main.mkdir()
        self.refused(str(self.main), "directory")

    def test_no_main_lua_at_all_is_told_so(self):
        self.main.unlink()
        self.refused(str(self.main), "there is no main.lua")

    def test_a_file_that_is_required_and_missing_is_told_by_the_line_that_requires_it(self):
        self.main.write_text("-- one\nrequire 'absent'\n" + self.text)
        self.refused("main.lua:2:", "absent")

    @RUNAWAY
    def test_a_file_that_never_ends_is_told_by_its_line(self):
        self.main.write_text("local n = 0\nwhile true do n = n + 1 end\n" + self.text)
        self.refused("main.lua:2:", "too long", timeout=120)

    def test_rubbish_is_told_by_file_and_line(self):
        self.main.write_bytes(bytes(range(1, 256)) * 40)
        self.refused("main.lua:1:")


MISHAPS = """
  ["900"] = function(call)
    call:answer()
    while true do end
  end,
  ["901"] = function(call)
    call:answer()
    local t = {}
    while true do t[#t + 1] = string.rep("x", 1000) .. #t end
  end,
  ["902"] = function(call)
    call:answer()
    local nothing
    return nothing.field
  end,
  ["903"] = function(call)
    call:answer()
    call:play("no-such-prompt")
    call:play("vm-goodbye")
  end,
  ["904"] = function(call)
    call:answer()
    call:run("no_such_application", {})
  end,
  ["905"] = function(call)
    call:answer()
    pcall(function() while true do pcall(function() while true do end end) end end)
    call:play("vm-goodbye")
  end,
  fallback = function(call)
    call:play("demo-thanks")
    call:hang_up(41)
  end,
"""


class Scripts(EngineCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        main = cls.engine.folder / "dialplan" / "main.lua"
        opening = 'context "internal" {'
        main.write_text(main.read_text().replace(opening, opening + MISHAPS))
        cls.text = main.read_text()
        cls.engine.console("dialplan reload", 60)

    def line_of(self, code: str) -> int:
        return next(n for n, line in enumerate(self.text.splitlines(), 1) if code in line)

    def fails(self, extension: str, code: str, *parts: str) -> None:
        """The extension's script goes wrong at that code: the caller hears the fallback, the log has all there is to know."""
        with self.undisturbed():
            call = self.phone("carol").call(extension).wait_answered()
            call_id = next(c["id"] for c in self.engine.console_json("call list") if c["to"] == extension)
            self.wait_prompt(call, "demo-thanks")
            call.wait_ended()
        log = self.engine.output()
        entry = r"(?:(?!\n\d{4}-)[\s\S])*"  # up to the next line that begins with a date
        told = re.search(rf"call \[{call_id}\]: extension {extension}{entry}stack traceback:{entry}", log)
        self.assertTrue(told, f"no traceback of call {call_id}:\n{log}")
        self.assertIn(f"main.lua:{self.line_of(code)}:", told.group(0))
        for part in parts:
            self.assertIn(part, told.group(0))

    @RUNAWAY
    def test_a_script_that_computes_for_ever(self):
        self.fails("900", "    while true do end", "computed for more than 50 ms")

    @RUNAWAY
    def test_a_script_that_catches_what_stops_it(self):
        self.fails("905", "pcall(function() while", "computed for more than 50 ms")

    def test_a_script_that_eats_memory(self):
        # Under ThreadSanitizer all the memory takes longer than a script may compute.
        self.fails("901", 't[#t + 1] = string.rep', "computed" if engine.sanitizers() == "thread" else "memory")

    def test_a_script_that_raises(self):
        self.fails("902", "return nothing.field", "attempt to index a nil value (local 'nothing')")

    def test_an_application_that_is_not_there(self):
        self.fails("904", "no_such_application", "no_such_application")

    def test_a_prompt_that_is_missing_is_spoken_and_logged_and_the_call_goes_on(self):
        with self.undisturbed():
            call = self.phone("carol").call("903").wait_answered()
            self.wait_prompt(call, "vm-goodbye", 12)
            call.wait_ended()
        heard = call.rtp.heard()
        first = heard[:4000 + max(0, len(heard) - 12000)]
        self.assertGreater(max(abs(int(s)) for s in first), 500, "nothing was heard in place of the prompt")
        self.assertRegex(self.engine.output(), r"\[[0-9a-f]{12}\]: prompt 'no-such-prompt' \(en\) is missing")

    def test_an_extension_that_nobody_has_is_404(self):
        with self.undisturbed():
            self.assertEqual(404, self.phone("carol").call("99887").wait_final().status)


class Limits(EngineCase):
    sections = {"limits": "calls = 2", "emergency": 'route = ["user/bob"]'}

    def test_beyond_the_limit_calls_are_refused_but_emergency_calls_are_not(self):
        alice, bob, carol = self.phone("alice"), self.phone("bob"), self.phone("carol")
        first = alice.call("305").wait_answered()
        second = alice.call("305").wait_answered()
        refused = carol.call("305").wait_final()
        self.assertEqual(503, refused.status)
        self.assertGreater(int(refused.get("Retry-After")), 0)
        help_call = carol.call("112")
        rung = bob.wait_call()
        rung.answer().wait_answered()
        help_call.wait_answered()
        carol_tone, bob_tone = 650, 880
        help_call.rtp.play_tone(carol_tone)
        rung.rtp.play_tone(bob_tone)
        help_call.listen(0.5)
        self.assert_tone(help_call.listen(0.5), bob_tone)
        self.assert_tone(rung.rtp.heard()[-3000:], carol_tone)
        help_call.hang_up()
        first.hang_up()
        second.hang_up()
        self.no_calls_left()
        again = carol.call("305").wait_answered()
        again.hang_up()


class Ends(EngineCase):
    """Each test has an engine of its own, since it ends it."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.engine.stop()

    def setUp(self) -> None:
        self.engine = Engine().start()
        self.addCleanup(self.engine.stop, check=False)

    @staticmethod
    def _unregister(phone) -> None:
        """Nobody is left to tell."""

    def tearDown(self) -> None:
        report = engine.SANITIZER.search(self.engine.output())
        self.assertFalse(report, self.engine.output())

    def test_sigterm_lets_calls_go_on_and_takes_no_new_ones(self):
        with self.undisturbed():
            carol = self.phone("carol")
            self.engine.signal(signal.SIGTERM)
            answer = carol.call("305").wait_final()
            self.assertEqual(503, answer.status)
            self.assertGreater(int(answer.get("Retry-After")), 0)
            self.assertTrue(self.engine.console_json("core show")["stopping"])
        self.assertEqual(0, self.engine.wait())

    def test_a_second_sigterm_ends_the_calls_at_once(self):
        out, back = self.connected()
        self.engine.signal(signal.SIGTERM)
        out.listen(0.5)
        self.assertEqual("answered", out.state)
        began = time.monotonic()
        self.engine.signal(signal.SIGTERM)
        self.assertEqual("BYE", out.wait_ended().method)
        self.assertEqual("BYE", back.wait_ended().method)
        self.assertEqual(0, self.engine.wait())
        self.assertLess(time.monotonic() - began, 8)

    def test_after_kill_9_in_a_call_a_new_engine_starts_on_the_same_state_and_knows_who_is_registered(self):
        out, back = self.connected()
        self.engine.kill()
        self.engine.start()
        registered = {u["name"]: u["registered"] for u in self.engine.console_json("user list")}
        self.assertEqual((1, 1, 0), (len(registered["alice"]), len(registered["bob"]), len(registered["carol"])))
        self.assertEqual([], self.engine.console_json("call list"))
        again = out.phone.call("201")
        rung = back.phone.wait_call()
        rung.answer().wait_answered()
        again.wait_answered()
        again.rtp.play_tone(650)
        rung.listen(0.5)
        self.assert_tone(rung.listen(0.4), 650)
        again.hang_up()
        rung.wait_ended()

    def test_a_second_engine_on_the_same_state_is_refused_and_the_first_goes_on(self):
        with self.undisturbed():
            for socket_file in (self.engine.socket, self.engine.folder / "other"):
                done = subprocess.run([engine.program(), "run", "--config", self.engine.settings_file, "--socket", socket_file],
                                      capture_output=True, text=True, timeout=30)
                self.assertEqual(1, done.returncode, done.stdout + done.stderr)
                self.assertRegex(done.stderr, r"in use by process \d+; end that engine first")
        self.assertIn("version", self.engine.console_json("core show"))


class Configuration(unittest.TestCase):
    """`strowger run` with settings that cannot be used: it ends at once and says where the mistake is."""

    def setUp(self) -> None:
        if missing := engine.available():
            self.skipTest(missing)
        self.engine = Engine()
        self.addCleanup(shutil.rmtree, self.engine.folder, ignore_errors=True)

    def run_with(self, settings: str | bytes | None, *options: str) -> tuple[int, str]:
        file = self.engine.settings_file
        if settings is not None:
            file.write_bytes(settings if isinstance(settings, bytes) else settings.encode())
        done = subprocess.run([engine.program(), "run", "--config", file, "--socket", self.engine.socket, *options],
                              capture_output=True, text=True, timeout=30)
        return done.returncode, done.stderr

    def refused(self, settings: str | bytes | None, *parts: str) -> None:
        status, text = self.run_with(settings)
        self.assertEqual(1, status, text)
        for part in parts:
            self.assertIn(part, text)

    def test_what_is_not_toml(self):
        self.refused("[engine]\nmodules = [\"sip\"\nlog_level = 3\n", f"{self.engine.settings_file}:3:1: not TOML")

    def test_bytes_at_random(self):
        self.refused(b"\xff\xfe\x00\x01" * 100, f"{self.engine.settings_file}:1:1: not TOML")

    def test_a_value_of_the_wrong_kind(self):
        self.refused("[limits]\n  calls = \"many\"\n", f"{self.engine.settings_file}:2:11:")

    def test_a_key_that_nobody_knows(self):
        self.refused("[engine]\nworkerz = 3\n", f"{self.engine.settings_file}:2:1:", "workers")

    def test_a_directory_and_nothing_at_all(self):
        self.refused(None, str(self.engine.settings_file), "cannot be read")
        self.engine.settings_file.mkdir()
        self.refused(None, str(self.engine.settings_file), "is a folder")

    def test_a_state_directory_that_cannot_be_made(self):
        text = self.engine.settings().replace(str(self.engine.folder / "state"), "/proc/strowger")
        self.refused(text, "/proc/strowger", "state")

    def test_a_port_that_is_taken(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(self.engine.address)
            shutil.copytree(self.engine.dialplan, self.engine.folder / "dialplan")
            text = self.engine.settings().replace('"sip", "loop",', '"sip",')
            self.refused(text, f"127.0.0.1:{self.engine.port}", f"{self.engine.settings_file}:")

    def test_an_option_that_nobody_knows_is_status_2(self):
        status, text = self.run_with(self.engine.settings(), "--nonsense")
        self.assertEqual(2, status)
        self.assertIn("--nonsense", text)


class ConsoleSocket(EngineCase):
    def send(self, data: bytes) -> bytes:
        """What comes back until the engine closes or is silent."""
        with socket.socket(socket.AF_UNIX) as there:
            there.settimeout(0.5)
            there.connect(str(self.engine.socket))
            answer = b""
            try:
                there.sendall(data)
                while part := there.recv(65536):
                    answer += part
            except OSError:
                pass
            return answer

    def test_rubbish_is_answered_or_dropped_and_nobody_notices(self):
        with self.undisturbed():
            for data in (b"", b"\n", b"hello\n", b"\0" * 100 + b"\n", b"{\n", b"[" * 60000 + b"\n", b'{"command": 7}\n',
                         b'{"command": "' + b"x" * 60000 + b'"}\n', b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)) * 50 + b"\n"):
                answer = self.send(data)
                self.assertNotIn(b'"ok":true', answer.replace(b" ", b""), data[:40])
            self.send(b"x" * 5_000_000)
            self.send(b'{"command": "call list"')
            self.assertIn("version", self.engine.console("core show"))

    def test_consoles_without_number_are_closed_and_those_that_leave_make_room(self):
        with self.undisturbed():
            many = []
            for _ in range(60):
                one = socket.socket(socket.AF_UNIX)
                one.connect(str(self.engine.socket))
                many.append(one)
            for one in many:
                one.close()
            self.assertIn("version", self.engine.console("core show"))

    def test_a_console_that_leaves_while_its_command_runs_does_no_harm(self):
        with self.undisturbed():
            for _ in range(20):
                with socket.socket(socket.AF_UNIX) as there:
                    there.connect(str(self.engine.socket))
                    there.sendall(b'{"command": "call list --ended"}\n{"command": "dialplan reload"}\n')
            self.assertIn("version", self.engine.console("core show"))


if __name__ == "__main__":
    unittest.main()
