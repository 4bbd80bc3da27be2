"""SIP messages, digest and SDP for the test phone, written apart from the engine so that a parser's fault is not mirrored.

Parsing is tolerant (RFC 3261 section 7): compact names, folded lines, comma lists. Nothing here opens a socket.
"""
from __future__ import annotations

import hashlib
import random
import re
from dataclasses import dataclass, field

COMPACT = {"i": "call-id", "f": "from", "t": "to", "v": "via", "m": "contact", "c": "content-type", "l": "content-length",
           "k": "supported", "s": "subject", "o": "event", "r": "refer-to", "b": "referred-by", "x": "session-expires",
           "e": "content-encoding"}
LISTS = {"via", "route", "record-route", "contact", "allow", "supported", "require", "unsupported", "accept"}
REASONS = {100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 202: "Accepted", 302: "Moved Temporarily",
           401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 407: "Proxy Authentication Required",
           480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 486: "Busy Here", 487: "Request Terminated",
           488: "Not Acceptable Here", 491: "Request Pending", 500: "Server Error", 501: "Not Implemented", 603: "Decline"}


class SipError(Exception):
    """A message that cannot be read at all."""


def token(length: int = 10) -> str:
    """A random word for tags, branches and Call-IDs."""
    return "".join(random.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(length))


def split_commas(text: str) -> list[str]:
    """Splits a header's value at commas that are outside quotes and angle brackets."""
    parts, depth, quoted, start = [], 0, False, 0
    for index, char in enumerate(text):
        if char == '"' and (index == 0 or text[index - 1] != "\\"):
            quoted = not quoted
        elif not quoted and char == "<":
            depth += 1
        elif not quoted and char == ">":
            depth -= 1
        elif not quoted and depth == 0 and char == ",":
            parts.append(text[start:index].strip())
            start = index + 1
    parts.append(text[start:].strip())
    return [part for part in parts if part]


@dataclass
class Message:
    """A request (`method`, `uri`) or a response (`status`, `reason`), headers in their order as (name, value)."""
    method: str = ""
    uri: str = ""
    status: int = 0
    reason: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    source: tuple = ()

    @property
    def is_request(self) -> bool:
        return self.status == 0

    def all(self, name: str) -> list[str]:
        """Every value of a header; list headers are split at their commas."""
        name = COMPACT.get(name.lower(), name.lower())
        values = [value for key, value in self.headers if COMPACT.get(key.lower(), key.lower()) == name]
        return [part for value in values for part in split_commas(value)] if name in LISTS else values

    def get(self, name: str, default: str = "") -> str:
        values = self.all(name)
        return values[0] if values else default

    def has(self, name: str) -> bool:
        return bool(self.all(name))

    def set(self, name: str, value: str) -> "Message":
        """Replaces every header of that name by one value, at the place of the first."""
        key = COMPACT.get(name.lower(), name.lower())
        kept, done = [], False
        for old, text in self.headers:
            if COMPACT.get(old.lower(), old.lower()) != key:
                kept.append((old, text))
            elif not done:
                kept.append((name, value))
                done = True
        self.headers = kept if done else kept + [(name, value)]
        return self

    def remove(self, name: str) -> "Message":
        key = COMPACT.get(name.lower(), name.lower())
        self.headers = [(old, text) for old, text in self.headers if COMPACT.get(old.lower(), old.lower()) != key]
        return self

    def add(self, name: str, value: str) -> "Message":
        self.headers.append((name, value))
        return self

    def insert(self, name: str, value: str) -> "Message":
        self.headers.insert(0, (name, value))
        return self

    def copy(self) -> "Message":
        return Message(self.method, self.uri, self.status, self.reason, list(self.headers), self.body, self.source)

    @property
    def call_id(self) -> str:
        return self.get("Call-ID")

    @property
    def cseq(self) -> int:
        match = re.match(r"\s*(\d+)", self.get("CSeq"))
        return int(match.group(1)) if match else -1

    @property
    def cseq_method(self) -> str:
        parts = self.get("CSeq").split()
        return parts[1] if len(parts) > 1 else ""

    @property
    def branch(self) -> str:
        return param(self.get("Via"), "branch")

    @property
    def from_tag(self) -> str:
        return param(self.get("From"), "tag")

    @property
    def to_tag(self) -> str:
        return param(self.get("To"), "tag")

    @property
    def sdp(self) -> "Sdp | None":
        if self.body and self.get("Content-Type").lower().startswith("application/sdp"):
            return Sdp.parse(self.body.decode("latin-1"))
        return None

    def start_line(self) -> str:
        return f"{self.method} {self.uri} SIP/2.0" if self.is_request else f"SIP/2.0 {self.status} {self.reason}"

    def encode(self) -> bytes:
        lines = [self.start_line()] + [f"{name}: {value}" for name, value in self.headers]
        if not any(COMPACT.get(name.lower(), name.lower()) == "content-length" for name, _ in self.headers):
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + self.body

    def __str__(self) -> str:
        return self.encode().decode("utf-8", "replace")


