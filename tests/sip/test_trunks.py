"""Trunks: calls both ways by address, our registration there, limits, who is shown as the caller, and the public address."""
import re
import time
import unittest

import sipmsg
from case import EngineCase
from engine import Engine, free_port
from phone import Phone
from registrar import Registrar
from sipmsg import uri_of

TRUNK_IP = "127.0.0.20"


class TrunkCase(EngineCase):
    """An engine with the trunk `telco`, whose side a phone plays at TRUNK_IP."""
    trunk_settings = ""
    registrar_password = ""

    @classmethod
    def setUpClass(cls) -> None:
        cls.trunk_port = free_port()
        cls.extra = f'[trunks.telco]\nhosts = ["{TRUNK_IP}:{cls.trunk_port}"]\n{cls.trunk_settings}\n' + cls.more()
        super().setUpClass()

    @classmethod
    def more(cls) -> str:
        return ""

    def telco(self, **options) -> Phone:
        telco = Phone("telco", self.engine.address, ip=TRUNK_IP, port=self.trunk_port, **options)
        self.addCleanup(telco.close)
        return telco

    def again(self, *script) -> None:
        self.engine.console("module unload sip")
        self.registrar.seen.clear()
        self.registrar.granted.clear()
        self.registrar.script = list(script)
        self.engine.console("module load sip")

    def line(self, name: str = "telco") -> dict:
        return next(t for t in self.engine.console_json("trunk list") if t["name"] == name)

    def wait_line(self, condition, timeout: float = 8.0) -> dict:
        limit = time.monotonic() + timeout
        while time.monotonic() < limit:
            if condition(found := self.line()):
                return found
            time.sleep(0.1)
        self.fail(f"trunk list says {self.line()}")


class Full(TrunkCase):
    """An engine that takes no more calls."""
    trunk_settings = "busy_status = 480"
    sections = {"limits": "calls = 1"}

    def test_a_trunk_gets_the_status_that_it_understands(self):
        telco, alice, bob = self.telco(), self.phone("alice"), self.phone("bob")
        up = alice.call("305").wait_answered()
        out = telco.call("4930123200")
        telco.wait(lambda: out.final, 5, "final answer")
        self.assertEqual((480, False), (out.final.status, out.final.has("Retry-After")))
        out = bob.call("305")
        bob.wait(lambda: out.final, 5, "final answer")
        self.assertEqual((503, True), (out.final.status, out.final.has("Retry-After")))
        up.hang_up()


