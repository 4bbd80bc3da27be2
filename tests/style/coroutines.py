"""What GCC 12 compiles wrongly in coroutines, what their style forbids, and sleeping tests."""
import re

from source import matching


def awaited_expression(code, start):
    """The text from behind `co_await` to the end of the full expression around it."""
    depth = 0
    for i in range(start, len(code)):
        c = code[i]
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
            if depth < 0:
                return code[start:i]
        elif c == ";" and depth == 0:
            return code[start:i]
    return code[start:]


LAMBDA = re.compile(r"(?:^|[(,={]|\breturn)\s*\[(?!\[)")


def awaits_hold_no_braces(tree):
    for s in tree.cpp():
        for m in re.finditer(r"\bco_await\b", s.code):
            awaited = awaited_expression(s.code, m.end())
            if LAMBDA.search(awaited):
                yield s.fault(s.line_at(m.start()), "a lambda inside a co_await expression: GCC 12 destroys it twice; "
                                                    "name it on the line before")
            elif "{" in awaited:
                yield s.fault(s.line_at(m.start()), "braces inside a co_await expression: GCC 12 destroys aggregates twice; "
                                                    "name the object on the line before")


def range_for_over_lists_does_not_await(tree):
    for s in tree.cpp():
        for m in re.finditer(r"\bfor\s*\(", s.code):
            behind_head = matching(s.code, m.end() - 1)
            if not re.search(r"(?<!:):(?!:)\s*\{", s.code[m.end():behind_head]):
                continue
            body = re.compile(r"\s*").match(s.code, behind_head).end()
            end = matching(s.code, body) if s.code.startswith("{", body) else s.code.find(";", body)
            if "co_await" in s.code[body:end]:
                yield s.fault(s.line_at(m.start()), "a range-for over a braced list that awaits: GCC 12 breaks it; name the list")


def lambdas_with_captures_are_no_coroutines(tree):
    """The closure is gone when such a coroutine goes on."""
    for s in tree.cpp():
        for m in re.finditer(r"(?<![\w\])\"])\[(?!\[)[^\[\]]+\]\s*(?=[({m])", s.code):
            at = m.end()
            if s.code.startswith("(", at):
                at = matching(s.code, at)
            head = re.compile(r"[^;{}()]*\{").match(s.code, at)
            if not head:
                continue
            body = s.code[head.end():matching(s.code, head.end() - 1)]
            if re.search(r"\bco_(await|return|yield)\b", body):
                yield s.fault(s.line_at(m.start()), "a lambda with captures is a coroutine: make it a function that takes values")


SLEEP = re.compile(r"\bthis_thread\s*::\s*sleep_|(?<![\w.>:])(?:u|nano)?sleep\s*\(|\btime\.sleep\(")
# They talk to other programs in real time.
REAL_TIME = ("tests/sip/", "tests/bench/", "tests/style/")


def tests_do_not_sleep(tree):
    """`sleep_for` of core/async/signal.hpp is welcome: it waits in virtual time."""
    for s in tree.sources:
        if not s.path.startswith("tests/") or s.path.startswith(REAL_TIME) or not (s.is_cpp or s.ending == ".py"):
            continue
        for m in SLEEP.finditer(s.code if s.is_cpp else s.text):
            yield s.fault(s.line_at(m.start()), "a test that sleeps is slow and fails at random; drive it in virtual time")


CHECKS = [awaits_hold_no_braces, range_for_over_lists_does_not_await, lambdas_with_captures_are_no_coroutines, tests_do_not_sleep]
