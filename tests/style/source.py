"""The project's files as the style checks see them."""
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

TEXT_ENDINGS = {".cpp", ".hpp", ".h", ".c", ".py", ".lua", ".md", ".toml", ".txt", ".cmake", ".json", ".xml", ".map",
                ".service", ".sh", ""}
NOT_OURS = {".git", "build", "__pycache__", "corpus"} # a corpus is bytes, not text


@dataclass(frozen=True, order=True)
class Fault:
    path: str
    line: int
    text: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.text}"


class Source:
    def __init__(self, path, text):
        self.path = path
        self.text = text

    def __str__(self):
        return self.path

    @property
    def ending(self):
        return Path(self.path).suffix

    @property
    def name(self):
        return Path(self.path).name

    @property
    def is_cpp(self):
        return self.ending in (".cpp", ".hpp")

    @cached_property
    def lines(self):
        return self.text.splitlines()

    @cached_property
    def code(self):
        """The text with comments and the insides of C++ literals blanked, so that every position stays what it was."""
        return blank_comments_and_literals(self.text)

    @cached_property
    def includes(self):
        """(line, name, whether it is in quotes) of every #include."""
        found = []
        for number, line in enumerate(self.lines, 1):
            if m := re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line):
                found.append((number, m[2], m[1] == '"'))
        return found

    def line_at(self, position):
        return self.text.count("\n", 0, position) + 1

    def fault(self, line, text):
        return Fault(self.path, line, text)


class Tree:
    def __init__(self, root):
        self.root = Path(root)

    @cached_property
    def sources(self):
        found = []
        for path in sorted(self._walk(self.root)):
            try:
                found.append(Source(path.relative_to(self.root).as_posix(), path.read_text(encoding="utf-8")))
            except UnicodeDecodeError:
                continue  # not a text, whatever its name says
        return found

    def _walk(self, folder):
        for path in folder.iterdir():
            if path.name in NOT_OURS or path.is_symlink():
                continue
            if path.is_dir():
                yield from self._walk(path)
            elif path.suffix in TEXT_ENDINGS:
                yield path

    def cpp(self, *folders):
        return [s for s in self.sources if s.is_cpp and (not folders or s.path.startswith(tuple(f + "/" for f in folders)))]

    def markdown(self):
        return [s for s in self.sources if s.ending == ".md"]

    def exists(self, path):
        return (self.root / path).exists()


LITERAL_OR_COMMENT = re.compile(
    r'//[^\n]*'
    r'|/\*.*?\*/'
    r'|R"(?P<mark>[^ ()\\\n]{0,16})\(.*?\)(?P=mark)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'",  # not the ' of 10'000
    re.DOTALL)


def blank_comments_and_literals(text):
    def blank(m):
        kept = "".join("\n" if c == "\n" else " " for c in m[0])
        return '"' + kept[1:-1] + '"' if m[0][0] in "\"'R" else kept
    return LITERAL_OR_COMMENT.sub(blank, text)


def matching(code, start):
    """The position behind the bracket that closes the one at `start`; the end of the code if none does."""
    closing = {"(": ")", "[": "]", "{": "}"}
    waiting = []
    for i in range(start, len(code)):
        c = code[i]
        if c in closing:
            waiting.append(closing[c])
        elif c in ")]}":
            if not waiting or waiting.pop() != c:
                return i + 1
            if not waiting:
                return i + 1
    return len(code)
