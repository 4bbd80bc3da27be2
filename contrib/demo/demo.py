#!/usr/bin/env python3
"""Plays two phones, alice and bob, through the engine's auto-attendant, by real SIP and RTP, and tells what they heard.

Nothing is taken from the engine but its packets: prompts are recognised in the sound that arrived (correlation with the prompt
files), tones by their frequency and level. Ends with 0 if every step came true, else with 1.

    demo.py --program build/release/strowger         starts an engine of its own with the example dialplan
    demo.py --sip 127.0.0.1:5060 --passwords STATE/passwords --sounds /usr/share/strowger/sounds       uses a running one
"""
from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests" / "sip"))

try:
    import audio  # noqa: E402
except ImportError as missing:
    sys.exit(f"demo.py: {missing}; install python3-numpy and run this by /usr/bin/python3")
from call import Call  # noqa: E402
from phone import Phone  # noqa: E402

ALICE_TONE, BOB_TONE, TONE_LEVEL = 440, 880, -12.0


class StepFailed(Exception):
    """What was expected, and what came instead."""


def read_passwords(file: Path) -> dict[str, str]:
    """`user password` on each line; `#` begins a comment."""
    lines = (line.strip() for line in file.read_text().splitlines())
    return dict(line.split(None, 1) for line in lines if line and not line.startswith("#"))  # type: ignore[misc]


def load_prompts(folders: list[Path]) -> audio.Prompts:
    """The prompts, without the single digits and letters, which are too short and too much alike to be told apart in speech."""
    prompts: dict = {}
    for folder in folders:
        for path in sorted(folder.rglob("*.wav"), key=lambda p: ("en" in p.parts, p)):
            if not {"digits", "letters", "phonetic"} & set(path.parts):
                prompts[path.stem] = audio.read_wav(path)
    return audio.Prompts({name: samples for name, samples in prompts.items() if len(samples) > 2000})


def recognised(prompts: audio.Prompts, heard) -> list[audio.Match]:
    """The prompts in a recording, in their order. Two prompts at one place: the one that fits better; of two that are the same
    recording under two names, the first name."""
    def seconds(match: audio.Match) -> float:
        return len(prompts.references[match.name]) / audio.RATE

    found: list[audio.Match] = []
    for match in prompts.rank(heard):
        begin, end = match.offset, match.offset + seconds(match) - 0.05
        taken = any(begin < other.offset + seconds(other) - 0.05 and other.offset < end for other in found)
        if match.score > 0.75 and match.part > 0.4 and not taken:
            found.append(match)
    return sorted(found, key=lambda match: match.offset)


def prompt_folders(program: Path | None) -> list[Path]:
    """Where prompts usually are: built ones first, then the source tree's and Debian's."""
    places = ([program.resolve().parent / "sounds"] if program else []) + [
        SOURCE / "sounds", Path("/usr/share/strowger/sounds"), Path("/usr/share/asterisk/sounds/en_US_f_Allison")]
    return [place for place in places if place.is_dir() and next(place.rglob("*.wav"), None)]


@contextlib.contextmanager
def own_engine(options: argparse.Namespace):
    """Runs `--program` on a free port with a state folder that is gone afterwards; fills in `sip` and `passwords`."""
    from engine import free_port
    with tempfile.TemporaryDirectory(prefix="strowger-demo-") as folder:
        options.sip = f"127.0.0.1:{free_port()}"
        command = [str(options.program), "run", "--state", folder, "--listen", options.sip]
        with open(Path(folder) / "output", "wb") as output:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        try:
            options.passwords = options.passwords or Path(folder) / "passwords"
            limit = time.monotonic() + options.wait
            while not options.passwords.exists() and process.poll() is None and time.monotonic() < limit:
                time.sleep(0.05)
            if not options.passwords.exists():
                text = (Path(folder) / "output").read_text(errors="replace")[-3000:]
                raise SystemExit(f"demo.py: {' '.join(command)} made no {options.passwords}; it said:\n{text}")
            yield
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()


