"""The base of the tests that need a running engine: one engine per class, phones that are closed after each test."""
from __future__ import annotations

import contextlib
import os
import time
import unittest

import audio
import engine
from call import Call
from engine import USERS, Engine
from phone import Phone


class EngineCase(unittest.TestCase):
    """Skipped where the engine is not built, unless STROWGER_BUILD names a build: then that is an error."""

    sections: dict[str, str] = {}
    extra = ""  # appended to the settings
    listen_too: tuple[str, ...] = ()  # addresses besides 127.0.0.1
    engine: Engine
    _prompts: audio.Prompts | None = None

    @classmethod
    def setUpClass(cls) -> None:
        missing = engine.available()
        if missing:
            if "STROWGER_BUILD" in os.environ:
                raise RuntimeError(f"{missing}; build the targets `strowger` and the modules, or unset STROWGER_BUILD")
            raise unittest.SkipTest(missing)
        cls.engine = Engine(sections=cls.sections, settings_extra=cls.extra, listen_too=cls.listen_too).start()

    @classmethod
    def tearDownClass(cls) -> None:
        if hasattr(cls, "engine"):
            cls.engine.stop()

    def tearDown(self) -> None:
        self.assertTrue(self.engine.alive(), f"the engine died in this test:\n{self.engine.output()}")

    def phone(self, user: str, register: bool = True, **options) -> Phone:
        """A phone of a known user, registered unless told otherwise, closed (and unregistered) when the test ends."""
        password = options.pop("password", USERS[user][1] if user in USERS else "")
        phone = Phone(user, self.engine.address, password, **options)
        self.addCleanup(phone.close)
        if register:
            phone.register()
            self.addCleanup(self._unregister, phone)
        return phone

    @staticmethod
    def _unregister(phone: Phone) -> None:
        phone.loss = 0
        phone.register(expires=0, expect=None)

    def connected(self, caller: str = "alice", called: str = "bob", **media) -> tuple[Call, Call]:
        """Two registered users in a call, made by dialling the extension."""
        alice, bob = self.phone(caller), self.phone(called)
        out = alice.call(USERS[called][0], **media)
        back = bob.wait_call()
        back.ring()
        out.wait_ringing()
        back.answer()
        return out.wait_answered(), back.wait_answered()

    @contextlib.contextmanager
    def undisturbed(self):
        """A call between alice and bob with a tone each way, which must not notice what happens inside the `with`."""
        out, back = self.connected()
        tones = ((out, back, 650), (back, out, 880))
        for speaker, _, frequency in tones:
            speaker.rtp.play_tone(frequency)
        out.listen(0.6)
        marks = {}
        for _, hearer, frequency in tones:
            self.assert_tone(hearer.listen(0.4), frequency)
            marks[hearer] = hearer.rtp.mark()
        yield out, back
        for _, hearer, frequency in tones:
            self.assertEqual("answered", hearer.state)
            self.assert_tone(hearer.listen(0.4), frequency)
            stats = hearer.rtp.statistics(marks[hearer])
            self.assertEqual((0, 1), (stats.lost, len(stats.ssrcs)), f"{hearer.phone.user} lost packets")
            # A sanitized engine is many times slower, and the tester shares its two cores: there only a standstill counts.
            gap = 3.0 if engine.build_folder().name in ("asan", "tsan") else 0.5
            self.assertLess(stats.largest_interval, gap, f"{hearer.phone.user} heard a gap")
        out.hang_up()
        back.wait_ended()

    def prompts(self) -> audio.Prompts:
        """The prompts that the fixture dialplan plays."""
        if EngineCase._prompts is None:
            folder = engine.sounds_folder()
            if folder is None:
                self.skipTest("no prompts: build the target `sounds` or install asterisk-core-sounds-en-wav")
            EngineCase._prompts = audio.Prompts.from_folder(folder, ["demo-thanks", "vm-goodbye", "hello-world", "pbx-invalid"])
        return EngineCase._prompts

    def assert_prompt(self, name: str, samples) -> None:
        ranked = self.prompts().rank(samples)
        self.assertTrue(ranked and ranked[0].name == name and ranked[0].score > 0.6,
                        f"heard {len(samples) / 8000:.2f} s at {audio.level_dbm0(samples):.1f} dBm0, not {name}: {ranked[:3]}")

    def wait_prompt(self, call: Call, name: str, timeout: float = 8.0, since: int = 0) -> None:
        """Until the prompt is recognised in what the call has received since a mark."""
        limit = time.monotonic() + timeout
        while time.monotonic() < limit:
            heard = call.rtp.heard(since)
            match = self.prompts().which(heard) if len(heard) > 4000 else None
            if match and match.name == name:
                return
            time.sleep(0.2)
        self.assert_prompt(name, call.rtp.heard(since))

    def assert_tone(self, samples, frequency: float) -> None:
        self.assertTrue(audio.hears_tone(samples, frequency),
                        f"heard {audio.dominant_frequency(samples):.0f} Hz at {audio.level_dbm0(samples):.1f} dBm0 in "
                        f"{len(samples) / 8000:.2f} s, not {frequency} Hz")

    def assert_silent(self, samples, below_dbm0: float = -50) -> None:
        self.assertLess(audio.level_dbm0(samples), below_dbm0, f"heard {audio.dominant_frequency(samples):.0f} Hz, not silence")

    def no_calls_left(self, timeout: float = 5.0) -> None:
        """The engine's own list of calls gets empty: nothing hangs."""
        limit = time.monotonic() + timeout
        text = ""
        while time.monotonic() < limit:
            text = self.engine.console("call list")
            if text.strip() in ("", "none"):
                return
            time.sleep(0.1)
        self.fail(f"calls are left: {text}")
