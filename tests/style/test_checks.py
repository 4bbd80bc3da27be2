#!/usr/bin/env python3
"""The style checks find what they are for, and nothing else."""
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import coroutines
import documents
import form
import layout
from source import Source, Tree


class Checks(unittest.TestCase):
    def faults(self, check, files):
        """What one check says of a tree of these files (path → text): "path:line" of each."""
        with tempfile.TemporaryDirectory() as folder:
            for path, text in files.items():
                where = Path(folder, path)
                where.parent.mkdir(parents=True, exist_ok=True)
                where.write_text(text, encoding="utf-8")
            return [f"{f.path}:{f.line}" for f in check(Tree(folder))]

    def finds(self, check, path, text, line=1, beside=()):
        self.assertEqual(self.faults(check, {path: text, **dict(beside)}), [f"{path}:{line}"], text)

    def passes(self, check, path, text, beside=()):
        self.assertEqual(self.faults(check, {path: text, **dict(beside)}), [], text)


class Layout(Checks):
    def test_core_includes_nothing_of_other_folders(self):
        check = layout.core_includes_core_only
        self.finds(check, "core/a/b.cpp", '#include "core/a/b.hpp"\n#include "apps/echo/echo.hpp"\n', 2)
        self.finds(check, "core/a/b.cpp", '#include "b.hpp"\n')
        self.passes(check, "core/a/b.cpp", '#include "core/a/b.hpp"\n#include "strowger_abi.hpp"\n#include <vector>\n')

    def test_a_module_includes_core_and_itself(self):
        check = layout.modules_include_core_and_themselves
        self.finds(check, "apps/echo/echo.cpp", '#include "channels/loop/phone.hpp"\n')
        self.finds(check, "apps/echo/echo.cpp", '#include "apps/menu/menu.hpp"\n')
        self.passes(check, "channels/sip/support/a.cpp", '#include "channels/sip/a.hpp"\n#include "core/call/call.hpp"\n')

    def test_private_headers_stay_at_home(self):
        check = layout.headers_say_whose_they_are
        private = {"core/store/l.hpp": "// LMDB in C++;\n// private to core/store.\n#pragma once\n"}
        include = '#include "core/store/l.hpp"\n'
        self.finds(check, "core/call/a.cpp", include, beside=private)
        self.finds(check, "apps/echo/a.cpp", include, beside=private)
        self.passes(check, "core/store/a.cpp", include, beside=private)
        self.passes(check, "tests/core/store/a_test.cpp", include, beside=private)

    def test_asio_is_for_the_control_threads_sources(self):
        check = layout.asio_stays_in_control
        self.finds(check, "core/call/a.cpp", "#include <boost/asio.hpp>\n")
        self.finds(check, "core/control/a.hpp", "#include <boost/beast/http.hpp>\n")
        self.finds(check, "apps/echo/a.cpp", "#include <boost/asio/ip/tcp.hpp>\n")
        self.passes(check, "core/control/a.cpp", "#include <boost/asio.hpp>\n")

    def test_modules_have_no_thread_locals_and_no_loggers(self):
        check = layout.modules_are_guests
        self.finds(check, "apps/echo/a.cpp", "// ours\nthread_local int x = 0;\n", 2)
        self.finds(check, "channels/sip/a.cpp", "#include <spdlog/spdlog.h>\n")
        self.passes(check, "apps/echo/a.cpp", "// no thread_local here\n")
        self.passes(check, "core/async/a.cpp", "thread_local int x = 0;\n")

    def test_sofia_is_for_its_driver(self):
        check = layout.sofia_stays_in_its_driver
        self.finds(check, "core/call/a.cpp", "#include <sofia-sip/su.h>\n")
        self.passes(check, "channels/sip/a.cpp", "#include <sofia-sip/su.h>\n")

    def test_the_agent_alone_uses_tags(self):
        check = layout.only_the_agent_calls_sofia_with_tags
        self.passes(check, "channels/sip/agent_send.cpp", "#include <sofia-sip/nta_tag.h>\nvoid f() { g(TAG_END()); }\n")
        self.finds(check, "channels/sip/b.cpp", "\nvoid f() { g(TAG_END()); }\n", 2)

    def test_a_folder_of_a_module_builds_it(self):
        check = layout.every_module_is_built_as_one
        self.finds(check, "apps/echo/CMakeLists.txt", "add_library(echo echo.cpp)\n")
        self.assertEqual(self.faults(check, {"modules/cdr/cdr.cpp": ""}), ["modules/cdr/CMakeLists.txt:1"])
        self.passes(check, "apps/echo/CMakeLists.txt", "# echo\nstrowger_add_module(echo SOURCES echo.cpp)\n")

    def test_an_application_has_a_manual(self):
        check = layout.every_application_has_its_manual
        self.finds(check, "apps/echo/README.md", "# Echo\n")
        self.assertEqual(self.faults(check, {"apps/echo/echo.cpp": ""}), ["apps/echo/README.md:1"])
        self.passes(check, "apps/echo/README.md", "# echo\n\nLets a caller hear himself.\n")


