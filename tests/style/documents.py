"""What the documents say is there: links, paths, decisions, and code that at least parses."""
import ctypes
import ctypes.util
import re
import sys
import tomllib
from urllib.parse import unquote

FENCE = re.compile(r"^(?P<fence>```+)(?P<language>\w*)[^\n]*\n(?P<body>.*?)^(?P=fence)[ ]*$", re.MULTILINE | re.DOTALL)


def blocks(source, language):
    for m in FENCE.finditer(source.text):
        if m["language"] == language:
            yield source.line_at(m.start()), m["body"]


def without_blocks(source):
    return FENCE.sub(lambda m: "\n" * m[0].count("\n"), source.text)


class Lua:
    """The parser of the Lua library that the engine links too."""

    def __init__(self):
        name = ctypes.util.find_library("lua5.4") or "liblua5.4.so.0"
        self.lib = ctypes.CDLL(name)
        self.lib.luaL_newstate.restype = ctypes.c_void_p
        self.lib.lua_close.argtypes = [ctypes.c_void_p]
        self.lib.luaL_loadbufferx.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_char_p]
        self.lib.lua_tolstring.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]
        self.lib.lua_tolstring.restype = ctypes.c_char_p

    def complaint(self, text):
        """What is wrong with the text, as "line: message"; None when it parses."""
        state = self.lib.luaL_newstate()
        try:
            data = text.encode()
            if self.lib.luaL_loadbufferx(state, data, len(data), b"=", b"t") == 0:
                return None
            return self.lib.lua_tolstring(state, -1, None).decode(errors="replace").lstrip(":")
        finally:
            self.lib.lua_close(state)


def lua_parses(tree):
    """A block is a chunk, or entries of a context: the inside of a table."""
    try:
        lua = Lua()
    except OSError as error:
        print(f"skipped: Lua blocks are not checked without the library of the package liblua5.4-0 ({error})", file=sys.stderr)
        return
    for s in tree.markdown():
        for line, text in blocks(s, "lua"):
            complaint = lua.complaint(text)
            if complaint and lua.complaint("return {" + text + "}"):
                yield s.fault(line, f"this block is not Lua: {complaint}")
    for s in tree.sources:
        if s.ending == ".lua" and (complaint := lua.complaint(s.text)):
            yield s.fault(1, f"this is not Lua: {complaint}")


def toml_parses(tree):
    for s in tree.markdown():
        for line, text in blocks(s, "toml"):
            try:
                tomllib.loads(text)
            except tomllib.TOMLDecodeError as error:
                yield s.fault(line, f"this block is not TOML: {error}")


LINK = re.compile(r"\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")


def anchors(source):
    """The names that headings get."""
    found = set()
    for heading in re.findall(r"^#+ +(.+?) *#*$", without_blocks(source), re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        while name in found:
            name += "-1"
        found.add(name)
    return found


def links_resolve(tree):
    by_path = {s.path: s for s in tree.markdown()}
    for s in tree.markdown():
        text = without_blocks(s)
        for m in LINK.finditer(text):
            target, _, anchor = m[1].partition("#")
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            line = text.count("\n", 0, m.start()) + 1
            path = (tree.root / s.path).parent / unquote(target) if target else tree.root / s.path
            if not path.exists():
                yield s.fault(line, f"the link {m[1]} leads nowhere")
                continue
            there = by_path.get(path.resolve().relative_to(tree.root.resolve()).as_posix())
            if anchor and there and anchor not in anchors(there):
                yield s.fault(line, f"{there.path} has no heading #{anchor}")


PATH = re.compile(r"`((?:core|channels|apps|modules|dialplan|sounds|contrib|tests)/[\w./*-]*\w)`")


def named_files_exist(tree):
    """From the root, or from the document's own folder. Files of a module that is not there are examples of one to be written."""
    for s in tree.markdown():
        text = without_blocks(s)
        for m in PATH.finditer(text):
            of_a_module = re.match(r"(?:apps|channels|modules)/[\w-]+(?=/)", m[1])
            if of_a_module and not tree.exists(of_a_module[0]):
                continue
            if not any(tree.root.glob(m[1])) and not any((tree.root / s.path).parent.glob(m[1])):
                yield s.fault(text.count("\n", 0, m.start()) + 1, f"there is no {m[1]}")


def decisions_exist(tree):
    for s in tree.sources:
        for m in re.finditer(r"\bdecisions?[ /](\d{4})\b", s.text):
            if not any((tree.root / "contrib/docs/decisions").glob(m[1] + "-*.md")):
                yield s.fault(s.line_at(m.start()), f"there is no decision record {m[1]}")


CHECKS = [lua_parses, toml_parses, links_resolve, named_files_exist, decisions_exist]
