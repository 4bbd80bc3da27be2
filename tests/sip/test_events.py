"""The event stream of a running engine: what a call tells, who follows from where, and what is left after kill -9."""
import json
import subprocess
import time
import unittest

from case import EngineCase
from engine import Engine, program


class Follower:
    """`event follow --json` in a process of its own; what it prints is read as it comes."""

    def __init__(self, engine: Engine, *options: str):
        command = " ".join(["event follow", *options, "--json"])
        self.process = subprocess.Popen([str(program()), "console", "--socket", str(engine.socket), "-x", command],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def until(self, type_: str, **fields) -> list[dict]:
        """All events up to the first of that type with those fields."""
        out = []
        for line in self.process.stdout:
            out.append(json.loads(line))
            told = out[-1].get("fields", {})
            if out[-1].get("type") == type_ and all(told.get(name) == value for name, value in fields.items()):
                return out
        raise AssertionError(f"no {type_} {fields} in {out}: {self.process.stderr.read()}")

    def rest(self) -> list[dict]:
        """What comes until the engine or the command ends."""
        text, _ = self.process.communicate(timeout=20)
        return [json.loads(line) for line in text.splitlines()]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


class Events(EngineCase):
    sections = {"events": 'keep = "1 MiB"', "limits": "calls_per_second = 10000"}

    def follow(self, *options: str) -> Follower:
        follower = Follower(self.engine, *options)
        self.addCleanup(follower.close)
        return follower

    def newest(self) -> int:
        return self.engine.console_json("event show")["newest"]

    def kept(self, first: int = 1) -> list[dict]:
        return self.follow(f"--from {first}", "--to-now").rest()

    def assert_whole(self, events: list[dict], first: int) -> None:
        self.assertEqual(list(range(first, first + len(events))), [e["seq"] for e in events])

    def test_a_call_is_told_live_from_registration_to_its_end(self):
        first = self.newest() + 1
        follower = self.follow()
        time.sleep(0.3)  # it follows from now on
        out, back = self.connected()
        out.hang_up()
        back.wait_ended()
        events = follower.until("call.ended", cause="normal")
        self.assert_whole(events, first)
        self.assertEqual(["alice", "bob"], [e["fields"]["user"] for e in events if e["type"] == "registration.came"])
        story = [e for e in events if e["type"].startswith(("call.", "leg.", "bridge."))]
        self.assertEqual(1, len({e["call"] for e in story}))
        types = [e["type"] for e in story]
        for earlier, later in (("call.started", "call.extension"), ("leg.ringing", "bridge.began"),
                               ("bridge.began", "bridge.ended")):
            self.assertLess(types.index(earlier), types.index(later), types)
        self.assertEqual(2, types.count("leg.added"))
        self.assertEqual(2, types.count("leg.ended"))
        self.assertEqual(events, self.kept(first)[:len(events)])

    def test_text_for_people_and_selections(self):
        out, back = self.connected()
        out.hang_up()
        back.wait_ended()
        self.no_calls_left()
        self.kept()  # so that the last have been written
        ended = [e for e in self.kept() if e["type"] == "call.ended"][-1]
        line = self.engine.console(f"event follow --from 1 --to-now --call {ended['call']} --type call.e").splitlines()[-1]
        self.assertIn(f"call.ended {ended['call']} answered=true by=caller cause=normal", line)
        self.assertIn("has not happened yet", self.engine.console_error("event follow --from 99999999"))
        self.assertIn("no number of an event", self.engine.console_error("event follow --from x"))

    def test_a_follower_that_does_not_read_holds_up_nobody_and_misses_nothing(self):
        first = self.newest() + 1
        stalled = self.follow(f"--from {max(1, first - 1)}")
        stalled.until("engine.started") if first == 2 else stalled.process.stdout.readline()
        alice = self.phone("alice")
        for _ in range(400):
            alice.call("999").wait_final()
        self.no_calls_left()
        time.sleep(0.2)
        last = self.newest()
        self.assertGreater(last - first, 1500)
        events = []
        while len(events) < last + 1 - first:
            line = json.loads(stalled.process.stdout.readline())
            if "remark" in line:
                self.assertIn("catching up", line["remark"])
            else:
                events.append(line)
        self.assert_whole(events, first)


class KillNine(EngineCase):
    def test_numbers_go_on_without_gap_after_kill_nine_in_the_middle_of_calls(self):
        first = Follower(self.engine, "--from 1")
        self.addCleanup(first.close)
        seen = []
        alice, bob = self.phone("alice"), self.phone("bob")
        for round_ in range(3):
            out = alice.call("201")
            back = bob.wait_call()
            back.answer()
            out.wait_answered()
            seen += first.until("bridge.began")
            self.engine.kill()
            seen += first.rest()
            self.assertEqual(list(range(1, len(seen) + 1)), [e["seq"] for e in seen], f"round {round_}")
            with open(max((self.engine.folder / "state" / "events").glob("*.log")), "ab") as log:
                log.write(b"\x40\0\0\0torn")  # as if a write had been cut off
            self.engine.start()
            for call in (out, back):
                call.hang_up(wait=False)  # the engine knows nothing of it any more
            first = Follower(self.engine, f"--from {len(seen) + 1}")
            self.addCleanup(first.close)
            began = first.until("engine.started")
            self.assertEqual(list(range(len(seen) + 1, len(seen) + len(began) + 1)), [e["seq"] for e in began])
            seen += began
            self.assertIn("torn", self.engine.output())
        again = Follower(self.engine, "--from 1", "--to-now").rest()
        self.assertEqual(seen, again[:len(seen)])


if __name__ == "__main__":
    unittest.main()
