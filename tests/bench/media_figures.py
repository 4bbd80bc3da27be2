"""The figures of sound: relays, bridges, transcoding and playback."""
from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path

from engine import Engine
from flame import recording
from load import PAYLOAD_TYPES, Sipp, calls
from measure import Failed, Generator, Program, Tool

FEW, MANY = 100, 400  # calls with sound
RATE = 40             # of setting them up, a second

TARGETS = {
    "media.bridge_pcmu.cpu_100": ("reference.relay", 1.6),
    "media.bridge_pcmu.cpu_400": ("reference.relay_400", 1.6),
    "media.bridge_pcmu.delay": (None, 5),
    "media.transcode.cpu": ("media.bridge_pcmu.cpu_100", 1.1),
    "media.playback.cpu": (None, 0.5),
}


class MediaFigures:
    """A part of Bench."""

    def media_figures(self) -> dict[str, tuple]:
        return {
            "reference.relay": (self.reference_relay, FEW),
            "reference.relay_400": (self.reference_relay, MANY),
            "media.bridge_pcmu.cpu_100": (self.bridge, FEW),
            "media.bridge_pcmu.cpu_400": (self.bridge, MANY),
            "media.bridge_pcmu.delay": (self.delay, MANY),
            "media.transcode.cpu": (self.bridge, FEW, "PCMA"),
            "media.playback.cpu": (self.playback, MANY),
        }

    def reference_relay(self, name: str, count: int) -> None:
        with self.tool(Tool, "reference_relay", count) as relay, self.tool(Generator, "rtp_generator", 2 * count) as generator:
            for local, remote in zip(generator.ports, relay.ports):
                generator.aim(local, remote)
            value, figures = self.cost_of_sound(relay, generator, count)
            check_relayed(figures)
            self.say(name, value, "cpu_ms/call_second", note_of_delay(figures))

    def bridge(self, name: str, count: int, codec: str = "PCMU") -> None:
        value, figures = self.bridge_run(count, codec)
        self.say(name, value, "cpu_ms/call_second", note_of_delay(figures))

    def delay(self, name: str, count: int) -> None:
        """What the bridge adds to the way of 99 packets of 100."""
        figures = self.bridge_run(count, "PCMU")[1]
        self.say(name, figures["p99"] / 1000, "ms", note_of_delay(figures))

    def bridge_run(self, count: int, codec: str) -> tuple[float, dict[str, int]]:
        """`count` calls from phones with PCMU to phones with `codec`. Measured once, though several figures tell of it."""
        wanted = (count, codec)
        if wanted not in self.bridge_runs:
            with self.place() as folder, self.tool(Generator, "rtp_generator", 2 * count) as generator:
                ours, theirs = generator.ports[:count], generator.ports[count:]
                with (self.engine_with_callee(folder, theirs, codec) as (engine, callee),
                      self.held(folder, engine, "200", ours) as load):
                    aim(generator, count, {load: "PCMU", callee: codec})
                    cost = self.cost_of_sound(engine, generator, count)
                    load.finish(60)
                    check_relayed(cost[1])
                    self.bridge_runs[wanted] = cost
        return self.bridge_runs[wanted]

    def playback(self, name: str, count: int) -> None:
        with self.place() as folder, self.tool(Generator, "rtp_generator", count) as generator:
            with Engine(self.build, folder) as engine, self.held(folder, engine, "300", generator.ports) as load:
                aim(generator, count, {load: "PCMU"})
                value, figures = self.cost_of_sound(engine, generator, count)
                load.finish(60)
                expected = count * 50 * self.seconds
                if figures["gaps"] or abs(figures["played"] - expected) > expected / 100:
                    raise Failed(f"{figures['played']} packets were heard of {expected}, {figures['gaps']} were lost")
                self.say(name, value, "cpu_ms/call_second")

    def cost_of_sound(self, of: Program, generator: Generator, count: int) -> tuple[float, dict[str, int]]:
        """CPU milliseconds for each second of each of `count` calls, and the generator's figures."""
        with recording(of.pid, self.warm, self.drawing()):
            spent, figures = generator.run(of, self.warm, self.seconds)
        if figures["silent"]:
            raise Failed(f"{figures['silent']} sockets heard nothing")
        return spent * 1000 / count / self.seconds, figures

    @contextmanager
    def held(self, folder: Path, engine: Engine, extension: str, ports: list[int]):
        """Calls with sound that stay up for the whole measurement."""
        hold = self.warm + self.seconds + len(ports) / RATE + 5
        with calls(folder, "call", extension, engine.port, RATE, len(ports), hold, ports) as load:
            yield load


def aim(generator: Generator, count: int, sides: dict[Sipp, str]) -> None:
    """Sends each phone's sound, in its codec, to where the engine wants it, as soon as all calls are up."""
    limit = time.monotonic() + count / RATE + 5
    while any(len(side.sound_ports()) < count for side in sides):
        for side in sides:
            side.check()
        if time.monotonic() > limit:
            raise Failed(f"only {[len(side.sound_ports()) for side in sides]} calls of {count} came up")
        time.sleep(0.2)
    for side, codec in sides.items():
        for local, remote in side.sound_ports().items():
            generator.aim(local, remote, PAYLOAD_TYPES[codec])


def note_of_delay(figures: dict[str, int]) -> str:
    stalls = f", generator stalled {figures['stalls']} times" if figures["stalls"] else ""
    return f"delay p50 {figures['p50']} p99 {figures['p99']} p99.9 {figures['p999']} us{stalls}"


def check_relayed(figures: dict[str, int]) -> None:
    lost = figures["sent"] - figures["received"]
    if lost or figures["mixed"] or figures["played"]:
        raise Failed(f"of {figures['sent']} packets {lost} were lost, {figures['mixed']} came from a third call and "
                     f"{figures['played']} were made up")
