"""What work costs: seconds, bytes of PostgreSQL's log, and processor time of PostgreSQL and of the server.

Log and processor time mean something on a machine that other programs use, too. Seconds do not.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final, TypeVar

import psycopg

T = TypeVar("T")

_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")
_PARENT, _OWN, _ENDED_CHILDREN = 1, slice(11, 13), slice(13, 15)
"""Places in /proc/PID/stat, after the name: the parent, and user and system time in ticks."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What was spent. ``database`` and ``server`` are processor seconds."""

    seconds: float = 0
    log_bytes: int = 0
    database: float = 0
    server: float = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.seconds + other.seconds,
            self.log_bytes + other.log_bytes,
            self.database + other.database,
            self.server + other.server,
        )


class Meter:
    """Measures work on the database of a connection, which does nothing else meanwhile."""

    def __init__(self, connection: psycopg.Connection, server_pid: int) -> None:
        self._connection = connection
        self._server_pid = server_pid
        self._postmaster_pid = int(_stat(connection.info.backend_pid)[_PARENT])

    def measure(self, work: Callable[[], T]) -> tuple[T, Cost]:
        log, database, server = self._written(), self._database_seconds(), self._server_seconds()
        start = perf_counter()
        result = work()
        seconds = perf_counter() - start
        cost = Cost(
            seconds,
            self._written() - log,
            self._database_seconds() - database,
            self._server_seconds() - server,
        )
        return result, cost

    def _written(self) -> int:
        statement = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint"
        (position,) = self._connection.execute(statement).fetchone() or (0,)
        return int(position)

    def _database_seconds(self) -> float:
        """Returns the processor time of all processes of PostgreSQL, those that have ended included."""
        own = _stat(self._postmaster_pid)
        ticks = sum(map(int, [*own[_OWN], *own[_ENDED_CHILDREN]]))
        for stat in _every_stat():
            if int(stat[_PARENT]) == self._postmaster_pid:
                ticks += sum(map(int, stat[_OWN]))
        return ticks / _TICKS_A_SECOND

    def _server_seconds(self) -> float:
        return sum(map(int, _stat(self._server_pid)[_OWN])) / _TICKS_A_SECOND


def _every_stat() -> Iterator[list[str]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                yield _stat(int(folder.name))
            except OSError:
                # The process has ended since.
                continue


def _stat(pid: int) -> list[str]:
    """Returns the fields after the process's name, which may have spaces."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
