"""One RTP stream of the test phone: a paced sender, a receiver that records and keeps statistics, RFC 4733 digits both ways.

Two threads per stream. The sender keeps to absolute moments (no drift), so a test may trust 50 packets a second.
"""
from __future__ import annotations

import random
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

import numpy as np

import audio

DIGITS = "0123456789*#ABCD"


@dataclass
class Packet:
    """What arrived, and when (monotonic seconds)."""
    at: float
    source: tuple
    pt: int
    marker: bool
    seq: int
    timestamp: int
    ssrc: int
    payload: bytes


@dataclass
class Statistics:
    """Figures over everything received. Losses and gaps are per SSRC; `jitter` is RFC 3550's, in seconds."""
    packets: int = 0
    lost: int = 0
    gaps: int = 0
    late: int = 0
    ssrcs: list[int] = field(default_factory=list)
    payload_types: dict[int, int] = field(default_factory=dict)
    markers: int = 0
    timestamp_jumps: int = 0
    jitter: float = 0.0
    sources: list[tuple] = field(default_factory=list)
    rtcp: int = 0
    malformed: int = 0
    largest_interval: float = 0.0


def bind_pair(ip: str) -> tuple[socket.socket, socket.socket]:
    """An even port for RTP and the next one for RTCP."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    for _ in range(200):
        rtp = socket.socket(family, socket.SOCK_DGRAM)
        rtcp = socket.socket(family, socket.SOCK_DGRAM)
        port = random.randrange(20000, 32000, 2)
        try:
            rtp.bind((ip, port))
            rtcp.bind((ip, port + 1))
            return rtp, rtcp
        except OSError:
            rtp.close()
            rtcp.close()
    raise OSError(f"no free pair of ports on {ip} between 20000 and 32000")


def readable(sockets: list, timeout: float) -> list:
    """Those of the sockets that have something to read, by poll(): select() knows no descriptor above 1023."""
    poller = select.poll()
    by_descriptor = {s.fileno(): s for s in sockets}
    for descriptor in by_descriptor:
        poller.register(descriptor, select.POLLIN)
    return [by_descriptor[descriptor] for descriptor, _ in poller.poll(1000 * timeout)]


class RtpStream:
    """Sends nothing until `start` is called with the peer's address; receives from the beginning.

    Public while it runs: `remote`, `send_pt`, `codec` (for sending), `codecs` (payload type to codec name, for receiving),
    `event_send_pt`, `event_pts`, `sending` (hold), `loss` (per cent dropped both ways, seeded),
    `overtaken` and `doubled` (per cent of those sent that come behind the next one, or twice)."""

    def __init__(self, ip: str = "127.0.0.1", loss: float = 0.0, seed: int = 1):
        self.rtp, self.rtcp = bind_pair(ip)
        self.ip, self.port = self.rtp.getsockname()[:2]
        self.remote: tuple | None = None
        self.codecs = {0: "PCMU", 8: "PCMA"}
        self.send_pt, self.codec = 0, "PCMU"
        self.event_send_pt: int | None = None
        self.event_pts: set[int] = set()
        self.ptime = 0.02
        self.sending = False
        self.loss = loss
        self.overtaken = self.doubled = 0.0
        self._held_back: list[tuple] = []
        self.ssrc, self.seq, self.timestamp = random.getrandbits(32), random.getrandbits(15), random.getrandbits(31)
        self.packets: list[Packet] = []
        self.digits: list[str] = []
        self.digit_durations: list[int] = []
        self.rtcp_packets: list[tuple[float, bytes]] = []
        self.sent = 0
        self._malformed = 0
        self._random = random.Random(seed)
        self._source = np.zeros(0, dtype=np.int16)
        self._position, self._loop = 0, False
        self._mark = True
        self._events: list[tuple[int, float]] = []
        self._last_event: tuple[int, int] | None = None
        self._lock = threading.Condition()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._receive, daemon=True), threading.Thread(target=self._send, daemon=True)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(2)
        self.rtp.close()
        self.rtcp.close()

    # --- sending ------------------------------------------------------------------------------------------------------------

    def start(self, remote: tuple) -> None:
        with self._lock:
            self.remote, self.sending = remote, True

    def play(self, samples: np.ndarray, loop: bool = False) -> None:
        """Sends these samples from the next packet on, then silence."""
        with self._lock:
            self._source, self._position, self._loop = samples, 0, loop

    def play_tone(self, frequency: float, dbm0: float = -10.0) -> None:
        self.play(audio.tone(frequency, 1.0, dbm0), loop=True)  # whole periods for every whole number of Hz

    def play_wav(self, path: str, loop: bool = False) -> None:
        self.play(audio.read_wav(path), loop)

    def stop_playing(self) -> None:
        self.play(np.zeros(0, dtype=np.int16))

    @property
    def playing(self) -> bool:
        with self._lock:
            return self._loop or self._position < len(self._source)

    def send_digit(self, digit: str, seconds: float = 0.1) -> None:
        """Queues one RFC 4733 event; `digits_pending` tells when the last end packet is out."""
        if self.event_send_pt is None:
            raise ValueError("the peer's SDP has no telephone-event: digits cannot be sent by RFC 4733")
        with self._lock:
            self._events.append((DIGITS.index(digit.upper()), seconds))

    @property
    def digits_pending(self) -> bool:
        with self._lock:
            return bool(self._events)

    def send_packet(self, payload: bytes, pt: int, marker: bool = False, timestamp: int | None = None, seq: int | None = None,
                    ssrc: int | None = None, to: tuple | None = None, from_socket: socket.socket | None = None) -> None:
        """One packet as told, from another socket if wanted; counts nothing."""
        header = struct.pack("!BBHII", 0x80, (0x80 if marker else 0) | pt, (self.seq if seq is None else seq) & 0xFFFF,
                             (self.timestamp if timestamp is None else timestamp) & 0xFFFFFFFF,
                             self.ssrc if ssrc is None else ssrc)
        (from_socket or self.rtp).sendto(header + payload, to or self.remote)

    def _chance(self, per_cent: float) -> bool:
        return bool(per_cent) and self._random.random() * 100 < per_cent

    def _next_block(self, count: int) -> np.ndarray:
        if self._loop and len(self._source):
            indices = (self._position + np.arange(count)) % len(self._source)
            self._position = (self._position + count) % len(self._source)
            return self._source[indices]
        block = self._source[self._position:self._position + count]
        self._position = min(len(self._source), self._position + count)
        return np.concatenate((block, np.zeros(count - len(block), dtype=np.int16)))

    def _emit(self, payload: bytes, pt: int, marker: bool, timestamp: int) -> None:
        packet = (payload, pt, marker, timestamp, self.seq, self.ssrc)
        due, self._held_back = self._held_back, []
        if self._chance(self.loss):
            pass
        elif self._chance(self.overtaken):
            self._held_back = [packet]
        else:
            due = [packet] * (2 if self._chance(self.doubled) else 1) + due
        for fields in due:
            try:
                self.send_packet(*fields)
            except OSError:
                pass  # a refused port (ICMP) is the peer's hang-up, seen by SIP
        self.seq = (self.seq + 1) & 0xFFFF
        self.sent += 1

    def _send(self) -> None:
        due = time.monotonic()
        event: dict | None = None
        while not self._stop.is_set():
            due += self.ptime
            delay = due - time.monotonic()
            if delay > 0:
                time.sleep(delay)
            elif delay < -0.5:
                due = time.monotonic()  # the machine slept; a burst would only look like a fault of the peer
            with self._lock:
                count = int(audio.RATE * self.ptime)
                block = self._next_block(count)
                if self.sending and self.remote:
                    if event is None and self._events and self.event_send_pt is not None:
                        event = {"code": self._events[0][0], "left": self._events[0][1], "start": self.timestamp, "first": True}
                    if event:
                        event = self._send_event(event, count)
                    else:
                        self._emit(audio.encode(self.codec, block), self.send_pt, self._mark, self.timestamp)
                        self._mark = False
                else:
                    self._mark = True  # the first packet after a pause begins a talk spurt
                self.timestamp = (self.timestamp + count) & 0xFFFFFFFF

    def _send_event(self, event: dict, count: int) -> dict | None:
        """One packet of a running event; the last is sent three times (RFC 4733 section 2.5.1.4)."""
        event["left"] -= self.ptime
        duration = ((self.timestamp - event["start"]) & 0xFFFFFFFF) + count
        end = event["left"] <= 1e-6
        payload = struct.pack("!BBH", event["code"], (0x80 if end else 0) | 10, min(duration, 0xFFFF))
        for repeat in range(3 if end else 1):
            self._emit(payload, self.event_send_pt or 0, event["first"] and repeat == 0, event["start"])
        event["first"] = False
        if end:
            self._events.pop(0)
            self._mark = True
            return None
        return event

    # --- receiving ------------------------------------------------------------------------------------------------------------

    def _receive(self) -> None:
        while not self._stop.is_set():
            ready = readable([self.rtp, self.rtcp], 0.1)
            for sock in ready:
                try:
                    data, source = sock.recvfrom(65536)
                except OSError:
                    continue
                with self._lock:
                    if sock is self.rtcp:
                        self.rtcp_packets.append((time.monotonic(), data))
                    elif not self._chance(self.loss):
                        try:
                            self._take(data, source)
                        except (struct.error, IndexError):
                            self._malformed += 1
                    self._lock.notify_all()

    def _take(self, data: bytes, source: tuple) -> None:
        if len(data) < 12 or data[0] >> 6 != 2:
            self._malformed += 1
            return
        if 200 <= data[1] <= 207:  # RTCP on the RTP port (rtcp-mux)
            self.rtcp_packets.append((time.monotonic(), data))
            return
        offset = 12 + 4 * (data[0] & 15)
        if data[0] & 0x10:
            offset += 4 + 4 * struct.unpack_from("!H", data, offset + 2)[0]
        payload = data[offset:len(data) - (data[-1] if data[0] & 0x20 else 0)]
        _, _, seq, timestamp, ssrc = struct.unpack_from("!BBHII", data)
        packet = Packet(time.monotonic(), source, data[1] & 0x7F, bool(data[1] & 0x80), seq, timestamp, ssrc, payload)
        self.packets.append(packet)
        if packet.pt in self.event_pts and len(payload) >= 4:
            code, flags, duration = struct.unpack_from("!BBH", payload)
            if (ssrc, timestamp) != self._last_event and code < 16:
                self._last_event = (ssrc, timestamp)
                self.digits.append(DIGITS[code])
                self.digit_durations.append(duration)
            elif code < 16 and self.digit_durations:
                self.digit_durations[-1] = max(self.digit_durations[-1], duration)

    def wait(self, condition, timeout: float) -> bool:
        """Until `condition()` holds; false when the time is over. It is called with the stream locked."""
        with self._lock:
            return bool(self._lock.wait_for(condition, timeout))

    def mark(self) -> int:
        """A place in the recording, for `heard(since=…)`."""
        with self._lock:
            return len(self.packets)

    def received(self, since: int = 0, until: int | None = None) -> list[Packet]:
        with self._lock:
            return self.packets[since:until]

    def heard(self, since: int = 0, until: int | None = None) -> np.ndarray:
        """The decoded audio, placed by sequence number and timestamp: what was lost is silence, pauses of the sender up to
        2 s are silence, late packets are put in order. A new SSRC starts where the old one ended."""
        blocks: list[np.ndarray] = []
        group: list[Packet] = []
        for packet in self.received(since, until) + [None]:  # type: ignore[list-item]
            if group and (packet is None or packet.ssrc != group[-1].ssrc):
                blocks += _place(group, self.codecs)
                group = []
            if packet is not None and packet.pt in self.codecs:
                group.append(packet)
        return np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.int16)

    def statistics(self, since: int = 0) -> Statistics:
        stats = Statistics(rtcp=len(self.rtcp_packets), malformed=self._malformed)
        last: dict[int, Packet] = {}
        arrived: float | None = None
        for packet in self.received(since):
            stats.packets += 1
            stats.payload_types[packet.pt] = stats.payload_types.get(packet.pt, 0) + 1
            stats.markers += packet.marker
            if arrived is not None:
                stats.largest_interval = max(stats.largest_interval, packet.at - arrived)
            arrived = packet.at
            if packet.ssrc not in stats.ssrcs:
                stats.ssrcs.append(packet.ssrc)
            if packet.source not in stats.sources:
                stats.sources.append(packet.source)
            before = last.get(packet.ssrc)
            last[packet.ssrc] = packet
            if before is None:
                continue
            step = (packet.seq - before.seq) & 0xFFFF
            if step > 0x8000 or step == 0:
                stats.late += 1
                last[packet.ssrc] = before
                continue
            if step > 1:
                stats.gaps += 1
                stats.lost += step - 1
            if packet.pt in self.codecs and before.pt in self.codecs:
                advance = (packet.timestamp - before.timestamp) & 0xFFFFFFFF
                if advance != step * len(before.payload) and not packet.marker:
                    stats.timestamp_jumps += 1
                transit = abs((packet.at - before.at) - advance / audio.RATE)
                stats.jitter += (transit - stats.jitter) / 16
        return stats


def _place(packets: list[Packet], codecs: dict[int, str]) -> list[np.ndarray]:
    """The packets of one SSRC as samples in the order of their extended sequence numbers."""
    base = packets[0].seq
    ordered = sorted({((p.seq - base + 0x8000) & 0xFFFF) - 0x8000: p for p in packets}.items())
    blocks: list[np.ndarray] = []
    expected: int | None = None
    for _, packet in ordered:
        if expected is not None:
            gap = (packet.timestamp - expected) & 0xFFFFFFFF
            if 0 < gap <= 2 * audio.RATE:
                blocks.append(np.zeros(gap, dtype=np.int16))
        blocks.append(audio.decode(codecs[packet.pt], packet.payload))
        expected = (packet.timestamp + len(packet.payload)) & 0xFFFFFFFF
    return blocks
