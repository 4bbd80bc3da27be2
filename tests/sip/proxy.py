"""A registrar and stateless record-routing proxy of a hundred lines, to prove the test tools against each other.

UDP only; users with digest (MD5, qop=auth); INVITE is challenged too when `challenge_calls`.
"""
from __future__ import annotations

import hashlib
import socket
import threading

import sipmsg
from sipmsg import Message, host_port, param, parse_challenge, token, uri_of, user_of


class Proxy:
    def __init__(self, users: dict[str, str], ip: str = "127.0.0.1", port: int = 0, challenge_calls: bool = False):
        self.users, self.challenge_calls = users, challenge_calls
        self.bindings: dict[str, str] = {}
        self.registrations = 0
        self.nonces: dict[str, int] = {}
        self.errors: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((ip, port))
        self.address = self._socket.getsockname()
        self._socket.settimeout(0.2)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *_) -> None:
        self._stop.set()
        self._thread.join(2)
        self._socket.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                data, source = self._socket.recvfrom(65536)
            except OSError:
                continue
            if not data.strip(b"\r\n\0"):
                continue
            try:
                message = sipmsg.parse(data)
                self._request(message, source) if message.is_request else self._response(message)
            except (sipmsg.SipError, OSError, KeyError, ValueError) as failure:
                self.errors.append(repr(failure))

    def _send(self, message: Message, dest: tuple) -> None:
        self._socket.sendto(message.encode(), dest)

    def _mine(self, uri: str) -> bool:
        return host_port(uri) == self.address

    def _refuse(self, message: Message, status: int, headers: tuple = ()) -> None:
        if message.method == "ACK":
            return
        response = Message(status=status, reason=sipmsg.REASONS.get(status, "Refused"))
        response.headers = [("Via", via) for via in message.all("Via")]
        to = message.get("To") + ("" if message.to_tag else f";tag={sipmsg.md5(message.branch)[:8]}")
        response.headers += [("From", message.get("From")), ("To", to), ("Call-ID", message.call_id),
                             ("CSeq", message.get("CSeq")), *headers]
        self._response(response, pop=False)

    def _response(self, response: Message, pop: bool = True) -> None:
        vias = response.all("Via")
        if pop:
            vias = vias[1:]
            response.remove("Via")
            response.headers = [("Via", via) for via in vias] + response.headers
        via = vias[0]
        host, port = host_port("sip:" + via.split()[1].split(";")[0])
        self._send(response, (param(via, "received") or host, int(param(via, "rport") or port)))

    def _authorized(self, message: Message, proxy: bool) -> bool:
        """Checks the credentials; challenges and says false where there are none that count."""
        c = parse_challenge(message.get("Proxy-Authorization" if proxy else "Authorization") or "none")
        user = c.get("username", "")
        if user in self.users and c.get("nonce") in self.nonces:
            ha1 = sipmsg.md5(f"{user}:{c['realm']}:{self.users[user]}")
            ha2 = sipmsg.md5(f"{message.method}:{c['uri']}")
            expected = sipmsg.md5(f"{ha1}:{c['nonce']}:{c['nc']}:{c['cnonce']}:{c['qop']}:{ha2}")
            if expected == c["response"] and int(c["nc"], 16) > self.nonces[c["nonce"]]:
                self.nonces[c["nonce"]] = int(c["nc"], 16)
                return True
        nonce = token(20)
        self.nonces[nonce] = 0
        challenge = f'Digest realm="test", nonce="{nonce}", qop="auth", algorithm=MD5, opaque="o{token(6)}"'
        self._refuse(message, 407 if proxy else 401, (("Proxy-Authenticate" if proxy else "WWW-Authenticate", challenge),))
        return False

    def _register(self, message: Message) -> None:
        if not self._authorized(message, proxy=False):
            return
        user, contact = user_of(message.get("To")), message.get("Contact")
        expires = param(contact, "expires") or message.get("Expires", "3600")
        if expires == "0":
            self.bindings.pop(user, None)
        elif contact:
            self.bindings[user] = uri_of(contact)
            self.registrations += 1
        self._refuse(message, 200, (("Contact", f"<{uri_of(contact)}>;expires={expires}"),) if expires != "0" else ())

    def _request(self, message: Message, source: tuple) -> None:
        via = message.all("Via")[0]
        rest = message.all("Via")[1:]
        if param(via, "rport") == "" and "rport" in via:
            via = via.replace(";rport", f";rport={source[1]};received={source[0]}", 1)
        message.remove("Via")
        message.headers = [("Via", value) for value in (via, *rest)] + message.headers
        if message.method == "REGISTER":
            self._register(message)
            return
        routes = message.all("Route")
        if routes and self._mine(routes[0]):
            routes = routes[1:]
            message.remove("Route")
            for route in routes:
                message.insert("Route", route)
        elif self._mine(message.uri):
            user = user_of(message.uri)
            if message.method == "OPTIONS" and not user:
                self._refuse(message, 200)
                return
            if message.method == "INVITE" and self.challenge_calls and not self._authorized(message, proxy=True):
                return
            if user not in self.bindings:
                self._refuse(message, 404)
                return
            message.uri = self.bindings[user]
        if message.method == "INVITE":
            message.insert("Record-Route", f"<sip:{self.address[0]}:{self.address[1]};lr>")
        branch = "z9hG4bK" + hashlib.md5(via.encode() + message.cseq.to_bytes(4, "big")).hexdigest()
        message.insert("Via", f"SIP/2.0/UDP {self.address[0]}:{self.address[1]};branch={branch}")
        self._send(message, host_port(routes[0] if routes else message.uri))
