"""IPv6 on ::1: registration, calls, calls between the families, and what must not be taken for an address."""
import socket
import unittest

from case import EngineCase
from engine import USERS, free_port
from phone import Phone
from registrar import Registrar
from sipmsg import uri_of


def missing() -> str:
    """Why there is no IPv6 here; empty when there is."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
        return ""
    except OSError as failure:
        return f"this machine has no ::1 ({failure}); IPv6 is not tested"


@unittest.skipIf(missing(), missing())
class Ipv6(EngineCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.port6, cls.trunk_port = free_port(), free_port()
        cls.listen_too = (f"[::1]:{cls.port6}",)
        cls.extra = (f'[trunks.telco]\nhosts = ["[::1]:{cls.trunk_port}"]\naccept_from = ["[::1]:{cls.trunk_port}"]\n'
                     'user = "4930123"\npassword = "trunk-secret"\nregister = true\nretry_seconds = 1\n')
        super().setUpClass()

    def phone6(self, user: str, **options) -> Phone:
        phone = Phone(user, ("::1", self.port6), USERS[user][1], ip="::1", **options)
        self.addCleanup(phone.close)
        phone.register()
        self.addCleanup(self._unregister, phone)
        return phone

    def talk(self, caller: Phone, called: Phone, number: str) -> None:
        out = caller.call(number)
        back = called.wait_call()
        back.ring()
        out.wait_ringing()
        back.answer().wait_answered()
        out.wait_answered()
        for phone, sdp in ((called, back.incoming_invite.sdp), (caller, out.final.sdp)):
            self.assertEqual(phone.ip, sdp.address)
            self.assertIn("IN IP6 ::1" if ":" in phone.ip else "IN IP4 127.0.0.1", sdp.origin)
        for speaker, hearer, frequency in ((out, back, 650), (back, out, 880)):
            speaker.rtp.play_tone(frequency)
        out.listen(0.6)
        self.assert_tone(back.listen(0.4), 650)
        self.assert_tone(out.listen(0.4), 880)
        back.hang_up()
        out.wait_ended()

    def test_a_phone_registers_and_its_addresses_stand_in_brackets_where_they_must(self):
        alice = self.phone6("alice")
        answer = next(m for m in alice.messages if m.status == 200)
        self.assertIn(f"<sip:alice@[::1]:{alice.port}>", answer.get("Contact"))
        self.assertIn("received=::1", answer.get("Via"), "without brackets (RFC 3261 section 25.1)")

    def test_two_phones_talk_over_ipv6(self):
        alice, bob = self.phone6("alice"), self.phone6("bob")
        self.talk(alice, bob, "201")
        invite = next(m for m in bob.messages if m.method == "INVITE")
        self.assertIn(f"[::1]:{self.port6}", invite.get("Via"))
        self.assertIn(f"@[::1]:{self.port6}", uri_of(invite.get("Contact")))

    def test_by_tcp_too(self):
        alice, bob = self.phone6("alice", transport="tcp"), self.phone6("bob", transport="tcp")
        self.talk(alice, bob, "201")

    def test_one_leg_ipv4_and_the_other_ipv6_both_ways(self):
        alice, bob = self.phone6("alice"), self.phone("bob")
        self.talk(alice, bob, "201")
        self.talk(bob, alice, "200")

    def test_hold_and_a_new_offer_keep_the_family(self):
        alice, bob = self.phone6("alice"), self.phone("bob")
        out = alice.call("201")
        back = bob.wait_call()
        back.answer().wait_answered()
        out.wait_answered()
        held = out.hold()
        self.assertEqual((200, "::1"), (held.status, held.sdp.address))
        self.assertEqual(200, out.resume().status)
        out.hang_up()
        back.wait_ended()

    def test_a_zone_is_no_part_of_an_address(self):
        alice = self.phone6("alice")
        answer = alice.register(contact=f"<sip:alice@[fe80::1%25lo]:{alice.port}>", expect=None)
        self.assertEqual(400, answer.status)
        answer = alice.register(contact=f"<sip:alice@[fe80::1%lo]:{alice.port}>", expect=None)
        self.assertEqual(400, answer.status)
        call = alice.call("305", connection="fe80::1%lo")
        self.assertGreaterEqual(call.wait_final().status, 400)

    def test_a_trunk_over_ipv6(self):
        telco = Phone("telco", ("::1", self.port6), ip="::1", port=self.trunk_port)
        self.addCleanup(telco.close)
        registrar = Registrar(telco, "4930123", "trunk-secret")
        self.assertIn(f"@[::1]:{self.port6}", uri_of(registrar.wait_granted().get("Contact")))
        alice = self.phone("alice")
        out = alice.call("0030555")
        back = telco.wait_call()
        self.assertEqual(f"sip:030555@[::1]:{self.trunk_port}", back.incoming_invite.uri)
        back.answer().wait_answered()
        out.wait_answered().hang_up()
        back.wait_ended()
        call = telco.call("4930123200")
        back = alice.wait_call()
        back.answer().wait_answered()
        call.wait_answered().hang_up()
        back.wait_ended()

    def test_names_in_via_and_uri_that_are_hosts_only_in_form(self):
        alice = self.phone6("alice")
        since = len(alice.messages)
        for uri in ("sip:200@[::1", "sip:200@[zz::1]", "sip:200@::1"):
            alice.send(alice.build("OPTIONS", uri, to="<sip:200@strowger>"))
        self.assertEqual(200, alice.options().status)
        self.assertEqual(1, sum(m.status == 200 for m in alice.messages[since:]), "refused or dropped, but never taken")


if __name__ == "__main__":
    unittest.main()
