"""One dialog of the test phone with its media: made by `Phone.call` or by an incoming INVITE. See phone.py.

Methods named `take_…` run on the phone's thread; the others belong to the test. Whatever a test wants done wrongly is an
option: `withhold_ack`, `on_offer`, `respond` with a foreign tag.
"""
from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Callable

import sipmsg
from rtp import RtpStream
from sipmsg import Message, Sdp, make_sdp, opposite, token, uri_of

if TYPE_CHECKING:
    from phone import ClientTransaction, Phone


class Call:
    def __init__(self, phone: "Phone", invite: Message | None = None):
        self.phone = phone
        self.incoming_invite = invite
        self.state = "incoming" if invite else "calling"   # ringing, answered, ended
        self.ended_by = ""                                 # local, remote, refused, cancelled
        self.end_message: Message | None = None            # the BYE, CANCEL or refusal that ended it
        self.call_id = invite.call_id if invite else f"{token(16)}@{phone.host}"
        self.local_tag = token()
        self.other_tags: set[str] = set()                  # further To tags that a forking test answered with
        self.remote_tag = invite.from_tag if invite else ""
        self.remote_target = uri_of(invite.get("Contact")) if invite else ""
        self.route_set: list[str] = invite.all("Record-Route") if invite else []
        self.local_uri = uri_of(invite.get("To")) if invite else phone.aor
        self.remote_uri = uri_of(invite.get("From")) if invite else ""
        self.cseq = 0
        self.responses: list[Message] = []                 # to our INVITE, challenges included
        self.final: Message | None = None
        self.acks: list[Message] = []
        self.notifies: list[Message] = []
        self.infos: list[Message] = []
        self.refers: list[Message] = []
        self.reinvites: list[Message] = []                 # received
        self.forks: list[Message] = []                     # further 2xx with another tag; ACKed and ended by BYE
        self.withhold_ack = False
        self.withhold_notify_answer = False
        self.auto_bye_forks = True
        # What to do with an offer in a re-INVITE: a status to refuse it, or None to accept it.
        self.on_offer: Callable[[Message], int | None] | None = None
        self.on_refer: Callable[[Message], int] | None = None
        self.media: dict = {}
        self.direction, self.connection = "sendrecv", None
        self.sdp_version, self.sdp_session = 1, int(time.time() * 1000) % 10 ** 9
        self.remote_sdp: Sdp | None = invite.sdp if invite else None
        self.local_sdp = ""
        self.rtp = RtpStream(phone.ip, phone.rtp_loss, phone.seed)
        self._transaction: "ClientTransaction | None" = None
        self._reinvite: "ClientTransaction | None" = None
        self._late_offer = False
        self._cancelled = False
        self._attempts = 0
        self._last_ack: dict[str, Message] = {}

    # --- media ----------------------------------------------------------------------------------------------------------------

    def _describe(self, **changes) -> str:
        """Our SDP: the options given to `dial` or `answer`, with direction and connection as they are now."""
        options = {"direction": self.direction, "connection": self.connection, "session": self.sdp_session,
                   "version": self.sdp_version, **self.media, **changes}
        self.sdp_version += 1
        self.local_sdp = make_sdp(self.phone.ip, self.rtp.port, **options)
        mine = Sdp.parse(self.local_sdp)
        self.rtp.ptime = mine.ptime / 1000
        self.rtp.codecs = {pt: mine.name_of(pt).split("/")[0].upper() for pt in mine.payloads
                           if mine.name_of(pt).upper().startswith(("PCMU", "PCMA"))}
        self.rtp.event_pts = {mine.event_pt} if mine.event_pt is not None else set()
        return self.local_sdp

    def _answer_sdp(self) -> str:
        """An answer to `remote_sdp`: its payload types, the codecs that both have, the direction mirrored."""
        offer = self.remote_sdp
        assert offer is not None
        mine = [entry.partition(":")[0] for entry in self.media.get("codecs", ("PCMU", "PCMA"))]
        shared = [f"{offer.name_of(pt).split('/')[0].upper()}:{pt}" for pt in offer.payloads
                  if offer.name_of(pt).split("/")[0].upper() in mine]
        direction = opposite(offer.direction)
        if self.direction in ("sendonly", "inactive"):   # our own hold stays
            direction = "sendonly" if direction in ("sendrecv", "sendonly") and self.direction == "sendonly" else "inactive"
        elif self.direction == "recvonly":
            direction = "recvonly" if direction in ("sendrecv", "recvonly") else "inactive"
        return self._describe(codecs=tuple(shared), event_pt=self.media.get("event_pt", offer.event_pt) and offer.event_pt,
                              direction=direction)

    def _use(self, remote: Sdp | None) -> None:
        """Sends to where the peer's SDP says, as it says; nothing while held."""
        if remote is None:
            return
        self.remote_sdp = remote
        mine = {name for name in self.rtp.codecs.values()} if self.local_sdp else set()
        pt = next((p for p in remote.payloads if remote.name_of(p).split("/")[0].upper() in mine), remote.codec_pt)
        if pt is None or remote.port == 0:
            self.rtp.sending = False
            return
        self.rtp.send_pt, self.rtp.codec = pt, remote.name_of(pt).split("/")[0].upper()
        self.rtp.event_send_pt = remote.event_pt
        mine = Sdp.parse(self.local_sdp).direction if self.local_sdp else "sendrecv"
        may_send = remote.direction in ("sendrecv", "recvonly") and mine in ("sendrecv", "sendonly")
        if may_send and remote.address != "0.0.0.0":
            self.rtp.start((remote.address, remote.port))
        else:
            self.rtp.sending = False

    def close_media(self) -> None:
        self.rtp.close()

    def send_digits(self, digits: str, seconds: float = 0.1, gap: float = 0.1, timeout: float = 15.0) -> None:
        """Presses keys by RFC 4733, one after the other, and returns when the last end packet is out."""
        for digit in digits:
            self.rtp.send_digit(digit, seconds)
            limit = time.monotonic() + timeout
            while self.rtp.digits_pending and time.monotonic() < limit:
                time.sleep(0.005)
            if self.rtp.digits_pending:
                raise AssertionError(f"digit {digit} was not sent: on hold, or no peer\n{self.phone.trace_text()}")
            time.sleep(gap)

    def wait_digits(self, digits: str, timeout: float = 5.0) -> None:
        if not self.rtp.wait(lambda: "".join(self.rtp.digits) == digits, timeout):
            raise AssertionError(f"{self.phone.user} received digits {''.join(self.rtp.digits)!r}, not {digits!r}")

    def listen(self, seconds: float):
        """The audio of the next seconds, as samples."""
        since = self.rtp.mark()
        time.sleep(seconds)
        return self.rtp.heard(since)

    # --- outgoing -------------------------------------------------------------------------------------------------------------

    def dial(self, uri: str, late_offer: bool = False, body: str | bytes | None = None, content_type: str = "application/sdp",
             headers: tuple[tuple[str, str], ...] = (), withhold_ack: bool = False, **media) -> None:
        """Sends the INVITE. `media` are options of `make_sdp`; `late_offer` leaves the SDP to the ACK; `body` replaces it."""
        self.remote_uri, self.withhold_ack, self.media, self._late_offer = uri, withhold_ack, media, late_offer
        self.direction = self.media.pop("direction", "sendrecv")
        offer = "" if late_offer else (self._describe() if body is None else body)
        self.cseq = 1
        invite = self.phone.build("INVITE", uri, call_id=self.call_id, cseq=1, from_tag=self.local_tag, headers=headers,
                                  body=offer, content_type=content_type)
        with self.phone._changed:  # a challenge may come, and be answered, before start() returns
            self._transaction = self.phone.start(invite, on_response=self.take_response)

    def take_response(self, transaction: "ClientTransaction", response: Message) -> None:
        self.responses.append(response)
        if response.status < 200:
            if response.status > 100:
                self.state = "ringing"
                self.remote_tag = response.to_tag
                self.remote_target = uri_of(response.get("Contact")) or self.remote_target
                self.route_set = response.all("Record-Route")[::-1]
                if not self._late_offer:
                    self._use(response.sdp)
            if self._cancelled and not getattr(transaction, "cancel_sent", False):
                self._send_cancel(transaction)
        elif response.status < 300:
            self._take_success(response)
        elif response.status in (401, 407) and self.phone.digest and self._attempts < 2 and not self._cancelled:
            self._attempts += 1
            again = self.phone.authorized(transaction.request, response)
            self.cseq = again.cseq
            self._transaction = self.phone.start(again, on_response=self.take_response)
        else:
            self.final = response
            self._end("cancelled" if self._cancelled and response.status == 487 else "refused", response)

    def _take_success(self, response: Message) -> None:
        tag = response.to_tag
        if tag in self._last_ack:
            self.phone.send_raw(self._last_ack[tag].encode(), self._destination(response))
            return
        if self.final is not None and self.final.to_tag != tag:
            self.forks.append(response)
            self._acknowledge(response)
            if self.auto_bye_forks:
                bye = self._in_dialog("BYE", response)
                self.phone.start(bye, self._destination(response))
            return
        if self.final is not None:
            return  # a repeated 2xx whose ACK is withheld
        self.final, self.remote_tag = response, tag
        self.remote_target = uri_of(response.get("Contact")) or self.remote_target
        self.route_set = response.all("Record-Route")[::-1]
        if self.state != "ended":
            self.state = "answered"
        if self._late_offer:
            self.remote_sdp = response.sdp
            self._acknowledge(response, self._answer_sdp() if response.sdp else "")
        else:
            self._acknowledge(response)
        if response.sdp:
            self._use(response.sdp)
        if self._cancelled:  # the 200 crossed our CANCEL (RFC 3261 section 9.1): it is a call, to be ended
            self.phone.start(self._in_dialog("BYE"), self._destination())
            self._end("cancelled", response)

    def _acknowledge(self, response: Message, sdp: str = "") -> None:
        if self.withhold_ack:
            return
        ack = self._in_dialog("ACK", response, cseq=response.cseq, body=sdp)
        for name in ("Authorization", "Proxy-Authorization"):
            if self._transaction and self._transaction.request.has(name):
                ack.add(name, self._transaction.request.get(name))
        self._last_ack[response.to_tag] = ack
        self.phone.send_raw(ack.encode(), self._destination(response))

    def acknowledge_now(self) -> None:
        """The ACK that was withheld."""
        self.withhold_ack = False
        assert self.final
        self._acknowledge(self.final)

    def cancel(self) -> None:
        """CANCEL as soon as a provisional response is there (section 9.1). If a 200 wins, it is acknowledged and ended."""
        with self.phone._changed:
            self._cancelled = True
            if self._transaction and self._transaction.responses and not self._transaction.final:
                self._send_cancel(self._transaction)
            elif self.state == "answered":
                self.hang_up(wait=False)

    def _send_cancel(self, transaction: "ClientTransaction") -> None:
        transaction.cancel_sent = True  # type: ignore[attr-defined]
        invite = transaction.request
        cancel = Message("CANCEL", invite.uri, headers=[(n, v) for n, v in invite.headers
                                                        if n in ("Via", "Max-Forwards", "From", "To", "Call-ID", "Route")])
        self.cancel_transaction = self.phone.start(cancel.add("CSeq", f"{invite.cseq} CANCEL"), transaction.dest)

    # --- waiting --------------------------------------------------------------------------------------------------------------

    def wait_status(self, status: int, timeout: float = 5.0) -> Message:
        """A response of that status to our INVITE."""
        return self.phone.wait(lambda: next((r for r in self.responses if r.status == status), None), timeout,
                               f"{status} response")

    def wait_ringing(self, timeout: float = 5.0) -> Message:
        return self.phone.wait(lambda: next((r for r in self.responses if 100 < r.status < 200), None), timeout, "18x response")

    def wait_answered(self, timeout: float = 10.0) -> "Call":
        self.phone.wait(lambda: self.state in ("answered", "ended") and (self.acks or not self.incoming_invite or
                        self.state == "ended"), timeout, "answer")
        if self.state != "answered":
            raise AssertionError(f"{self.phone.user}: the call ended ({self.ended_by}) before it was answered\n"
                                 f"{self.phone.trace_text()}")
        return self

    def wait_final(self, timeout: float = 10.0) -> Message:
        """The final response to our INVITE, whatever it is."""
        return self.phone.wait(lambda: self.final, timeout, "final response")

    def wait_ended(self, timeout: float = 10.0) -> Message | None:
        """The message that ended the call."""
        self.phone.wait(lambda: self.state == "ended", timeout, "end of the call")
        return self.end_message

    def _end(self, by: str, message: Message | None = None) -> None:
        if self.state != "ended":
            self.state, self.ended_by, self.end_message = "ended", by, message
        self.rtp.sending = False

    # --- in the dialog --------------------------------------------------------------------------------------------------------

    def owns(self, message: Message) -> bool:
        """The tags are those of this dialog; an INVITE without To tag is a new call."""
        mine, theirs = (message.to_tag, message.from_tag) if message.is_request else (message.from_tag, message.to_tag)
        return (mine == self.local_tag or mine in self.other_tags) and (not self.remote_tag or theirs == self.remote_tag or
                                                                        bool(self.forks))

    def _in_dialog(self, method: str, response: Message | None = None, cseq: int | None = None, body: str = "",
                   headers: tuple = (), content_type: str = "application/sdp", local_tag: str = "") -> Message:
        """A request of this dialog; with `response`, of the dialog which that 2xx made."""
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        target = uri_of(response.get("Contact")) if response else self.remote_target
        remote_tag = response.to_tag if response else self.remote_tag
        routes = response.all("Record-Route")[::-1] if response else self.route_set
        message = Message(method, target or self.remote_uri, headers=[
            ("Via", self.phone.via()), *[("Route", route) for route in routes], ("Max-Forwards", "70"),
            ("From", f"<{self.local_uri}>;tag={local_tag or self.local_tag}"),
            ("To", f"<{self.remote_uri}>" + (f";tag={remote_tag}" if remote_tag else "")),
            ("Call-ID", self.call_id), ("CSeq", f"{cseq} {method}")])
        if method in ("INVITE", "REFER", "UPDATE", "SUBSCRIBE", "NOTIFY"):
            message.add("Contact", f"<{self.phone.contact_uri}>")
        message.headers += list(headers)
        if body:
            message.add("Content-Type", content_type)
            message.body = body.encode()
        return message

    def _destination(self, response: Message | None = None) -> tuple:
        if self.phone.transport == "tcp":
            return self.phone.server
        if response:
            return self.phone.target_address(response.all("Record-Route")[::-1],
                                             uri_of(response.get("Contact")) or self.remote_uri)
        return self.phone.target_address(self.route_set, self.remote_target or self.remote_uri)

    def build(self, method: str, **options) -> Message:
        """A request of this dialog, to be spoilt and sent by `phone.exchange`."""
        return self._in_dialog(method, **options)

    def request(self, method: str, timeout: float = 10.0, **options) -> Message:
        """A request in the dialog, challenges answered; its final response."""
        answer = self.phone.request(self._in_dialog(method, **options), timeout, self._destination())
        self.cseq = max(self.cseq, answer.cseq)
        return answer

    def hang_up(self, wait: bool = True, local_tag: str = "") -> Message | None:
        """BYE, or CANCEL, or a refusal: what fits the state. With `wait`, the final response to the BYE."""
        if self.state == "ended":
            return None
        if self.state != "answered":
            if self.incoming_invite:
                self.refuse(480)
            else:
                self.cancel()
            return None
        bye = self._in_dialog("BYE", local_tag=local_tag)
        self._end("local", bye)
        if wait:
            return self.phone.request(bye, 10.0, self._destination())
        self.phone.start(bye, self._destination())
        return None

    def abandon(self) -> None:
        if self.state != "ended":
            try:
                self.hang_up(wait=False)
            except (OSError, sipmsg.SipError):
                pass

    def start_reinvite(self, late_offer: bool = False, body: str | None = None, **media) -> "ClientTransaction":
        """Sends a re-INVITE and returns its transaction at once (for glare)."""
        self.direction = media.pop("direction", self.direction)
        self.connection = media.pop("connection", None)
        self.media.update(media)
        offer = "" if late_offer else (body if body is not None else self._describe())
        request = self._in_dialog("INVITE", body=offer)
        self._reinvite_late = late_offer
        with self.phone._changed:
            self._reinvite = transaction = self.phone.start(request, self._destination(), self.take_reinvite_response)
        return transaction

    def take_reinvite_response(self, transaction: "ClientTransaction", response: Message) -> None:
        if response.status < 200:
            return
        self._reinvite = None
        if response.status >= 300:
            return
        if response.cseq in getattr(self, "_reinvite_acks", {}):
            self.phone.send_raw(self._reinvite_acks[response.cseq].encode(), self._destination())
            return
        self.remote_target = uri_of(response.get("Contact")) or self.remote_target
        body = ""
        if self._reinvite_late:
            self.remote_sdp = response.sdp
            body = self._answer_sdp()
        ack = self._in_dialog("ACK", cseq=response.cseq, body=body)
        self._reinvite_acks = {**getattr(self, "_reinvite_acks", {}), response.cseq: ack}
        self.phone.send_raw(ack.encode(), self._destination())
        self._use(response.sdp)

    def reinvite(self, timeout: float = 10.0, **options) -> Message:
        """A re-INVITE and its final response; a challenge is answered once."""
        transaction = self.start_reinvite(**options)
        answer = self.phone.finish(transaction, timeout)
        if answer.status in (401, 407) and self.phone.digest:
            again = self.phone.authorized(transaction.request, answer)
            self.cseq = again.cseq
            self._reinvite = transaction = self.phone.start(again, self._destination(), self.take_reinvite_response)
            answer = self.phone.finish(transaction, timeout)
        return answer

    def hold(self, how: str = "sendonly", timeout: float = 10.0) -> Message:
        """`sendonly`, `inactive` or the old `0.0.0.0`."""
        if how == "0.0.0.0":
            return self.reinvite(timeout, direction="sendrecv", connection="0.0.0.0")
        return self.reinvite(timeout, direction=how)

    def resume(self, timeout: float = 10.0) -> Message:
        return self.reinvite(timeout, direction="sendrecv")

    def refer(self, target: str, timeout: float = 10.0, headers: tuple = ()) -> Message:
        """Blind transfer of the other party: REFER and its final response."""
        uri = target if target.startswith("sip:") else f"sip:{target}@{self.phone.domain}"
        return self.request("REFER", timeout,
                            headers=(("Refer-To", f"<{uri}>"), ("Referred-By", f"<{self.phone.aor}>"), *headers))

    def sipfrags(self) -> list[int]:
        """The statuses that NOTIFYs of a transfer reported."""
        found = [re.match(rb"SIP/2\.0 (\d{3})", m.body.strip()) for m in self.notifies]
        return [int(match.group(1)) for match in found if match]

    def wait_transfer(self, timeout: float = 15.0) -> int:
        """The status in the NOTIFY that ends the implicit subscription (RFC 3515 section 2.4.7)."""
        self.phone.wait(lambda: any("terminated" in m.get("Subscription-State").lower() for m in self.notifies), timeout,
                        "NOTIFY with Subscription-State: terminated")
        return self.sipfrags()[-1]

    # --- incoming -------------------------------------------------------------------------------------------------------------

    def respond(self, status: int, tag: str = "", sdp: str = "", headers: tuple = (), reason: str = "") -> Message:
        """A response to the incoming INVITE, with another To tag if a fork is to be played."""
        assert self.incoming_invite
        if tag:
            self.other_tags.add(tag)
        contact = (("Contact", f"<{self.phone.contact_uri}>"),) if status < 400 else ()
        return self.phone.reply(self.incoming_invite, status, reason, tag or self.local_tag, (*contact, *headers), sdp)

    def ring(self, status: int = 180, sdp: bool = False, **media) -> None:
        """180, or with `sdp` a 183/180 with early media."""
        self.media.update(media)
        self.respond(status, sdp=self._media_for_answer() if sdp else "")
        if sdp:
            self._use(self.remote_sdp)

    def _media_for_answer(self) -> str:
        return self._answer_sdp() if self.remote_sdp else self._describe()

    def answer(self, **media) -> "Call":
        """200 with an answer, or with an offer if the INVITE had none. `wait_answered` then waits for the ACK."""
        with self.phone._changed:
            self.media.update(media)
            self.direction = self.media.pop("direction", self.direction)
            self.respond(200, sdp=self._media_for_answer())
            self.state = "answered"
        self._use(self.remote_sdp)
        return self

    def answer_after(self, seconds: float, ring: bool = True, **media) -> None:
        """Rings now and answers later, without waiting."""
        if ring:
            self.ring()
        self.phone.later(seconds, lambda: self.answer(**media) if self.state != "ended" else None)

    def refuse(self, status: int = 486, headers: tuple = ()) -> None:
        self.respond(status, headers=headers)
        self._end("local")

    def take_cancel(self, message: Message) -> None:
        if self.state in ("incoming", "ringing"):
            self.respond(487)
            self._end("cancelled", message)

    def take_ack(self, message: Message) -> None:
        self.acks.append(message)
        pending = self.reinvites[-1] if self.reinvites else self.incoming_invite
        for invite in [self.incoming_invite, *self.reinvites]:
            if invite is not None and invite.cseq == message.cseq:
                self.phone.mark_acked(invite)
        if message.sdp and pending is not None and pending.cseq == message.cseq:
            self._use(message.sdp)

    def take_request(self, message: Message) -> None:
        """A request of the peer in this dialog."""
        method, phone = message.method, self.phone
        if method == "BYE":
            phone.reply(message, 200)
            if self.state != "answered" and self.incoming_invite:
                self.respond(487)
            if not (message.to_tag in self.other_tags and self.state == "answered"):
                self._end("remote", message)
        elif self.state == "ended" and method not in ("NOTIFY", "OPTIONS"):
            phone.reply(message, 481)
        elif method in ("INVITE", "UPDATE"):
            self._take_offer(message)
        elif method == "NOTIFY":
            self.notifies.append(message)
            if not self.withhold_notify_answer:
                phone.reply(message, 200)
        elif method == "REFER":
            self.refers.append(message)
            phone.reply(message, self.on_refer(message) if self.on_refer else 603)
        elif method == "INFO":
            self.infos.append(message)
            phone.reply(message, 200)
        else:
            phone.reply(message, 200 if method in ("OPTIONS", "PRACK", "MESSAGE") else 405)

    def _take_offer(self, message: Message) -> None:
        self.reinvites.append(message)
        contact = (("Contact", f"<{self.phone.contact_uri}>"),)
        if self._reinvite is not None:  # glare (RFC 3261 section 14.2)
            self.phone.reply(message, 491)
            return
        status = self.on_offer(message) if self.on_offer else None
        if status:
            self.phone.reply(message, status)
            return
        self.remote_target = uri_of(message.get("Contact")) or self.remote_target
        if message.sdp:
            self.remote_sdp = message.sdp
            answer = self._answer_sdp()
            self._use(message.sdp)  # first: who has our answer may rely on it
            self.phone.reply(message, 200, headers=contact, body=answer)
        else:
            self.phone.reply(message, 200, headers=contact, body=self._describe() if message.method == "INVITE" else "")