def parse(data: bytes, source: tuple = ()) -> Message:
    """Reads one message; raises SipError where there is no start line or no header."""
    data = data.lstrip(b"\r\n")
    head, _, body = data.partition(b"\r\n\r\n")
    text = re.sub(r"\r\n[ \t]+", " ", head.decode("utf-8", "surrogateescape"))
    lines = text.split("\r\n")
    message = Message(source=source)
    if lines[0].startswith("SIP/2.0 "):
        match = re.match(r"SIP/2\.0 (\d{3}) ?(.*)$", lines[0])
        if not match:
            raise SipError(f"bad status line: {lines[0]!r}")
        message.status, message.reason = int(match.group(1)), match.group(2)
    else:
        match = re.match(r"([A-Za-z0-9.!%*_+`'~-]+) (\S+) SIP/2\.0$", lines[0])
        if not match:
            raise SipError(f"bad request line: {lines[0][:80]!r}")
        message.method, message.uri = match.group(1), match.group(2)
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            raise SipError(f"header without a colon: {line[:80]!r}")
        message.headers.append((name.strip(), value.strip()))
    length = message.get("Content-Length")
    message.body = body[:int(length)] if length.isdigit() else body
    return message


def param(value: str, name: str) -> str:
    """A header parameter (`;name=value`) outside the angle brackets; empty if absent."""
    outside = re.sub(r"<[^>]*>", "", value)
    match = re.search(r";\s*" + re.escape(name) + r"\s*=\s*\"?([^;,\s\"]+)", outside, re.I)
    return match.group(1) if match else ""


def uri_of(value: str) -> str:
    """The URI of a name-addr or addr-spec, with its own parameters where it stood in brackets."""
    match = re.search(r"<([^>]*)>", value)
    return match.group(1) if match else value.split(";")[0].strip()


def host_port(uri: str, default: int = 5060) -> tuple[str, int]:
    """Where a sip: URI points to."""
    rest = re.sub(r"^sips?:", "", uri_of(uri) if "<" in uri else uri, flags=re.I)
    rest = rest.split("?")[0].split(";")[0].rpartition("@")[2]
    match = re.match(r"(\[[^\]]+\]|[^:]+)(?::(\d+))?$", rest)
    if not match:
        raise SipError(f"no host in {uri!r}")
    return match.group(1).strip("[]"), int(match.group(2) or default)


def host_text(ip: str) -> str:
    """As it stands in URIs and Via: IPv6 addresses in brackets."""
    return f"[{ip}]" if ":" in ip else ip


def user_of(uri: str) -> str:
    match = re.match(r"sips?:([^@;?]+)@", uri_of(uri) if "<" in uri else uri, re.I)
    return match.group(1).split(":")[0] if match else ""


def parse_challenge(value: str) -> dict[str, str]:
    """`Digest realm="x", nonce="y"` as a dictionary; the scheme is under `scheme`."""
    scheme, _, rest = value.strip().partition(" ")
    found = re.findall(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))', rest)
    return {"scheme": scheme, **{name.lower(): quoted or plain for name, quoted, plain in found}}


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def hashed(algorithm: str, text: str) -> str:
    return hashlib.new("sha256" if algorithm == "SHA-256" else "md5", text.encode()).hexdigest()


class Digest:
    """Answers challenges (RFC 2617, RFC 7616, qop=auth or none) and counts nc per nonce."""

    def __init__(self, user: str, password: str, algorithms: tuple[str, ...] = ("MD5",)):
        self.user, self.password, self.algorithms = user, password, algorithms
        self.counts: dict[str, int] = {}

    def choose(self, challenges: list[str]) -> str:
        """The first challenge with an algorithm that we know (RFC 8760 section 2.4), else the first of all."""
        known = (c for c in challenges if parse_challenge(c).get("algorithm", "MD5").upper() in self.algorithms)
        return next(known, challenges[0])

    def answer(self, challenge: str, method: str, uri: str, nc: int | None = None, cnonce: str | None = None) -> str:
        c = parse_challenge(challenge)
        algorithm = c.get("algorithm", "MD5").upper()
        if c["scheme"].lower() != "digest" or algorithm not in self.algorithms:
            raise SipError(f"a challenge this phone cannot answer: {challenge}")
        realm, nonce = c.get("realm", ""), c.get("nonce", "")
        ha1, ha2 = hashed(algorithm, f"{self.user}:{realm}:{self.password}"), hashed(algorithm, f"{method}:{uri}")
        fields = [f'username="{self.user}"', f'realm="{realm}"', f'nonce="{nonce}"', f'uri="{uri}"', f"algorithm={algorithm}"]
        if "auth" in re.split(r"[,\s]+", c.get("qop", "")):
            self.counts[nonce] = nc if nc is not None else self.counts.get(nonce, 0) + 1
            count, cnonce = f"{self.counts[nonce]:08x}", cnonce or token(16)
            response = hashed(algorithm, f"{ha1}:{nonce}:{count}:{cnonce}:auth:{ha2}")
            fields += ["qop=auth", f"nc={count}", f'cnonce="{cnonce}"']
        else:
            response = hashed(algorithm, f"{ha1}:{nonce}:{ha2}")
        fields.append(f'response="{response}"')
        if "opaque" in c:
            fields.append(f'opaque="{c["opaque"]}"')
        return "Digest " + ", ".join(fields)


