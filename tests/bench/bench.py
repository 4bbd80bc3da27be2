"""Measures the engine beside references of the same run; contrib/docs/benchmarks.md tells what each figure means."""
from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import sys
import tempfile
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import capacity
import changes
import flame
import media_figures
from engine import Engine, register
from load import Sipp, calls
from measure import Failed, Program, Tool, free_port, resident_kb
from overload import overload

RATE = 300          # calls a second
HELD = 500          # calls held for their memory
STARTS = 7

# What a figure should be at most: times a reference, or in its own unit.
TARGETS = {
    "setup.lua_5000.cpu": ("setup.small_dialplan", 1.1),
    "memory.returned_again": (None, 1),
    "dialplan.reload_5000.ms": (None, 100),
    "dialplan.reload_5000.stall": (None, 5),
    "module.cycle": (None, 2),
    "threads.per_call": (None, 0),
    "setup.lua_answer_hangup.cpu": ("reference.nta", 3),
    "setup.lua_dial.cpu": ("reference.nta", 6),
    **media_figures.TARGETS,
    "memory.idle_call": (None, 25),
    "memory.bridged_call": (None, 60),
    "start.ready": (None, 100),
}
# What a figure should be at least.
LEAST = {"setup.lua_answer_hangup.clean": 1500, "setup.lua_dial.clean": 700, "memory.returned": 0.9}
# Further references to compare with.
ALSO = {"setup.lua_answer_hangup.cpu": "reference.nta_challenged", "setup.lua_dial.cpu": "reference.nta_challenged"}