class ByAddress(TrunkCase):
    """Without registration: an exchange beside ours."""
    trunk_settings = ('user = "4930123"\npassword = "trunk-secret"\nfrom = "caller"\nmax_calls = 2\n'
                      'busy_status = 480\ntrusted = true')
    sections = {"emergency": 'route = ["trunk/telco"]'}

    @classmethod
    def more(cls) -> str:
        return '[trunks.wide]\nhosts = ["127.0.0.40"]\naccept_from = ["127.0.0.64/28", "127.0.0.99:5099"]\n'

    def test_a_call_from_its_address_needs_no_password_and_enters_its_context(self):
        telco, alice = self.telco(), self.phone("alice")
        out = telco.call("4930123200")
        back = alice.wait_call()
        back.answer().wait_answered()
        out.wait_answered()
        self.assertFalse([m for m in telco.messages if m.status in (401, 407)])
        out.hang_up()
        back.wait_ended()

    def test_another_address_is_challenged(self):
        stranger = Phone("telco", self.engine.address, ip="127.0.0.21")
        self.addCleanup(stranger.close)
        self.assertEqual(401, stranger.call("4930123200").wait_final().status)

    def test_networks_and_single_ports_may_call(self):
        for ip, port, status in (("127.0.0.70", 0, 404), ("127.0.0.80", 0, 401), ("127.0.0.99", 5099, 404),
                                 ("127.0.0.99", 5098, 401)):
            phone = Phone("x", self.engine.address, ip=ip, port=port)
            self.addCleanup(phone.close)
            self.assertEqual(status, phone.call("nobody").wait_final().status, f"{ip}:{port}")

    def test_a_dialled_number_goes_out_by_the_trunk_with_the_caller(self):
        telco, alice = self.telco(), self.phone("alice")
        out = alice.call("0030555")
        back = telco.wait_call()
        invite = back.incoming_invite
        self.assertEqual(f"sip:030555@{TRUNK_IP}:{self.trunk_port}", invite.uri)
        self.assertEqual(f"sip:200@{TRUNK_IP}:{self.trunk_port}", uri_of(invite.get("From")))
        self.assertEqual(f"sip:200@{TRUNK_IP}:{self.trunk_port}", uri_of(invite.get("P-Asserted-Identity")))
        back.answer().wait_answered()
        out.wait_answered()
        self.assertEqual(1, self.line()["calls"])
        back.hang_up()
        out.wait_ended()
        self.wait_line(lambda t: t["calls"] == 0)

    def test_its_challenges_are_answered_whatever_it_calls_its_realm(self):
        telco, alice = self.telco(), self.phone("alice")
        asked = []

        def guard(message) -> bool:
            if message.method not in ("INVITE", "BYE") or message.has("Proxy-Authorization"):
                return False
            asked.append(message.method)
            telco.reply(message, 407, headers=(("Proxy-Authenticate", 'Digest realm="any", nonce="n", qop="auth"'),))
            return True
        telco.on_request = guard
        out = alice.call("0030556")
        back = telco.wait_call()
        given = sipmsg.parse_challenge(back.incoming_invite.get("Proxy-Authorization"))
        self.assertEqual(("4930123", "any"), (given["username"], given["realm"]))
        back.answer().wait_answered()
        out.wait_answered()
        out.hang_up()
        back.wait_ended()
        self.assertEqual(["INVITE", "BYE"], asked)

    def test_max_calls_holds_for_both_ways_and_calls_for_help_pass(self):
        telco, alice, bob = self.telco(), self.phone("alice"), self.phone("bob")
        first, second = telco.call("4930123305").wait_answered(), telco.call("4930123305").wait_answered()
        refused = telco.call("4930123305").wait_final()
        self.assertEqual((480, False), (refused.status, refused.has("Retry-After")))
        self.assertEqual(503, alice.call("0030557").wait_final().status)
        help_ = bob.call("112")
        rescue = telco.wait_call()
        self.assertIn("112@", rescue.incoming_invite.uri)
        rescue.refuse(486)
        help_.wait_final()
        first.hang_up()
        second.hang_up()

    def test_a_trusted_trunk_says_who_calls(self):
        telco, alice = self.telco(), self.phone("alice")
        out = telco.call("4930123200", headers=(("P-Asserted-Identity", '"Zoe" <sip:4940777@telco.example>'),))
        back = alice.wait_call()
        self.assertEqual("4940777", sipmsg.user_of(back.incoming_invite.get("From")))
        back.ring()
        out.wait_ringing()
        out.cancel()
        back.wait_ended()

    def test_a_number_that_is_withheld_is_told_to_who_is_trusted_only(self):
        telco, alice = self.telco(), self.phone("alice")
        call = alice.call("0030558", headers=(("Privacy", "id"),))
        invite = telco.wait_call().incoming_invite
        self.assertIn("anonymous", invite.get("From"))
        self.assertEqual("id", invite.get("Privacy"))
        self.assertEqual("200", sipmsg.user_of(invite.get("P-Asserted-Identity")))
        call.cancel()

    def test_a_cancelled_call_is_cancelled_at_the_trunk(self):
        telco, alice = self.telco(), self.phone("alice")
        out = alice.call("0030559")
        back = telco.wait_call()
        back.ring()
        out.wait_ringing()
        out.cancel()
        back.wait_ended()
        self.assertEqual("cancelled", back.ended_by)

    def test_the_console_lists_what_needs_no_registration_as_open(self):
        self.assertEqual(("open", "", 2), tuple(self.line()[k] for k in ("state", "reason", "max_calls")))


