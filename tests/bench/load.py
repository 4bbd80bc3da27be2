"""Calls made and answered by SIPp."""
from __future__ import annotations

import csv
import subprocess
from pathlib import Path

from measure import Failed, Program, free_port

HERE = Path(__file__).resolve().parent
PAYLOAD_TYPES = {"PCMU": 0, "PCMA": 8}


class Sipp(Program):
    """SIPp with a scenario of this folder. `ports`: those of the sound, one for each call in turn. `codec`: of the scenario
    `callee`; the others speak PCMU."""

    def __init__(self, folder: Path, scenario: str, *options, ports: list[int] | None = None, port: int | None = None,
                 codec: str = "PCMU"):
        self.name, self.port = scenario, port or free_port()
        self.folder = folder / f"{scenario}-{self.port}"
        self.folder.mkdir()
        lines = "".join(f"{p};{PAYLOAD_TYPES[codec]};{codec}\n" for p in ports or [20000])
        (self.folder / "ports").write_text("SEQUENTIAL\n" + lines)
        command = ["sipp", "-sf", HERE / "sipp" / f"{scenario}.xml", "-i", "127.0.0.1", "-p", self.port, "-inf", "ports",
                   "-nostdin", "-aa", "-trace_stat", "-stf", "stat", "-fd", "1", "-trace_err", "-error_file", "errors"]
        if ports:
            command += ["-trace_logs", "-log_file", "log"]
        super().__init__(*command, *options, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)

    def rows(self) -> list[dict[str, str]]:
        """What SIPp counted, second by second."""
        file = self.folder / "stat"
        lines = file.read_text().splitlines(keepends=True) if file.exists() else []
        return [row for row in csv.DictReader((line for line in lines if line.endswith("\n")), delimiter=";")]

    def last(self, column: str) -> int:
        rows = self.rows()
        return int(rows[-1][column]) if rows else 0

    def completed(self, begin: float, end: float) -> float:
        """Calls that ended well between two moments (wall clock)."""
        points = [(float(row["CurrentTime"].split()[-1]), int(row["SuccessfulCall(C)"])) for row in self.rows()]

        def at(moment: float) -> float:
            for (t, n), (u, m) in zip(points, points[1:]):
                if t <= moment <= u:
                    return n + (m - n) * (moment - t) / (u - t)
            raise Failed(f"SIPp counted nothing around {moment}")

        return at(end) - at(begin)

    def sound_ports(self) -> dict[int, int]:
        """Our port of each call so far, with the port that the other side named for it."""
        file = self.folder / "log"
        lines = file.read_text().splitlines() if file.exists() else []
        return {int(ours): int(theirs) for ours, theirs in (line.split() for line in lines if line.count(" ") == 1)}

    def check(self) -> None:
        """Fails when a call failed."""
        failed = self.last("FailedCall(C)")
        if failed:
            errors = self.folder / "errors"
            first = errors.read_text(errors="replace")[:400] if errors.exists() else ""
            raise Failed(f"{failed} calls of {self.last('TotalCallCreated')} failed: " + " ".join(first.split()))

    def finish(self, seconds: float) -> None:
        """Waits for the end of all calls."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.check()
            raise Failed(f"SIPp's calls did not end: {self.last('CurrentCall')} are left") from None
        self.check()
        if status != 0:
            raise Failed(f"SIPp ended with {status}")


def calls(folder: Path, scenario: str, extension: str, target: int, rate: int, count: int, hold: float = 0,
          ports: list[int] | None = None) -> Sipp:
    """`count` calls at `rate` a second to an extension on a local port, each held for `hold` seconds."""
    return Sipp(folder, scenario, f"127.0.0.1:{target}", "-s", extension, "-r", rate, "-m", count, "-l", count, "-d",
                int(hold * 1000), ports=ports)