class Form(Checks):
    def test_width(self):
        self.finds(form.lines_fit, "core/a.cpp", "\n" + "x" * 131 + "\n", 2)
        self.passes(form.lines_fit, "core/a.cpp", "ä" * 130 + "\n")
        self.finds(form.lines_fit, "dialplan/a.lua", "-- " + "x" * 131 + "\n")
        self.passes(form.lines_fit, "dialplan/a.lua", "---@alias x " + "x" * 131 + "\n")
        self.passes(form.lines_fit, "a.md", "x" * 131 + "\n")

    def test_length(self):
        self.finds(form.files_have_one_idea, "core/a.cpp", "x\n" * 601, 600)
        self.passes(form.files_have_one_idea, "core/a.cpp", "x\n" * 600)

    def test_headers_begin_with_purpose_and_pragma(self):
        check = form.headers_begin_with_their_purpose
        self.finds(check, "core/a.hpp", "#pragma once\n")
        self.finds(check, "core/a.hpp", "// What it is for.\n#include <vector>\n#pragma once\n")
        self.passes(check, "core/a.hpp", "// What it is for,\n// in two lines.\n#pragma once\n")

    def test_marks_of_unfinished_work(self):
        self.finds(form.nothing_is_left_for_later, "core/a.cpp", "\n// TO" + "DO later\n", 2)
        self.passes(form.nothing_is_left_for_later, "core/a.py", "to" + "do = []\n")

    def test_places_outside_the_project(self):
        check = form.nothing_outside_is_needed
        self.finds(check, "a.md", "see /wor" + "k/notes\n")
        self.finds(check, "core/a.cpp", "// ../sha" + "red/notes.md\n")
        self.passes(check, "core/a.cpp", '#include "core/async/worker.hpp"\n#include "core/work/a.hpp"\n')


class Coroutines(Checks):
    def test_an_await_holds_no_aggregate_and_no_lambda(self):
        check = coroutines.awaits_hold_no_braces
        for text in ("co_await c.dial({.number = n});", "co_await c.dial(options{n});", "if (co_await f(o{1})) {}",
                     "co_await f([&] { g(); });", "x = b ? g() : co_await f(o{1});",
                     "co_await f(a,\n  [n](int) {});"):
            with self.subTest(text):
                self.finds(check, "core/a.cpp", text)
        for text in ("co_await c.dial(std::move(o));", "if (auto r = co_await f(x); r) { g({1}); }",
                     "while (const auto d = co_await r()) { }",
                     "co_await f(items[0], map[key][1]);", 'co_await f("{}", \'{\', R"(a { b)"); // { [',
                     "for (auto& x : co_await f()) { }",
                     "co_await f(10'000); g({'a'});", "auto o = options{n}; co_await f(std::move(o)); auto g = [] {};"):
            with self.subTest(text):
                self.passes(check, "core/a.cpp", text)

    def test_a_range_for_over_a_braced_list_does_not_await(self):
        check = coroutines.range_for_over_lists_does_not_await
        self.finds(check, "core/a.cpp", "for (std::string s : {\"a\", \"b\"}) {\n  co_await f(s);\n}")
        self.finds(check, "core/a.cpp", "for (auto s : {a(), b()}) co_await f(s);")
        self.passes(check, "core/a.cpp", "for (auto s : {a(), b()}) f(s);\nco_await g();")
        self.passes(check, "core/a.cpp", "for (auto& s : names) co_await f(s);")
        self.passes(check, "core/a.cpp", "for (int i = b ? std::max({1}) : 2; i;) f();\nco_await g();")

    def test_a_lambda_with_captures_is_no_coroutine(self):
        check = coroutines.lambdas_with_captures_are_no_coroutines
        self.finds(check, "core/a.cpp", "auto f = [&c]() -> task<void> { co_await c.answer(); };")
        self.finds(check, "core/a.cpp", "run([this, n] { co_return; });")
        self.passes(check, "core/a.cpp", "auto f = [](call& c) -> task<void> { co_await c.answer(); };")
        self.passes(check, "core/a.cpp", "auto f = [&c] { return story(c); };\ntask<void> g() { a[i] = 1; co_return; }")

    def test_sleeping(self):
        check = coroutines.tests_do_not_sleep
        self.finds(check, "tests/core/a_test.cpp", "std::this_thread::sleep_for(1s);")
        self.finds(check, "tests/core/a_test.cpp", "sleep(1);")
        self.finds(check, "tests/modules/a.py", "time.sleep(1)")
        self.passes(check, "tests/core/a_test.cpp", 'co_await sleep_for(1h); phone.sleep(); run("sleep (60)");')
        self.passes(check, "tests/sip/a.py", "time.sleep(1)")


