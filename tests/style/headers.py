#!/usr/bin/env python3
"""Every header of core/ compiles alone, and twice: `tests/style/headers.py <build folder>`, with the flags of that build."""
import json
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def compiler(build):
    """The command for a source of the core, without what belongs to that one source."""
    for entry in json.loads((build / "compile_commands.json").read_text()):
        if entry["file"].startswith(str(ROOT / "core") + "/"):
            words = shlex.split(entry["command"])
            words = words[next(i for i, word in enumerate(words) if "ccache" not in Path(word).name):]
            output = words.index("-o")
            del words[output:output + 2]
            words = [word for word in words if word not in ("-c", entry["file"]) and not word.startswith(("-g", "-O"))]
            return words, entry["directory"]
    sys.exit(f"{build}/compile_commands.json has no source of core/")


def main():
    command, directory = compiler(Path(sys.argv[1]).resolve())

    def complaint(header):
        include = f'#include "{header.relative_to(ROOT).as_posix()}"\n'
        run = subprocess.run([*command, "-fsyntax-only", "-x", "c++", "-"],
                             input=include * 2, text=True, capture_output=True, cwd=directory)
        return run.stderr or f"{header}: the compiler failed\n" if run.returncode else ""

    headers = sorted((ROOT / "core").rglob("*.hpp"))
    with ThreadPoolExecutor(cpu_count()) as pool:
        complaints = [text for text in pool.map(complaint, headers) if text]
    print("\n".join(complaints), end="")
    print(f"{len(headers)} headers, {len(complaints)} do not compile alone")
    return 1 if complaints or not headers else 0


if __name__ == "__main__":
    sys.exit(main())