@dataclass
class Sdp:
    """The first audio line of a session description, and the whole text."""
    text: str = ""
    address: str = ""
    port: int = 0
    profile: str = ""
    payloads: list[int] = field(default_factory=list)
    rtpmap: dict[int, str] = field(default_factory=dict)
    fmtp: dict[int, str] = field(default_factory=dict)
    direction: str = "sendrecv"
    ptime: int = 0
    origin: str = ""
    media: list[str] = field(default_factory=list)

    @staticmethod
    def parse(text: str) -> "Sdp":
        sdp, section = Sdp(text=text), "session"
        for line in re.split(r"\r?\n", text):
            kind, _, value = line.partition("=")
            if kind == "m":
                sdp.media.append(value)
                parts = value.split()
                section = "audio" if parts[0] == "audio" and section != "audio" and not sdp.profile else "other"
                if section == "audio":
                    sdp.port, sdp.profile = int(parts[1].split("/")[0]), parts[2]
                    sdp.payloads = [int(pt) for pt in parts[3:] if pt.isdigit()]
            elif section == "other":
                continue
            elif kind == "o":
                sdp.origin = value
            elif kind == "c":
                sdp.address = value.split()[-1].split("/")[0]
            elif kind == "a":
                name, _, rest = value.partition(":")
                if name in ("sendrecv", "sendonly", "recvonly", "inactive"):
                    sdp.direction = name
                elif name == "rtpmap":
                    sdp.rtpmap[int(rest.split()[0])] = rest.split()[1]
                elif name == "fmtp":
                    sdp.fmtp[int(rest.split()[0])] = rest.partition(" ")[2]
                elif name == "ptime" and rest.strip().isdigit():
                    sdp.ptime = int(rest)
        return sdp

    def name_of(self, pt: int) -> str:
        """`PCMU/8000` for a payload type, static ones included."""
        return self.rtpmap.get(pt, {0: "PCMU/8000", 8: "PCMA/8000", 9: "G722/8000", 18: "G729/8000"}.get(pt, ""))

    @property
    def event_pt(self) -> int | None:
        """The payload type of telephone-event at 8000 Hz."""
        return next((pt for pt in self.payloads if self.name_of(pt).lower() == "telephone-event/8000"), None)

    @property
    def codec_pt(self) -> int | None:
        """The first payload type that is PCMU or PCMA: what this phone can speak."""
        return next((pt for pt in self.payloads if self.name_of(pt).upper().startswith(("PCMU", "PCMA"))), None)

    @property
    def version(self) -> int:
        return int(self.origin.split()[2])


def family(address: str) -> str:
    return "IP6" if ":" in address else "IP4"


def make_sdp(address: str, port: int, codecs: tuple[str, ...] = ("PCMU", "PCMA"), event_pt: int | None = 101, ptime: int = 20,
             direction: str = "sendrecv", session: int = 1, version: int = 1, connection: str | None = None,
             extra: tuple[str, ...] = ()) -> str:
    """A description with one audio line. `codecs` are names, `PCMU:96` gives one a payload type of its own."""
    maps, pts = [], []
    for entry in codecs:
        name, _, pt = entry.partition(":")
        number = int(pt) if pt else {"PCMU": 0, "PCMA": 8, "G722": 9, "G729": 18}[name]
        pts.append(str(number))
        maps.append(f"a=rtpmap:{number} {name}/8000")
    if event_pt is not None:
        pts.append(str(event_pt))
        maps += [f"a=rtpmap:{event_pt} telephone-event/8000", f"a=fmtp:{event_pt} 0-15"]
    shown = connection or address
    lines = ["v=0", f"o=phone {session} {version} IN {family(address)} {address}", "s=-",
             f"c=IN {family(shown)} {shown}", "t=0 0",
             f"m=audio {port} RTP/AVP {' '.join(pts)}", *maps, f"a=ptime:{ptime}", f"a={direction}", *extra]
    return "\r\n".join(lines) + "\r\n"


def opposite(direction: str) -> str:
    """The widest answer to an offered direction (RFC 3264 section 6.1)."""
    return {"sendonly": "recvonly", "recvonly": "sendonly"}.get(direction, direction)
