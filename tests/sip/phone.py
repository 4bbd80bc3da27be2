"""A SIP phone for tests and for the demonstration: registers, calls, is called, holds, transfers, and misbehaves on demand.

Independent of the engine's code on purpose. One thread receives and runs the timers; test code calls the blocking methods
from its own thread. Every wait has a limit and fails with the trace of messages (`WaitFailed`).

    with Phone("alice", server=("127.0.0.1", 5060), password="secret") as alice:
        alice.register()
        call = alice.call("100")
        call.wait_answered()
        call.send_digits("1")
        call.hang_up()
"""
from __future__ import annotations

import heapq
import itertools
import random
import re
import socket
import threading
import time
from typing import Callable

import sipmsg
from call import Call
from rtp import readable
from sipmsg import Digest, Message, SipError, host_port, host_text, token

T1, T2 = 0.5, 4.0
ALLOW = "INVITE, ACK, BYE, CANCEL, OPTIONS, NOTIFY, REFER, INFO, UPDATE, PRACK, MESSAGE"


class WaitFailed(AssertionError):
    """What was waited for did not come in time; the text ends with the phone's trace."""


class ClientTransaction:
    """A request of ours and what came back. Never forgotten, so that a late 2xx still finds its ACK."""

    def __init__(self, request: Message, dest: tuple, transport: str, on_response: Callable | None):
        self.request, self.dest, self.transport, self.on_response = request, dest, transport, on_response
        self.responses: list[Message] = []
        self.final: Message | None = None
        self.ack: Message | None = None
        self.resend_ack = True
        self.stopped = False


class ServerTransaction:
    """A request of the peer and our last response to it, repeated when the request is."""

    def __init__(self, request: Message):
        self.request = request
        self.response: Message | None = None
        self.acked = False
        self.copies = 1


