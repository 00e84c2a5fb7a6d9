"""The measurement: rounds of one settlement by the product and one by psql, each on rows of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final
from uuid import UUID

import psycopg

from bench.floor import STEPS, FloorSettlement
from bench.network import Network, seed, signed_request, sql
from bench.psql import Psql, psql_session
from bench.serving import MeasuredServer, measured_server
from clearwindow.clock import SystemClock
from clearwindow.database.embedded import start_embedded
from clearwindow.database.migrations import migrate
from clearwindow.database.pool import Database
from clearwindow.proof.service import check_ledger

PARTS: Final = ("decode", "verify", "stage", "request", "finalise", "execute")
Say = Callable[[str], None]


@dataclass(slots=True)
class Measurement:
    """Seconds by part, one a round."""

    connections: int
    currencies: int
    body_bytes: int
    product: dict[str, list[float]] = field(default_factory=lambda: {part: [] for part in PARTS})
    floor: dict[str, list[float]] = field(default_factory=lambda: {step: [] for step in STEPS})
    first: dict[str, float] = field(default_factory=dict)
    peak_bytes: int = 0

    def ratio(self, part: str) -> float | None:
        """How many times the floor a part takes; None where it has no floor."""
        return median(self.product[part]) / median(self.floor[part]) if part in self.floor else None


def measure(connections: int, currencies: int, rounds: int, say: Say) -> Measurement:
    """Seeds a network in a new database, and measures.

    Raises:
        RuntimeError: the ledger does not prove clean in the end.
    """
    with (
        tempfile.TemporaryDirectory(prefix="clearwindow-bench-") as folder,
        start_embedded(Path(folder) / "data", durable=True) as postgres,
    ):
        migrate(postgres.dsn)
        say(f"seeding {connections} connections with {currencies} currencies each")
        network = seed(postgres.dsn, connections, currencies)
        with (
            psycopg.connect(postgres.dsn, autocommit=True) as connection,
            psql_session(postgres.dsn) as psql,
            measured_server(postgres.dsn, network) as server,
        ):
            _settle_down(connection)
            bench = _Bench(network, server, psql, connection, Path(folder))
            measurement = bench.run(connections, currencies, rounds, say)
        _require_clean(postgres.dsn)
    return measurement


@dataclass(frozen=True, slots=True)
class _Bench:
    network: Network
    server: MeasuredServer
    psql: Psql
    connection: psycopg.Connection
    folder: Path

    def run(self, connections: int, currencies: int, rounds: int, say: Say) -> Measurement:
        """The settlement before the first round warms up, and is the one whose rows the floor copies."""
        body = signed_request(self.network, "first")
        measurement = Measurement(connections, currencies, len(body))
        floors = [FloorSettlement(self.folder) for _ in range(rounds)]
        first = self._product(body, floors)
        measurement.first.update(first)
        for number, floor in enumerate(floors, start=1):
            say(f"round {number} of {rounds}")
            body = signed_request(self.network, f"round-{number}")
            # Whoever goes second finds larger tables: they take turns.
            if number % 2:
                self._add(measurement.product, self._product(body))
                self._add(measurement.floor, self._floor(floor))
            else:
                self._add(measurement.floor, self._floor(floor))
                self._add(measurement.product, self._product(body))
        measurement.peak_bytes = self.server.peak_bytes()
        return measurement

    def _product(self, body: bytes, exported_to: list[FloorSettlement] | None = None) -> dict[str, float]:
        staged = self.server.stage(body)
        times = {name: getattr(staged, name) for name in ("request", "decode", "verify", "stage")}
        self._export("stage", staged.settlement_id, exported_to)
        for step in ("finalise", "execute"):
            _settle_down(self.connection)
            times[step] = self.server.advance(staged.settlement_id)
            self._export(step, staged.settlement_id, exported_to)
        self._require_completed(staged.settlement_id)
        _settle_down(self.connection)
        return times

    def _floor(self, floor: FloorSettlement) -> dict[str, float]:
        times = {}
        for step in STEPS:
            times[step] = floor.run(self.psql, step)
            _settle_down(self.connection)
        self._require_completed(floor.id)
        floor.remove_files()
        return times

    def _export(self, step: str, of: UUID, floors: list[FloorSettlement] | None) -> None:
        for floor in floors or []:
            floor.export(self.connection, step, of)

    def _require_completed(self, settlement_id: UUID) -> None:
        found = self.connection.execute(sql["find_end"], {"id": settlement_id}).fetchone()
        if found != ("completed", 0):
            raise RuntimeError(f"the settlement ended as {found}")

    @staticmethod
    def _add(to: dict[str, list[float]], times: dict[str, float]) -> None:
        for name, seconds in times.items():
            to[name].append(seconds)


def _settle_down(connection: psycopg.Connection) -> None:
    """Pays for what was done, so that nobody pays for another's dead rows, statistics or dirty pages."""
    connection.execute("VACUUM (ANALYZE)")
    connection.execute("CHECKPOINT")


def _require_clean(dsn: str) -> None:
    database = Database(dsn, SystemClock())
    database.open()
    try:
        with database.transaction() as tx:
            findings = check_ledger(tx)
    finally:
        database.close()
    if findings:
        raise RuntimeError(f"the ledger does not prove clean: {findings}")
