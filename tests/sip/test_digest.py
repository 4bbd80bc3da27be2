"""Which digests users are asked for: MD5, SHA-256 or both (RFC 7616, RFC 8760), and hashes in place of passwords."""
import hashlib
import unittest

import sipmsg
from case import EngineCase
from phone import Phone

REALM = "strowger"
BOTH = ("SHA-256", "MD5")


def ha1(algorithm: str, user: str, password: str) -> str:
    return hashlib.new(algorithm, f"{user}:{REALM}:{password}".encode()).hexdigest()


class Digests(EngineCase):
    extra = f"""
[users.dora]
extension = "210"
password = "dora-secret"
digest = "SHA-256"

[users.emil]
extension = "211"
password = "emil-secret"
digest = "both"

[users.fritz]
extension = "212"
ha1_md5 = "{ha1("md5", "fritz", "fritz-secret")}"

[users.gerda]
extension = "213"
ha1_sha256 = "{ha1("sha256", "gerda", "gerda-secret").upper()}"
digest = "SHA-256"
"""

    def asked(self, user: str) -> list[str]:
        """The algorithms that somebody without credentials is asked for."""
        phone = self.phone(user, register=False)
        answer = phone.exchange(phone.build_register())
        self.assertEqual(401, answer.status)
        return [sipmsg.parse_challenge(c)["algorithm"] for c in answer.all("WWW-Authenticate")]

    def test_a_user_is_asked_for_what_its_setting_says(self):
        self.assertEqual([["MD5"], ["SHA-256"], ["SHA-256", "MD5"]], [self.asked(u) for u in ("alice", "dora", "emil")])

    def test_each_digest_registers_and_calls(self):
        for user, algorithms in (("dora", BOTH), ("emil", ("MD5",)), ("emil", ("SHA-256",)), ("fritz", BOTH), ("gerda", BOTH)):
            with self.subTest(f"{user} {algorithms}"):
                phone = self.phone(user, password=f"{user}-secret", algorithms=algorithms)
                call = phone.call("305").wait_answered()
                call.hang_up()

    def test_the_digest_that_was_not_asked_for_is_refused(self):
        dora = self.phone("dora", register=False, password="dora-secret", algorithms=BOTH)
        challenge = dora.exchange(dora.build_register())
        challenge.set("WWW-Authenticate", challenge.get("WWW-Authenticate").replace("SHA-256", "MD5"))
        answer = dora.exchange(dora.authorized(dora.build_register(), challenge))
        self.assertEqual((401, "SHA-256"), (answer.status, sipmsg.parse_challenge(answer.get("WWW-Authenticate"))["algorithm"]))

    def test_a_wrong_password_is_refused_with_each(self):
        for number, user in enumerate(("dora", "emil", "fritz", "gerda")):
            phone = self.phone(user, register=False, password="not-the-right-one", algorithms=BOTH, ip=f"127.0.0.{30 + number}")
            self.assertIn(phone.register(expect=None).status, (401, 403))

    def test_nobody_learns_from_a_challenge_who_exists(self):
        kinds = {tuple(self.asked(f"nobody{n}")) for n in range(40)}
        self.assertEqual({("MD5",), ("SHA-256",), ("SHA-256", "MD5")}, kinds, "unknown users are asked as known ones are")
        self.assertEqual(self.asked("nobody1"), self.asked("nobody1"), "and always the same")


if __name__ == "__main__":
    unittest.main()