class Registering(TrunkCase):
    trunk_settings = ('user = "4930123"\nauth_user = "account"\npassword = "trunk-secret"\nregister = true\n'
                      'domain = "telco.example"\nregister_seconds = 600\nretry_seconds = 1')

    def setUp(self) -> None:
        """The registrar is there before the engine tries again: each test begins with a fresh module."""
        self.server = self.telco()
        self.registrar = Registrar(self.server, "account", "trunk-secret")

    def test_it_registers_with_its_account_and_the_contact_finds_us(self):
        self.again()
        granted = self.registrar.wait_granted()
        self.assertEqual("sip:telco.example", granted.uri)
        self.assertEqual("sip:4930123@telco.example", uri_of(granted.get("To")))
        self.assertEqual(f"sip:4930123@127.0.0.1:{self.engine.port}", self.registrar.contact)
        self.assertEqual("600", granted.get("Expires"))
        self.wait_line(lambda t: t["state"] == "registered" and 600 * 0.6 < t["next_register"] <= 600 * 0.85)

    def test_it_refreshes_in_time_with_the_same_call_id_and_without_another_challenge(self):
        self.registrar.seconds = 5
        self.again()
        first = self.registrar.wait_granted()
        began = time.monotonic()
        second = self.registrar.wait_granted(2)
        self.assertTrue(2.5 < time.monotonic() - began < 4.8, time.monotonic() - began)
        self.assertEqual((first.call_id, first.cseq + 1), (second.call_id, second.cseq))
        self.assertEqual(3, len(self.registrar.seen), "one challenge, then its nonce is counted up")
        self.assertEqual("00000002", sipmsg.parse_challenge(second.get("Authorization"))["nc"])

    def test_a_stale_nonce_is_answered_at_once(self):
        self.registrar.seconds = 5
        self.again()
        self.registrar.wait_granted()
        self.registrar.nonce = "nonce1"
        self.registrar.wait_granted(2)
        self.assertEqual("registered", self.line()["state"])

    def test_423_is_answered_with_what_it_wants(self):
        self.registrar.min_expires = 1800
        self.again()
        self.assertEqual("1800", self.registrar.wait_granted().get("Expires"))

    def test_a_wrong_password_is_told_and_tried_again_with_pauses(self):
        self.registrar.password = "another"
        self.again()
        line = self.wait_line(lambda t: t["state"] == "refused")
        self.assertIn("password", line["reason"])
        self.assertEqual(2, len(self.registrar.seen))
        self.registrar.password = "trunk-secret"
        self.registrar.wait_granted()
        self.wait_line(lambda t: t["state"] == "registered" and t["reason"] == "")

    def test_503_waits_as_long_as_it_says(self):
        self.again((503, (("Retry-After", "3"),)))
        self.registrar.wait_seen(1)
        began = time.monotonic()
        self.assertIn("503", self.wait_line(lambda t: t["state"] == "unreachable")["reason"])
        self.registrar.wait_seen(2)
        self.assertGreater(time.monotonic() - began, 2.5)

    def test_pauses_grow(self):
        self.again(*[500] * 4)
        moments = []
        for count in range(1, 5):
            self.registrar.wait_seen(count, 12)
            moments.append(time.monotonic())
        self.assertGreater(moments[3] - moments[2], 1.9, "half of 4 s at least")

    def test_it_takes_its_registration_back_when_the_module_goes(self):
        self.again()
        self.registrar.wait_granted()
        self.wait_line(lambda t: t["state"] == "registered")
        self.engine.console("module unload sip")
        self.assertEqual("0", self.registrar.wait_granted(2).get("Expires"))
        self.engine.console("module load sip")

    def test_sha_256_is_answered_too(self):
        self.registrar.algorithm = "SHA-256"
        self.again()
        self.registrar.wait_granted()

    def test_what_a_nat_makes_of_our_address_is_learned_but_not_used_in_a_local_network(self):
        self.registrar.received = "203.0.113.9:4711"
        self.again()
        self.registrar.wait_granted()
        self.assertEqual("203.0.113.9:4711", self.wait_line(lambda t: t["seen_as"])["seen_as"])
        self.assertIn("127.0.0.1", self.registrar.contact)


