#!/usr/bin/env python3
"""Folds the C++ lines that are too wide, and nothing else, by clang-format: `tests/style/fold.py [file...]`, all by default.

Raw strings and scripts are left to people; `check.py` still names them."""
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import form
from source import Tree


def main():
    root = Path(__file__).resolve().parents[2]
    wanted = {Path(name).resolve().relative_to(root).as_posix() for name in sys.argv[1:]}
    wide = defaultdict(list)
    for fault in form.lines_fit(Tree(root)):
        if fault.path.endswith((".cpp", ".hpp")) and (not wanted or fault.path in wanted):
            wide[fault.path].append(f"--lines={fault.line}:{fault.line}")
    for path, lines in wide.items():
        subprocess.run(["clang-format", "-i", *lines, root / path], check=True)


if __name__ == "__main__":
    main()
