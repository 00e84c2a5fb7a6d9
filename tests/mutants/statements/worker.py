"""A process that tries mutants: one run of pytest, with one server and one PostgreSQL, tries all of them.

It reads lines of JSON from standard input: first the tests of all mutants, which it collects once, then a mutant
in each line. It answers each mutant with a line. ``python -m tests.mutants.statements.worker``; its parent ends it
if it does not answer.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any, Final, TypeVar

import psycopg
import pytest
from psycopg import Connection

import tests.conftest
from clearwindow.postgres import queries
from clearwindow.postgres.queries import Queries
from tests.mutants.quick import PROFILE
from tests.mutants.statements.sites import text_of
from tests.postgres.needs import _COMMENT, _IS_MOMENT, _MOMENT, _PARAMETER
from tests.support.databases import running_cluster

T = TypeVar("T")

ARGUMENTS: Final = (
    "-q",
    "-p",
    "no:xdist",
    "-p",
    "no:cacheprovider",
    "-p",
    "tests.mutants.quick",
    f"--hypothesis-profile={PROFILE}",
    # This process has imported it before pytest begins.
    "-W",
    "ignore::pytest.PytestAssertRewriteWarning",
)


def main() -> int:
    # Kept from pytest, which takes standard input and output for the tests.
    jobs, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    of_mutants = json.loads(jobs.readline())
    with running_cluster() as cluster, cluster.fresh_database() as dsn, psycopg.connect(dsn) as planner:
        # The tests have the same PostgreSQL as the planner.
        tests.conftest.running_cluster = lambda: _kept(cluster)  # type: ignore[attr-defined]
        return pytest.main([*ARGUMENTS, *of_mutants], plugins=[_Trials(jobs, answers, planner)])


@contextmanager
def _kept(one: T) -> Iterator[T]:
    """Gives what is used for longer, and does not end it."""
    yield one


class _Trials:
    """A plugin of pytest: runs the tests of one mutant after another, in place of every test once."""

    def __init__(self, jobs: IO[str], answers: IO[str], planner: Connection[Any]) -> None:
        self._jobs = jobs
        self._answers = answers
        self._planner = planner
        self._failed = ""

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        between, items = _Between(session), {item.nodeid: item for item in session.items}
        for line in self._jobs:
            print(json.dumps(self._tried(json.loads(line), items, between)), file=self._answers, flush=True)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed += report.longreprtext[-3000:]

    def _tried(
        self, job: Mapping[str, Any], items: Mapping[str, pytest.Item], between: _Between
    ) -> dict[str, object]:
        """Returns what comes of the tests with a changed file.

        The job has its ``package`` and ``text``, the ``statements`` with the change, and the ``tests``.
        """
        package = job["package"]
        try:
            changed = queries._parsed(job["text"], package)  # noqa: SLF001 - no other way in, and none in production
            for name in job["statements"]:
                self._plan(changed[0][name])
        except psycopg.Error as error:
            return {"verdict": "refused", "told": str(error)}
        with _in_place(package, changed):
            told, failing = self._first_failure([items[test] for test in job["tests"]], between)
        if failing is None:
            return {"verdict": "survived", "told": ""}
        # What fails without the mutant too says nothing about it.
        if self._first_failure([failing], between)[1] is not None:
            return {"verdict": "broken", "told": told}
        return {"verdict": "killed", "told": failing.nodeid}

    def _first_failure(self, items: Sequence[pytest.Item], between: _Between) -> tuple[str, pytest.Item | None]:
        """Runs tests until one fails. Returns what it tells, and the test."""
        for place, item in enumerate(items, 1):
            self._failed = ""
            following = items[place] if place < len(items) else between
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._failed:
                return self._failed, item
        return "", None

    def _plan(self, text: str) -> None:
        """Lets PostgreSQL plan the statement: a change that it does not understand is no mutant."""
        text = _COMMENT.sub("", text).strip()
        values = {name: _MOMENT if _IS_MOMENT.search(name) else None for name in _PARAMETER.findall(text)}
        try:
            with psycopg.ClientCursor(self._planner) as cursor:
                cursor.execute(f"EXPLAIN {text}".encode(), values)
        finally:
            self._planner.rollback()


class _Between:
    """What follows the last test of a mutant: the run itself, and no file of it. So only the server stays."""

    def __init__(self, session: pytest.Session) -> None:
        self._session = session

    def listchain(self) -> list[pytest.Session]:
        return [self._session]


@contextmanager
def _in_place(package: str, changed: tuple[Any, Any]) -> Iterator[None]:
    """Gives the changed statements to every room that has the file open, until the block ends."""
    _put(package, changed)
    try:
        yield
    finally:
        _put(package, queries._parsed(text_of(package), package))  # noqa: SLF001 - as above


def _put(package: str, statements: tuple[Any, Any]) -> None:
    for each in gc.get_objects():
        if type(each) is Queries and each._package == package:  # noqa: SLF001 - as above
            each.update(statements[0])
            each._relations = statements[1]  # noqa: SLF001 - as above


if __name__ == "__main__":
    sys.exit(main())
