"""Where requests go and what URIs mean: transports by size, route sets, parameters that must not lead astray, user parts."""
import unittest

from case import EngineCase
from phone import Phone


class LargeRequests(EngineCase):
    def ring(self, **options) -> tuple:
        alice, bob = self.phone("alice"), self.phone("bob", **options)
        return alice.call("320"), bob.wait_call(), bob

    def test_more_than_1300_bytes_go_by_tcp_to_who_says_no_transport(self):
        out, back, _ = self.ring()
        invite = back.incoming_invite
        self.assertEqual("tcp", invite.source[0])
        self.assertIn("SIP/2.0/TCP", invite.get("Via"))
        back.answer().wait_answered()
        out.wait_answered().hang_up()
        back.wait_ended()

    def test_who_refuses_tcp_gets_them_by_udp_at_once(self):
        out, back, bob = self.ring(takes_tcp=False)
        self.assertEqual("udp", back.incoming_invite.source[0])
        self.assertIn("SIP/2.0/UDP", back.incoming_invite.get("Via"))
        self.assertEqual(1, sum(m.method == "INVITE" for m in bob.messages))
        back.answer().wait_answered()
        out.wait_answered().hang_up()
        back.wait_ended()

    def test_a_cancel_goes_the_way_of_its_invite(self):
        for takes_tcp in (True, False):
            out, back, bob = self.ring(takes_tcp=takes_tcp)
            back.ring()
            out.wait_ringing()
            out.cancel()
            back.wait_ended()
            self.assertEqual("cancelled", back.ended_by)
            self._unregister(bob)


class Addresses(EngineCase):
    def test_a_double_record_route_is_kept_in_order_and_the_first_is_the_next_hop(self):
        alice, bob, proxy = self.phone("alice"), self.phone("bob"), Phone("proxy", self.engine.address)
        self.addCleanup(proxy.close)
        routes = [f"<sip:127.0.0.1:{proxy.port};transport=tcp;r2=on;lr>", "<sip:10.255.0.1;r2=on;lr>"]
        for written in ((("Record-Route", ", ".join(routes)),), tuple(("Record-Route", r) for r in routes)):
            out = alice.call("305", headers=written, withhold_ack=True)
            answer = out.wait_answered().final
            alice.send(out.build("ACK", cseq=answer.cseq))  # as the proxies would pass it on
            self.assertEqual(routes, answer.all("Record-Route"))
            since = len(proxy.messages)
            self.engine.console("call hang up all")
            bye = proxy.wait_message(lambda m: m.method == "BYE", 5, "BYE at the first route", since)
            self.assertEqual((routes, "tcp"), (bye.all("Route"), bye.source[0]))
            self.assertEqual(alice.contact_uri, bye.uri)
            proxy.reply(bye, 200)
        self.assertTrue(bob)

    def test_maddr_ttl_and_headers_in_uris_lead_nobody_astray(self):
        alice, bob, trap = self.phone("alice"), self.phone("bob", register=False), Phone("trap", self.engine.address)
        self.addCleanup(trap.close)
        # As a Contact: the call goes to the host that it names, or nowhere, never to the maddr.
        answer = bob.register(contact=f"<sip:bob@127.0.0.1:{bob.port};maddr=127.0.0.1:{trap.port};ttl=5?Route=%3Csip:127.0.0.1:"
                                      f"{trap.port}%3E>", expect=None)
        if answer.status == 200:
            out = alice.call("201")
            back = bob.wait_call()
            self.assertFalse(back.incoming_invite.has("Route"))
            back.answer().wait_answered()
            out.wait_answered().hang_up()
            back.wait_ended()
        # As the request's URI: what stands behind the question mark is no header of ours.
        out = alice.call(f"sip:305@127.0.0.1:{self.engine.port};maddr=127.0.0.1?Subject=x&X-Evil=1")
        self.assertIn(out.wait_final().status, (200, 400, 401, 404))
        self.assertEqual([], trap.messages)
        bob.register(expires=0, contact="*", expect=None)
        out.hang_up()

    def test_hosts_have_no_case_and_user_parts_do(self):
        alice = self.phone("alice")
        out = alice.call(f"sip:305@127.0.0.1:{self.engine.port};TRANSPORT=UDP")
        out.wait_answered().hang_up()
        upper = Phone("ALICE", self.engine.address, "alice-secret", ip="127.0.0.33")
        self.addCleanup(upper.close)
        self.assertIn(upper.register(expect=None).status, (401, 403))

    def test_escapes_in_user_parts_mean_the_character(self):
        alice = self.phone("alice")
        for uri in (f"sip:%33%30%35@{alice.domain}", f"sip:305:secret@{alice.domain}"):
            alice.call(uri).wait_answered().hang_up()
        for uri in (f"sip:%00305@{alice.domain}", f"sip:3%0d%0a05@{alice.domain}", f"sip:305%20@{alice.domain}"):
            self.assertIn(alice.call(uri).wait_final().status, (400, 404), uri)

    def test_a_tel_uri_and_a_plus_are_numbers_to_the_dialplan(self):
        alice = self.phone("alice")
        for uri in ("tel:+4930123;phone-context=x", f"sip:+4930123@{alice.domain};user=phone", f"sip:%2B4930123@{alice.domain}",
                    f"sip:4930%23@{alice.domain}"):
            self.assertEqual(404, alice.call(uri).wait_final().status, uri)

    def test_a_contact_behind_a_nat_is_kept_and_the_packets_go_where_it_was_seen(self):
        alice, bob = self.phone("alice"), self.phone("bob", register=False)
        bob.register(contact="<sip:bob@192.168.77.5:5060>")
        self.addCleanup(bob.register, expires=0, contact="*", expect=None)
        out = alice.call("201")
        invite = bob.wait_message(lambda m: m.method == "INVITE", 5, "INVITE")
        self.assertEqual("sip:bob@192.168.77.5:5060", invite.uri)
        out.cancel()


if __name__ == "__main__":
    unittest.main()