class BehindNat(TrunkCase):
    """Loopback counts as the outside here, so that the address which the trunk has seen is shown to everybody."""
    trunk_settings = 'user = "4930123"\npassword = "trunk-secret"\nregister = true'
    sections = {"sip": 'local_networks = ["192.168.0.0/16"]'}

    def test_our_address_as_it_is_seen_is_in_contact_via_and_sdp(self):
        server = self.telco()
        registrar = self.registrar = Registrar(server, "4930123")
        registrar.received = "203.0.113.9:4711"
        self.again()
        self.assertIn("127.0.0.1", uri_of(registrar.wait_granted(1).get("Contact")))
        registrar.wait_granted(2)
        self.assertEqual("sip:4930123@203.0.113.9:4711", registrar.contact)
        self.assertIn("203.0.113.9:4711", registrar.granted[-1].get("Via"))
        alice = self.phone("alice")
        out = alice.call("0030600")
        back = server.wait_call()
        invite = back.incoming_invite
        self.assertIn("203.0.113.9:4711", invite.get("Via"))
        self.assertIn("203.0.113.9:4711", uri_of(invite.get("Contact")))
        self.assertEqual("203.0.113.9", invite.sdp.address)
        self.assertIn("203.0.113.9", invite.sdp.origin)
        back.answer().wait_answered()
        answer = out.wait_answered().final
        self.assertEqual(f"203.0.113.9:{self.engine.port}", uri_of(answer.get("Contact")).rpartition("@")[2])
        self.assertEqual("203.0.113.9", answer.sdp.address)
        self.engine.console("call hang up all")  # the phones would have to reach 203.0.113.9
        back.wait_ended()


class PublicAddress(TrunkCase):
    sections = {"sip": 'local_networks = ["127.0.0.1/32"]\npublic_address = "203.0.113.5:5099"'}

    def test_it_is_shown_outside_the_local_networks_and_only_there(self):
        telco, alice = self.telco(), self.phone("alice")
        out = alice.call("0030601")
        back = telco.wait_call()
        invite = back.incoming_invite
        self.assertIn("203.0.113.5:5099", invite.get("Via"))
        self.assertIn("203.0.113.5:5099", invite.get("Contact"))
        self.assertEqual("203.0.113.5", invite.sdp.address)
        back.ring()
        out.wait_ringing()
        out.cancel()                        # the CANCEL's Via is the INVITE's, or it cancels nothing
        back.wait_ended()
        self.assertEqual("cancelled", back.ended_by)
        self.phone("bob")
        inside = alice.call("305").wait_answered()
        self.assertIn(f"127.0.0.1:{self.engine.port}", inside.final.get("Contact"))
        self.assertEqual("127.0.0.1", inside.final.sdp.address)
        inside.hang_up()

    def test_the_call_goes_on_and_ends_behind_it(self):
        telco, alice = self.telco(), self.phone("alice")
        out = alice.call("0030602")
        back = telco.wait_call()
        back.answer().wait_answered()
        self.assertIn("203.0.113.5:5099", back.acks[0].get("Via"))
        out.wait_answered().hang_up()
        back.wait_ended()
        self.assertEqual("remote", back.ended_by)


class BadSettings(unittest.TestCase):
    def complaint(self, text: str) -> str:
        engine = Engine(settings_extra=text)
        self.addCleanup(engine.stop, check=False)
        with self.assertRaises(RuntimeError) as failed:
            engine.start(6)
        return str(failed.exception)

    def test_what_is_wrong_with_a_trunk_is_told_with_its_line(self):
        text = self.complaint('[trunks.telco]\nhosts = ["telco.example"]\nregister = true\ncolour = "red"\n')
        self.assertRegex(text, r'strowger.toml:\d+:\d+: .*telco.example.* is no numeric address')
        self.assertIn("user: must be set", re.sub(r"\s+", " ", text).replace("user must", "user: must"))
        self.assertIn("colour", text)


if __name__ == "__main__":
    unittest.main()
