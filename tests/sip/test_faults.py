"""What breaks around the engine or in it: sudden ends, disks, clocks, a blocked worker, and peers that vanish in each state."""
import contextlib
import errno
import os
import random
import struct
import subprocess
import threading
import time
import unittest
from pathlib import Path

import engine
from case import EngineCase
from engine import Engine
from phone import Phone, WaitFailed

PRELOADED = unittest.skipIf(engine.sanitizers(), "nothing can be put before a sanitized engine")


class Mishaps:
    """The engine's environment with `mishaps.so` before it, which does what this says."""

    def __init__(self, folder: Path):
        self.file = folder / "mishaps"
        self.clock, self.disk = 0, 0
        self._write()
        library = engine.build_folder() / "mishaps" / "mishaps.so"
        self.environment = {"LD_PRELOAD": str(library), "STROWGER_MISHAPS": str(self.file)}

    def _write(self) -> None:
        with open(self.file, "r+b" if self.file.exists() else "wb") as f:  # in place: the engine has it mapped
            f.write(struct.pack("qq", self.clock, self.disk))

    def step_clock(self, seconds: int) -> None:
        self.clock += seconds
        self._write()

    def break_disk(self, error: int) -> None:
        self.disk = error
        self._write()


class FaultCase(EngineCase):
    """Each test has an engine of its own."""

    extra_sections: dict[str, str] = {}

    @classmethod
    def setUpClass(cls) -> None:
        if missing := engine.available():
            if "STROWGER_BUILD" in os.environ:
                raise RuntimeError(missing)
            raise unittest.SkipTest(missing)

    def begin(self, sections: dict[str, str] | None = None, mishaps: bool = False, dialplan: str = "") -> Engine:
        self.engine = Engine(sections=sections or {})
        if mishaps:
            self.mishaps = Mishaps(self.engine.folder)
            self.engine.environment = self.mishaps.environment
        self.engine.start()
        self.addCleanup(self.engine.stop)
        if dialplan:
            main = self.engine.folder / "dialplan" / "main.lua"
            opening = 'context "internal" {'
            main.write_text(main.read_text().replace(opening, opening + dialplan))
            self.engine.console("dialplan reload", 30)
        return self.engine

    @staticmethod
    def _unregister(phone) -> None:
        """The engine may be gone, or the phone."""

    def tearDown(self) -> None:
        if hasattr(self, "engine"):
            super().tearDown()
            report = engine.SANITIZER.search(self.engine.output())
            self.assertFalse(report, self.engine.output())

    def registered(self, user: str) -> list[str]:
        row = next(u for u in self.engine.console_json("user list") if u["name"] == user)
        return [str(r) for r in row["registered"]]

    def wait_log(self, text: str, timeout: float = 8.0) -> None:
        limit = time.monotonic() + timeout
        while text not in self.engine.output():
            self.assertLess(time.monotonic(), limit, f"the log does not say {text!r}:\n{self.engine.output()}")
            time.sleep(0.1)

    def no_dialogs_left(self, timeout: float = 5.0) -> None:
        limit = time.monotonic() + timeout
        while dialogs := self.engine.console_json("sip show")["dialogs"]:
            self.assertLess(time.monotonic(), limit, f"dialogs are left: {dialogs}")
            time.sleep(0.2)

    @staticmethod
    def vanish(phone: Phone) -> None:
        """From now on nothing comes from there: no answer, no sound."""
        phone.on_request = lambda message: True
        for call in phone.calls:
            call.rtp.sending = False
            for transaction in list(phone._server.values()):
                transaction.acked = True  # no repetition either
        for transaction in list(phone._client.values()):
            transaction.stopped = True