class Documents(Checks):
    def test_lua(self):
        check = documents.lua_parses
        self.finds(check, "README.md", "text\n\n```lua\nlocal x = = 1\n```\n", 3)
        self.finds(check, "dialplan/main.lua", "context 'a' {\n")
        self.passes(check, "README.md", "```lua\ncontext 'a' { [\"100\"] = function(call) call:answer() end }\n```\n")
        self.passes(check, "README.md", '```lua\n["100"] = function(call)\n  call:answer()\nend\n```\n')

    def test_toml(self):
        self.finds(documents.toml_parses, "README.md", "```toml\n[a\n```\n")
        self.passes(documents.toml_parses, "README.md", "```toml\n[a]\nb = 1\n```\n")

    def test_links(self):
        check = documents.links_resolve
        beside = {"docs/other.md": "# Other things, and more\n"}
        self.finds(check, "docs/a.md", "\nsee [it](gone.md)\n", 2, beside)
        self.finds(check, "docs/a.md", "see [it](other.md#no-such)\n", 1, beside)
        good = "[a](other.md#other-things-and-more) [b](https://example.org/) [c](..) [d](#e)\n# E\n"
        self.passes(check, "docs/a.md", good, beside)
        self.passes(check, "docs/a.md", "```lua\nkeys[1](x)\n```\n", beside)

    def test_files_that_are_named(self):
        check = documents.named_files_exist
        self.finds(check, "a.md", "`core/call/gone.hpp`\n")
        self.finds(check, "a.md", "`apps/echo/gone.md`\n", beside={"apps/echo/echo.cpp": ""})
        self.passes(check, "a.md", "write `apps/greeter/greeter.cpp`\n")
        self.passes(check, "a.md", "`core/call/call.hpp`, `core/*/call.hpp`, `core/call`, `core/<your folder>/x.hpp`\n",
                    {"core/call/call.hpp": ""})

    def test_decisions_that_are_named(self):
        check = documents.decisions_exist
        beside = {"contrib/docs/decisions/0001-threads.md": ""}
        self.finds(check, "core/a.hpp", "// see decision 00" "02\n", beside=beside)
        self.passes(check, "core/a.hpp", "// see decisions/00" "01\n", beside=beside)


class Reading(unittest.TestCase):
    def test_comments_and_literals_are_blanked_in_place(self):
        text = 'a("x{", \'{\'); // {\n/* [\n */ b(R"--( )" { )--"); c(1\'000);'
        code = Source("a.cpp", text).code
        self.assertEqual(len(code), len(text))
        self.assertEqual(code.count("\n"), 2)
        self.assertNotIn("{", code)
        self.assertNotIn("[", code)
        self.assertIn("c(1'000);", code)


if __name__ == "__main__":
    unittest.main()
