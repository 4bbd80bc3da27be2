"""Which folder may know what: see CONTRIBUTING.md, "The tree"."""
import re

from source import Fault

GENERATED = {"strowger_abi.hpp"}
MODULE_FOLDERS = ("channels", "apps", "modules")


def own_folder(path):
    """"channels/sip" for every file of that module."""
    return "/".join(path.split("/")[:2])


def core_includes_core_only(tree):
    for s in tree.cpp("core"):
        for line, name, quoted in s.includes:
            if quoted and not name.startswith("core/") and name not in GENERATED:
                yield s.fault(line, f'core/ may not include "{name}": it includes nothing of the other folders')


def modules_include_core_and_themselves(tree):
    for s in tree.cpp(*MODULE_FOLDERS):
        own = own_folder(s.path) + "/"
        for line, name, quoted in s.includes:
            if quoted and not name.startswith(("core/", own)) and name not in GENERATED:
                yield s.fault(line, f'a module includes core/ and its own {own}, not "{name}"')


def headers_say_whose_they_are(tree):
    """A header whose first comment says "private to core/store" is included there, and in its tests, alone."""
    private = {}
    for s in tree.cpp("core"):
        first_comment = re.match(r"(?://[^\n]*\n)*", s.text)[0].replace("\n// ", " ")
        if m := re.search(r"private to ((?:\w+/)*\w+)", first_comment):
            private[s.path] = m[1]
    for s in tree.cpp():
        for line, name, _ in s.includes:
            if owner := private.get(name):
                if not s.path.startswith((owner + "/", "tests/" + owner + "/")):
                    yield s.fault(line, f"{name} is private to {owner}")


def asio_stays_in_control(tree):
    """A module that instantiates Asio never leaves memory, or crashes the process when it does: decision 0006."""
    for s in tree.cpp():
        for line, name, _ in s.includes:
            if not name.startswith(("boost/asio", "boost/beast")):
                continue
            if s.ending == ".hpp" or not s.path.startswith(("core/control/", "tests/core/control/")):
                yield s.fault(line, f"{name} may be included by core/control/*.cpp only")


def modules_are_guests(tree):
    for s in tree.cpp(*MODULE_FOLDERS):
        for m in re.finditer(r"\bthread_local\b", s.code):
            yield s.fault(s.line_at(m.start()), "no thread_local in a module: its destructor pins the module in memory")
        for line, name, _ in s.includes:
            if name.startswith("spdlog/"):
                yield s.fault(line, "modules log through core/base/log.hpp: a logger would keep pointers into the module")


TAG_HEADER = re.compile(r"sofia-sip/\w*_tag(_class|_io|_inline|_ref)?\.h$")
TAG_CALL = re.compile(r"\b(?:NTA|SIP|TP|SU|NU|SOA|URL)TAG_\w+|\bTAG_(?:END|NULL|IF|NEXT)\b")


SOFIA_USERS = ("channels/sip/", "tests/channels/sip/", "tests/bench/reference_nta.cpp")


def sofia_stays_in_its_driver(tree):
    for s in tree.cpp():
        for line, name, _ in s.includes:
            if name.startswith("sofia-sip/") and not s.path.startswith(SOFIA_USERS):
                yield s.fault(line, f"{name} belongs into channels/sip")


def only_the_agent_calls_sofia_with_tags(tree):
    """Tag lists are varargs that no compiler checks."""
    for s in tree.cpp("channels"):
        lines = [line for line, name, _ in s.includes if TAG_HEADER.search(name)]
        if m := TAG_CALL.search(s.code):
            lines.append(s.line_at(m.start()))
        if lines and not str(s).startswith("channels/sip/agent"):
            yield s.fault(min(lines), "only channels/sip/agent*.cpp may use Sofia's tags")


def every_module_is_built_as_one(tree):
    for folder in MODULE_FOLDERS:
        for path in sorted((tree.root / folder).glob("*/")):
            if not path.is_dir() or path.name == "__pycache__":
                continue
            where = f"{folder}/{path.name}/CMakeLists.txt"
            text = next((s for s in tree.sources if s.path == where), None)
            if text is None:
                yield Fault(where, 1, f"{folder}/{path.name} has no CMakeLists.txt with strowger_add_module({path.name} …)")
            elif not re.search(rf"^strowger_add_module\({path.name}\s", text.text, re.MULTILINE):
                yield text.fault(1, f"there is no strowger_add_module({path.name} …) in it")


def every_application_has_its_manual(tree):
    for path in sorted((tree.root / "apps").glob("*/")):
        if not path.is_dir() or path.name == "__pycache__":
            continue
        where = f"apps/{path.name}/README.md"
        manual = next((s for s in tree.sources if s.path == where), None)
        if manual is None:
            yield Fault(where, 1, f"an application has a manual, which `help {path.name}` shows")
        elif not manual.lines or manual.lines[0] != f"# {path.name}":
            yield manual.fault(1, f'its first line should be "# {path.name}"')



CHECKS = [core_includes_core_only, modules_include_core_and_themselves, headers_say_whose_they_are, asio_stays_in_control,
          modules_are_guests, sofia_stays_in_its_driver, only_the_agent_calls_sofia_with_tags, every_module_is_built_as_one,
          every_application_has_its_manual]
