"""Each rule of scripts/lint is fed something bad and must name it; a good tree must pass whole."""
import importlib.machinery
import importlib.util
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as xml

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = REPOSITORY / "scripts" / "lint"

loader = importlib.machinery.SourceFileLoader("lint", str(SCRIPT))
sys.dont_write_bytecode, keep = True, sys.dont_write_bytecode
lint = importlib.util.module_from_spec(importlib.util.spec_from_loader("lint", loader))
loader.exec_module(lint)
sys.dont_write_bytecode = keep

# Put together here so that this file passes the rule that it tests.
SHARED = ".." + "/shared/x"
WORK = "/" + "work/x"
ROOT = "/" + "root/x"
NPM_HOST = "registry" + ".npmjs.org"

SHELL = "#!/usr/bin/env bash\nset -euo pipefail\n"
LONG_BODY = "\tx++;\n" * 99  # with its braces one line too many

GOOD = {
    ".clang-format": (REPOSITORY / ".clang-format").read_text(),
    "src/main.c": '#include "cli/top.h"\n#include "version.h"\n',
    "src/base/meson.build": "base_src = files(\n    'low.c',\n)\n",
    "src/base/low.h": "int low_sprintf(int x);\n",
    "src/base/low.c": (
        '#include "base/low.h"\n\n#include <limits.h>\n\n'
        '/* strcpy(a, b) and "typedef struct" in words are fine. */\n'
        "int low_sprintf(int x)\n{\n" + "\tx++;\n" * 97 + "\treturn x;\n}\n"),
    "src/io/meson.build": "io_src = files(\n    'loop.c',\n)\n",
    "src/io/loop.c": '#include "base/low.h"\n\n#include <curl/curl.h>\n#include <uv.h>\n',
    "sim/meson.build": "sim_src = files(\n    'main.c',\n)\n",
    "sim/main.c": '#include "io/loop.h"\n#include "sim/account.h"\n',
    "tests/unit/meson.build": "unit_tests = {\n    'base': ['test_low'],\n}\n",
    "tests/unit/base/test_low.c": "#include <cmocka.h>\n#include <uv.h>\nint shows_c(void);\n",
    "tests/fuzz/meson.build": "fuzz_targets = {\n    'low': base_dep,\n}\n",
    "tests/fuzz/fuzz_low.c": "int x;\n",
    "tests/fuzz/replay.c": "int y;\n",
    "scripts/run": SHELL + "echo network/" + "work/x https://example.com/a\n",
    "scripts/tool.py": "print('x')\n",
    "tests/golden/ROWS": "# rows\n\na.b   a row\na.c   another @ tests/unit/base/test_low.c shows_c\n",
    "tests/golden/case_b/case.json": '{"rows":["a.b"]}\n',
}

