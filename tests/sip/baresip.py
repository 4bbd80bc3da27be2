"""A baresip as a test phone: a user agent that is nobody's relative, controlled by its TCP socket, measured by what it records.

What was learnt about baresip 1.0.0 and holds here: `net_interface` takes an address, not `lo`; SIP port N also binds TLS on N+1;
mwi.so must not be loaded (it subscribes without end); there is no playing to a file, so sndfile.so records the decoded audio
(`…-dec.wav`) and what is sent (`…-enc.wav`); a source file must be longer than the call; codec names that do not match
mean all codecs.
"""
from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

import audio
from engine import free_port

def module_folder() -> Path | None:
    """Where Debian puts baresip's modules."""
    return next((p for p in (Path("/usr/lib/baresip/modules"), Path("/usr/local/lib/baresip/modules")) if p.is_dir()), None)


def available() -> str:
    """Empty, or what is missing."""
    if not shutil.which("baresip") or not module_folder():
        return "baresip is not installed (package baresip-core)"
    return ""


class Baresip:
    """One user. Speaks a tone or a WAV from the beginning of each call; records each call.

    With `server` None there is no registration: `dial` then needs full SIP URIs."""

    def __init__(self, user: str, server: tuple[str, int] | None = None, password: str = "", frequency: float = 440,
                 source: np.ndarray | None = None, codecs: str = "PCMU/8000,PCMA/8000", answer: str = "manual"):
        self.user, self.server = user, server
        self.folder = Path(tempfile.mkdtemp(prefix=f"baresip-{user}-"))
        self.records = self.folder / "records"
        self.records.mkdir()
        self.port, control = free_port(), free_port()
        speech = source if source is not None else audio.tone(frequency, 120, -12)
        audio.write_wav(self.folder / "source.wav", speech)
        domain = f"{server[0]}:{server[1]}" if server else f"127.0.0.1:{self.port}"
        (self.folder / "accounts").write_text(
            f"<sip:{user}@{domain}>;auth_user={user};auth_pass={password};regint={60 if server else 0};"
            f"audio_codecs={codecs};answermode={answer};ptime=20\n")
        (self.folder / "contacts").write_text("")
        (self.folder / "config").write_text("\n".join([
            "poll_method epoll", f"sip_listen 127.0.0.1:{self.port}", "net_interface 127.0.0.1", "call_local_timeout 120",
            "call_max_calls 4",
            f"audio_source aufile,{self.folder}/source.wav", f"audio_player aubridge,{user}",
            f"audio_alert aubridge,{user}-alert",
            "audio_level no", "ausrc_srate 8000", "auplay_srate 8000", "ausrc_channels 1", "auplay_channels 1",
            "audio_txmode poll",
            "rtp_timeout 60", "rtp_stats yes", "jitter_buffer_type fixed", "jitter_buffer_delay 5-10",
            f"module_path {module_folder()}", *[f"module {name}.so" for name in ("g711", "aufile", "aubridge", "sndfile")],
            "module_tmp uuid.so", "module_tmp account.so", "module_app contact.so", "module_app menu.so",
            "module_app ctrl_tcp.so",
            f"snd_path {self.records}", f"ctrl_tcp_listen 127.0.0.1:{control}", ""]))
        self._output = open(self.folder / "output", "wb")
        self._process = subprocess.Popen(["baresip", "-f", str(self.folder)], cwd=self.folder, stdin=subprocess.DEVNULL,
                                         stdout=self._output, stderr=subprocess.STDOUT)
        self.events: list[dict] = []
        self.replies: list[dict] = []
        self._buffer = b""
        self._connect(control)

    def _connect(self, port: int) -> None:
        limit = time.monotonic() + 10
        while True:
            try:
                self._control = socket.create_connection(("127.0.0.1", port), 1)
                return
            except OSError as failure:
                if time.monotonic() > limit or self._process.poll() is not None:
                    self.close()
                    raise RuntimeError(f"baresip {self.user}: no control port {port}: {failure}\n{self.log()}") from failure
                time.sleep(0.05)

    def __enter__(self) -> "Baresip":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process, with its recordings; the log stays readable."""
        self._text = self.log()
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(3)
            except subprocess.TimeoutExpired:
                self._process.kill()  # it is known to ignore SIGTERM when it is busy
                self._process.wait(3)
        if hasattr(self, "_control"):
            self._control.close()
        self._output.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        file = self.folder / "output"
        return file.read_text(errors="replace")[-8000:] if file.exists() else getattr(self, "_text", "")

    # --- control: JSON in netstrings --------------------------------------------------------------------------------------------

    def _pump(self, seconds: float) -> None:
        self._control.settimeout(max(0.01, seconds))
        try:
            data = self._control.recv(65536)
            if not data:
                raise RuntimeError(f"baresip {self.user} closed its control connection\n{self.log()}")
            self._buffer += data
        except socket.timeout:
            pass
        while b":" in self._buffer:
            length, _, rest = self._buffer.partition(b":")
            size = int(length)
            if len(rest) < size + 1:
                break
            item = json.loads(rest[:size])
            (self.events if item.get("event") else self.replies).append(item)
            self._buffer = rest[size + 1:]

    def command(self, name: str, parameters: str = "", timeout: float = 5.0) -> str:
        """A command of baresip's menu (`dial`, `accept`, `hangup` …) and what it prints."""
        text = json.dumps({"command": name, "params": parameters, "token": "test"}).encode()
        before = len(self.replies)
        self._control.sendall(b"%d:%s," % (len(text), text))
        limit = time.monotonic() + timeout
        while len(self.replies) == before:
            if time.monotonic() > limit:
                raise AssertionError(f"baresip {self.user} did not answer the command {name}\n{self.log()}")
            self._pump(0.1)
        return self.replies[-1].get("data", "")

    def wait_event(self, kind: str, timeout: float = 10.0, since: int = 0) -> dict:
        """The first event of a type, from number `since` of `events` on: REGISTER_OK, CALL_INCOMING, CALL_RINGING,
        CALL_ESTABLISHED, CALL_CLOSED, CALL_TRANSFER …"""
        limit = time.monotonic() + timeout
        while True:
            for event in self.events[since:]:
                if event.get("type") == kind:
                    return event
            if time.monotonic() > limit:
                seen = [event.get("type") for event in self.events]
                raise AssertionError(f"baresip {self.user}: no {kind} within {timeout} s, only {seen}\n{self.log()}")
            self._pump(0.1)

    def wait_registered(self, timeout: float = 10.0) -> None:
        """The event may be over before the control connection is there, so the log counts as well."""
        limit = time.monotonic() + timeout
        while not (any(e.get("type") == "REGISTER_OK" for e in self.events) or re.search(r"200 OK .*\[\d+ binding", self.log())):
            if time.monotonic() > limit:
                raise AssertionError(f"baresip {self.user} is not registered after {timeout} s\n{self.log()}")
            self._pump(0.1)

    def dial(self, target: str) -> None:
        self.command("dial", target)

    def accept(self, timeout: float = 10.0) -> None:
        """Waits for the next call and takes it."""
        self.wait_event("CALL_INCOMING", timeout)
        self.command("accept")
        self.wait_event("CALL_ESTABLISHED", timeout)

    def press(self, digits: str) -> None:
        """Keys during a call: RFC 4733. baresip takes single characters as commands and sends a key until it is released."""
        for digit in digits:
            self.command("sndcode", digit)
            time.sleep(0.25)

    def transfer(self, target: str) -> None:
        self.command("transfer", target)

    def hold(self) -> None:
        self.command("hold")

    def resume(self) -> None:
        self.command("resume")

    def hang_up(self) -> None:
        self.command("hangup")

    # --- what was heard ---------------------------------------------------------------------------------------------------------

    def recordings(self) -> list[np.ndarray]:
        """What each call heard so far, oldest first. The files are still being written: their headers are not trusted."""
        found = []
        for file in sorted(self.records.glob("*-dec.wav"), key=lambda path: path.stat().st_ctime_ns):
            data = file.read_bytes()
            at = data.find(b"data")
            if at >= 0:
                body = data[at + 8:]
                found.append(np.frombuffer(body[:len(body) // 2 * 2], dtype="<i2"))
        return found

    def heard(self) -> np.ndarray:
        """The newest recording."""
        found = self.recordings()
        return found[-1] if found else np.zeros(0, dtype=np.int16)

    def listen(self, seconds: float, timeout: float = 10.0) -> np.ndarray:
        """The next seconds as they are recorded (sndfile writes what it has)."""
        before, limit = len(self.heard()), time.monotonic() + timeout + seconds
        while len(self.heard()) < before + seconds * audio.RATE:
            if time.monotonic() > limit:
                got = len(self.heard()) - before
                raise AssertionError(f"baresip {self.user} recorded {got} samples in {timeout + seconds} s\n{self.log()}")
            time.sleep(0.05)
        return self.heard()[before:]