class Bench(media_figures.MediaFigures):
    def __init__(self, build: Path, folder: Path, quick: bool):
        self.build, self.folder = build, folder
        self.quick, self.rate = quick, RATE
        self.warm, self.seconds = (10, 15) if quick else (40, 30)
        self.values: dict[str, float] = {}
        self.bridge_runs: dict[tuple, tuple] = {}
        self.flame: Path | None = None  # the folder for drawings
        self.measured = ""
        self.failed = False

    # Reporting

    def say(self, name: str, value: float, unit: str, *notes: str) -> None:
        self.values[name] = value
        reference, most = TARGETS.get(name, (None, None))
        compared = [r for r in (reference, ALSO.get(name)) if r in self.values]
        told = [f"{value / self.values[r]:.2f} x {r}" for r in compared] + list(notes)
        if most is not None and (not reference or reference in self.values):
            reached = value <= most * (self.values[reference] if reference else 1)
            told.append(f"target {most}{' x ' + reference if reference else ''}: {'met' if reached else 'missed'}")
        if name in LEAST:
            told.append(f"target {LEAST[name]} at least: {'met' if value >= LEAST[name] else 'missed'}")
        self.line(f"{name} {value:.3f} {unit}", told)

    def fail(self, name: str, why: object) -> None:
        self.failed = True
        self.line(name, [f"failed: {why}"])

    @staticmethod
    def line(text: str, notes: list[str]) -> None:
        print(text + ("  # " + "; ".join(notes) if notes else ""), flush=True)

    # Parts

    @contextmanager
    def place(self):
        """A folder for one run."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            yield Path(folder)

    def tool(self, kind: type, name: str, *arguments) -> Tool:
        return kind(self.build / "bench" / name, *arguments)

    def cost_of_calls(self, of: Program, load: Sipp) -> tuple[float, str]:
        """CPU milliseconds a call while calls come in steadily, and what is worth knowing about the run."""
        with load:
            time.sleep(self.warm)
            with flame.recording(of.pid, 0, self.drawing()):
                begin, before = time.time(), of.cpu_seconds()
                time.sleep(self.seconds)
                end, spent = time.time(), of.cpu_seconds() - before
            load.finish(60)
        completed = load.completed(begin, end)
        note = f"{completed / (end - begin):.0f} calls/s, {load.last('Retransmissions(C)')} retransmissions"
        return spent * 1000 / completed, note

    def drawing(self) -> Path | None:
        return self.flame / f"{self.measured}.svg" if self.flame else None

    def call_count(self, rate: int) -> int:
        return rate * (self.warm + self.seconds + 2)

    # References

    def reference_nta(self, name: str, scenario: str, *options) -> None:
        port = free_port()
        with self.place() as folder, self.tool(Tool, "reference_nta", port, *options) as server:
            value, note = self.cost_of_calls(server, calls(folder, scenario, "100", port, RATE, self.call_count(RATE)))
            self.say(name, value, "cpu_ms/call", note)

    # The engine

    @contextmanager
    def engine_with_callee(self, folder: Path, ports: list[int] | None = None, codec: str = "PCMU"):
        """The engine, and SIPp as user callee."""
        with Engine(self.build, folder) as engine:
            local = free_port()
            register(engine.port, "callee", "callee-secret", local)
            with Sipp(folder, "callee", port=local, ports=ports, codec=codec) as callee:
                yield engine, callee

    def answer_and_hang_up(self, name: str) -> None:
        with self.place() as folder, Engine(self.build, folder) as engine:
            load = calls(folder, "ended_by_callee", "100", engine.port, RATE, self.call_count(RATE))
            value, note = self.cost_of_calls(engine, load)
            self.say(name, value, "cpu_ms/call", note)

    def dial(self, name: str) -> None:
        """At the highest of some rates at which no call fails."""
        for rate in (RATE, 200, 150, 100, 50):
            try:
                with self.place() as folder, self.engine_with_callee(folder) as (engine, callee):
                    load = calls(folder, "call", "200", engine.port, rate, self.call_count(rate), hold=1)
                    value, note = self.cost_of_calls(engine, load)
                    callee.check()
                    self.say(name, value, "cpu_ms/call", note)
                    return
            except Failed as error:
                self.fail(name, f"at {rate} calls/s: {error}")

    def memory(self, name: str, extension: str) -> None:
        """What the process has grown by with HELD calls up, some time after a first few calls."""
        with self.place() as folder, self.engine_with_callee(folder) as (engine, callee):
            with calls(folder, "call", extension, engine.port, 20, 20) as first:
                first.finish(30)
            before = resident_kb(engine.pid)
            hold = HELD / 50 + self.warm + 2
            with calls(folder, "call", extension, engine.port, 50, HELD, hold) as load:
                time.sleep(HELD / 50 + self.warm)
                up, grown = load.last("CurrentCall"), resident_kb(engine.pid) - before
                load.finish(60)
            callee.check()
            if up != HELD:
                raise Failed(f"only {up} calls of {HELD} were up")
            self.say(name, grown / HELD, "kB", f"{before} kB before them")

    def start(self, name: str) -> None:
        times = []
        for _ in range(STARTS):
            with self.place() as folder, Engine(self.build, folder) as engine:
                times.append(engine.start_seconds * 1000)
        self.say(name, statistics.median(times), "ms", f"{min(times):.0f} to {max(times):.0f}")

    def figures(self) -> dict[str, tuple]:
        return {
            "reference.nta": (self.reference_nta, "reference"),
            "reference.nta_challenged": (self.reference_nta, "call", "--challenge"),
            "setup.lua_answer_hangup.cpu": (self.answer_and_hang_up,),
            "setup.lua_dial.cpu": (self.dial,),
            **self.media_figures(),
            "memory.idle_call": (self.memory, "400"),
            "memory.bridged_call": (self.memory, "200"),
            "start.ready": (self.start,),
            "setup.lua_answer_hangup.clean": (partial(capacity.answered, self),),
            "setup.lua_dial.clean": (partial(capacity.dialled, self),),
            "setup.lua_5000.cpu": (partial(capacity.large, self),),
            "memory.returned": (partial(changes.returned, self),),
            "dialplan.reload_5000": (partial(changes.reload, self),),
            "module.cycle": (partial(changes.cycle, self),),
            "threads.per_call": (partial(changes.threads_per_call, self),),
            "setup.overload.goodput": (partial(overload, self),),
        }

    def run(self, wanted: str) -> None:
        everything = self.figures()
        names = [n for n in everything if n.startswith(wanted)]
        if not names:
            sys.exit(f"no figure begins with {wanted!r}; there are: {', '.join(everything)}")
        needed = {r for n in names for r in (TARGETS.get(n, (None,))[0], ALSO.get(n)) if r}
        for name, (function, *arguments) in everything.items():
            if name not in names and name not in needed:
                continue
            self.measured = name
            try:
                function(name, *arguments)
            except Failed as error:
                self.fail(name, error)


def processor() -> str:
    names = re.findall(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return names[0] if names else platform.machine()


def main() -> int:
    release = Path(__file__).resolve().parents[2] / "build" / "release"
    parser = argparse.ArgumentParser(prog="contrib/bench", description="Measures the engine; prints lines `name value unit`.")
    parser.add_argument("name", nargs="?", default="", metavar="NAME",
                        help="only figures whose name begins so, and their references")
    parser.add_argument("--quick", action="store_true", help="short runs: for changes in the making, not for comparisons")
    parser.add_argument("--flame", type=Path, metavar="FOLDER", help="draws there where the time of each figure went, with perf")
    parser.add_argument("--build", type=Path, default=release, help="build folder")
    options = parser.parse_args()
    print(f"# {os.cpu_count()} cores, {processor()}, Linux {platform.release()}, load {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory(prefix="strowger-bench-") as folder:
        bench = Bench(options.build.resolve(), Path(folder), options.quick)
        if options.flame:
            flame.check_tools()
            options.flame.mkdir(parents=True, exist_ok=True)
            bench.flame = options.flame
        bench.run(options.name)
    return 1 if bench.failed else 0


if __name__ == "__main__":
    sys.exit(main())
