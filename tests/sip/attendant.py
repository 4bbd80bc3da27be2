"""A toy auto-attendant made of our own phone and proxy, to try the demonstration and its measures without the engine.

It answers 100, plays a prompt, and on a key connects to a user by copying packets. `fault` makes it do one thing wrong.
"""
from __future__ import annotations

import threading
import time

from call import Call
from phone import Phone
from proxy import Proxy


class Attendant:
    def __init__(self, users: dict[str, str], prompt, key: str = "1", target: str = "bob", fault: str = ""):
        self.proxy = Proxy({**users, "100": "own"}, challenge_calls=True)
        self.phone = Phone("100", self.proxy.address, "own")
        self.phone.register()
        self.prompt, self.key, self.target, self.fault = prompt, key, target, fault
        self.phone.on_call = lambda call: threading.Thread(target=self._serve, args=(call,), daemon=True).start()

    def __enter__(self) -> "Attendant":
        return self

    def __exit__(self, *_) -> None:
        self.phone.close()
        self.proxy.__exit__()

    def _serve(self, call: Call) -> None:
        call.answer().wait_answered()
        if self.fault != "silent":
            call.rtp.play(self.prompt)
        if not call.rtp.wait(lambda: self.key in call.rtp.digits, 20):
            call.hang_up()
            return
        call.rtp.sending = False
        out = self.phone.call(self.target).wait_answered(20)
        out.rtp.sending = False
        positions = {call: call.rtp.mark(), out: out.rtp.mark()}
        while "ended" not in (call.state, out.state):
            for here, there in ((call, out), (out, call)):
                packets = here.rtp.received(positions[here])
                positions[here] += len(packets)
                for packet in packets:
                    if packet.pt in here.rtp.codecs and not (self.fault == "one way" and here is out):
                        there.rtp.send_packet(packet.payload, packet.pt, packet.marker, packet.timestamp, packet.seq, packet.ssrc)
            time.sleep(0.005)
        if self.fault != "keeps the call":
            for leg in (call, out):
                leg.hang_up(wait=False)
