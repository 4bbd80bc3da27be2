"""Starts the engine for a test: configuration in a folder of its own, free loopback ports, and a check of how it ended.

The engine is `$STROWGER_BUILD/strowger`; without that variable `build/debug` of this source tree is tried. The settings file is
made in `settings` alone, so that a change of the format is a change of one function.
"""
from __future__ import annotations

import json
import math
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import wave
from pathlib import Path

from phone import Phone, WaitFailed

SOURCE = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
USERS = {"alice": ("200", "alice-secret"), "bob": ("201", "bob-secret"), "carol": ("202", "carol-secret")}
SANITIZER = re.compile(r"(ERROR: \w+Sanitizer|runtime error:|WARNING: ThreadSanitizer|SUMMARY: \w+Sanitizer).*")


def build_folder() -> Path:
    return Path(os.environ.get("STROWGER_BUILD", SOURCE / "build" / "debug")).resolve()


def program() -> Path:
    return build_folder() / "strowger"


def sanitizers() -> str:
    """What the build is instrumented with: "", "thread" or "address,undefined"."""
    cache = build_folder() / "CMakeCache.txt"
    found = re.search(r"^STROWGER_SANITIZE:\w+=(.*)$", cache.read_text(), re.M) if cache.exists() else None
    return found.group(1) if found else ""


def available() -> str:
    """Empty if the engine and its SIP driver are there, else what is missing."""
    for file in (program(), build_folder() / "modules" / "sip.so"):
        if not file.exists():
            return f"{file} is not built"
    return ""


def free_port() -> int:
    """A port that is free for UDP and TCP, below the range that the kernel gives to clients."""
    for _ in range(100):
        port = random.randrange(15000, 19000, 2)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            try:
                udp.bind(("127.0.0.1", port))
                tcp.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise OSError("no free port between 15000 and 19000")


def sounds_folder() -> Path | None:
    """Where the prompts of the fixture dialplan are: Debian's asterisk-core-sounds-en-wav, or a folder like it."""
    told = os.environ.get("STROWGER_SOUNDS")
    debian = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
    for folder in ([Path(told)] if told else []) + [debian, build_folder() / "sounds"]:
        if (folder / "demo-thanks.wav").is_file():
            return folder
    return None


def write_music(file: Path, seconds: float = 4.0, frequency: float = 620.0) -> None:
    """Music on hold that a test can tell from speech and from its own tones."""
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        samples = (int(8000 * math.sin(2 * math.pi * frequency * n / 8000)) for n in range(int(8000 * seconds)))
        out.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))