class Quick(FaultCase):
    """Each takes less than ten seconds."""

    # --- the disk -------------------------------------------------------------------------------------------------------------

    def a_disk_that_fails(self, error: int, *told: str) -> None:
        self.begin(mishaps=True)
        alice, bob, carol = self.phone("alice"), self.phone("bob"), self.phone("carol", register=False)
        call = alice.call("201")
        back = bob.wait_call()
        back.answer().wait_answered()
        call.wait_answered()
        self.mishaps.break_disk(error)
        answer = carol.register(expect=None)
        self.assertEqual(503, answer.status, "a registration that is not kept must not be acknowledged")
        self.assertGreater(int(answer.get("Retry-After")), 0)
        self.assertEqual([], self.registered("carol"))
        call.rtp.play_tone(650)
        back.listen(0.4)
        self.assert_tone(back.listen(0.4), 650)
        call.hang_up()
        back.wait_ended()
        another = alice.call("305").wait_answered()
        another.hang_up()
        self.no_calls_left()
        for text in (*told, "could not be stored"):  # the record of the call, which is in the log then
            self.wait_log(text)
        self.mishaps.break_disk(0)
        limit = time.monotonic() + 5
        while carol.register(expect=None).status != 200:
            self.assertLess(time.monotonic(), limit, "registrations do not come back with the disk")
            time.sleep(0.2)
        self.engine.kill()
        self.engine.start()
        self.assertEqual([1, 1, 1], [len(self.registered(user)) for user in ("alice", "bob", "carol")])

    @PRELOADED
    def test_a_full_disk_refuses_registrations_and_calls_go_on(self):
        self.a_disk_that_fails(errno.ENOSPC, "make room on the disk")

    @PRELOADED
    def test_a_disk_that_turns_read_only_refuses_registrations_and_calls_go_on(self):
        self.a_disk_that_fails(errno.EROFS, "mounted read-only")

    def test_a_file_size_limit_does_not_end_the_engine(self):
        import resource
        self.begin()
        carol = self.phone("carol", register=False)
        pid = self.engine._process.pid
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1024, before[1]))
        self.assertEqual(503, carol.register(expect=None).status)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
        self.assertEqual(200, carol.register().status)

    def test_a_state_directory_that_cannot_be_written_is_told_at_the_start(self):
        self.begin()
        state = self.engine.folder / "state"
        self.engine.kill()
        done = subprocess.run(["mount", "--bind", "-o", "ro", state, state], capture_output=True, check=False) \
            if os.geteuid() == 0 else None
        if done is not None:
            subprocess.run(["mount", "-o", "remount,ro,bind", state], capture_output=True, check=False)
        else:
            state.chmod(0o500)
        try:
            try:
                (state / "probe").write_text("")
                self.skipTest("this user can write everywhere, and may not mount")
            except OSError:
                pass
            with self.assertRaises(RuntimeError) as refused:
                self.engine.start()
            self.assertRegex(str(refused.exception), r"(?i)state.*(read-only|permission|right)")
        finally:
            if done is not None:
                subprocess.run(["umount", state], capture_output=True, check=False)
            else:
                state.chmod(0o700)
        self.engine.start()

    # --- the clock ------------------------------------------------------------------------------------------------------------

    def the_wall_clock_steps(self, step: int) -> None:
        self.begin({"limits": "rtp_timeout_seconds = 30"}, mishaps=True)
        alice, bob = self.phone("alice"), self.phone("bob")
        call = alice.call("201")
        back = bob.wait_call()
        back.answer().wait_answered()
        call.wait_answered()
        ringing = alice.call("304")
        ringing.wait_ringing()
        self.mishaps.step_clock(step)
        call.rtp.play_tone(650)
        back.listen(1.0)
        self.assert_tone(back.listen(0.4), 650)
        self.assertEqual("answered", call.state)
        self.assertEqual("ringing", ringing.state)
        self.assertEqual(1, len(self.registered("bob")), "the registration lasts as long as it was promised to")
        self.assertEqual(200, bob.register().status)
        ringing.cancel()
        self.assertEqual(487, ringing.wait_final().status)
        self.assertEqual(200, call.hang_up().status)
        back.wait_ended()
        again = alice.call("305").wait_answered()
        again.listen(0.5)
        again.hang_up()
        self.no_calls_left()
        lengths = [float(c["seconds"]) for c in self.engine.console_json("call list --ended")]
        self.assertEqual(3, len(lengths))
        self.assertLess(max(lengths), 60, "a call's length is not the difference of two readings of the wall clock")
        self.assertGreater(min(lengths), 0)

    @PRELOADED
    def test_an_hour_forward_moves_no_timer_and_ends_no_registration(self):
        self.the_wall_clock_steps(3600)

    @PRELOADED
    def test_an_hour_back_moves_no_timer_and_keeps_no_registration_too_long(self):
        self.the_wall_clock_steps(-3600)

    # --- a blocked worker -----------------------------------------------------------------------------------------------------

    BLOCK = '\n  ["950"] = function(call) call:run("block", {ms = 3000}) end,\n'

    def with_blocker(self, workers: int) -> None:
        self.begin({"engine": f"workers = {workers}"}, dialplan=self.BLOCK)
        self.engine.console(f"module load {engine.build_folder() / 'guest_modules' / 'blocker.so'}")

    def test_a_blocked_worker_holds_up_neither_the_sip_thread_nor_the_calls_of_others(self):
        self.with_blocker(2)
        alice, bob, carol = self.phone("alice"), self.phone("bob"), self.phone("carol")
        echo = alice.call("301").wait_answered()  # on one worker
        carol.call("950").wait_answered()  # on the other, and blocks it
        began = time.monotonic()
        time.sleep(0.5)
        for _ in range(4):
            before = time.monotonic()
            self.assertEqual(200, carol.options().status)
            self.assertEqual(200, bob.register().status)
            bob.call("305").wait_answered().hang_up()
            self.assertLess(time.monotonic() - before, 0.5)
        self.assertEqual(200, echo.reinvite().status)
        self.assertLess(time.monotonic() - began, 2.9, "it is not blocked any more")
        echo.rtp.play_tone(650)
        echo.listen(0.4)
        self.assert_tone(echo.listen(0.4), 650)
        echo.hang_up()
        self.no_calls_left()

    def test_a_call_on_a_blocked_worker_gets_100_again_and_further_ones_are_refused(self):
        self.with_blocker(1)
        alice, bob, carol = self.phone("alice"), self.phone("bob"), self.phone("carol")
        alice.call("950").wait_answered()
        time.sleep(0.12)
        waits = bob.call("305")  # before anybody has noticed
        bob.wait_message(lambda m: m.status == 100, 1)
        invite = next(t.request for t in reversed(list(bob._client.values())) if t.request.method == "INVITE")
        since = len(bob.messages)
        bob.send(invite)
        bob.wait_message(lambda m: m.status == 100 and m.branch == invite.branch, 1, "100 to the repeated INVITE", since)
        time.sleep(0.3)
        before = time.monotonic()
        refused = carol.exchange(carol.build("INVITE", f"sip:305@{carol.domain}"))
        self.assertEqual(503, refused.status)
        self.assertLess(time.monotonic() - before, 0.3)
        waits.wait_answered(8)  # when the worker comes back
        waits.hang_up()
        self.no_calls_left()
        time.sleep(0.3)  # until it is seen that the worker is in time again
        carol.call("305").wait_answered().hang_up()

    # --- peers that vanish ----------------------------------------------------------------------------------------------------

    def test_a_peer_that_vanishes_while_talking_is_noticed_by_its_silence(self):
        self.begin({"limits": "rtp_timeout_seconds = 2"})
        call, back = self.connected()
        call.rtp.play_tone(650)
        back.rtp.play_tone(880)
        call.listen(0.5)
        self.vanish(call.phone)
        self.assertEqual("BYE", back.wait_ended(8).method)
        self.no_calls_left()

    def test_a_peer_that_vanishes_while_it_transfers_leaves_the_others_connected(self):
        self.begin()
        call, back = self.connected()
        carol = self.phone("carol")
        self.assertEqual(202, call.refer("202").status)
        self.vanish(call.phone)
        rung = carol.wait_call()
        rung.answer().wait_answered()
        rung.rtp.play_tone(650)
        back.listen(0.5)
        self.assert_tone(back.listen(0.4), 650)
        back.hang_up()
        rung.wait_ended()
        self.no_calls_left()

    def test_a_peer_that_vanishes_on_hold_frees_the_call_when_the_other_hangs_up(self):
        self.begin()
        call, back = self.connected()
        self.assertEqual(200, call.hold().status)
        self.vanish(call.phone)
        self.assertEqual(200, back.hang_up().status)
        self.no_calls_left()

    def test_a_peer_that_vanishes_in_its_own_bye_ends_the_call(self):
        self.begin()
        call, back = self.connected()
        call.hang_up(wait=False)
        self.vanish(call.phone)
        back.wait_ended()
        self.no_calls_left()
        self.no_dialogs_left()


