"""The form of every file: widths, lengths, first lines, and what may not stand in it."""
import re

WIDEST = 130
LONGEST = 600
# Tables and prompt texts are wide by nature.
MAY_BE_WIDE = (".md", ".toml", ".xml", ".map", ".json")
NOT_WRITTEN_HERE = ("LICENSE",)


def lines_fit(tree):
    for s in tree.sources:
        if s.path in NOT_WRITTEN_HERE or s.ending in MAY_BE_WIDE:
            continue
        for number, line in enumerate(s.lines, 1):
            if s.ending == ".lua" and line.lstrip().startswith("---@"):
                continue  # an annotation for editors is one line
            if len(line) > WIDEST:
                yield s.fault(number, f"{len(line)} characters; {WIDEST} fit")


def files_have_one_idea(tree):
    for s in tree.sources:
        if s.ending in (".cpp", ".hpp", ".py", ".lua") and len(s.lines) > LONGEST:
            yield s.fault(LONGEST, f"{len(s.lines)} lines: past {LONGEST} there are two ideas in a file; split it")


def headers_begin_with_their_purpose(tree):
    for s in tree.cpp():
        if s.ending != ".hpp":
            continue
        if not re.match(r"// \w", s.text):
            yield s.fault(1, "a header begins with a comment line that says what it is for")
        first_code = next((line for line in s.lines if line and not line.startswith("//")), "")
        if first_code.strip() != "#pragma once":
            yield s.fault(1, "#pragma once follows a header's first comment")


# Put together, so that this file does not find itself.
LATER = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME")) + r")\b")


def nothing_is_left_for_later(tree):
    for s in tree.sources:
        for m in LATER.finditer(s.text):
            yield s.fault(s.line_at(m.start()), f"{m[1]}: do it, or say in the documentation that it is not done")


OUTSIDE = re.compile(r"(?<![\w./-])(?:/wor" + r"k|/ro" + r"ot|/hom" + r"e/\w+|\.\./sha" + r"red)(?:/|\b)(?!-)")


def nothing_outside_is_needed(tree):
    for s in tree.sources:
        for m in OUTSIDE.finditer(s.text):
            yield s.fault(s.line_at(m.start()), f'"{m[0]}" is a place on somebody\'s machine')


CHECKS = [lines_fit, files_have_one_idea, headers_begin_with_their_purpose, nothing_is_left_for_later, nothing_outside_is_needed]
