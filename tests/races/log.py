"""What PostgreSQL says of waits: its log of lock waits, and its count of deadlocks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tests.support.databases import as_superuser

DEADLOCK_TIMEOUT: Final = "10ms"
"""After this time of waiting for a lock, PostgreSQL looks for a circle and logs the wait."""
_POSTMASTER: Final = r"SELECT split_part(pg_read_file('postmaster.pid'), E'\n', 1)"
_WAITING: Final = (" still waiting for ", " detected deadlock while waiting for ")
_DEADLOCK: Final = "deadlock detected"


@dataclass(frozen=True)
class Waits:
    """How often somebody waited for a lock for longer than the time above, and how often in a circle."""

    lock_waits: int = 0
    deadlocks: int = 0

    def __add__(self, other: Waits) -> Waits:
        return Waits(self.lock_waits + other.lock_waits, self.deadlocks + other.deadlocks)


class ServerLog:
    """The waits of one database since the log was opened. New sessions of the database log them."""

    def __init__(self, dsn: str) -> None:
        self._dsn = as_superuser(dsn)
        name = sql.Identifier(str(conninfo_to_dict(dsn)["dbname"]))
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute(sql.SQL("ALTER DATABASE {} SET log_lock_waits = on").format(name))
            timeout = sql.SQL("ALTER DATABASE {} SET deadlock_timeout = {}")
            connection.execute(timeout.format(name, sql.Literal(DEADLOCK_TIMEOUT)))
            (process,) = connection.execute(_POSTMASTER).fetchone() or ("",)
        # Where the cluster lies depends on who runs the tests; its server knows where it writes.
        self._log = Path(f"/proc/{process}/fd/2").resolve()
        self._begins = self._log.stat().st_size

    def waits(self) -> Waits:
        """Returns what has happened so far."""
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            statement = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
            (counted,) = connection.execute(statement).fetchone() or (0,)
        with self._log.open("rb") as file:
            file.seek(self._begins)
            text = file.read().decode(errors="replace")
        return Waits(sum(map(text.count, _WAITING)), max(int(counted), text.count(_DEADLOCK)))