class Demo:
    """The steps in their order. Each prints what is done, notes what was measured, and raises StepFailed."""

    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.rows: list[tuple[bool, str, str]] = []
        host, _, port = options.sip.rpartition(":")
        self.server = (host, int(port))
        passwords = read_passwords(options.passwords) if options.passwords else {}
        for entry in options.password:
            user, _, password = entry.partition("=")
            passwords[user] = password
        for user in (options.caller, options.called):
            if user not in passwords:
                raise SystemExit(f"demo.py: no password of {user} in {options.passwords}; add it, or give --password {user}=…")
        self.passwords = passwords
        self.prompts = load_prompts(options.sounds)
        if not self.prompts.references:
            raise SystemExit(f"demo.py: no prompt (*.wav) below {', '.join(map(str, options.sounds)) or '--sounds'}: "
                             "without them nothing that is heard can be named")

    def step(self, title: str, action) -> None:
        """Runs one step; a failure ends the story, but the table shows it."""
        try:
            measured = action()
        except (StepFailed, AssertionError, OSError) as failure:
            text = str(failure)
            self.rows.append((False, title, text.splitlines()[0]))
            print(f"  ✗ {title}: {text}", flush=True)
            raise StepFailed(title) from failure
        self.rows.append((True, title, measured))
        print(f"  ✓ {title}: {measured}", flush=True)

    def run(self) -> bool:
        caller, called = self.options.caller, self.options.called
        alice = Phone(caller, self.server, self.passwords[caller])
        bob = Phone(called, self.server, self.passwords[called])
        try:
            self.story(alice, bob)
        except StepFailed:
            pass
        finally:
            self.keep_recordings(alice, bob)
            for phone in (alice, bob):
                phone.close()
        return all(good for good, _, _ in self.rows)

    def story(self, alice: Phone, bob: Phone) -> None:
        who, other, key = alice.user, bob.user, self.options.key
        self.step("the engine answers OPTIONS", lambda: self.wait_for_engine(alice))
        for phone in (alice, bob):
            self.step(f"{phone.user} registers", lambda phone=phone: self.register(phone))
        calls: list[Call] = []
        self.step(f"{who} calls {self.options.number}", lambda: self.call(alice, calls))
        out = calls[0]
        self.step(f"{who} hears the attendant", lambda: self.hear_prompt(out))
        self.step(f"{who} presses {key}", lambda: self.press(out))
        self.step(f"{other}'s phone rings", lambda: self.ringing(bob, calls))
        back = calls[1]
        self.step(f"{other} answers", lambda: self.answer(back))
        out.rtp.play_tone(ALICE_TONE, TONE_LEVEL)
        back.rtp.play_tone(BOB_TONE, TONE_LEVEL)
        time.sleep(0.8)
        self.step(f"{who} hears {other}'s tone", lambda: self.hear_tone(out, BOB_TONE))
        self.step(f"{other} hears {who}'s tone", lambda: self.hear_tone(back, ALICE_TONE))
        self.step(f"{who} hangs up", lambda: self.hang_up(out))
        self.step(f"{other}'s call ends too", lambda: self.ended(back))
        for phone in (alice, bob):
            self.step(f"{phone.user} unregisters", lambda phone=phone: f"{phone.unregister().status} OK")

    def wait_for_engine(self, phone: Phone) -> str:
        limit = time.monotonic() + self.options.wait
        while True:
            try:
                answer = phone.options(timeout=1.0)
                return f"{answer.status} {answer.reason}" + (f", {answer.get('Server')}" if answer.has("Server") else "")
            except (AssertionError, OSError) as failure:
                if time.monotonic() > limit:
                    why = f"nobody answers on {self.options.sip} within {self.options.wait:g} s; is the engine running?"
                    raise StepFailed(why) from failure

    @staticmethod
    def register(phone: Phone) -> str:
        challenged = len(phone.messages)
        phone.register(120)
        asked = any(m.status == 401 for m in phone.messages[challenged:])
        return f"200 OK, {'digest, ' if asked else 'NO DIGEST ASKED, '}contact {phone.contact_uri}"

    def call(self, phone: Phone, calls: list[Call]) -> str:
        began = time.monotonic()
        calls.append(phone.call(self.options.number))
        calls[0].wait_answered(10)
        codec = calls[0].rtp.codec
        return f"answered after {1000 * (time.monotonic() - began):.0f} ms, {codec}"

    def hear_prompt(self, call: Call) -> str:
        """Listens until the wanted prompt, or any, is recognised."""
        limit = time.monotonic() + 15
        while True:
            time.sleep(0.5)
            heard = call.rtp.heard()
            found = recognised(self.prompts, heard) if len(heard) >= audio.RATE else []
            wanted = [m for m in found if not self.options.prompt or m.name in self.options.prompt]
            if wanted:
                names = ", ".join(f"“{m.name}” (likeness {m.score:.2f})" for m in found)
                return f"heard {names} at {audio.level_dbm0(audio.trim(heard)):.1f} dBm0"
            if time.monotonic() > limit or call.state == "ended":
                best = ", ".join(f"{m.name} {m.score:.2f}" for m in self.prompts.rank(heard)[:3]) if len(heard) else "nothing"
                what = f"{len(heard) / audio.RATE:.1f} s at {audio.level_dbm0(heard):.1f} dBm0"
                raise StepFailed(f"no known prompt in {what} (nearest: {best})")

    def press(self, call: Call) -> str:
        call.send_digits(self.options.key)
        return f"RFC 4733, payload type {call.rtp.event_send_pt}, {len(self.options.key)} key(s) of 100 ms"

    @staticmethod
    def ringing(phone: Phone, calls: list[Call]) -> str:
        began = time.monotonic()
        calls.append(phone.wait_call(15))
        calls[1].ring()
        return f"after {1000 * (time.monotonic() - began):.0f} ms, from {calls[1].incoming_invite.get('From').split(';tag')[0]}"

    @staticmethod
    def answer(call: Call) -> str:
        time.sleep(0.5)
        call.answer().wait_answered(5)
        return f"200 OK, acknowledged, {call.rtp.codec}"

    @staticmethod
    def hear_tone(call: Call, frequency: int) -> str:
        heard = call.listen(1.0)
        measured = (f"{audio.dominant_frequency(heard):.1f} Hz at {audio.level_dbm0(heard):.1f} dBm0 "
                    f"(sent: {frequency} Hz at {TONE_LEVEL:.1f})")
        if not audio.hears_tone(heard, frequency) or abs(audio.level_dbm0(heard) - TONE_LEVEL) > 2:
            raise StepFailed(f"heard {measured}")
        stats = call.rtp.statistics()
        return f"{measured}; {stats.packets} packets, {stats.lost} lost, jitter {1000 * stats.jitter:.1f} ms"

    @staticmethod
    def hang_up(call: Call) -> str:
        if call.state == "ended":
            raise StepFailed("the call was over before")
        answer = call.hang_up()
        return f"BYE answered {answer.status}" if answer else "nothing to end"

    @staticmethod
    def ended(call: Call) -> str:
        began = time.monotonic()
        message = call.wait_ended(5)
        return f"{message.method if message else 'nothing'} after {1000 * (time.monotonic() - began):.0f} ms"

    def keep_recordings(self, *phones: Phone) -> None:
        if self.options.record:
            self.options.record.mkdir(parents=True, exist_ok=True)
            for phone in phones:
                for number, call in enumerate(phone.calls):
                    audio.write_wav(self.options.record / f"{phone.user}-{number + 1}-heard.wav", call.rtp.heard())
                (self.options.record / f"{phone.user}.trace").write_text(phone.trace_text(100000))

    def table(self) -> str:
        width = max((len(title) for _, title, _ in self.rows), default=0)
        return "\n".join(f"  {'✓' if good else '✗'}  {title:<{width}}  {text}" for good, title, text in self.rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", type=Path, help="start this engine for the demonstration, in place of --sip and --passwords")
    parser.add_argument("--sip", default="127.0.0.1:5060", help="where the engine listens (address:port)")
    parser.add_argument("--passwords", type=Path,
                        help="file with `user password` on each line: the engine's own is STATE/passwords")
    parser.add_argument("--password", action="append", default=[], metavar="USER=PASSWORD", help="in place of the file")
    parser.add_argument("--sounds", type=Path, action="append", default=[],
                        help="folder with the prompts as WAV; may be repeated")
    parser.add_argument("--number", default="100", help="the attendant's number")
    parser.add_argument("--prompt", action="append", default=[],
                        help="a prompt that must be heard; without it any known one counts")
    parser.add_argument("--key", default="1", help="the key or keys that lead to the called user")
    parser.add_argument("--caller", default="alice")
    parser.add_argument("--called", default="bob")
    parser.add_argument("--wait", type=float, default=15, help="seconds to wait for the engine's first answer")
    parser.add_argument("--record", type=Path, help="keep what was heard (WAV) and the SIP messages in this folder")
    options = parser.parse_args()
    options.sounds = options.sounds or prompt_folders(options.program)
    with own_engine(options) if options.program else contextlib.nullcontext():
        demo = Demo(options)
        print(f"Two phones, {options.caller} and {options.called}, call each other by way of {options.number} on {options.sip}:",
              flush=True)
        good = demo.run()
    print("\n" + demo.table())
    print("\nEvery step came true, measured by the packets that arrived." if good else "\nA step failed; see ✗ above.")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
