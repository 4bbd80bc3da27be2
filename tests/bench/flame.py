"""Draws where the processor time of what is measured goes (`contrib/bench --flame FOLDER NAME`), with perf.

A box is a function, as wide as its share of the samples, above who called it; the lowest are threads."""
from __future__ import annotations

import html
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

WIDTH, ROW, LETTER = 1400, 16, 6.6
LEAST = 0.0015      # of all samples: narrower boxes are left out
SECONDS = 10
COLOURS = {"kernel": "#e8a87c", "sofia": "#a8c8e8", "strowger": "#b8d8a8", "library": "#e0d8a0"}


class Node:
    def __init__(self):
        self.count, self.kind, self.below = 0, "library", {}

    def add(self, frames: list[tuple[str, str]]) -> None:
        node = self
        node.count += 1
        for name, kind in frames:
            node = node.below.setdefault(name, Node())
            node.count += 1
            node.kind = kind


def kind_of(file: str, name: str) -> str:
    if "kernel" in file or file.startswith("[k"):
        return "kernel"
    if "sofia" in file:
        return "sofia"
    return "strowger" if "strowger" in file or "sip." in file or "strowger" in name else "library"


def short(name: str) -> str:
    """Without arguments and template parameters, which hide what matters."""
    while (bare := re.sub(r"<[^<>]*>|\([^()]*\)", "", name)) != name:
        name = bare
    return name.replace("strowger::", "").strip() or "?"


def read(profile: Path) -> Node:
    """The stacks of all samples, from the thread's name on."""
    text = subprocess.run(["perf", "script", "-i", profile, "-F", "comm,ip,sym,dso"], capture_output=True, text=True,
                          errors="replace", check=True).stdout
    root = Node()
    for sample in text.split("\n\n"):
        lines = sample.strip("\n").split("\n")
        frames = []
        for line in lines[1:]:
            if found := re.match(r"\s+[0-9a-f]+ (.*) \((.*)\)$", line):
                name, file = found.groups()
                if name == "[unknown]":
                    name = Path(file).name
                if not frames or frames[-1][0] != short(name):
                    frames.append((short(name), kind_of(file, name)))
        if lines[0].strip():
            root.add([(re.sub(r"[- ]?\d+$", "", lines[0].strip()), "library")] + frames[::-1])
    return root


def boxes(node: Node, name: str, x: float, depth: int, total: int):
    yield name, node, x, depth
    for below, child in sorted(node.below.items()):
        if child.count >= LEAST * total:
            yield from boxes(child, below, x, depth + 1, total)
        x += child.count / total


def draw(root: Node, title: str) -> str:
    all_boxes = list(boxes(root, title, 0, 0, root.count))
    height = (max(depth for *_, depth in all_boxes) + 1) * ROW
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="monospace" font-size="11">']
    for name, node, x, depth in all_boxes:
        width = node.count / root.count * WIDTH
        share = f"{html.escape(name)}: {node.count * 100 / root.count:.1f} %"
        label = html.escape(name[:int(width / LETTER)]) if width > 4 * LETTER else ""
        out.append(f'<g><title>{share}</title><rect x="{x * WIDTH:.1f}" y="{height - (depth + 1) * ROW}" width="{width:.1f}" '
                   f'height="{ROW - 1}" fill="{COLOURS[node.kind]}"/>'
                   f'<text x="{x * WIDTH + 2:.1f}" y="{height - depth * ROW - 5}">{label}</text></g>')
    return "\n".join(out) + "\n</svg>\n"


@contextmanager
def recording(pid: int, delay: float, to: Path | None):
    """Samples the process for a while, beginning some seconds from now, and draws what it did; nothing without a file."""
    if to is None:
        yield
        return
    with tempfile.TemporaryDirectory() as folder:
        profile = Path(folder) / "perf.data"
        perf = subprocess.Popen(["perf", "record", "-q", "-F", "999", "-e", "cpu-clock", "--call-graph", "dwarf,8192",
                                 "-p", str(pid), "-D", str(int(delay * 1000) + 1), "-o", profile,
                                 "--", "sleep", str(delay + SECONDS)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        yield
        perf.wait()
        root = read(profile)
        to.write_text(draw(root, f"{to.stem}: {root.count} samples of {SECONDS} s"))


def check_tools() -> None:
    if not shutil.which("perf"):
        sys.exit("perf is not installed: apt-get install linux-perf")
