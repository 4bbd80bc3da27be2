"""The tools themselves: two of our phones with each other, directly and by way of a proxy, before the engine is judged."""
import tempfile
import time
import unittest
from pathlib import Path

import audio
from phone import Phone, WaitFailed
from proxy import Proxy
from sipmsg import Sdp, make_sdp, parse


class Tools(unittest.TestCase):
    def pair(self, **options) -> tuple[Phone, Phone]:
        """Bob, and Alice whose calls go straight to him."""
        bob = Phone("bob", **options)
        alice = Phone("alice", server=(bob.ip, bob.port), **options)
        self.addCleanup(bob.close)
        self.addCleanup(alice.close)
        return alice, bob

    def connect(self, alice: Phone, bob: Phone, **media):
        out = alice.call("bob", **media)
        back = bob.wait_call()
        back.ring()
        out.wait_ringing()
        back.answer()
        return out.wait_answered(), back.wait_answered()

    def test_the_audio_measures_are_right_on_generated_signals(self):
        audio.self_test()

    def test_messages_with_compact_names_folding_and_lists_are_read(self):
        message = parse(b"INVITE sip:a@b SIP/2.0\r\nv: SIP/2.0/UDP h;branch=1,\r\n SIP/2.0/UDP i;branch=2\r\n"
                        b"f: \"x, y\" <sip:u@h>;tag=t\r\n"
                        b"m: <sip:u@h;p=1>;q=1\r\nl: 2\r\n\r\nabcd")
        self.assertEqual(["SIP/2.0/UDP h;branch=1", "SIP/2.0/UDP i;branch=2"], message.all("Via"))
        self.assertEqual(("t", b"ab", "1"), (message.from_tag, message.body, message.branch))

    def test_tones_cross_a_call_both_ways_and_bye_ends_it(self):
        alice, bob = self.pair()
        out, back = self.connect(alice, bob, codecs=("PCMA",))
        out.rtp.play_tone(440, -12)
        back.rtp.play_tone(880, -20)
        time.sleep(0.2)
        heard = out.listen(1.0), back.listen(0.01)
        at_bob = back.rtp.heard(5)
        self.assertTrue(audio.hears_tone(heard[0], 880), audio.dominant_frequency(heard[0]))
        self.assertTrue(audio.hears_tone(at_bob[2000:], 440))
        self.assertAlmostEqual(audio.level_dbm0(heard[0]), -20, delta=0.5)
        stats = back.rtp.statistics()
        self.assertEqual(({8}, 0, 1, 0), (set(stats.payload_types), stats.lost, len(stats.ssrcs), stats.timestamp_jumps))
        self.assertAlmostEqual(len(at_bob) / 8000, 1.2, delta=0.15)
        self.assertEqual(200, out.hang_up().status)
        back.wait_ended()
        self.assertEqual("remote", back.ended_by)

    def test_digits_arrive_once_each_with_their_own_payload_types(self):
        alice, bob = self.pair()
        out, back = self.connect(alice, bob, event_pt=96)
        out.send_digits("19#")
        back.wait_digits("19#")
        back.send_digits("*0D", seconds=0.06, gap=0.06)
        out.wait_digits("*0D")
        events = [p for p in back.rtp.received() if p.pt == 96]
        self.assertEqual(3 * 3, sum(1 for p in events if p.payload[1] & 0x80))
        self.assertEqual(3, sum(p.marker for p in events))
        self.assertEqual([800, 800, 800], back.rtp.digit_durations)

    def test_hold_resume_and_the_old_hold_stop_and_start_the_sender(self):
        alice, bob = self.pair()
        out, back = self.connect(alice, bob)
        for how, answered in (("sendonly", "recvonly"), ("inactive", "inactive"), ("0.0.0.0", "sendrecv")):
            self.assertEqual(answered, out.hold(how).sdp.direction)
            self.assertFalse(back.rtp.sending, how)
            self.assertEqual("sendrecv", out.resume().sdp.direction)
            self.assertTrue(back.rtp.sending, how)
        self.assertEqual(6, len(back.reinvites))
        bob.wait(lambda: len(back.acks) == 7, 2, "ACK to the last re-INVITE")

    def test_reinvites_that_cross_get_491(self):
        alice, bob = self.pair()
        out, back = self.connect(alice, bob)
        back.on_offer = lambda request: None
        with alice._changed, bob._changed:
            first, second = out.start_reinvite(), back.start_reinvite()
        self.assertEqual({491}, {alice.finish(first).status, bob.finish(second).status})

    def test_a_late_offer_is_answered_in_the_ack(self):
        alice, bob = self.pair()
        out, back = self.connect(alice, bob, late_offer=True)
        self.assertIsNotNone(back.acks[0].sdp)
        back.rtp.play_tone(600)
        time.sleep(0.2)
        self.assertTrue(audio.hears_tone(out.listen(0.5), 600))

    def test_early_media_is_heard_before_the_answer(self):
        alice, bob = self.pair()
        out = alice.call("bob")
        back = bob.wait_call()
        back.rtp.play_tone(425)
        back.ring(183, sdp=True)
        out.wait_status(183)
        time.sleep(0.1)
        self.assertTrue(audio.hears_tone(out.listen(0.5), 425))
        back.answer()
        out.wait_answered()

    def test_cancel_and_refusal_end_with_487_and_486(self):
        alice, bob = self.pair()
        out = alice.call("bob")
        back = bob.wait_call()
        out.cancel()
        time.sleep(0.05)
        self.assertEqual("calling", out.state)  # no CANCEL before a provisional answer
        back.ring()
        self.assertEqual(487, out.wait_ended().status)
        back.wait_ended()
        self.assertEqual("cancelled", back.ended_by)
        again = alice.call("bob")
        bob.wait_call().refuse(486)
        self.assertEqual(486, again.wait_ended().status)

    def test_a_cancel_that_crosses_the_200_leaves_no_call(self):
        alice, bob = self.pair()
        out = alice.call("bob")
        back = bob.wait_call()
        back.ring()
        out.wait_ringing()
        with alice._changed, bob._changed:  # neither sees the other's message before it sent its own
            back.answer()
            out.cancel()
        back.wait_ended()
        self.assertEqual("BYE", back.end_message.method)
        self.assertTrue(back.acks)

    def test_a_second_200_of_a_fork_is_acknowledged_and_ended(self):
        alice, bob = self.pair()
        out = alice.call("bob")
        back = bob.wait_call()
        back.respond(180, tag="one")
        back.answer()
        out.wait_answered()
        back.respond(200, tag="two", sdp=back.local_sdp)
        bye = bob.wait_message(lambda m: m.method == "BYE", 5, "BYE to the fork")
        self.assertEqual("two", bye.to_tag)
        self.assertEqual("answered", back.state)
        self.assertEqual("answered", out.state)

    def test_a_withheld_ack_makes_the_200_come_again(self):
        alice, bob = self.pair()
        out = alice.call("bob", withhold_ack=True)
        bob.wait_call().answer()
        alice.wait(lambda: sum(m.status == 200 for m in alice.messages) >= 3, 5, "third 200")
        out.acknowledge_now()
        bob.calls[0].wait_answered()

    def test_a_refer_is_reported_by_notify(self):
        alice, bob = self.pair()
        out, back = self.connect(alice, bob)
        back.on_refer = lambda request: 202
        self.assertEqual(202, out.refer("202").status)
        self.assertIn("sip:202@", back.refers[0].get("Refer-To"))
        for state, status in (("active", 100), ("terminated;reason=noresource", 200)):
            back.request("NOTIFY", headers=(("Event", "refer"), ("Subscription-State", state)), body=f"SIP/2.0 {status} OK\r\n",
                         content_type="message/sipfrag")
        self.assertEqual(200, out.wait_transfer())
        self.assertEqual([100, 200], out.sipfrags())

    def test_digest_registration_and_a_challenged_call_through_a_proxy(self):
        with Proxy({"alice": "one", "bob": "two"}, challenge_calls=True) as proxy:
            with Phone("alice", proxy.address, "one") as alice, Phone("bob", proxy.address, "two") as bob:
                with Phone("alice", proxy.address, "wrong") as stranger:
                    self.assertEqual(401, stranger.register(expect=None).status)
                alice.register()
                bob.register()
                out, back = self.connect(alice, bob)
                self.assertEqual(407, out.responses[0].status)
                self.assertEqual(1, len(back.route_set))
                self.assertEqual(200, back.hang_up().status)
                out.wait_ended()
                bob.unregister()
                self.assertEqual(404, alice.call("bob").wait_final().status)
            self.assertEqual([], proxy.errors)

    def test_a_call_over_tcp(self):
        alice, bob = self.pair(transport="tcp")
        out, back = self.connect(alice, bob)
        out.hold()
        self.assertEqual(200, out.hang_up().status)
        back.wait_ended()

    def test_calls_survive_loss_of_signalling(self):
        bob = Phone("bob", loss=20, seed=3)
        alice = Phone("alice", (bob.ip, bob.port), loss=20, seed=4)
        self.addCleanup(alice.close)
        self.addCleanup(bob.close)
        for _ in range(3):
            out = alice.call("bob")
            bob.wait_call(30).answer()
            out.wait_answered(30)
            bob.calls[-1].wait_answered(30)
            out.hang_up()
        self.assertTrue(any("dropped" in line for line in alice.trace))

    def test_lost_packets_are_counted_and_silent(self):
        alice, bob = self.pair(rtp_loss=10)
        out, back = self.connect(alice, bob)
        out.rtp.play_tone(440)
        time.sleep(1.5)
        stats = back.rtp.statistics()
        self.assertGreater(stats.lost, 3)
        self.assertLess(stats.jitter, 0.02)
        self.assertAlmostEqual(len(back.rtp.heard()) / 8000, (stats.packets + stats.lost) * 0.02, delta=0.05)

    def test_a_prompt_is_identified_from_what_was_received(self):
        rng = __import__("numpy").random.default_rng(1)
        prompts = audio.Prompts({n: (rng.normal(size=12000) * 3000).astype("int16") for n in ("one", "two")})
        alice, bob = self.pair()
        out, back = self.connect(alice, bob, codecs=("PCMU",))
        back.rtp.play(prompts.references["two"])
        match = prompts.which(out.listen(1.7))
        self.assertEqual("two", match and match.name)
        with tempfile.TemporaryDirectory() as folder:
            audio.write_wav(Path(folder) / "one.wav", prompts.references["one"])
            self.assertEqual(["one"], list(audio.Prompts.from_folder(folder).references))

    def test_a_wait_that_fails_shows_the_trace(self):
        alice, bob = self.pair()
        out = alice.call("bob")
        bob.wait_call()
        with self.assertRaises(WaitFailed) as raised:
            out.wait_answered(0.2)
        self.assertIn("INVITE sip:bob@", str(raised.exception))

    def test_sdp_is_written_and_read_alike(self):
        sdp = Sdp.parse(make_sdp("127.0.0.1", 4000, ("PCMA", "PCMU:97"), 96, 30, "sendonly"))
        self.assertEqual(([8, 97, 96], "sendonly", 30, 96, 8),
                         (sdp.payloads, sdp.direction, sdp.ptime, sdp.event_pt, sdp.codec_pt))
        self.assertEqual("PCMU/8000", sdp.name_of(97))


if __name__ == "__main__":
    unittest.main()
