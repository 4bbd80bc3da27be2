"""Every command of the console on a live engine with people talking, for people and as JSON."""
import json
import subprocess
import time
import unittest

import engine
from case import EngineCase


class Console(EngineCase):
    def setUp(self) -> None:
        self.out, self.back = self.connected()
        self.out.rtp.play_tone(650)
        self.back.rtp.play_tone(880)
        self.out.listen(0.3)
        self.id = next(c["id"] for c in self.json("call list") if c["to"] == "201")

    def json(self, command: str):
        return self.engine.console_json(command)

    def text(self, command: str) -> str:
        return self.engine.console(command)

    def still_talking(self) -> None:
        self.assert_tone(self.out.listen(0.4), 880)
        self.assert_tone(self.back.listen(0.4), 650)

    def state_of(self, module: str) -> list[str]:
        return [m["state"] for m in self.json("module list") if m["name"] == module]

    # --- calls ----------------------------------------------------------------------------------------------------------------

    def test_call_list(self):
        call = next(c for c in self.json("call list") if c["id"] == self.id)
        self.assertEqual(("200", "201", "talking", True, "internal"),
                         tuple(call[f] for f in ("from", "to", "state", "answered", "context")))
        self.assertIn("PCM", call["codec"])
        head, line = self.text("call list").splitlines()
        self.assertEqual(["id", "from", "to", "state"], head.split()[:4])
        self.assertEqual([self.id, "200", "201", "talking"], line.split()[:4])

    def test_call_show_of_a_call_in_progress_with_its_media(self):
        self.out.listen(0.6)
        call = self.json(f"call show {self.id}")
        self.assertEqual((self.id, "200", "201", "talking"), tuple(call[f] for f in ("id", "from", "to", "state")))
        self.assertEqual(["in", "out"], [leg["direction"] for leg in call["legs"]])
        for leg in call["legs"]:
            self.assertGreater(leg["media"]["packets_received"], 20, leg)
            self.assertGreater(leg["media"]["packets_sent"], 20, leg)
            self.assertEqual(0, leg["media"]["packets_lost"], leg)
            self.assertIn("127.0.0.1:", leg["media"]["remote"])
        self.out.listen(0.5)
        again = self.json(f"call show {self.id}")
        for before, after in zip(call["legs"], again["legs"]):
            self.assertGreater(after["media"]["packets_received"], before["media"]["packets_received"] + 15, "not of this moment")
        self.assertRegex(self.text(f"call show {self.id}"), rf"(?m)^id: +{self.id}$")

    def test_call_show_and_list_of_a_call_that_has_ended_also_after_a_restart(self):
        self.out.hang_up()
        self.back.wait_ended()
        self.no_calls_left()
        for restart in (False, True):
            if restart:
                self.engine.restart()
            with self.subTest(after_a_restart=restart):
                call = self.json(f"call show {self.id}")
                self.assertEqual((self.id, "normal", "caller", True),
                                 tuple(call[f] for f in ("id", "cause", "ended_by", "answered")))
                self.assertEqual(2, len(call["legs"]))
                self.assertEqual(1, len(call["talks"]))
                self.assertIn(self.id, self.text(f"call show {self.id}"))
                ended = self.json("call list --ended")
                self.assertEqual(self.id, ended[0]["id"])
                self.assertEqual(len(ended), len({c["id"] for c in ended}))
                newest = self.text("call list --ended").splitlines()[1].split()
                self.assertEqual([self.id, "200", "201"], [newest[0], *newest[2:4]])

    def test_call_show_of_nobody(self):
        self.assertIn("there is no call 123", self.engine.console_error("call show 123"))

    def test_call_hang_up(self):
        self.assertIn(self.id, self.text(f"call hang up {self.id}"))
        self.assertEqual("BYE", self.out.wait_ended().method)
        self.assertEqual("BYE", self.back.wait_ended().method)
        self.no_calls_left()
        self.assertEqual("operator", self.json(f"call show {self.id}")["ended_by"])
        self.assertIn("there is no call", self.engine.console_error(f"call hang up {self.id}"))

    def test_call_hang_up_all(self):
        self.assertEqual({"calls": 1}, self.json("call hang up all"))
        self.out.wait_ended()
        self.back.wait_ended()

    # --- modules --------------------------------------------------------------------------------------------------------------

    def test_module_list(self):
        modules = {m["name"]: m for m in self.json("module list")}
        self.assertEqual({"sip", "loop", "echo", "auto_attendant"}, set(modules))
        self.assertEqual({"running"}, {m["state"] for m in modules.values()})
        self.assertGreater(modules["sip"]["users"], 0)
        self.assertRegex(self.text("module list"), r"(?m)^sip +1\.0 +\d+ +running")
        available = {m["name"]: m["running"] for m in self.json("module list --available")}
        self.assertTrue(available["echo"])

    def test_module_unload_and_load_of_one_that_nobody_uses(self):
        self.assertEqual({"gone": True}, self.json("module unload auto_attendant"))
        self.assertEqual([], self.state_of("auto_attendant"))
        self.assertIn("is running", self.text("module load auto_attendant"))
        self.assertEqual(["running"], self.state_of("auto_attendant"))
        self.assertIn("running already", self.engine.console_error("module load auto_attendant"))
        self.still_talking()

    def test_module_unload_waits_for_its_caller_and_names_him(self):
        carol = self.phone("carol").call("301").wait_answered()
        answer = self.json("module unload echo")
        self.assertFalse(answer["gone"])
        self.assertRegex(answer["users"][0]["user"], r"^call [0-9a-f]{12} ")
        self.assertEqual(["draining"], self.state_of("echo"))
        self.assertEqual(1, len(self.json("module leases echo")))
        self.assertGreater(len(carol.listen(0.4)), 2000)
        self.text("module load echo")
        self.assertEqual({"draining", "running"}, set(self.state_of("echo")))
        carol.hang_up()
        limit = time.monotonic() + 10
        while self.state_of("echo") != ["running"]:
            self.assertLess(time.monotonic(), limit, "the old generation does not go")
            time.sleep(0.1)
        self.still_talking()

    def test_module_unload_now_hangs_up_its_caller_alone(self):
        carol = self.phone("carol").call("301").wait_answered()
        self.text("module unload echo --now")
        self.assertEqual("BYE", carol.wait_ended().method)
        self.still_talking()
        limit = time.monotonic() + 10
        while self.state_of("echo"):
            self.assertLess(time.monotonic(), limit, "the module does not go")
            time.sleep(0.1)
        self.text("module load echo")

    def test_module_reload(self):
        before = next(m for m in self.json("module list") if m["name"] == "echo")["generation"]
        self.assertGreater(self.json("module reload echo")["generation"], before)
        self.assertIn("is reloaded", self.text("module reload echo"))
        carol = self.phone("carol").call("301").wait_answered()
        self.assertGreater(len(carol.listen(0.4)), 2000)
        self.still_talking()

    def test_module_leases(self):
        users = [line["user"] for line in self.json("module leases sip")]
        self.assertTrue(any(self.id in user for user in users), users)
        self.assertIn(self.id, self.text("module leases sip"))
        self.assertIn("not loaded", self.engine.console_error("module leases nothing"))

    # --- dialplan, users, SIP -------------------------------------------------------------------------------------------------

    def test_dialplan_show(self):
        plan = self.json("dialplan show")
        self.assertIn("201", plan["contexts"]["internal"]["extensions"])
        self.assertEqual(1, sum(v["calls"] for v in plan["versions"]))
        self.assertIn(plan["version"], self.text("dialplan show"))

    def test_dialplan_reload(self):
        main = self.engine.folder / "dialplan" / "main.lua"
        text = main.read_text()
        before = self.json("dialplan show")["version"]
        main.write_text(text.replace('["307"]', '["377"]'))
        try:
            version = self.json("dialplan reload")["version"]
            self.assertNotEqual(before, version)
            calls = {v["version"]: v["calls"] for v in self.json("dialplan show")["versions"]}
            self.assertEqual({before: 1, version: 0}, calls, "the call keeps the version it began with")
            self.assertEqual(403, self.phone("carol").call("377").wait_final().status)
            self.still_talking()
        finally:
            main.write_text(text)
            self.assertIn(before, self.text("dialplan reload"))

    def test_user_list(self):
        users = {u["name"]: u for u in self.json("user list")}
        self.assertEqual({"alice", "bob", "carol"}, set(users))
        self.assertEqual("200", users["alice"]["extension"])
        self.assertEqual(1, len(users["alice"]["registered"]))
        self.assertIn(str(self.out.phone.port), users["alice"]["registered"][0])
        self.assertEqual([], users["carol"]["registered"])
        self.assertRegex(self.text("user list"), r"(?m)^alice +200 ")
        self.assertNotIn("secret", self.text("user list"))

    def test_sip_trace(self):
        self.assertEqual({"trace": "on"}, self.json("sip trace on"))
        self.out.phone.options()
        self.assertIn("off", self.text("sip trace off"))
        log = self.engine.output()
        self.assertRegex(log, r"sip: <- 127\.0\.0\.1:\d+\n[^\n]*sip: OPTIONS sip:")
        self.assertNotRegex(log, r'response="[0-9a-f]{32}"')
        self.out.phone.options()
        self.assertEqual(log.count("OPTIONS sip:"), self.engine.output().count("OPTIONS sip:"))
        self.assertIn("sip trace on | off", self.engine.console_error("sip trace sideways"))

    def test_sip_show(self):
        dialogs = self.json("sip show")["dialogs"]
        self.assertIn(self.out.call_id, [d["call_id"] for d in dialogs])
        self.assertIn(self.out.call_id, self.text("sip show"))

    # --- the engine itself ----------------------------------------------------------------------------------------------------

    def test_log_level(self):
        self.assertIn("debug", self.text("log level sip debug"))
        self.text("log level sip info")
        self.text("log level error")
        try:
            length = len(self.engine.output())
            self.assertEqual(404, self.phone("carol").call("99887").wait_final().status)
            self.assertEqual("", self.engine.output()[length:])
        finally:
            self.text("log level info")
        self.assertIn("loud", self.engine.console_error("log level loud"))

    def test_core_show(self):
        core = self.json("core show")
        self.assertEqual((1, False, 4), (core["calls"], core["stopping"], core["modules"]))
        self.assertEqual(str(self.engine.settings_file), core["configuration"])
        self.assertEqual(2, core["media_ports"]["in_use"])
        self.assertTrue(all(t["longest_ms"] >= 0 for t in core["threads"]))
        self.assertRegex(self.text("core show"), r"(?m)^calls: +1$")

    def test_help(self):
        commands = [c["command"] for c in self.json("help")]
        for name in ("module list", "module load", "module unload", "module reload", "module leases", "call list", "call show",
                     "call hang up", "dialplan show", "dialplan reload", "user list", "sip trace", "log level", "core show",
                     "core stop", "help"):
            self.assertTrue(any(c.startswith(name) for c in commands), name)
            about = self.json(f"help {name}")
            self.assertTrue(about["command"] == name and about["summary"] and about["help"], about)
            self.assertIn(about["summary"], self.text(f"help {name}"))
        self.assertIn("call hang up", self.text("help"))
        self.assertIn("# ", self.text("help echo"), "the manual of an application")
        self.assertEqual({"application": "echo"}, self.json("help echo"))

    def test_a_slip_of_the_pen_is_answered_with_what_was_meant(self):
        self.assertIn('did you mean "call"', self.engine.console_error("cal list"))
        self.assertIn("usage: call show ID", self.engine.console_error("call show"))
        self.assertIn("no option --endde", self.engine.console_error("call list --endde"))

    def test_several_commands_and_an_error_among_them(self):
        done = subprocess.run([engine.program(), "console", "--socket", self.engine.socket, "-x", "call list", "-x", "nonsense",
                               "-x", "core show"], capture_output=True, text=True, timeout=10)
        self.assertEqual(1, done.returncode)
        self.assertIn(self.id, done.stdout)
        self.assertIn("nonsense", done.stderr)
        self.assertIn("version", done.stdout)

    def test_an_error_as_json_is_json_and_status_1(self):
        done = subprocess.run([engine.program(), "console", "--socket", self.engine.socket, "-x", "call show 123", "--json"],
                              capture_output=True, text=True, timeout=10)
        self.assertEqual(1, done.returncode)
        self.assertIn("there is no call 123", json.loads(done.stdout)["error"])

    def test_a_console_without_an_engine_says_how_to_start_one(self):
        done = subprocess.run([engine.program(), "console", "--socket", self.engine.folder / "nowhere", "-x", "call list"],
                              capture_output=True, text=True, timeout=10)
        self.assertEqual(1, done.returncode)
        self.assertIn("strowger run", done.stderr)


class CoreStop(EngineCase):
    def test_core_stop_drains_and_core_stop_now_ends_the_calls(self):
        out, back = self.connected()
        out.rtp.play_tone(650)
        self.assertIn("stopping", self.engine.console("core stop"))
        back.listen(0.4)
        self.assert_tone(back.listen(0.4), 650)
        self.assertEqual(503, self.phone("carol", register=False).call("305").wait_final().status)
        self.engine.console("core stop --now")
        self.assertEqual("BYE", out.wait_ended().method)
        self.assertEqual("BYE", back.wait_ended().method)
        self.assertEqual(0, self.engine.wait())

    @staticmethod
    def _unregister(phone) -> None:
        """Nobody is left to tell."""

    def tearDown(self) -> None:
        """It is meant to have ended."""

    @classmethod
    def tearDownClass(cls) -> None:
        cls.engine.stop(check=False)


if __name__ == "__main__":
    unittest.main()
