"""RTP as others see it: where it may come from, its numbers without a break, its pace, DTMF through a bridge, RTCP."""
import socket
import tempfile
import time
import unittest
from pathlib import Path

import audio
from case import EngineCase
from rtp import RtpStream


class Media(EngineCase):
    def test_a_phone_behind_a_nat_is_answered_where_its_packets_come_from(self):
        alice = self.phone("alice")
        call = alice.call("301", connection="192.0.2.44").wait_answered()
        call.rtp.play_tone(650)
        call.listen(0.8)
        self.assert_tone(call.listen(0.6), 650)

    def test_a_phone_whose_nat_changed_its_port_is_found_again_after_two_seconds_and_nobody_else_is(self):
        call = self.phone("alice").call("301", connection="192.0.2.44").wait_answered()
        call.rtp.play_tone(650)
        call.listen(0.6)
        self.assert_tone(call.listen(0.6), 650)
        dest = (call.remote_sdp.address, call.remote_sdp.port)
        stranger, again = RtpStream("127.0.0.2"), RtpStream()
        for stream in (stranger, again):
            self.addCleanup(stream.close)
            stream.start(dest)
            stream.play_tone(900)
        time.sleep(1)
        self.assertEqual([0, 0], [len(s.received()) for s in (stranger, again)], "taken over while the phone speaks")
        call.rtp.sending = False
        time.sleep(2.6)
        mark = again.mark()
        time.sleep(0.6)
        self.assert_tone(again.heard(mark), 900)
        self.assertEqual(0, len(stranger.received()), "another address is followed")

    def test_a_stranger_cannot_take_over_a_stream_that_is_in_use(self):
        call = self.phone("alice").call("301").wait_answered()
        call.rtp.play_tone(650)
        call.listen(0.6)
        thief = RtpStream()
        self.addCleanup(thief.close)
        thief.start((call.remote_sdp.address, call.remote_sdp.port))
        thief.play_tone(2000)
        mark = call.rtp.mark()
        time.sleep(1.5)
        self.assertLess(len(thief.received()), 5, "the engine sends the caller's sound to a stranger")
        heard = call.rtp.heard(mark)
        self.assertLess(audio.goertzel_dbm0(heard, 2000), -40, "the stranger's sound is heard")
        self.assert_tone(heard[2000:], 650)

    def test_one_ssrc_and_unbroken_numbers_from_prompt_to_talk_to_hold_and_back(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        out = alice.call("306").wait_answered()
        back = bob.wait_call(10)
        back.answer().wait_answered()
        back.rtp.play_tone(880)
        out.listen(0.8)
        back.hold()
        out.listen(0.8)
        back.resume()
        out.listen(0.3)
        self.assert_tone(out.listen(0.8), 880)
        stats = out.rtp.statistics()
        self.assertEqual((1, 0, 0), (len(stats.ssrcs), stats.lost, stats.late), "a new SSRC or a gap is a click or worse")
        self.assertEqual(0, stats.timestamp_jumps, "a jump of the timestamp needs a marker (RFC 3551 section 4.1)")
        self.assertEqual(1, len(stats.sources))

    def test_a_prompt_is_paced_at_fifty_packets_a_second(self):
        call = self.phone("alice").call("300").wait_answered()
        call.listen(0.3)
        mark = call.rtp.mark()
        time.sleep(3)
        packets = call.rtp.received(mark)
        self.assertAlmostEqual(len(packets), 150, delta=4)
        stats = call.rtp.statistics(mark)
        self.assertLess(stats.jitter, 0.005)
        self.assertEqual({160}, {len(p.payload) for p in packets})

    def test_a_ptime_of_30_is_served(self):
        call = self.phone("alice").call("301", ptime=30).wait_answered()
        call.rtp.play_tone(700)
        call.listen(0.8)
        self.assert_tone(call.listen(0.6), 700)

    def test_each_side_of_a_bridge_keeps_its_own_packet_time(self):
        for ptime in (10, 60):
            with self.subTest(ptime=ptime):
                out, back = self.connected(ptime=ptime)
                self.hear_each_other(out, back)
                self.assertEqual(({ptime * 8}, {160}), tuple({len(p.payload) for p in c.rtp.received()} for c in (out, back)))
                out.hang_up()
                back.wait_ended()

    def test_two_codecs_are_bridged_without_a_change_of_level(self):
        for caller, called in (("PCMU", "PCMA"), ("PCMA", "PCMU")):
            with self.subTest(caller=caller):
                out, back = self.in_codecs((caller,), (called,))
                self.assertEqual((caller, called), (out.rtp.codec, back.rtp.codec))
                for heard in self.hear_each_other(out, back):
                    self.assertAlmostEqual(audio.level_dbm0(heard), -10, delta=0.3)
                out.hang_up()
                back.wait_ended()

    def test_two_phones_that_can_speak_one_codec_do(self):
        for caller, called, spoken in ((("PCMU", "PCMA"), ("PCMA",), "PCMA"), (("PCMU", "PCMA"), ("PCMU",), "PCMU"),
                                       (("PCMU", "PCMA"), ("PCMA", "PCMU"), "PCMU"), (("PCMA",), ("PCMU", "PCMA"), "PCMA")):
            with self.subTest(caller=caller, called=called):
                out, back = self.in_codecs(caller, called)
                self.assertEqual((spoken, spoken), (out.rtp.codec, back.rtp.codec))
                out.hang_up()
                back.wait_ended()

    def test_offers_and_holds_in_mid_call_change_the_codec_of_one_side_and_keep_one_codec_where_they_can(self):
        out, back = self.in_codecs(("PCMA",), ("PCMA",))
        self.assertEqual(("PCMA", "PCMA"), self.spoken())
        self.assertEqual(200, out.reinvite(codecs=("PCMU",)).status)
        self.assertEqual(("PCMU", "PCMA"), (out.rtp.codec, back.rtp.codec))
        self.hear_each_other(out, back)
        self.assertEqual(("PCMU -> PCMA", "PCMU -> PCMA"), self.spoken())
        for side in (out, back):
            side.hold()
            side.resume()
            self.hear_each_other(out, back)
        self.assertEqual(200, back.reinvite(codecs=("PCMA", "PCMU")).status)
        self.assertEqual("PCMU", back.rtp.codec, "the other side's codec is not chosen")
        self.hear_each_other(out, back)
        self.assertEqual(("PCMU", "PCMU"), self.spoken())
        out.send_digits("2#")
        back.wait_digits("2#")
        for side in (out, back):
            stats = side.rtp.statistics()
            self.assertEqual((1, 0, 0), (len(stats.ssrcs), stats.lost, stats.late))

    def test_who_is_transferred_to_a_phone_with_another_codec_hears_it(self):
        out, back = self.in_codecs(("PCMA",), ("PCMA",))
        carol = self.phone("carol")
        carol.on_call = lambda call: call.answer(codecs=("PCMU",))
        self.assertEqual(202, out.refer("202").status)
        third = carol.wait_call().wait_answered()
        self.assertEqual(200, out.wait_transfer())
        self.assertEqual(("PCMA", "PCMU"), (back.rtp.codec, third.rtp.codec))
        self.hear_each_other(back, third)
        stats = back.rtp.statistics()
        self.assertEqual((1, 0, 0), (len(stats.ssrcs), stats.lost, stats.late))

    def spoken(self) -> tuple[str, str]:
        """The codecs of the one call, as `call list` and `call show` tell them."""
        line = self.engine.console_json("call list")[0]
        return line["codec"], self.engine.console_json(f"call show {line['id']}")["talks"][0]["codec"]

    def test_a_bad_network_and_a_sender_that_begins_anew_spoil_no_numbers_and_no_keys(self):
        for called in ("PCMU", "PCMA"):
            with self.subTest(called=called):
                out, back = self.in_codecs(("PCMU",), (called,))
                self.hear_each_other(out, back)
                out.rtp.loss, out.rtp.overtaken, out.rtp.doubled = 5, 10, 10
                time.sleep(1.5)
                out.rtp.seq = (out.rtp.seq + 20000) & 0xFFFF
                time.sleep(0.5)
                out.rtp.ssrc ^= 0x5A5A5A5A
                out.rtp.seq, out.rtp.timestamp = 65500, 12345
                time.sleep(1.5)
                out.send_digits("4711")
                back.wait_digits("4711")
                time.sleep(0.5)
                out.rtp.loss = out.rtp.overtaken = out.rtp.doubled = 0
                self.assert_tone(back.listen(0.6), 440)
                stats = back.rtp.statistics()
                self.assertEqual((1, 1, 0), (len(stats.ssrcs), len(stats.sources), stats.malformed))
                self.assertGreater(stats.lost, 5, "the network was not bad")
                self.assertGreater(stats.late, 5)
                self.assert_good_numbers(back.rtp.received())
                self.assertEqual(list("4711"), back.rtp.digits)
                out.hang_up()
                back.wait_ended()

    def assert_good_numbers(self, packets) -> None:
        """No number comes twice; sound goes on by as much time as its numbers say, or more with a marker."""
        base = packets[0].seq
        ordered = sorted((((p.seq - base + 0x8000) & 0xFFFF, p) for p in packets), key=lambda numbered: numbered[0])
        for (before, a), (after, b) in zip(ordered, ordered[1:]):
            self.assertNotEqual(before, after, f"the sequence number {b.seq} is used twice")
            if len(a.payload) == len(b.payload) == 160:
                moved = (b.timestamp - a.timestamp) & 0xFFFFFFFF
                self.assertLess(moved, 0x80000000, f"time goes back at {b.seq}")
                if not b.marker:
                    self.assertEqual((after - before) * 160, moved, f"a step without a marker at {b.seq}")

    def in_codecs(self, caller: tuple, called: tuple):
        alice, bob = self.phone("alice"), self.phone("bob")
        out = alice.call("201", codecs=caller)
        back = bob.wait_call()
        back.answer(codecs=called)
        return out.wait_answered(), back.wait_answered()

    def hear_each_other(self, a, b):
        """A tone each way; what `a` and then `b` hears of it."""
        a.rtp.play_tone(440)
        b.rtp.play_tone(880)
        time.sleep(0.5)
        marks = a.rtp.mark(), b.rtp.mark()
        time.sleep(0.6)
        heard = a.rtp.heard(marks[0]), b.rtp.heard(marks[1])
        self.assert_tone(heard[0], 880)
        self.assert_tone(heard[1], 440)
        return heard

    def test_every_leg_has_a_port_pair_of_its_own_and_none_is_used_again_at_once(self):
        pairs = []
        for _ in range(4):
            out, back = self.connected()
            pairs += [out.remote_sdp.port, back.remote_sdp.port]
            out.hang_up()
            back.wait_ended()
        self.assertEqual((8, {0}), (len(set(pairs)), {port % 2 for port in pairs}))
        self.assertGreater(len({abs(a - b) for a, b in zip(pairs, pairs[1:])}), 3, "the ports can be guessed")

    def test_digits_pass_a_bridge_once_with_the_payload_type_of_the_other_side(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        out = alice.call("201", event_pt=96)
        back = bob.wait_call()
        back.answer().wait_answered()
        out.wait_answered()
        back.rtp.play_tone(880)
        out.listen(0.4)
        out.send_digits("58", seconds=0.12)
        back.wait_digits("58")
        self.assertEqual(set(back.rtp.event_pts), {p.pt for p in back.rtp.received() if p.pt not in back.rtp.codecs})
        back.send_digits("*")
        out.wait_digits("*")

    def test_rtp_in_front_of_the_answer_and_nonsense_on_the_port_do_no_harm(self):
        call = self.phone("alice").call("301").wait_answered()
        dest = (call.remote_sdp.address, call.remote_sdp.port)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for data in (b"", b"x", b"\x80" * 11, b"\xbf\x00" + b"\xff" * 10, b"\x90\x00" + b"\0" * 10,
                         b"\x80\x65" + b"\0" * 10 + b"\xff",
                         b"\xa0\x00" + b"\0" * 10 + b"\xff", bytes(1500), b"\x80\x00" + bytes(9000)):
                sender.sendto(data, dest)
                sender.sendto(data, (dest[0], dest[1] + 1))
        call.rtp.send_packet(b"\x05", 101)
        call.rtp.send_packet(b"", 0)
        call.rtp.play_tone(650)
        call.listen(0.6)
        self.assert_tone(call.listen(0.6), 650)

    def test_lost_packets_are_concealed_or_silent_but_the_pace_stays(self):
        call = self.phone("alice", rtp_loss=5).call("301").wait_answered()
        call.rtp.loss = 5
        call.rtp.play_tone(650)
        call.listen(0.5)
        heard = call.listen(2)
        self.assertGreater(audio.goertzel_dbm0(heard, 650), -14)

    def test_a_change_of_the_senders_ssrc_in_mid_call_is_followed(self):
        call = self.phone("alice").call("301").wait_answered()
        call.rtp.play_tone(650)
        call.listen(0.6)
        call.rtp.ssrc ^= 0x5A5A5A5A
        call.rtp.seq, call.rtp.timestamp = 7, 12345
        call.listen(0.6)
        self.assert_tone(call.listen(0.6), 650)

    def test_the_record_of_a_call_has_the_figures_of_every_leg(self):
        out, back = self.connected()
        out.rtp.play_tone(880)
        back.rtp.play_tone(440)
        reports = out.rtp.rtcp_packets
        is_sender_report = lambda packet: packet[1][1] == 200  # noqa: E731
        self.assertTrue(out.rtp.wait(lambda: any(map(is_sender_report, reports)), 15), "no sender report")
        arrived, report = next(filter(is_sender_report, reports))
        # A receiver report (RFC 3550 section 6.4.2) about the engine's stream: a quarter lost, answered at once.
        delay = int((time.monotonic() - arrived) * 65536)
        block = report[4:8] + bytes([64, 0, 0, 9]) + bytes(8) + report[10:14] + delay.to_bytes(4, "big")
        out.rtp.rtcp.sendto(bytes([0x81, 201, 0, 7]) + out.rtp.ssrc.to_bytes(4, "big") + block,
                            (out.rtp.remote[0], out.rtp.remote[1] + 1))
        back.rtp.sending = False
        time.sleep(0.2)
        out.hang_up()
        back.wait_ended()
        limit = time.monotonic() + 5
        while not (ended := self.engine.console_json("call list --ended")) and time.monotonic() < limit:
            time.sleep(0.1)
        newest = ended[0]
        record = self.engine.console_json(f"call show {newest['id']}")
        self.assertEqual(newest["legs"], record["legs"])
        called, calling = sorted((leg["media"] for leg in record["legs"]),
                                 key=lambda media: media["remote"].endswith(f":{out.rtp.port}"))
        self.assertEqual((back.rtp.sent, 0, 0),
                         (called["packets_received"], called["packets_lost"], called["packets_late"]))
        self.assertGreater(called["packets_sent"], 50)
        self.assertGreater(calling["packets_received"], 50)
        self.assertLess(called["jitter_ms"], 20)
        self.assertTrue(0 <= calling["round_trip_ms"] < 500, calling)
        self.assertEqual(0.25, calling["peer_loss"])
        self.assertNotIn("round_trip_ms", called, "nobody reported")

    def test_rtcp_reports_come_during_a_call(self):
        call = self.phone("alice").call("301").wait_answered()
        call.rtp.play_tone(650)
        self.assertTrue(call.rtp.wait(lambda: call.rtp.rtcp_packets, 12), "no RTCP within 12 s")
        report = call.rtp.rtcp_packets[0][1]
        self.assertEqual((2, True), (report[0] >> 6, report[1] in (200, 201)))


class Holding(EngineCase):
    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        audio.write_wav(Path(folder.name) / "tune.wav", audio.tone(1500, 2.0, -20))
        cls.sections = {"sounds": f'music = "{folder.name}"'}
        super().setUpClass()

    def test_music_is_played_to_who_is_held_by_either_side_and_again_and_again(self):
        pair = self.connected()
        for holder, held in (pair, pair[::-1], pair):
            held.rtp.play_tone(440)
            holder.rtp.play_tone(880)
            holder.hold()
            held.listen(0.3)
            music = held.listen(2.5)  # longer than the tune
            self.assert_tone(music, 1500)
            self.assertAlmostEqual(audio.level_dbm0(music), -20, delta=1)
            self.assertLess(audio.goertzel_dbm0(music, 880), -50, "the holder is still heard")
            holder.resume()
            held.listen(0.4)
            self.assert_tone(held.listen(0.5), 880)
            self.assert_tone(holder.listen(0.5), 440)
        for side in pair:
            stats = side.rtp.statistics()
            self.assertEqual((1, 0, 0, 0), (len(stats.ssrcs), stats.lost, stats.late, stats.timestamp_jumps))


class SilentPeers(EngineCase):
    sections = {"limits": "rtp_timeout_seconds = 2"}

    def test_a_call_whose_phone_has_vanished_ends_but_not_one_on_hold(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        held = alice.call("305").wait_answered()
        held.listen(0.5)
        held.hold()
        lost = bob.call("305").wait_answered()
        lost.listen(1)
        lost.rtp.sending = False
        began = time.monotonic()
        self.assertEqual("BYE", lost.wait_ended(8).method)
        self.assertAlmostEqual(time.monotonic() - began, 2, delta=1)
        self.assertEqual("answered", held.state)
        held.hang_up()


class MovedLegs(EngineCase):
    """A leg that its peer gives away goes to the next worker and media thread, with two of each always to the other ones."""

    sections = {"engine": "workers = 2\nmedia_threads = 2"}

    def figures(self, leg) -> dict:
        """The engine's own count of a phone's leg, as the console shows it."""
        media = {}
        for _ in range(2):  # the first one asks for them
            for line in self.engine.console_json("call list"):
                text = self.engine.console_json(f"call show {line['id']}")
                for shown in text["legs"]:
                    if str(leg.rtp.port) in shown.get("media", {}).get("remote", ""):
                        media = shown["media"]
            time.sleep(0.2)
        return media

    def test_who_is_given_to_another_hears_one_stream_and_loses_nothing(self):
        out, back = self.connected()
        carol = self.phone("carol")
        carol.on_call = lambda call: call.answer()
        out.rtp.play_tone(880)
        back.rtp.play_tone(440)
        back.listen(0.5)
        self.assert_tone(back.listen(0.5), 880)
        self.assertEqual(202, out.refer("202").status)
        third = carol.wait_call().wait_answered()
        third.rtp.play_tone(880)
        self.assertEqual(200, out.wait_transfer())
        back.listen(0.5)
        self.assert_tone(back.listen(0.8), 880)
        self.assert_tone(third.listen(0.6), 440)
        stats = back.rtp.statistics()
        self.assertEqual((1, 0, 0, 0, 1), (len(stats.ssrcs), stats.lost, stats.late, stats.timestamp_jumps, len(stats.sources)))
        self.assertLess(stats.largest_interval, 1.0, "a long hole in the sound")
        back.rtp.sending = False
        time.sleep(0.2)
        media = self.figures(back)
        self.assertEqual((back.rtp.sent, 0), (media["packets_received"], media["packets_lost"]))


if __name__ == "__main__":
    unittest.main()
