"""Runs the prober, and reads the times of a stretch of its probes."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.door.outcome import HEALTH_SECONDS, STRANGER_SECONDS, Times
from bench.door.prober import INTERVAL_SECONDS
from clearwindow.simulator.programs import Line, Program
from clearwindow.simulator.server import environment

SOURCE: Final = "127.0.0.2"
_COMMAND: Final = (sys.executable, "-m", "bench.door.prober")
_AIMS: Final = {"health": HEALTH_SECONDS, "stranger": STRANGER_SECONDS}
NORMAL_SECONDS: Final = 2.0
"""The server is normal when all probes of so many seconds met their aims."""
_OK: Final = "200"


class Probes:
    """The probes of one server."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def await_normal(self, since: float, longest_seconds: float) -> float | None:
        """Waits until the server is normal, and returns the seconds from ``since`` to the first normal probe.

        Returns None if that does not happen in time.
        """
        while time.monotonic() < since + longest_seconds + NORMAL_SECONDS:
            self._program.require_running()
            bad = [self._end(line) for line in self._lines() if not self._is_normal(line)]
            normal_from = max([since, *bad])
            good = [line for line in self._lines() if line["at"] >= normal_from]
            enough = NORMAL_SECONDS / INTERVAL_SECONDS / 2
            if time.monotonic() >= normal_from + NORMAL_SECONDS and all(
                sum(line["what"] == what for line in good) >= enough for what in _AIMS
            ):
                return normal_from - since
            time.sleep(INTERVAL_SECONDS)
        return None

    def times(self, what: str, begin: float, end: float) -> Times:
        """Returns the times of the probes that were open at any moment between these."""
        lines = [
            line
            for line in self._lines()
            if line["what"] == what and line["at"] <= end and self._end(line) >= begin
        ]
        failed = Counter(str(line["status"]) for line in lines if line["status"] != _OK)
        return Times.of([float(line["seconds"]) for line in lines], failed)

    def _lines(self) -> Sequence[Line]:
        return list(self._program.lines)

    @staticmethod
    def _end(line: Line) -> float:
        return float(line["at"] + line["seconds"])

    @staticmethod
    def _is_normal(line: Line) -> bool:
        return bool(line["status"] == _OK and line["seconds"] <= _AIMS[line["what"]])


@contextmanager
def probing(
    folder: Path, host: str, port: int, strangers: Sequence[tuple[str, str]], *, tls: bool
) -> Iterator[Probes]:
    """Probes ``/healthz`` and the strangers' paths until the block ends.

    Args:
        folder: gets the prober's log.
        host: of the server.
        port: of the server.
        strangers: paths, each with a token that may read it.
        tls: whether the server speaks TLS. Its certificate is not checked.
    """
    given = {"host": host, "port": port, "source": SOURCE, "strangers": list(strangers), "tls": tls}
    program = Program("prober", [json.dumps(given)], folder, environment(), command=_COMMAND)
    program.start()
    try:
        yield Probes(program)
    finally:
        program.kill()