# rule, files put into the good tree, where the finding is, a word of its message
BAD = [
    ("format", {"src/main.c": "int  x;\n"}, "src/main.c:1", "formatted"),
    ("format", {"src/main.c": "int x;\nint f(void) {\n    return 1;\n}\n"}, "src/main.c:2", "formatted"),
    ("layers", {"src/base/low.c": '\n#include "io/loop.h"\n'}, "src/base/low.c:2", "io/loop.h"),
    ("layers", {"src/io/loop.c": '#include "dialect/x.h"\n'}, "src/io/loop.c:1", "dialect/x.h"),
    ("layers", {"src/base/low.c": '#include "low.h"\n'}, "src/base/low.c:1", "without its folder"),
    ("layers", {"src/extra/a.c": "int x;\n"}, "src/extra/a.c:1", "unknown folder"),
    ("layers", {"sim/main.c": '#include "codex/x.h"\n'}, "sim/main.c:1", "codex/x.h"),
    ("layers", {"sim/main.c": '#include "conf/x.h"\n'}, "sim/main.c:1", "conf/x.h"),
    ("layers", {"src/main.c": '#include "sim/x.h"\n'}, "src/main.c:1", "sim/x.h"),
    ("io-headers", {"src/base/low.c": "#include <uv.h>\n"}, "src/base/low.c:1", "uv.h"),
    ("io-headers", {"src/relay/a.h": "#include <curl/multi.h>\n"}, "src/relay/a.h:1", "curl/multi.h"),
    ("io-headers", {"sim/main.c": '#include "uv.h"\n'}, "sim/main.c:1", "uv.h"),
    ("test-includes", {"src/main.c": '#include "tests/unit/x.h"\n'}, "src/main.c:1", "tests/unit/x.h"),
    ("test-includes", {"src/main.c": "#include <cmocka.h>\n"}, "src/main.c:1", "cmocka.h"),
    ("function-length", {"src/main.c": "int f(int x)\n{\n" + LONG_BODY + "}\n"}, "src/main.c:2", "101 lines"),
    ("file-length", {"src/base/low.c": "int x;\n" * 1001}, "src/base/low.c:1001", "1001 lines"),
    ("file-length", {"scripts/run": SHELL + "x=1\n" * 999}, "scripts/run:1001", "1001 lines"),
    ("unique-names", {"src/io/low.h": ""}, "src/io/low.h:1", "src/base/low.h"),
    ("unique-names", {"sim/loop.c": ""}, "src/io/loop.c:1", "sim/loop.c"),
    ("banned", {"src/main.c": "\nint x = sprintf(a, b);\n"}, "src/main.c:2", "sprintf()"),
    ("banned", {"src/main.c": "int x = vsprintf (a, b);\n"}, "src/main.c:1", "vsprintf()"),
    ("banned", {"sim/main.c": "strcpy(a, b);\n"}, "sim/main.c:1", "strcpy()"),
    ("banned", {"sim/main.c": "strcat(a, b);\n"}, "sim/main.c:1", "strcat()"),
    ("banned", {"src/main.c": "strtok(a, b);\n"}, "src/main.c:1", "strtok()"),
    ("banned", {"src/main.c": "atoi(a);\n"}, "src/main.c:1", "atoi()"),
    ("banned", {"src/main.c": '/* " */ sscanf(a);\n'}, "src/main.c:1", "sscanf()"),
    ("banned", {"tests/unit/base/test_low.c": "gets(a);\n"}, "tests/unit/base/test_low.c:1", "gets()"),
    ("banned", {"src/base/low.h": "typedef struct low low;\n"}, "src/base/low.h:1", "typedef struct"),
    ("references", {"README.md": "see " + SHARED + "\n"}, "README.md:1", "outside the repository"),
    ("references", {"scripts/run": SHELL + "cd " + WORK + "\n"}, "scripts/run:3", "path of one machine"),
    ("references", {"tests/e2e/test_a.py": "'" + ROOT + "'\n"}, "tests/e2e/test_a.py:1", "path of one machine"),
    ("references", {"a/package-lock.json": f'"https://{NPM_HOST}/a"\n'}, "a/package-lock.json:1", "registry"),
    ("references", {"a/.npmrc": "registry=https://" + "registry.example.org/\n"}, "a/.npmrc:1", "registry"),
    ("listed", {"src/io/other.c": ""}, "src/io/other.c:1", "src/io/meson.build"),
    ("listed", {"src/base/io.c": ""}, "src/base/io.c:1", "src/base/meson.build"),
    ("listed", {"sim/other.c": ""}, "sim/other.c:1", "sim/meson.build"),
    ("listed", {"tests/unit/io/test_loop.c": ""}, "tests/unit/io/test_loop.c:1", "tests/unit/meson.build"),
    ("listed", {"tests/fuzz/fuzz_high.c": ""}, "tests/fuzz/fuzz_high.c:1", "tests/fuzz/meson.build"),
    ("listed", {"tests/bench/bench_io.c": ""}, "tests/bench/bench_io.c:1", "tests/bench/meson.build"),
    ("shell", {"scripts/run": SHELL + "if true\n"}, "scripts/run:4", "syntax error"),
    ("shell", {"scripts/run.sh": "#!/bin/sh\nset -euo pipefail\n"}, "scripts/run.sh:1", "env bash"),
    ("shell", {"scripts/run": "#!/usr/bin/env bash\n"}, "scripts/run:1", "pipefail"),
    ("python", {"scripts/tool.py": "\nprint('x'\n"}, "scripts/tool.py:2", "never closed"),
    ("python", {"scripts/tool": "#!/usr/bin/python3\ndef\n"}, "scripts/tool:2", "invalid syntax"),
    ("golden-rows", {"tests/golden/ROWS": "a.b x\na.d new\n"}, "tests/golden/ROWS:2", "no case"),
    ("golden-rows", {"tests/golden/ROWS": "a.b x\na.b x\n"}, "tests/golden/ROWS:2", "twice"),
    ("golden-rows", {"tests/golden/ROWS": "a.b x\na.c x @ tests/x.c f\n"}, "tests/golden/ROWS:2", "no f in"),
    ("golden-rows", {"tests/golden/c/case.json": '{"rows":["a.z"]}'}, "tests/golden/c/case.json:1", "is no row"),
    ("golden-rows", {"tests/golden/c/case.json": "{}"}, "tests/golden/c/case.json:1", "names no row"),
]


def plant(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def run_lint(root, *arguments):
    return subprocess.run([sys.executable, SCRIPT, "--root", root, *arguments],
                          capture_output=True, text=True, timeout=60)


def test_good_tree_passes(tmp_path):
    plant(tmp_path, GOOD)
    result = run_lint(tmp_path)
    assert (result.stdout, result.stderr, result.returncode) == ("", "", 0)


@pytest.mark.parametrize("rule,files,where,word", BAD,
                         ids=[f"{case[0]}-{number}" for number, case in enumerate(BAD)])
def test_bad_example_is_found(tmp_path, rule, files, where, word):
    plant(tmp_path, {**GOOD, **files})
    result = run_lint(tmp_path, rule)
    assert result.returncode == 1, result.stderr
    found = [line for line in result.stdout.splitlines() if line.startswith(where + ": ")]
    assert len(found) == 1, result.stdout
    assert word in found[0]


def test_every_rule_has_a_bad_example():
    assert set(lint.RULES) == {case[0] for case in BAD}


def test_junit_has_a_case_for_each_rule(tmp_path):
    plant(tmp_path, {**GOOD, "src/main.c": "atoi(a);\n"})
    run_lint(tmp_path, "--junit", tmp_path / "lint.xml")
    cases = {case.get("name"): case.find("failure") is not None
             for case in xml.parse(tmp_path / "lint.xml").iter("testcase")}
    assert cases == {rule: rule == "banned" for rule in lint.RULES}


def test_git_ignored_files_are_left_alone(tmp_path):
    plant(tmp_path, {**GOOD, ".gitignore": "/out/\n", "out/x.py": "print('x'\n"})
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    assert run_lint(tmp_path).returncode == 0
    plant(tmp_path, {"new.py": "print('x'\n"})
    assert run_lint(tmp_path, "python").returncode == 1
