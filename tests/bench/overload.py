"""What is left of the best rate when twice and four times as many calls come as can be set up."""
from __future__ import annotations

import csv
from pathlib import Path

from engine import Engine
from load import Sipp
from measure import Failed

STEPS = (100, 150, 200, 250, 300, 400, 500, 600, 800, 1000)
SOON = 500          # ms from the INVITE to the 200: later than that is no goodput
LEAST = {2: 0.6, 4: 0.2}
LATEST = 500        # ms, 99 of 100 calls that are set up
# The pool of ports is not what is measured.
SETTINGS = "\n[media]\nfirst_port = 20000\nlast_port = 60000\nport_rest = 0\n"


class Rush(Sipp):
    """Calls to an extension that answers and hangs up, at a rate; refusals are taken."""

    def __init__(self, folder: Path, port: int, rate: int, seconds: int):
        super().__init__(folder, "overload", f"127.0.0.1:{port}", "-s", "100", "-r", rate, "-m", rate * seconds, "-l", 100000,
                         "-trace_rtt", "-rtt_freq", "1", "-recv_timeout", "20000", "-buff_size", 4 << 20)
        self.seconds = seconds

    def set_up(self) -> list[float]:
        """Milliseconds that each call took which was set up."""
        times = []
        for file in self.folder.glob("*_rtt.csv"):
            with open(file) as rows:
                times += [float(row[1]) for row in csv.reader(rows, delimiter=";") if len(row) > 2 and row[1][:1].isdigit()]
        return sorted(times)


def run(bench, rate: int, seconds: int) -> tuple[float, float, int]:
    """Calls a second that were set up soon, the 99th percentile of set-up in ms, and how many failed."""
    with (bench.place() as folder, Engine(bench.build, folder, extra=SETTINGS) as engine,
          Rush(folder, engine.port, rate, seconds) as rush):
        rush.process.wait(seconds + 90)
        times = rush.set_up()
        if not times:
            raise Failed(f"at {rate} calls/s none was set up")
        return sum(t <= SOON for t in times) / seconds, times[int(len(times) * 0.99)], rush.last("FailedCall(C)")


def overload(bench, name: str) -> None:
    seconds = 10 if bench.warm < 20 else 20
    best = (0.0, 0)
    for rate in STEPS:
        good, late, failed = run(bench, rate, seconds)
        best = max(best, (good, rate))
        if good < 0.8 * rate:
            break
    told, least = [f"best {best[0]:.0f} calls/s, of {best[1]} offered"], []
    for times, wanted in LEAST.items():
        good, late, failed = run(bench, int(best[0] * times), seconds)
        told.append(f"at {times}x {good / best[0]:.2f} of it (at least {wanted}), p99 of set-up {late:.0f} ms, {failed} failed")
        least.append(good / best[0] / wanted if late <= LATEST else 0)
    bench.say(name, min(least), "x_least", *told)
