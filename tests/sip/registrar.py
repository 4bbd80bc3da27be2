"""What a trunk's registrar does with our REGISTER, as an `on_request` of a test phone: challenges, judges, grants, misbehaves."""
from __future__ import annotations

import sipmsg
from phone import Phone
from sipmsg import Message, hashed, param, uri_of


class Registrar:
    """Every REGISTER is in `seen`. `script` holds answers for the next ones: a status, or (status, headers); then come 200s."""

    def __init__(self, phone: Phone, user: str, password: str = "", realm: str = "telco.example", algorithm: str = "MD5"):
        self.phone, self.user, self.password, self.realm, self.algorithm = phone, user, password, realm, algorithm
        self.seen: list[Message] = []
        self.granted: list[Message] = []
        self.script: list = []
        self.seconds = 3600
        self.min_expires = 0
        self.nonce = "nonce0"
        self.received = ""        # "203.0.113.9:4711": as if a NAT stood between
        self.silent = False
        phone.on_request = self

    def reply(self, message: Message, status: int, headers: tuple = ()) -> bool:
        answer = message.copy()
        if self.received:
            ip, _, port = self.received.rpartition(":")
            via = message.get("Via").replace(";rport", f";rport={port}") + f";received={ip}"
            answer.set("Via", via)
        with self.phone._changed:
            self.phone.reply(answer, status, headers=headers)
        return True

    def right(self, message: Message) -> bool:
        given = sipmsg.parse_challenge(message.get("Authorization"))
        if not given or given.get("nonce") != self.nonce:
            return False
        a1 = hashed(self.algorithm, f"{self.user}:{self.realm}:{self.password}")
        a2 = hashed(self.algorithm, f"REGISTER:{given['uri']}")
        return given["response"] == hashed(self.algorithm, f"{a1}:{self.nonce}:{given['nc']}:{given['cnonce']}:auth:{a2}")

    def __call__(self, message: Message) -> bool:
        if message.method != "REGISTER":
            return False
        self.seen.append(message)
        if self.silent:
            return True
        if self.script:
            told = self.script.pop(0)
            status, headers = told if isinstance(told, tuple) else (told, ())
            return self.reply(message, status, headers)
        if self.password and not self.right(message):
            old = sipmsg.parse_challenge(message.get("Authorization")).get("nonce", self.nonce) != self.nonce
            stale = ", stale=true" if old else ""
            return self.reply(message, 401, (("WWW-Authenticate", f'Digest realm="{self.realm}", nonce="{self.nonce}", '
                                              f'algorithm={self.algorithm}, qop="auth"{stale}'),))
        expires = int(message.get("Expires"))
        if expires and expires < self.min_expires:
            return self.reply(message, 423, (("Min-Expires", str(self.min_expires)),))
        self.granted.append(message)
        seconds = min(expires, self.seconds)
        contact = (("Contact", f"<{uri_of(message.get('Contact'))}>;expires={seconds}"),) if expires else ()
        return self.reply(message, 200, contact)

    def wait_granted(self, count: int = 1, timeout: float = 8.0) -> Message:
        self.phone.wait(lambda: len(self.granted) >= count, timeout, f"{count} REGISTERs that could be granted")
        return self.granted[count - 1]

    def wait_seen(self, count: int, timeout: float = 8.0) -> Message:
        self.phone.wait(lambda: len(self.seen) >= count, timeout, f"{count} REGISTERs")
        return self.seen[count - 1]

    @property
    def contact(self) -> str:
        return uri_of(self.granted[-1].get("Contact"))

    @staticmethod
    def seconds_of(message: Message) -> int:
        return int(param(message.get("Contact"), "expires") or message.get("Expires"))
