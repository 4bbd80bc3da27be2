"""What happens inside a dialog: hold, glare, late offers, forks, missing ACKs, route sets (checklist of RFC 3261, 3264, 6141)."""
import time
import unittest

import audio
from case import EngineCase
from rtp import RtpStream
from sipmsg import Sdp, make_sdp


class Dialogs(EngineCase):
    def tone_to(self, sender, receiver, frequency: float) -> None:
        sender.rtp.play_tone(frequency)
        receiver.listen(0.6)
        self.assert_tone(receiver.listen(0.6), frequency)

    def test_a_hold_is_answered_with_the_mirrored_direction(self):
        out, _ = self.connected()
        for how, allowed in (("sendonly", ("recvonly", "inactive")), ("inactive", ("inactive",)),
                             ("0.0.0.0", ("sendrecv", "recvonly", "inactive"))):
            with self.subTest(how):
                answer = out.hold(how)
                self.assertEqual(200, answer.status)
                self.assertIn(answer.sdp.direction, allowed)
                self.assertEqual("sendrecv", out.resume().sdp.direction)

    def test_the_held_party_hears_music_and_the_holder_nothing(self):
        for holder in (0, 1):
            with self.subTest(("caller", "called")[holder]):
                pair = self.connected()
                held = pair[1 - holder]
                pair[holder].rtp.play_tone(440)
                held.rtp.play_tone(880)
                time.sleep(0.5)
                pair[holder].hold()
                time.sleep(0.4)
                mark = pair[holder].rtp.mark()
                music = held.listen(1.5)
                self.assertGreater(audio.level_dbm0(music), -45, "no music on hold")
                self.assertFalse(audio.hears_tone(music, 440))
                self.assertLess(pair[holder].rtp.mark() - mark, 10, "sound was sent to a phone that holds")
                pair[holder].resume()
                self.tone_to(pair[holder], held, 440)
                self.tone_to(held, pair[holder], 880)
                pair[0].hang_up()

    def test_both_hold_and_resume_in_the_other_order(self):
        out, back = self.connected()
        for call in (out, back):
            self.assertEqual(200, call.hold().status)
        for call in (out, back):
            self.assertEqual(200, call.resume().status)
        self.tone_to(out, back, 440)
        self.tone_to(back, out, 880)

    def test_a_resume_without_a_direction_resumes(self):
        out, back = self.connected()
        out.hold()
        body = out._describe(direction="sendrecv").replace("a=sendrecv\r\n", "")
        out.direction = "sendrecv"
        answer = out.reinvite(body=body)
        self.assertEqual((200, "sendrecv"), (answer.status, answer.sdp.direction))
        self.tone_to(out, back, 440)

    def test_a_hold_of_an_announcement_and_its_resume(self):
        call = self.phone("alice").call("301").wait_answered()
        self.assertIn(call.hold().sdp.direction, ("recvonly", "inactive"))
        self.assertEqual("sendrecv", call.resume().sdp.direction)
        self.tone_to(call, call, 600)

    def test_the_same_description_again_changes_nothing(self):
        call = self.phone("alice").call("301").wait_answered()
        before = call.remote_sdp
        answer = call.reinvite(body=call.local_sdp)
        self.assertEqual(before.text, answer.sdp.text, "RFC 3264 section 8: an unchanged session keeps its o= version")
        call.rtp.play_tone(700)
        call.listen(0.6)
        self.assertEqual(1, len(call.rtp.statistics().ssrcs))

    def test_the_version_of_the_origin_rises_by_one_and_its_id_stays(self):
        call = self.phone("alice").call("301").wait_answered()
        before = call.remote_sdp.origin.split()
        after = call.hold().sdp.origin.split()
        self.assertEqual((before[1], int(before[2]) + 1), (after[1], int(after[2])))

    def test_a_moved_port_is_followed(self):
        call = self.phone("alice").call("301").wait_answered()
        moved = RtpStream()
        self.addCleanup(moved.close)
        body = make_sdp("127.0.0.1", moved.port, session=call.sdp_session, version=9)
        self.assertEqual(200, call.reinvite(body=body).status)
        call.rtp.sending = False
        moved.start((call.remote_sdp.address, call.remote_sdp.port))
        moved.play_tone(900)
        moved.wait(lambda: len(moved.packets) > 75, 4)
        self.assert_tone(moved.heard(30), 900)

    def test_an_offer_in_a_reinvite_that_cannot_be_used_leaves_the_call_as_it_was(self):
        out, back = self.connected()
        answer = out.reinvite(body=make_sdp("127.0.0.1", 30000, ("G729",), None))
        self.assertEqual(488, answer.status)
        self.tone_to(back, out, 880)

    def test_a_reinvite_without_sdp_gets_an_offer(self):
        out, back = self.connected()
        answer = out.reinvite(late_offer=True)
        self.assertEqual(200, answer.status)
        self.assertIsNotNone(answer.sdp.codec_pt)
        self.assertGreaterEqual(len(answer.sdp.payloads), 2, "all we can, not the current codec alone (RFC 3261 section 14.2)")
        self.tone_to(out, back, 440)

    def test_a_reinvite_inside_an_unanswered_one_is_500_with_retry_after_or_491(self):
        out, back = self.connected()
        first = out.build("INVITE", body=out._describe())
        second = out.build("INVITE", body=out._describe())
        out.phone.send(first)
        out.phone.send(second)
        finals = [out.phone.wait_message(lambda m, r=r: m.branch == r.branch and m.status >= 200, 5, "final")
                  for r in (first, second)]
        for request, answer in zip((first, second), finals):
            if answer.status >= 300:
                self.assertIn(answer.status, (491, 500))
                self.assertTrue(answer.status == 491 or 0 <= int(answer.get("Retry-After").split()[0]) <= 10)
                out.phone.send(out.phone.ack_of(request, answer))
            else:
                out.phone.send(out.build("ACK", cseq=request.cseq))
        self.assertEqual(200, finals[0].status)

    def test_crossing_reinvites_get_491_and_settle(self):
        out, back = self.connected()
        back.on_offer = None
        with out.phone._changed, back.phone._changed:
            transactions = out.start_reinvite(), back.start_reinvite()
        statuses = {out.phone.finish(transactions[0]).status, back.phone.finish(transactions[1]).status}
        self.assertTrue(statuses <= {200, 491}, statuses)
        time.sleep(4.5)  # a retry of the engine after its 491 (section 14.1) has had its time
        self.tone_to(out, back, 440)
        self.tone_to(back, out, 880)

    def test_a_phone_that_answers_491_to_our_hold_is_asked_again(self):
        out, back = self.connected()
        back.on_offer = lambda request: 491 if len(back.reinvites) == 1 else None
        out.hold()
        if back.reinvites:  # an engine that plays music itself need not ask the held phone at all
            back.phone.wait(lambda: len(back.reinvites) >= 2, 6, "second re-INVITE after 491")
            first, second = back.reinvites[:2]
            self.assertGreater(second.cseq, first.cseq)

    def test_a_late_offer_is_offered_in_the_200_and_answered_in_the_ack(self):
        call = self.phone("alice").call("301", late_offer=True).wait_answered()
        self.assertIsNotNone(call.final.sdp)
        self.tone_to(call, call, 600)
        call.hang_up()

    def test_a_late_offer_to_a_user_connects_both(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        out = alice.call("201", late_offer=True)
        back = bob.wait_call()
        self.assertIsNotNone(back.incoming_invite.sdp)
        back.answer().wait_answered()
        out.wait_answered()
        self.tone_to(out, back, 440)
        self.tone_to(back, out, 880)

    def test_a_late_offer_whose_ack_brings_no_answer_is_ended(self):
        alice = self.phone("alice")
        call = alice.call("301", late_offer=True, withhold_ack=True)
        call.wait_answered()
        alice.send(call.build("ACK", response=call.final, cseq=call.final.cseq))
        self.assertEqual("BYE", call.wait_ended(5).method)

    def test_an_answer_in_the_ack_that_is_no_sdp_or_of_no_common_codec_ends_the_call(self):
        for body in ("garbage", make_sdp("127.0.0.1", 30000, ("G729",), None)):
            with self.subTest(body[:7]):
                alice = self.phone("alice")
                call = alice.call("301", late_offer=True, withhold_ack=True).wait_answered()
                alice.send(call.build("ACK", response=call.final, cseq=call.final.cseq, body=body))
                self.assertEqual("BYE", call.wait_ended(5).method)
        self.no_calls_left()

    def test_the_200_is_repeated_until_the_ack_and_no_longer(self):
        alice = self.phone("alice")
        call = alice.call("305", withhold_ack=True).wait_answered()
        copies = lambda: sum(m.status == 200 and m.cseq_method == "INVITE" for m in alice.messages)
        alice.wait(lambda: copies() >= 3, 4, "third 200")
        call.acknowledge_now()
        time.sleep(0.1)
        before = copies()
        time.sleep(4.2)
        self.assertEqual(before, copies())
        self.assertEqual(200, call.hang_up().status)

    def test_the_200_is_repeated_over_tcp_too(self):
        alice = self.phone("alice", transport="tcp")
        call = alice.call("305", withhold_ack=True).wait_answered()
        alice.wait(lambda: sum(m.status == 200 and m.cseq_method == "INVITE" for m in alice.messages) >= 3, 4, "third 200")
        call.acknowledge_now()
        call.hang_up()

    def test_a_repeated_200_of_the_called_phone_gets_its_ack_again(self):
        out, back = self.connected()
        before = len(back.acks)
        back.respond(200, sdp=back.local_sdp)
        back.phone.wait(lambda: len(back.acks) > before, 3, "second ACK")
        self.assertEqual(back.incoming_invite.cseq, back.acks[-1].cseq)

    def test_forked_answers_leave_one_call_and_end_the_other(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        out = alice.call("201")
        back = bob.wait_call()
        for tag in ("fork-one", "fork-two"):
            back.respond(180, tag=tag)
        back.other_tags.discard("fork-two")
        back.answer()
        out.wait_answered()
        back.wait_answered()
        back.respond(200, tag="fork-late", sdp=back.local_sdp)
        ack = bob.wait_message(lambda m: m.method == "ACK" and m.to_tag == "fork-late", 5, "ACK to the second 200")
        bye = bob.wait_message(lambda m: m.method == "BYE" and m.to_tag == "fork-late", 5, "BYE to the second 200")
        self.assertEqual(ack.call_id, bye.call_id)
        self.assertEqual("answered", out.state)
        self.tone_to(back, out, 880)

    def test_an_answer_from_a_fork_that_never_rang_is_taken(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        out = alice.call("201")
        back = bob.wait_call()
        back.respond(180, tag="rings-only")
        back.answer()
        out.wait_answered()
        ack = back.wait_answered().acks[0]
        self.assertEqual(back.local_tag, ack.to_tag)

    def test_requests_follow_the_route_set_in_its_order(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        here = f"sip:{bob.ip}:{bob.port};lr"
        out = alice.call("201")
        back = bob.wait_call()
        back.media = {}
        back.respond(200, sdp=back._media_for_answer(), headers=(("Record-Route", f"<{here};n=2>, <{here};n=1>"),))
        back.state = "answered"
        out.wait_answered()
        back.wait_answered()
        routes = back.acks[0].all("Route")
        self.assertEqual(["1", "2"], [route.rpartition("n=")[2].rstrip(">") for route in routes])
        out.hang_up()
        self.assertEqual(routes, back.wait_ended().all("Route"))

    def test_options_in_a_dialog_is_200_and_changes_nothing(self):
        call = self.phone("alice").call("301").wait_answered()
        self.assertEqual(200, call.request("OPTIONS").status)
        self.tone_to(call, call, 500)

    def test_an_older_cseq_in_a_dialog_is_500_and_a_gap_is_fine(self):
        call = self.phone("alice").call("305").wait_answered()
        self.assertEqual(200, call.request("OPTIONS", cseq=1000).status)
        self.assertEqual(500, call.phone.exchange(call.build("OPTIONS", cseq=500)).status)
        call.cseq = 1001
        self.assertEqual(200, call.hang_up().status)

    def test_foreign_tags_do_not_reach_a_dialog(self):
        call = self.phone("alice").call("305").wait_answered()
        for forged in (call.build("BYE", local_tag="forged"), call.build("BYE").set("To", f"<{call.remote_uri}>;tag=forged")):
            self.assertEqual(481, call.phone.exchange(forged).status)
        self.assertEqual("answered", call.state)
        self.assertEqual(200, call.hang_up().status)

    def test_info_with_an_unknown_body_is_415_and_dtmf_relay_is_a_digit(self):
        call = self.phone("alice").call("303").wait_answered()
        self.assertEqual(415, call.request("INFO", body="x", content_type="text/x-poem").status)
        for digit in "19#":
            answer = call.request("INFO", body=f"Signal={digit}\r\nDuration=160\r\n", content_type="application/dtmf-relay")
            self.assertEqual(200, answer.status)
        self.wait_prompt(call, "vm-goodbye")

    def test_a_notify_without_a_subscription_is_481(self):
        call = self.phone("alice").call("305").wait_answered()
        answer = call.request("NOTIFY", headers=(("Event", "refer"), ("Subscription-State", "active")),
                              body="SIP/2.0 100 Trying\r\n",
                              content_type="message/sipfrag")
        self.assertIn(answer.status, (481, 489))

    def test_the_answer_keeps_refused_media_lines_with_port_0(self):
        alice = self.phone("alice")
        call = alice.call("301", extra=("m=video 4000 RTP/AVP 31", "m=image 4002 udptl t38")).wait_answered()
        self.assertEqual(["audio", "video 0", "image 0"],
                         [m.split()[0] if m.startswith("audio") else " ".join(m.split()[:2]) for m in call.final.sdp.media])
        self.assertIsInstance(call.final.sdp, Sdp)


if __name__ == "__main__":
    unittest.main()
