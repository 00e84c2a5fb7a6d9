"""Tries mutants of named statements, each with the tests of its statement, in a few processes that stay."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Final

from tests.mutants.statements.sites import PACKAGES, Mutant, mutants_of, sample, text_of
from tests.mutants.statements.tests_of import known, statements_with, tests_for
from tests.mutants.survivors import CONSOLE, Change, Tried, judge

MOST: Final = 300
_WORKER: Final = (sys.executable, "-m", "tests.mutants.statements.worker")
_LONGEST_SECONDS: Final = 150
"""A test that waits this long for a lock or an end does not get it: the mutant is killed."""


@dataclass
class _Outcome:
    tried: list[Tried] = field(default_factory=list)
    refused: int = 0
    wrong: list[str] = field(default_factory=list)


def main(of: str, children: int) -> list[str]:
    """Tries a sample of the mutants of the statements that begin with ``of``. Returns what is wrong."""
    recorded = known()
    every = [mutant for package in PACKAGES for mutant in mutants_of(package, text_of(package))]
    # More than wanted, because PostgreSQL refuses some: these are no mutants.
    candidates = sample([mutant for mutant in every if mutant.of.startswith(of)], 2 * MOST)
    tests = {mutant: tests_for(mutant.package, mutant.block, recorded) for mutant in candidates}
    jobs: SimpleQueue[Mutant] = SimpleQueue()
    for mutant in candidates:
        jobs.put(mutant)
    outcome = _Outcome()
    with ThreadPoolExecutor(children) as pool:
        list(pool.map(lambda _: _work(tests, jobs, outcome), range(children)))
    CONSOLE.print(f"{len(every)} mutants in all, {outcome.refused} of the sample refused by PostgreSQL")
    # A room has a few dozen of the sample: by chance, one has more of those that nobody can notice than another.
    return outcome.wrong + judge("statements", outcome.tried, whole=not of, each_group=False)


def _work(tests: Mapping[Mutant, Sequence[str]], jobs: SimpleQueue[Mutant], outcome: _Outcome) -> None:
    worker = _Worker(sorted({test for each in tests.values() for test in each}))
    try:
        for mutant in _taken(jobs):
            if len(outcome.tried) >= MOST:
                return
            job = {
                "package": mutant.package,
                "text": mutant.apply(text_of(mutant.package)),
                "statements": statements_with(mutant.package, mutant.block),
                "tests": tests[mutant],
            }
            began = time.monotonic()
            answer = worker.ask(job, _LONGEST_SECONDS)
            _take(mutant, answer, outcome, time.monotonic() - began)
    finally:
        worker.end()


def _taken(jobs: SimpleQueue[Mutant]) -> Iterator[Mutant]:
    while True:
        try:
            yield jobs.get_nowait()
        except Empty:
            return


def _take(mutant: Mutant, answer: dict[str, str], outcome: _Outcome, seconds: float) -> None:
    verdict, told = answer["verdict"], answer["told"]
    if verdict == "refused":
        outcome.refused += 1
        return
    if verdict == "broken":
        outcome.wrong.append(f"{mutant.of}: a test fails without the mutant too:\n{told}")
        return
    group = mutant.of.rpartition(".")[0]
    outcome.tried.append(Tried(group, Change(mutant.of, mutant.change), killed=verdict != "survived"))
    CONSOLE.print(f"{verdict} after {seconds:.1f} s: {mutant.of}\n{mutant.change}")
    # Whoever reads a file of what is printed sees how far it is.
    sys.stdout.flush()


class _Worker:
    """The process that tries mutants. One that does not answer is ended, and another takes its place."""

    def __init__(self, tests: Sequence[str]) -> None:
        self._tests = tests
        self._process = self._start()

    def ask(self, job: dict[str, Any], longest_seconds: float) -> dict[str, str]:
        answers = self._process.stdout
        assert answers is not None
        self._send(job)
        with selectors.DefaultSelector() as selector:
            selector.register(answers, selectors.EVENT_READ)
            if not selector.select(longest_seconds):
                self._kill()
                self._process = self._start()
                return {"verdict": "killed (no end)", "told": ""}
            line = answers.readline()
        if not line:
            raise RuntimeError(f"the process that tries mutants has ended: {self._process.wait()}")
        found: dict[str, str] = json.loads(line)
        return found

    def end(self) -> None:
        """Lets the process end by itself, so that it stops its PostgreSQL and removes its folder."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._kill()

    def _kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        # A session of its own, so that its PostgreSQL and its threads end with it.
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            _WORKER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        self._send(self._tests)
        return self._process

    def _send(self, line: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line).encode() + b"\n")
        self._process.stdin.flush()