class Phone:
    def __init__(self, user: str, server: tuple[str, int] = ("127.0.0.1", 5060), password: str = "", transport: str = "udp",
                 ip: str = "127.0.0.1", port: int = 0, loss: float = 0.0, rtp_loss: float = 0.0, seed: int = 1,
                 auth_user: str = "", domain: str = "", algorithms: tuple[str, ...] = ("MD5",),
                 takes_tcp: bool = True):
        self.user, self.server, self.transport, self.ip = user, server, transport, ip
        self.digest = Digest(auth_user or user, password, algorithms) if password else None
        self.host = host_text(ip)
        self.domain = domain or f"{host_text(server[0])}:{server[1]}"
        self.loss, self.rtp_loss, self.seed = loss, rtp_loss, seed
        self.calls: list[Call] = []
        self.incoming: list[Call] = []
        self.messages: list[Message] = []      # everything received, in order
        self.garbled: list[bytes] = []
        self.trace: list[str] = []
        self.register_call_id, self.register_cseq = f"reg-{token()}", 0
        self.on_call: Callable[[Call], None] | None = None            # runs on the phone's thread: must not block
        self.on_request: Callable[[Message], bool] | None = None      # true: handled, nothing else is done
        self.contact_parameters = ""
        self._random = random.Random(seed)
        self._client: dict[tuple[str, str], ClientTransaction] = {}
        self._server: dict[tuple[str, str], ServerTransaction] = {}
        self._changed = threading.Condition(threading.RLock())
        self._timers: list[tuple[float, int, Callable]] = []
        self._count = itertools.count()
        self._began = time.monotonic()
        self._takes_tcp = takes_tcp
        self._open(port)
        self._stop = False
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"phone-{user}")
        self._thread.start()

    def __enter__(self) -> "Phone":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Ends what is left of its calls without waiting, and closes the sockets."""
        with self._changed:
            for call in self.calls:
                call.abandon()
            self._stop = True
        self._wake_write.send(b"x")
        self._thread.join(5)
        for call in self.calls:
            call.close_media()
        for sock in [self._udp, self._listener, self._wake_read, self._wake_write, *self._streams]:
            sock.close()

    # --- sockets --------------------------------------------------------------------------------------------------------------

    def _open(self, port: int) -> None:
        for attempt in range(50):
            family = socket.AF_INET6 if ":" in self.ip else socket.AF_INET
            self._udp = socket.socket(family, socket.SOCK_DGRAM)
            self._listener = socket.socket(family, socket.SOCK_STREAM)
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                self._udp.bind((self.ip, port))
                self.port = self._udp.getsockname()[1]
                self._listener.bind((self.ip, self.port))
                break
            except OSError:
                self._udp.close()
                self._listener.close()
                if port or attempt == 49:
                    raise
        self._udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        if self._takes_tcp:
            self._listener.listen(8)
        self._wake_read, self._wake_write = socket.socketpair()
        self._streams: dict[socket.socket, bytes] = {}
        self._by_peer: dict[tuple, socket.socket] = {}

    @property
    def contact_uri(self) -> str:
        return f"sip:{self.user}@{self.host}:{self.port}" + (";transport=tcp" if self.transport == "tcp" else "")

    @property
    def aor(self) -> str:
        return f"sip:{self.user}@{self.domain}"

    def note(self, direction: str, text: str) -> None:
        self.trace.append(f"{time.monotonic() - self._began:8.3f} {self.user} {direction}\n{text}")

    def send_raw(self, data: bytes, dest: tuple | None = None, transport: str = "", stream: socket.socket | None = None) -> None:
        """Any bytes to anywhere; loss applies to UDP."""
        dest, transport = dest or self.server, transport or self.transport
        text = data.decode("utf-8", "replace")[:4000]
        if transport == "udp":
            dropped = self.loss and self._random.random() * 100 < self.loss
            self.note(f"-> {dest} {'(dropped)' if dropped else ''}", text)
            if not dropped:
                self._udp.sendto(data, dest)
            return
        self.note(f"-> {dest} tcp", text)
        with self._changed:
            stream = stream if stream in self._streams else self._by_peer.get(dest)
            if stream is None:
                stream = socket.create_connection(dest, 3)
                self._streams[stream], self._by_peer[dest] = b"", stream
                self._wake_write.send(b"x")
        stream.sendall(data)

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._stop:
                    return
                now = time.monotonic()
                while self._timers and self._timers[0][0] <= now:
                    heapq.heappop(self._timers)[2]()
                pause = min(self._timers[0][0] - now, 1.0) if self._timers else 1.0
                streams = list(self._streams)
            try:
                listener = [self._listener] if self._takes_tcp else []
                ready = readable([self._udp, *listener, self._wake_read, *streams], max(0.0, pause))
            except OSError:
                continue
            for sock in ready:
                self._read(sock)

    def _read(self, sock: socket.socket) -> None:
        try:
            if sock is self._wake_read:
                sock.recv(64)
            elif sock is self._listener:
                stream, peer = sock.accept()
                self._streams[stream], self._by_peer[peer] = b"", stream
            elif sock is self._udp:
                data, source = sock.recvfrom(65536)
                dropped = self.loss and self._random.random() * 100 < self.loss
                self.note(f"<- {source} {'(dropped)' if dropped else ''}", data.decode("utf-8", "replace"))
                if not dropped and data.strip(b"\r\n\0"):
                    self._take(data, ("udp", source, None))
            else:
                data = sock.recv(65536)
                if not data:
                    self._forget(sock)
                    return
                self._streams[sock] += data
                self._cut(sock)
        except OSError as failure:
            self.note("!!", str(failure))
            if sock in self._streams:
                self._forget(sock)

    def _forget(self, stream: socket.socket) -> None:
        with self._changed:
            self._streams.pop(stream, None)
            self._by_peer = {peer: s for peer, s in self._by_peer.items() if s is not stream}
            stream.close()
            self._changed.notify_all()

    def _cut(self, stream: socket.socket) -> None:
        """Messages out of a TCP stream by their Content-Length."""
        peer = stream.getpeername()
        while True:
            buffer = self._streams[stream].lstrip(b"\r\n")
            head, separator, _ = buffer.partition(b"\r\n\r\n")
            length = re.search(rb"\r\n(?:content-length|l)[ \t]*:[ \t]*(\d+)", head, re.I)
            size = len(head) + 4 + int(length.group(1) if length else 0)
            if not separator or len(buffer) < size:
                self._streams[stream] = buffer
                return
            self._streams[stream] = buffer[size:]
            self.note(f"<- {peer} tcp", buffer[:size].decode("utf-8", "replace"))
            self._take(buffer[:size], ("tcp", peer, stream))

    # --- waiting --------------------------------------------------------------------------------------------------------------

    def later(self, seconds: float, action: Callable) -> None:
        """Runs on the phone's thread."""
        with self._changed:
            heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._count), action))
            self._wake_write.send(b"x")

    def wait(self, condition: Callable, timeout: float, what: str):
        """The first true value of `condition()`; WaitFailed with the trace when the time is over."""
        with self._changed:
            value = self._changed.wait_for(condition, timeout)
        if not value:
            raise WaitFailed(f"{self.user}: no {what} within {timeout} s\n{self.trace_text()}")
        return value

    def trace_text(self, last: int = 40) -> str:
        return "\n".join(self.trace[-last:])

    def wait_message(self, condition: Callable[[Message], bool], timeout: float = 5.0, what: str = "message",
                     since: int = 0) -> Message:
        """The first received message for which the condition holds, beginning with number `since` of `messages`."""
        return self.wait(lambda: next((m for m in self.messages[since:] if condition(m)), None), timeout, what)

    def wait_call(self, timeout: float = 5.0) -> Call:
        """The next incoming call that no `wait_call` has returned yet."""
        self.wait(lambda: self.incoming, timeout, "incoming call")
        with self._changed:
            return self.incoming.pop(0)

    # --- sending requests -----------------------------------------------------------------------------------------------------

    def via(self, branch: str = "") -> str:
        return f"SIP/2.0/{self.transport.upper()} {self.host}:{self.port};branch={branch or 'z9hG4bK' + token(16)};rport"

    def build(self, method: str, uri: str = "", to: str = "", call_id: str = "", cseq: int = 1, from_tag: str = "",
              branch: str = "", headers: tuple[tuple[str, str], ...] = (), body: str | bytes = b"",
              content_type: str = "") -> Message:
        """A complete request outside of any dialog, ready to be spoilt and sent."""
        uri = uri or f"sip:{self.domain}"
        message = Message(method, uri, headers=[
            ("Via", self.via(branch)), ("Max-Forwards", "70"), ("From", f"<{self.aor}>;tag={from_tag or token()}"),
            ("To", to or f"<{uri}>"), ("Call-ID", call_id or f"{token(16)}@{self.host}"), ("CSeq", f"{cseq} {method}")])
        if method not in ("CANCEL", "ACK", "BYE"):
            message.add("Contact", f"<{self.contact_uri}>")
        message.headers += list(headers)
        message.body = body.encode() if isinstance(body, str) else body
        if message.body:
            message.add("Content-Type", content_type or "application/sdp")
        return message

    def send(self, message: Message, dest: tuple | None = None, transport: str = "") -> Message:
        """Sends a built request as it is: no retransmission, no transaction."""
        self.send_raw(message.encode(), dest, transport)
        return message

    def exchange(self, message: Message, timeout: float = 5.0, final: bool = True, dest: tuple | None = None) -> Message:
        """Sends a built request once and gives the (final) response with its branch. A refusal of an INVITE is acknowledged."""
        with self._changed:
            since = len(self.messages)
        self.send(message, dest)
        answer = self.wait_message(lambda m: not m.is_request and m.branch == message.branch and (m.status >= 200 or not final),
                                   timeout, f"response to {message.start_line()[:100]}", since)
        if message.method == "INVITE" and answer.status >= 300:
            self.send(self.ack_of(message, answer), dest)
        return answer

    @staticmethod
    def ack_of(invite: Message, response: Message) -> Message:
        """The hop-by-hop ACK to a refusal (RFC 3261 section 17.1.1.3)."""
        ack = Message("ACK", invite.uri, headers=[(n, v) for n, v in invite.headers
                                                  if n in ("Via", "Max-Forwards", "From", "Call-ID", "Route")])
        return ack.add("To", response.get("To")).add("CSeq", f"{invite.cseq} ACK")

    def start(self, request: Message, dest: tuple | None = None, on_response: Callable | None = None) -> ClientTransaction:
        """A client transaction with its retransmissions (RFC 3261 section 17.1). `on_response` runs on the phone's thread."""
        transport = "tcp" if "/TCP" in request.get("Via").upper() else "udp"
        transaction = ClientTransaction(request, dest or self.server, transport, on_response)
        with self._changed:
            self._client[(request.branch, request.method)] = transaction
        self._repeat_request(transaction, T1)
        return transaction

    def _repeat_request(self, transaction: ClientTransaction, interval: float) -> None:
        done = transaction.final or transaction.stopped or (transaction.request.method == "INVITE" and transaction.responses)
        if done or self._stop or interval > 40:
            return
        self.send_raw(transaction.request.encode(), transaction.dest, transaction.transport)
        if transaction.transport == "udp":
            following = interval * 2 if transaction.request.method == "INVITE" else min(interval * 2, T2)
            self.later(interval, lambda: self._repeat_request(transaction, following))

    def finish(self, transaction: ClientTransaction, timeout: float = 10.0) -> Message:
        return self.wait(lambda: transaction.final, timeout, f"final response to {transaction.request.start_line()}")

    def request(self, message: Message, timeout: float = 10.0, dest: tuple | None = None, authenticate: bool = True) -> Message:
        """Sends a request by a transaction, answers 401/407 (once, and once more for stale=true), gives the final response."""
        answer = self.finish(self.start(message, dest), timeout)
        tries = 2
        while authenticate and self.digest and answer.status in (401, 407) and tries:
            challenge = answer.get("WWW-Authenticate" if answer.status == 401 else "Proxy-Authenticate")
            if message.has("Authorization") or message.has("Proxy-Authorization"):
                if sipmsg.parse_challenge(challenge).get("stale", "").lower() != "true":
                    break
            message = self.authorized(message, answer)
            answer = self.finish(self.start(message, dest), timeout)
            tries -= 1
        return answer

    def authorized(self, message: Message, answer: Message) -> Message:
        """The next attempt: same Call-ID, CSeq + 1, new branch, credentials (RFC 3261 section 22.2)."""
        assert self.digest
        again = message.copy().set("CSeq", f"{message.cseq + 1} {message.method}")
        again.headers[0] = ("Via", self.via())
        if message.method == "REGISTER":
            self.register_cseq = max(self.register_cseq, again.cseq)
        for challenge, credentials in (("WWW-Authenticate", "Authorization"), ("Proxy-Authenticate", "Proxy-Authorization")):
            if answer.has(challenge):
                again.set(credentials, self.digest.answer(self.digest.choose(answer.all(challenge)), message.method, message.uri))
        return again

    def build_register(self, expires: int | None = 60, contact: str | None = None, headers: tuple = ()) -> Message:
        """A REGISTER of this phone's series (one Call-ID, rising CSeq)."""
        self.register_cseq += 1
        message = self.build("REGISTER", f"sip:{self.domain}", to=f"<{self.aor}>", call_id=self.register_call_id,
                             cseq=self.register_cseq, headers=headers)
        message.set("Contact", contact if contact is not None else f"<{self.contact_uri}>{self.contact_parameters}")
        if contact == "":
            message.remove("Contact")
        return message if expires is None else message.add("Expires", str(expires))

    def register(self, expires: int | None = 60, contact: str | None = None, timeout: float = 10.0,
                 expect: int | None = 200) -> Message:
        """The final response; fails if it is not the expected one."""
        answer = self.request(self.build_register(expires, contact), timeout)
        if expect is not None and answer.status != expect:
            raise WaitFailed(f"{self.user}: REGISTER got {answer.status} {answer.reason}, not {expect}\n{self.trace_text()}")
        return answer

    def unregister(self, contact: str | None = None) -> Message:
        return self.register(expires=0, contact=contact)

    def options(self, uri: str = "", timeout: float = 5.0) -> Message:
        return self.request(self.build("OPTIONS", uri), timeout)

    def call(self, target: str, **options) -> Call:
        """Sends an INVITE to a number or a sip: URI and returns at once; options as for `Call.dial`."""
        call = Call(self)
        with self._changed:
            self.calls.append(call)
        call.dial(target if target.startswith(("sip:", "sips:", "tel:")) else f"sip:{target}@{self.domain}", **options)
        return call

    # --- receiving ------------------------------------------------------------------------------------------------------------

    def _take(self, data: bytes, source: tuple) -> None:
        try:
            message = sipmsg.parse(data, source)
        except SipError as failure:
            self.note("!! not SIP:", str(failure))
            self.garbled.append(data)
            return
        with self._changed:
            self.messages.append(message)
            try:
                self._request(message) if message.is_request else self._response(message)
            except Exception as failure:  # noqa: BLE001: a peer's nonsense must not end this thread; the trace tells
                self.note("!! cannot be handled:", repr(failure))
            finally:
                self._changed.notify_all()

    def _response(self, message: Message) -> None:
        transaction = self._client.get((message.branch, message.cseq_method))
        if not transaction:
            return
        transaction.responses.append(message)
        if message.status >= 300 and message.cseq_method == "INVITE":
            if transaction.ack is None:
                transaction.ack = self.ack_of(transaction.request, message)
            if transaction.resend_ack:
                self.send_raw(transaction.ack.encode(), transaction.dest, transaction.transport)
        first = transaction.final is None
        if message.status >= 200 and first:
            transaction.final = message
        if transaction.on_response and (first or message.status // 100 == 2):
            transaction.on_response(transaction, message)

    def reply(self, request: Message, status: int, reason: str = "", to_tag: str = "", headers: tuple = (), body: str = "",
              repeat: bool = True) -> Message:
        """A response on the request's transaction. Finals to INVITE are repeated over UDP until the ACK (section 13.3.1.4)."""
        response = Message(status=status, reason=reason or sipmsg.REASONS.get(status, "Unknown"))
        response.headers = [("Via", value) for value in request.all("Via")]
        response.headers += [("Record-Route", value) for value in request.all("Record-Route")]
        to = request.get("To")
        if status > 100 and not sipmsg.param(to, "tag"):
            to += f";tag={to_tag or token()}"
        response.headers += [("From", request.get("From")), ("To", to), ("Call-ID", request.call_id),
                             ("CSeq", request.get("CSeq"))]
        response.headers += list(headers)
        if body:
            response.add("Content-Type", "application/sdp")
            response.body = body.encode()
        with self._changed:
            transaction = self._server.get((request.branch, request.method))
            if transaction:
                transaction.response = response
        self._send_response(request, response)
        if transaction and repeat and request.method == "INVITE" and status >= 200:
            self.later(T1, lambda: self._repeat_response(transaction, response, T1, time.monotonic()))
        return response

    def _send_response(self, request: Message, response: Message) -> None:
        transport, source, stream = request.source
        self.send_raw(response.encode(), source, transport, stream)

    def _repeat_response(self, transaction: ServerTransaction, response: Message, interval: float, began: float) -> None:
        if transaction.acked or transaction.response is not response or time.monotonic() - began > 64 * T1 or self._stop:
            return
        self._send_response(transaction.request, response)
        following = min(interval * 2, T2)
        self.later(following, lambda: self._repeat_response(transaction, response, following, began))

    def find_call(self, message: Message) -> Call | None:
        return next((c for c in self.calls if c.call_id == message.call_id and c.owns(message)), None)

    def _request(self, message: Message) -> None:
        if message.method == "ACK":
            transaction = self._server.get((message.branch, "INVITE"))
            if transaction and transaction.response and transaction.response.status >= 300:
                transaction.acked = True
            if (call := self.find_call(message)):
                call.take_ack(message)
            return
        key = (message.branch, message.method)
        if key in self._server:
            self._server[key].copies += 1
            if self._server[key].response:
                self._send_response(message, self._server[key].response)  # type: ignore[arg-type]
            return
        self._server[key] = ServerTransaction(message)
        if self.on_request and self.on_request(message):
            return
        if message.method == "CANCEL":
            invite = self._server.get((message.branch, "INVITE"))
            call = next((c for c in self.calls if invite and c.incoming_invite is invite.request), None)
            self.reply(message, 200 if call else 481)
            if call:
                call.take_cancel(message)
            return
        call = self.find_call(message)
        if call:
            call.take_request(message)
        elif message.method == "INVITE" and not message.to_tag:
            call = Call(self, message)
            self.calls.append(call)
            self.incoming.append(call)
            if self.on_call:
                self.on_call(call)
        elif message.method == "OPTIONS" and not message.to_tag:
            self.reply(message, 200, headers=(("Allow", ALLOW), ("Accept", "application/sdp")))
        else:
            self.reply(message, 481 if message.to_tag else 405, headers=() if message.to_tag else (("Allow", ALLOW),))

    def mark_acked(self, invite: Message) -> None:
        """The ACK to a 2xx has a branch of its own; the dialog finds its INVITE."""
        if (transaction := self._server.get((invite.branch, "INVITE"))):
            transaction.acked = True

    def target_address(self, route_set: list[str], target: str) -> tuple:
        return host_port(route_set[0] if route_set else target)
