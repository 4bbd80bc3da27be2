#!/usr/bin/env python3
"""Checks the style of the tree and names every fault: `tests/style/check.py [folder]`. CONTRIBUTING.md gives the reasons."""
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import coroutines
import documents
import form
import layout
from source import Tree

CHECKS = layout.CHECKS + form.CHECKS + coroutines.CHECKS + documents.CHECKS


def main():
    tree = Tree(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[2])
    faults = {fault for check in CHECKS for fault in check(tree)}
    for fault in sorted(faults):
        print(fault)
    print(f"{len(tree.sources)} files, {len(CHECKS)} checks, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
