"""How many calls a second are set up without a flaw, and what a large dialplan costs."""
from __future__ import annotations

import statistics
from pathlib import Path

from engine import Engine
from load import calls
from measure import Failed

# Calls a second, about a quarter more at each step.
STEPS = (100, 150, 200, 250, 300, 400, 500, 600, 750, 900, 1100, 1350, 1700)
EXTENSIONS = 5000
PAIRS = 3


def flawless(bench, engine: Engine, folder: Path, scenario: str, extension: str, rate: int, hold: float, callee=None) -> str:
    """What was wrong with some seconds of calls at this rate; empty: nothing."""
    seconds = 8 if bench.quick else 20
    place = folder / str(rate)
    place.mkdir()
    with calls(place, scenario, extension, engine.port, rate, rate * seconds, hold) as load:
        try:
            load.finish(seconds + hold + 20)
            if callee:
                callee.check()
        except Failed as error:
            return str(error)
        again = load.last("Retransmissions(C)")
        return f"{again} retransmissions" if again else ""


def highest(bench, name: str, attempt) -> None:
    """Says the last of STEPS at which `attempt(folder, rate)` found nothing wrong; each has an engine of its own."""
    best, why = 0, ""
    for rate in STEPS:
        with bench.place() as folder:
            why = attempt(folder, rate)
        if why:
            break
        best = rate
    if not best:
        raise Failed(f"at {STEPS[0]} calls/s: {why}")
    bench.say(name, best, "calls/s", f"at {rate}: {why[:100]}" if why else "no higher rate was tried")


def answered(bench, name: str) -> None:
    def attempt(folder: Path, rate: int) -> str:
        with Engine(bench.build, folder) as engine:
            return flawless(bench, engine, folder, "ended_by_callee", "100", rate, 0)

    highest(bench, name, attempt)


def dialled(bench, name: str) -> None:
    def attempt(folder: Path, rate: int) -> str:
        with bench.engine_with_callee(folder) as (engine, callee):
            return flawless(bench, engine, folder, "call", "200", rate, 1, callee)

    highest(bench, name, attempt)


def write_large_dialplan(folder: Path, answer: str = "call:hang_up()") -> Path:
    """5,000 extensions of four steps each, and what the other figures call."""
    folder.mkdir(exist_ok=True)
    lines = ['context "internal" {', '  ["100"] = function(call) call:answer() call:hang_up() end,',
             f'  ["101"] = function(call) call:answer() {answer} end,']
    for n in range(EXTENSIONS):
        lines.append(f'  ["{20000 + n}"] = function(call)\n    call.vars.number = "{n}"\n    call:answer()\n    call:wait(1)\n'
                     "    call:hang_up()\n  end,")
    (folder / "main.lua").write_text("\n".join(lines) + "\n}\n")
    return folder


def large(bench, name: str) -> None:
    """The median ratio of pairs of runs, one with the small dialplan and one with the large one."""
    ratios, values = [], []
    for _ in range(1 if bench.quick else PAIRS):
        pair = []
        for is_large in (False, True):
            with bench.place() as folder:
                own = write_large_dialplan(folder / "dialplan") if is_large else None
                with Engine(bench.build, folder, dialplan=own) as engine:
                    load = calls(folder, "ended_by_callee", "100", engine.port, bench.rate, bench.call_count(bench.rate))
                    pair.append(bench.cost_of_calls(engine, load)[0])
        ratios.append(pair[1] / pair[0])
        values.append(pair[1])
    bench.values["setup.small_dialplan"] = statistics.median(values) / statistics.median(ratios)
    bench.say(name, statistics.median(values), "cpu_ms/call")
