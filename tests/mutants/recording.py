"""A plugin of pytest: writes which named statements each test runs, and how long the test takes."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final, LiteralString

import pytest

from clearwindow.postgres.queries import Queries

FOLDER: Final = "CLEARWINDOW_RECORDED_STATEMENTS"
"""The environment variable that names the folder. Each process of pytest writes a file there."""

_seen: set[str] = set()
_tests: dict[str, set[str]] = defaultdict(set)
_seconds: dict[str, float] = {}


def _recorded(queries: Queries, name: str) -> LiteralString:
    _seen.add(f"{queries._package}.{name}")  # noqa: SLF001 - the plugin of its own tests
    return dict.__getitem__(queries, name)


def pytest_configure() -> None:
    # Rooms made their statements when they were imported, or will make them later: all look the method up here.
    Queries.__getitem__ = _recorded  # type: ignore[method-assign,assignment]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    _seen.clear()
    yield
    for name in _seen:
        _tests[name].add(item.nodeid)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        # What fails without a mutant says nothing about one.
        _seconds[report.nodeid] = float("inf")
    else:
        _seconds[report.nodeid] = _seconds.get(report.nodeid, 0) + report.duration


def pytest_sessionfinish() -> None:
    found = {name: {test: round(_seconds[test], 2) for test in tests} for name, tests in _tests.items()}
    Path(os.environ[FOLDER], f"{os.getpid()}.json").write_text(json.dumps(found, indent=1, sort_keys=True))