class Slow(FaultCase):
    """Each takes longer, most for timers of the protocol."""

    # --- kill -9 --------------------------------------------------------------------------------------------------------------

    def test_kill_9_at_random_loses_nothing_that_was_acknowledged(self):
        self.begin()
        acknowledged: dict[str, set[str]] = {}
        rounds = random.Random(7)
        for number in range(8):
            phones = [Phone(user, self.engine.address, f"{user}-secret") for user in ("alice", "bob", "carol")]
            callers = [Phone("alice", self.engine.address, "alice-secret") for _ in range(2)]
            over = threading.Event()

            def registers(phone: Phone) -> None:
                for n in range(1000):
                    contact = f"<sip:{phone.user}-{number}-{n % 8}@127.0.0.1:{phone.port}>"
                    with contextlib.suppress(WaitFailed):
                        if phone.register(600, contact, 1.0, expect=None).status == 200:
                            acknowledged.setdefault(phone.user, set()).add(f"{phone.user}-{number}-{n % 8}")
                        if n % 8 == 7 and not over.is_set():  # room for the next
                            for old in range(8):
                                acknowledged[phone.user].discard(f"{phone.user}-{number}-{old}")
                            phone.register(0, "*", 1.0, expect=None)
                    if over.is_set():
                        return

            def makes_calls(phone: Phone) -> None:
                while not over.is_set():
                    with contextlib.suppress(AssertionError):
                        phone.call("305").wait_answered(1).hang_up()

            for user in ("alice", "bob", "carol"):  # of the round before
                acknowledged[user] = set()
            threads = [threading.Thread(target=registers, args=(p,)) for p in phones]
            threads += [threading.Thread(target=makes_calls, args=(p,)) for p in callers]
            for phone in phones:
                phone.register(0, "*")
            for thread in threads:
                thread.start()
            time.sleep(rounds.uniform(0.05, 0.8))
            self.engine.kill()
            over.set()
            for thread in threads:
                thread.join()
            for phone in phones + callers:
                phone.close()
            self.engine.start()
            for user, contacts in acknowledged.items():
                kept = " ".join(self.registered(user))
                for contact in contacts:
                    self.assertIn(contact, kept, f"round {number}: {user}'s registration was acknowledged and is lost")
            for call in self.engine.console_json("call list --ended"):
                self.assertIn("began", self.engine.console_json(f"call show {call['id']}"))

    # --- peers that vanish ----------------------------------------------------------------------------------------------------

    def test_a_caller_that_vanishes_while_it_rings_is_given_up_after_the_answer(self):
        self.begin()
        alice, bob = self.phone("alice"), self.phone("bob")
        call = alice.call("201")
        rung = bob.wait_call()
        rung.ring()
        call.wait_ringing()
        self.vanish(alice)
        call.state = "ended"  # no ACK
        alice._client.clear()
        rung.answer()
        self.assertEqual("BYE", rung.wait_ended(45).method)
        self.no_calls_left()
        self.no_dialogs_left(40)

    def test_a_called_phone_that_vanishes_while_it_rings_is_given_up_after_the_ring_time(self):
        self.begin()
        alice, bob = self.phone("alice"), self.phone("bob")
        call = alice.call("201")
        bob.wait_call().ring()
        call.wait_ringing()
        self.vanish(bob)
        self.assertIn(call.wait_final(25).status, (480, 503))
        self.no_calls_left()
        self.no_dialogs_left(40)

    def test_a_peer_that_answers_no_bye_is_forgotten(self):
        self.begin()
        call, back = self.connected()
        self.vanish(back.phone)
        self.assertEqual(200, call.hang_up().status)
        self.no_calls_left()
        self.no_dialogs_left(40)

    # --- memory ---------------------------------------------------------------------------------------------------------------

    @unittest.skipIf(engine.sanitizers(), "a sanitizer keeps what is freed")
    def test_memory_goes_back_to_the_system_after_500_calls(self):
        self.begin({"limits": "calls_per_second = 1000\nqueue_delay = 5000\nrtp_timeout_seconds = 0"})
        alice = self.phone("alice")

        def resident() -> int:
            return self.engine.console_json("core show")["resources"]["resident_bytes"]

        for _ in range(20):
            alice.call("305").wait_answered().hang_up()
        self.no_calls_left()
        time.sleep(4)
        before = resident()
        calls = []
        for _ in range(10):
            new = [alice.call("305") for _ in range(50)]
            calls += [call.wait_answered(30) for call in new]
            for call in new:
                call.rtp.sending = False  # 500 of them would keep the test busy
        most = resident()
        for call in calls:
            call.hang_up(wait=False)
        self.no_calls_left(30)
        time.sleep(46)  # transactions are kept for 32 s
        after = resident()
        print(f"resident: {before >> 10} kB before, {most >> 10} kB with 500 calls, {after >> 10} kB after")
        self.assertGreater(most, before + (5 << 20))
        self.assertLess(after, before + (6 << 20))
        self.assertGreaterEqual(self.engine.console_json("core show")["resources"]["memory_given_back"], 2)