class Engine:
    """One running engine. `settings_extra` is appended to the generated TOML; `sections` adds keys to a generated section."""

    def __init__(self, dialplan: str | Path = HERE / "dialplan", users: dict[str, tuple[str, str]] | None = None,
                 settings_extra: str = "", sections: dict[str, str] | None = None, listen_too: tuple[str, ...] = (),
                 environment: dict[str, str] | None = None):
        self.users = users or USERS
        self.folder = Path(tempfile.mkdtemp(prefix="strowger-test-"))
        self.port = free_port()
        self.address = ("127.0.0.1", self.port)
        self.socket = self.folder / "control"
        self.dialplan = Path(dialplan)
        self.settings_file = self.folder / "strowger.toml"
        self.listen_too = listen_too
        self._sections, self._extra = sections or {}, settings_extra
        self.environment = environment or {}
        self._process: subprocess.Popen | None = None

    def settings(self) -> str:
        """The settings file: TOML."""
        sections = {
            "engine": f'state_directory = "{self.folder / "state"}"\nmodules = ["sip", "loop", "echo", "auto_attendant"]\n'
                      f'module_directory = "{build_folder() / "modules"}"',
            "sip": "listen = [" + ", ".join(f'"{a}"' for a in [f"127.0.0.1:{self.port}", *self.listen_too]) + "]",
            "dialplan": f'directory = "{self.folder / "dialplan"}"',
        }
        sounds = sounds_folder()
        folders = [SOURCE / "sounds"] + ([sounds.parent] if sounds else [])
        sections["sounds"] = "directories = [" + ", ".join(f'"{folder}"' for folder in folders) + "]"
        if "music" not in self._sections.get("sounds", ""):
            sections["sounds"] += f'\nmusic = "{self.folder / "music.wav"}"'
        for name, (extension, password) in self.users.items():
            sections[f"users.{name}"] = f'extension = "{extension}"\npassword = "{password}"'
        for name, text in self._sections.items():
            sections[name] = f"{sections[name]}\n{text}" if name in sections else text
        return "\n\n".join(f"[{name}]\n{text}" for name, text in sections.items()) + "\n" + self._extra

    def start(self, timeout: float = 30.0) -> "Engine":
        """Until the SIP port answers OPTIONS, with whatever status."""
        (self.folder / "state").mkdir(exist_ok=True)
        shutil.copytree(self.dialplan, self.folder / "dialplan", dirs_exist_ok=True)
        write_music(self.folder / "music.wav")
        self.settings_file.write_text(self.settings())
        environment = {**os.environ, **self.environment}
        environment.setdefault("ASAN_OPTIONS", "abort_on_error=0:detect_leaks=1")
        environment.setdefault("LSAN_OPTIONS", f"suppressions={HERE / 'leaks.supp'}:print_suppressions=0")
        environment.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
        self._output = open(self.folder / "output", "wb")
        self._process = subprocess.Popen([str(program()), "run", "--config", str(self.settings_file), "--socket",
                                          str(self.socket)], cwd=self.folder,
                                         stdin=subprocess.DEVNULL, stdout=self._output, stderr=subprocess.STDOUT, env=environment)
        limit = time.monotonic() + timeout
        with Phone("prober", self.address) as prober:
            while time.monotonic() < limit:
                if self._process.poll() is not None:
                    raise RuntimeError(f"the engine ended at once with {self._process.returncode}:\n{self.output()}\n"
                                       f"{self.settings()}")
                try:
                    prober.exchange(prober.build("OPTIONS"), 0.3)
                    return self
                except WaitFailed:
                    pass
        self.kill()
        raise RuntimeError(f"no answer to OPTIONS on {self.address} within {timeout} s:\n{self.output()}")

    def __enter__(self) -> "Engine":
        return self.start()

    def __exit__(self, kind, *_) -> None:
        self.stop(check=kind is None)

    def output(self) -> str:
        file = self.folder / "output"
        return file.read_text(errors="replace")[-20000:] if file.exists() else ""

    def console(self, command: str, timeout: float = 10.0) -> str:
        """What a console command prints; fails if the console does."""
        done = self._console(command, timeout)
        if done.returncode:
            raise RuntimeError(f"console -x {command!r} ended with {done.returncode}: {done.stderr or done.stdout}")
        return done.stdout

    def console_json(self, command: str):
        return json.loads(self.console(command + " --json"))

    def console_error(self, command: str, timeout: float = 10.0) -> str:
        """What the console prints on stderr for a command that is refused: exit status 1 and nothing on stdout."""
        done = self._console(command, timeout)
        if done.returncode != 1 or done.stdout:
            raise AssertionError(f"console -x {command!r} ended with {done.returncode}, not 1: {done.stdout}{done.stderr}")
        return done.stderr

    def _console(self, command: str, timeout: float) -> subprocess.CompletedProcess:
        return subprocess.run([str(program()), "console", "--socket", str(self.socket), "-x", command], capture_output=True,
                              text=True, timeout=timeout)

    def signal(self, number: int) -> None:
        assert self._process
        self._process.send_signal(number)

    def wait(self, timeout: float = 30.0) -> int:
        """The exit status, when it has ended by itself."""
        assert self._process
        return self._process.wait(timeout)

    def restart(self) -> None:
        """Ends it well and starts it again, with the same state."""
        self.signal(signal.SIGTERM)
        status = self.wait()
        report = SANITIZER.search(self.output())
        if status or report:
            raise AssertionError(f"the engine ended badly: status {status}\n{self.output()}")
        self._output.close()
        self.start()

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)

    def stop(self, timeout: float = 30.0, check: bool = True) -> None:
        """SIGTERM; with `check`, an exit status other than 0 and any sanitizer report are errors."""
        if not self._process:
            return
        already = self._process.poll()
        if already is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                already = "killed, as it ignored SIGTERM"
        status, output = self._process.returncode, self.output()
        self._output.close()
        self._process = None
        report = SANITIZER.search(output)
        if os.environ.get("STROWGER_KEEP"):
            print(f"kept: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
        if check and (already is not None or status != 0 or report):
            what = report.group(0) if report else f"status {status}" + (f" ({already})" if already is not None else "")
            raise AssertionError(f"the engine ended badly: {what}\n{output}")
