"""The engine under measurement, and the user who is called."""
from __future__ import annotations

import array
import hashlib
import math
import re
import socket
import subprocess
import time
import wave
from pathlib import Path

from measure import Failed, Program, free_port

HERE = Path(__file__).resolve().parent
TONE_SECONDS = 30


def request(method: str, port: int, local: int, sequence: int, user: str, extra: str = "") -> bytes:
    return (f"{method} sip:127.0.0.1:{port} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{local};branch=z9hG4bK{time.monotonic_ns()};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:{user}@127.0.0.1:{port}>;tag={local}\r\nTo: <sip:{user}@127.0.0.1:{port}>\r\n"
            f"Call-ID: bench-{local}\r\nCSeq: {sequence} {method}\r\nContact: <sip:{user}@127.0.0.1:{local}>\r\n{extra}"
            "Content-Length: 0\r\n\r\n").encode()


class Engine(Program):
    """`strowger run` of a build, with the settings of this folder, its dialplan or another, and a state of its own."""

    def __init__(self, build: Path, folder: Path, dialplan: Path | None = None, extra: str = ""):
        self.port, self.output = free_port(), folder / "engine.log"
        (folder / "sounds").mkdir(parents=True, exist_ok=True)
        write_tone(folder / "sounds" / "bench-tone.wav")
        text = (HERE / "strowger.toml").read_text()
        values = {"BUILD": build, "FOLDER": folder, "DIALPLAN": dialplan or HERE / "dialplan", "PORT": self.port}
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        (folder / "strowger.toml").write_text(text + extra)
        started = time.monotonic()
        with open(self.output, "w") as output:
            super().__init__(build / "strowger", "run", "--config", folder / "strowger.toml", "--socket", folder / "control",
                             cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            self._wait_for_answer(started + 20)
        except BaseException:
            self.__exit__()
            raise
        self.start_seconds = time.monotonic() - started

    def _wait_for_answer(self, limit: float) -> None:
        """Until OPTIONS is answered, with whatever status."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect(("127.0.0.1", self.port))
            s.settimeout(0.1)
            while time.monotonic() < limit and self.process.poll() is None:
                try:
                    s.send(request("OPTIONS", self.port, s.getsockname()[1], 1, "prober"))
                    if s.recv(65536).startswith(b"SIP/2.0 "):
                        return
                except ConnectionRefusedError:
                    time.sleep(0.0005)
                except TimeoutError:
                    pass
        last = self.output.read_text(errors="replace").splitlines()[-3:]
        raise Failed("the engine does not answer OPTIONS: " + " | ".join(last))


def write_tone(file: Path) -> None:
    """A prompt long enough that its beginning is not all that is measured."""
    samples = array.array("h", (int(8000 * math.sin(2 * math.pi * 440 * i / 8000)) for i in range(8000 * TONE_SECONDS)))
    with wave.open(str(file), "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(8000)
        w.writeframes(samples.tobytes())


def register(port: int, user: str, password: str, local: int) -> None:
    """Registers a user at `local` for an hour, from that port itself: a server may send calls to where that came from."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", local))
        s.connect(("127.0.0.1", port))
        s.settimeout(2)
        s.send(request("REGISTER", port, local, 1, user, "Expires: 3600\r\n"))
        challenge = s.recv(65536).decode()
        said = dict(re.findall(r'(realm|nonce|qop|opaque)="([^"]*)"', challenge))
        if not challenge.startswith("SIP/2.0 401") or "nonce" not in said:
            raise Failed("REGISTER was answered with " + challenge.partition("\r\n")[0])

        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        uri = f"sip:127.0.0.1:{port}"
        secret, what = md5(f"{user}:{said['realm']}:{password}"), md5(f"REGISTER:{uri}")
        if "qop" in said:
            how = 'qop=auth, nc=00000001, cnonce="bench", '
            response = md5(f"{secret}:{said['nonce']}:00000001:bench:auth:{what}")
        else:
            how, response = "", md5(f"{secret}:{said['nonce']}:{what}")
        if "opaque" in said:
            how += f'opaque="{said["opaque"]}", '
        s.send(request("REGISTER", port, local, 2, user,
                       f'Authorization: Digest username="{user}", realm="{said["realm"]}", nonce="{said["nonce"]}", '
                       f'uri="{uri}", {how}algorithm=MD5, response="{response}"\r\nExpires: 3600\r\n'))
        answer = s.recv(65536).decode()
        if not answer.startswith("SIP/2.0 200"):
            raise Failed("REGISTER with a password was answered with " + answer.partition("\r\n")[0])
