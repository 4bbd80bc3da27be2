"""RTP as others see it: where it may come from, its numbers without a break, its pace, DTMF through a bridge, RTCP."""
import socket
import time
import unittest

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
        out.listen(0.8)
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

    def test_rtcp_reports_come_during_a_call(self):
        call = self.phone("alice").call("301").wait_answered()
        call.rtp.play_tone(650)
        self.assertTrue(call.rtp.wait(lambda: call.rtp.rtcp_packets, 12), "no RTCP within 12 s")
        report = call.rtp.rtcp_packets[0][1]
        self.assertEqual((2, True), (report[0] >> 6, report[1] in (200, 201)))


if __name__ == "__main__":
    unittest.main()
