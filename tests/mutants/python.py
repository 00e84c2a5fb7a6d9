"""Mutants of Python modules, made and tried by mutmut, which lives in an environment of its own.

``[tool.mutmut]`` of pyproject.toml says which modules, and among which tests mutmut looks for those of a function.
"""

from __future__ import annotations

import ast
import difflib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.mutants.survivors import CONSOLE, Change, Tried, judge

FOLDER: Final = Path("mutants")
MUTMUT: Final = Path(".mutmut")
_RUN: Final = "from mutmut.__main__ import cli; cli()"
_SURVIVED: Final = 0
_UNTESTED: Final = 33
"""No test runs the function."""
_KILLED: Final = frozenset({1, 3, 24, 36, 152, 255, -24, -9})
"""A test failed, or did not end in time: mutmut's own codes."""
_TEXT: Final = re.compile(r'"[^"]*"|\'[^\']*\'')


def main(children: int) -> list[str]:
    """Tries all mutants of the modules. Returns what is wrong."""
    if not MUTMUT.is_dir():
        return [f"{MUTMUT} is missing: run make mutate, which installs it"]
    shutil.rmtree(FOLDER, ignore_errors=True)
    environment = os.environ | {"PYTHONPATH": str(MUTMUT.resolve())}
    command = [sys.executable, "-c", _RUN, "run", "--max-children", str(children)]
    done = subprocess.run(command, env=environment, check=False)  # noqa: S603 - our own command
    if done.returncode:
        return [f"mutmut ended with {done.returncode}"]
    tried = list(_results())
    _print_tests()
    return judge("python", tried, whole=True)


def _results() -> Iterator[Tried]:
    """Yields what mutmut found, as it wrote it beside its copies of the modules."""
    for path in sorted(FOLDER.glob("src/**/*.py.meta")):
        codes: dict[str, int | None] = json.loads(path.read_text())["exit_code_by_key"]
        source = path.with_suffix("").read_text(encoding="utf-8")
        functions = _functions(source) if codes else {}
        for key, code in codes.items():
            if code not in _KILLED | {_SURVIVED, _UNTESTED}:
                raise SystemExit(f"{key}: mutmut has no verdict ({code}): run it again")
            module, _, name = key.rpartition(".")
            original = name.rpartition("__mutmut_")[0] + "__mutmut_orig"
            of = f"{module}.{_plain(name)}"
            lines = _lines(functions[original], functions[name])
            if not _is_wording(lines):
                yield Tried(module, Change(of, lines), code in _KILLED)


def _functions(source: str) -> dict[str, list[str]]:
    """Returns the lines of every function and method in mutmut's copy of a module, by its name there."""
    found = {}
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and "__mutmut_" in node.name:
            found[node.name] = lines[node.lineno - 1 : node.end_lineno]
    return found


def _plain(name: str) -> str:
    """Returns the function's own name: mutmut writes ``x_f__mutmut_1``, or ``xǁClassǁmethod__mutmut_1``."""
    before = name.rpartition("__mutmut_")[0]
    return ".".join(before.split("ǁ")[1:]) if "ǁ" in before else before.removeprefix("x_")


def _lines(original: list[str], changed: list[str]) -> str:
    # The first line has the name, which always differs. An argument's usual value may stand there too.
    heads = [line.partition("(")[2] for line in (original[0], changed[0])]
    before, after = [heads[0], *original[1:]], [heads[1], *changed[1:]]
    return "\n".join(
        f"{line[0]} {line[1:].strip()}"
        for line in difflib.unified_diff(before, after, n=0, lineterm="")
        if line[0] in "+-" and not line.startswith(("---", "+++"))
    )


def _is_wording(lines: str) -> bool:
    """Returns whether the mutant only writes words for people in another way. Such a mutant is none."""
    before, after = (
        [_TEXT.sub(_without_words, line[2:]) for line in lines.splitlines() if line.startswith(sign)]
        for sign in "-+"
    )
    return before == after


def _without_words(text: re.Match[str]) -> str:
    return '""' if " " in text[0] else text[0]


def _print_tests() -> None:
    """Prints the files of the tests that mutmut ran for each module."""
    tests: dict[str, set[str]] = {}
    found = json.loads((FOLDER / "mutmut-stats.json").read_text())["tests_by_mangled_function_name"]
    for function, names in found.items():
        module = function.rpartition(".")[0]
        tests.setdefault(module, set()).update(name.partition("::")[0] for name in names)
    for module in sorted(tests):
        CONSOLE.print(f"{module}: {', '.join(sorted(tests[module]))}")
