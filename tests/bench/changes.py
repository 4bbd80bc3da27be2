"""What changes on a running engine cost: dialplans, modules, threads, and memory that is no longer needed."""
from __future__ import annotations

import json
import os
import socket
import statistics
import time
from pathlib import Path

from capacity import write_large_dialplan
from engine import Engine
from load import calls
from measure import Failed, resident_kb

RELOADS = 7
CYCLES = 50
UP = 1000           # calls held for their memory
SETTLED = 45        # seconds after which memory must have been given back


class Console:
    """The engine's control socket: requests and answers are lines of JSON."""

    def __init__(self, path: Path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(30)
        self.socket.connect(str(path))
        self.lines = self.socket.makefile("r")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.socket.close()

    def ask(self, command: str):
        self.socket.sendall(json.dumps({"command": command}).encode() + b"\n")
        answer = json.loads(self.lines.readline())
        if not answer["ok"]:
            raise Failed(f"{command}: {answer['error']}")
        return answer["data"]


def milliseconds(work) -> float:
    began = time.monotonic()
    work()
    return (time.monotonic() - began) * 1000


def reload(bench, name: str) -> None:
    """The answer to `dialplan reload` comes when new calls use it. Meanwhile 100 calls a second go on."""
    with bench.place() as folder:
        plan = folder / "dialplan"
        with Engine(bench.build, folder, dialplan=write_large_dialplan(plan)) as engine, Console(folder / "control") as console:
            seen = console.ask("core show")["dialplan_version"]
            times = []
            with calls(folder, "ended_by_callee", "100", engine.port, 100, 100 * RELOADS) as load:
                for n in range(RELOADS):
                    time.sleep(0.7)
                    write_large_dialplan(plan, f"call.vars.version = {n} call:hang_up()")
                    times.append(milliseconds(lambda: console.ask("dialplan reload")))
                    now = console.ask("core show")["dialplan_version"]
                    if now == seen:
                        raise Failed("the changed dialplan was not taken")
                    seen = now
                load.finish(30)
            threads = {t["thread"]: t["longest_ms"] for t in console.ask("core show")["threads"]}
        bench.say(name + ".ms", statistics.median(times), "ms", f"{min(times):.0f} to {max(times):.0f}")
        longest = max(ms for thread, ms in threads.items() if thread.startswith("call-"))
        bench.say(name + ".stall", longest, "ms", "the longest handler of a call worker, whatever it did")


def cycle(bench, name: str) -> None:
    with bench.place() as folder, Engine(bench.build, folder) as engine, Console(folder / "control") as console:
        console.ask("module load echo")

        def once():
            console.ask("module unload echo")
            console.ask("module load echo")

        times = [milliseconds(once) for _ in range(CYCLES)]
        bench.say(name, statistics.median(times), "ms", f"{min(times):.1f} to {max(times):.1f}")


def threads_per_call(bench, name: str) -> None:
    def count() -> int:
        return len(os.listdir(f"/proc/{engine.pid}/task"))

    with bench.place() as folder, Engine(bench.build, folder) as engine:
        before, up = count(), 200
        with calls(folder, "call", "400", engine.port, 50, up, 10) as load:
            time.sleep(up / 50 + 2)
            if load.last("CurrentCall") != up:
                raise Failed(f"only {load.last('CurrentCall')} calls of {up} were up")
            more = count() - before
            load.finish(60)
        bench.say(name, more / up, "threads", f"{before} in all")


def returned(bench, name: str) -> None:
    """Two rounds of calls: what the first gave back, and what the second added to what was left."""
    up, left = (200 if bench.quick else UP), []
    with bench.place() as folder, Engine(bench.build, folder) as engine:
        with calls(folder, "call", "400", engine.port, 20, 20) as first:
            first.finish(30)
        before, peak = resident_kb(engine.pid), 0
        for round_ in range(2):
            place = folder / f"round-{round_}"
            place.mkdir()
            with calls(place, "call", "400", engine.port, 50, up, up / 50 + bench.warm) as load:
                time.sleep(up / 50 + bench.warm - 2)
                peak = peak or resident_kb(engine.pid)
                load.finish(90)
            time.sleep(SETTLED)
            left.append(resident_kb(engine.pid))
    share = (peak - left[0]) / (peak - before)
    bench.say(name, share, "share", f"{before} kB before, {peak} kB with {up} calls up, {left[0]} kB {SETTLED} s after them")
    bench.say(name + "_again", (left[1] - left[0]) / up, "kB/call", "what a second round left behind")
