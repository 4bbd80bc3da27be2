"""What processes cost, and how they are started and ended."""
from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import time
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """User and system time of a process with all its threads, ended ones too: its CPU clock (clock_getcpuclockid(3))."""
    return time.clock_gettime(((~pid) << 3) | 2)


def resident_kb(pid: int) -> int:
    """Memory that the process holds now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def free_port() -> int:
    """An even port below the kernel's range for clients, free on loopback."""
    while True:
        port = random.randrange(15000, 19000, 2)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            try:
                udp.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Failed(Exception):
    """A run that did not do its work, so that its figure means nothing."""


class Program:
    """A process that ends with its `with` block."""

    def __init__(self, *command, **options):
        self.process = subprocess.Popen([str(c) for c in command], text=True, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    @property
    def pid(self) -> int:
        return self.process.pid

    def cpu_seconds(self) -> float:
        if self.process.poll() is not None:
            raise Failed(f"{Path(self.process.args[0]).name} ended with {self.process.returncode}")
        return cpu_seconds(self.pid)


class Tool(Program):
    """One of our own programs: it prints its ports, if any, and "ready"."""

    def __init__(self, *command):
        super().__init__(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.ports = []
        for line in self.process.stdout:
            if line == "ready\n":
                return
            self.ports.append(int(line))
        self.process.wait()
        raise Failed(f"{Path(command[0]).name} did not start")

    def __exit__(self, *whatever):
        super().__exit__(*whatever)
        self.process.stdout.close()
        with contextlib.suppress(BrokenPipeError):  # commands that a failed run did not come to
            self.process.stdin.close()


class Generator(Tool):
    """rtp_generator: its sources tell what it does."""

    def aim(self, local: int, remote: int, payload_type: int = 0) -> None:
        self.process.stdin.write(f"to {local} {remote} {payload_type}\n")

    def run(self, of: Program, warm: float, seconds: float) -> tuple[float, dict[str, int]]:
        """Sends; the CPU seconds that `of` spent meanwhile, and the generator's figures."""
        self.process.stdin.write(f"run {warm} {seconds}\n")
        self.process.stdin.flush()
        self._expect("begin")
        before = of.cpu_seconds()
        self._expect("end")
        spent = of.cpu_seconds() - before
        figures = self.process.stdout.readline().split()
        return spent, {name: int(value) for name, value in (f.split("=") for f in figures)}

    def _expect(self, word: str) -> None:
        line = self.process.stdout.readline().strip()
        if line != word:
            raise Failed(f"the generator said {line!r} instead of {word!r}")
