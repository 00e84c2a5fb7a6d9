"""Which tests try the mutants of a statement: ``tests.json``, recorded from runs of the rooms that use it.

``make mutate MUTATE=record`` writes the file anew.
"""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import Final

from clearwindow.postgres.queries import _HEADING, _SHARED
from tests.mutants.recording import FOLDER
from tests.mutants.statements.sites import PACKAGES, text_of

FILE: Final = Path(__file__).with_name("tests.json")
_ROOMS: Final = (
    "tests/allocations",
    "tests/custody",
    "tests/ledger",
    "tests/liquidity",
    "tests/loss_limits",
    "tests/operator_api",
    "tests/partner_calls",
    "tests/pauses",
    "tests/settlements",
    "tests/simulator/test_clock_moves.py",
    "tests/standing_top_ups",
    "tests/statements",
)
_OF_STATEMENTS: Final = ("tests/ledger/test_statements.py", "tests/settlements/statements/")
_MOST_TESTS: Final = 6
_MOST_SECONDS: Final = 5.0
_SLOW_SECONDS: Final = 2.5

Recorded = Mapping[str, Mapping[str, float]]
"""By statement, the seconds of each test that runs it."""


def record(rooms: Sequence[str]) -> None:
    """Runs tests, and writes which of them try the mutants of each statement.

    Args:
        rooms: whose tests run. What is known of the other tests is kept. Without any, every room runs.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-n",
            "2",
            "--dist",
            "worksteal",
            "-p",
            "tests.mutants.recording",
        ]
        environment = os.environ | {FOLDER: folder, "CI": "true"}
        subprocess.run([*command, *(rooms or _ROOMS)], env=environment, check=True)  # noqa: S603 - our own command
        found = _merged(Path(folder))
    for name, tests in known().items() if rooms else ():
        found[name].update({test: taken for test, taken in tests.items() if not test.startswith(tuple(rooms))})
    write(found)


def _merged(folder: Path) -> dict[str, dict[str, float]]:
    """Returns what the processes of pytest wrote."""
    merged: dict[str, dict[str, float]] = defaultdict(dict)
    for path in folder.glob("*.json"):
        for name, tests in json.loads(path.read_text()).items():
            merged[name].update(tests)
    return merged


def write(found: Recorded) -> None:
    wanted = {f"{package}.{name}" for package in PACKAGES for name in _parts(package)["name"]}
    mine = {name: tests for name, tests in sorted(found.items()) if name in wanted}
    breadth = Counter(test for tests in mine.values() for test in tests)
    chosen = {name: choose(tests, breadth) for name, tests in mine.items()}
    FILE.write_text(json.dumps(chosen, indent=1) + "\n", encoding="utf-8")


def choose(seconds: Mapping[str, float], breadth: Mapping[str, int]) -> dict[str, float]:
    """Returns tests for a statement: in turn the quickest, and those that run most statements beside it.

    The quickest are often about what is refused, and the others move money from beginning to end. Each comes from
    another file before a file has a second: what one room's tests miss another's may see.

    Args:
        seconds: of each test that runs the statement; endless if it failed.
        breadth: how many statements each test runs.
    """
    made_for_it = {test: taken for test, taken in seconds.items() if _is_of_statements(test)}
    of_network = {test: taken for test, taken in seconds.items() if test not in made_for_it}
    quick = _by_file(of_network, lambda test: seconds[test])
    broad = _by_file(of_network, lambda test: -breadth[test] if seconds[test] <= _SLOW_SECONDS else seconds[test])
    chosen: dict[str, float] = {}
    for test in chain.from_iterable(zip(quick, broad, strict=True)):
        taken = seconds[test]
        fits = sum(chosen.values()) + taken <= _MOST_SECONDS or not chosen
        if fits and len(chosen) < _MOST_TESTS and not math.isinf(taken):
            chosen[test] = taken
    return {
        test: taken
        for part in (made_for_it, chosen)
        for test, taken in sorted(part.items(), key=lambda one: one[1])
    }


def _is_of_statements(test: str) -> bool:
    """Returns whether the test is about single statements: such tests take milliseconds, and all of them run."""
    return test.startswith(_OF_STATEMENTS)


def _by_file(tests: Iterable[str], rank: Callable[[str], float]) -> list[str]:
    """Returns one test of each function, the best first, and one of each file before the second of any."""
    of_function: dict[str, str] = {}
    for test in sorted(tests, key=lambda test: (rank(test), test)):
        of_function.setdefault(test.partition("[")[0], test)
    of_file: dict[str, list[str]] = defaultdict(list)
    for test in of_function.values():
        of_file[test.partition("::")[0]].append(test)
    in_turn = chain.from_iterable(zip_longest(*of_file.values()))
    return [test for test in in_turn if test is not None]


def known() -> Recorded:
    found: Recorded = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def statements_with(package: str, block: str) -> list[str]:
    """Returns the statements that a block is part of: itself, or those that write its columns."""
    parts = _parts(package)
    if block in parts["name"]:
        return [block]
    shared = parts["columns"] | parts["relation"]
    return [name for name, text in parts["name"].items() if block in _all_shared(text, shared)]


def tests_for(package: str, block: str, recorded: Recorded) -> list[str]:
    """Returns the tests of a block: first those of single statements, then the quickest."""
    found = [recorded.get(f"{package}.{name}", {}) for name in statements_with(package, block)]
    seconds = {test: taken for tests in found for test, taken in tests.items()}
    in_turn = [test for test in chain.from_iterable(zip_longest(*found)) if test is not None]
    of_network = list(dict.fromkeys(test for test in in_turn if not _is_of_statements(test)))[:_MOST_TESTS]
    of_statements = [test for test in seconds if _is_of_statements(test)]
    return [test for part in (of_statements, of_network) for test in sorted(part, key=seconds.__getitem__)]


def _all_shared(text: str, shared: Mapping[str, str]) -> set[str]:
    found: set[str] = set()
    open_names = set(re.findall(_SHARED, text))
    while open_names:
        name = open_names.pop()
        found.add(name)
        open_names |= set(re.findall(_SHARED, shared[name])) - found
    return found


def _parts(package: str) -> dict[str, dict[str, str]]:
    parts = _HEADING.split(text_of(package))
    found: dict[str, dict[str, str]] = {"name": {}, "columns": {}, "relation": {}}
    for kind, name, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        found[kind][name] = body
    return found
