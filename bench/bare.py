"""The bare floors: psql copies an amount for each connection and currency, and updates as many balances.

There is nothing else: no ids, no journal, no holds, no constraint but a primary key. No program that keeps
transfers and balances on PostgreSQL can do with less. Three forms: without an index on the transfers, with a
primary key, and with a primary key in two commits, one that holds the losses and one that executes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import psycopg

from bench.costs import Cost, Meter
from bench.psql import Psql

_SCHEMA: Final = """
CREATE SCHEMA bare;
CREATE TABLE bare.unindexed (settlement int, account int, currency int, quantity numeric);
CREATE TABLE bare.transfer (settlement int, account int, currency int, quantity numeric,
                            PRIMARY KEY (settlement, account, currency));
CREATE TABLE bare.balance (account int, currency int, available numeric, held numeric,
                           PRIMARY KEY (account, currency)) WITH (fillfactor = 50);
"""
_SEED: Final = """
INSERT INTO bare.balance SELECT account, currency, 1000000 * 1e8, 0
FROM generate_series(1, %(connections)s) AS account, generate_series(1, %(currencies)s) AS currency
"""
_ROWS: Final = """
COPY (SELECT %(settlement)s, account, currency,
             (1 + account::bigint * 7919000 + currency * 104729)
             * CASE (account + currency) %% 2 WHEN 0 THEN 1 ELSE -1 END
      FROM generate_series(1, %(connections)s) AS account, generate_series(1, %(currencies)s) AS currency) TO STDOUT
"""
_COPY: Final = "\\copy bare.{table} FROM '{rows}'"
_MOVE: Final = (
    "UPDATE bare.balance SET available = available + {available}, held = held + {held}"
    " FROM bare.{table} AS transfer WHERE settlement = {settlement}"
    " AND (balance.account, balance.currency) = (transfer.account, transfer.currency) AND {which};"
)
_AT_ONCE: Final = {"available": "quantity", "held": "0", "which": "true"}
_HOLD: Final = {"available": "quantity", "held": "-quantity", "which": "quantity < 0"}
_EXECUTE: Final = {"available": "greatest(quantity, 0)", "held": "least(quantity, 0)", "which": "true"}

FLOORS: Final[Mapping[str, tuple[str, tuple[Mapping[str, str], ...]]]] = {
    "bare, no index": ("unindexed", (_AT_ONCE,)),
    "bare, primary key": ("transfer", (_AT_ONCE,)),
    "bare, two commits": ("transfer", (_HOLD, _EXECUTE)),
}
"""The table of each floor, and the change of the balances in each of its commits."""


class BareTables:
    """Tables of their own in the measured database, as many balances as the product settles."""

    def __init__(self, connection: psycopg.Connection, folder: Path, connections: int, currencies: int) -> None:
        self._connection = connection
        self._folder = folder
        self._size = {"connections": connections, "currencies": currencies}
        self._settlements = 0
        connection.execute(_SCHEMA)
        # The client puts the values in: COPY, below, takes none from the server.
        with psycopg.ClientCursor(connection) as cursor:
            cursor.execute(_SEED, self._size)

    def settle(self, floor: str, psql: Psql, meter: Meter, clean_up: Callable[[], None]) -> Cost:
        """Runs a floor once, each commit measured by itself, and returns the sum."""
        table, moves = FLOORS[floor]
        self._settlements += 1
        rows = self._folder / f"bare-{self._settlements}.rows"
        with psycopg.ClientCursor(self._connection) as cursor:
            with (
                cursor.copy(_ROWS, {"settlement": self._settlements, **self._size}) as copy,
                rows.open("wb") as file,
            ):
                file.writelines(copy)
            cursor.execute("TRUNCATE bare.unindexed")
        total = Cost()
        for number, move in enumerate(moves):
            copying = [] if number else [_COPY.format(table=table, rows=rows)]
            moving = _MOVE.format(table=table, settlement=self._settlements, **move)
            script = self._folder / "bare.sql"
            script.write_text("\n".join(["BEGIN;", *copying, moving, "COMMIT;"]) + "\n", encoding="utf-8")
            clean_up()
            total += meter.measure(lambda: psql.run(script))[1]  # noqa: B023 - called at once
        rows.unlink()
        return total
