"""The measurement: in each round the product settles once and psql once, each on rows of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final
from uuid import UUID

import psycopg

from bench.bare import FLOORS, BareTables
from bench.baseline import STEPS, BaselineSettlement
from bench.costs import Cost, Meter
from bench.network import Network, seed, signed_request, sql
from bench.psql import Psql, psql_session
from bench.serving import MeasuredServer, measured_server
from clearwindow.core.clock import SystemClock
from clearwindow.ledger.check.service import check_ledger
from clearwindow.postgres.embedded.cluster import start_embedded
from clearwindow.postgres.pool import Database
from tests.support.databases import migrate_as_owner

PRODUCT: Final = "product"
SAME_ROWS: Final = "psql, same rows"
PARTS: Final = ("preview", "decode", "verify", "stage", "request", "finalise", "execute")
ASKED: Final = ("preview", "request")
Say = Callable[[str], None]


@dataclass(slots=True)
class Measurement:
    """The seconds of each part, one number for each round; ``baseline`` are those of psql.

    ``costs`` are those of a whole settlement: the product's, psql's with the same rows, and of the bare floors.
    ``asked`` are those of a preview and of the request that then stages the same amounts.
    """

    connections: int
    currencies: int
    body_bytes: int
    product: dict[str, list[float]] = field(default_factory=lambda: {part: [] for part in PARTS})
    baseline: dict[str, list[float]] = field(default_factory=lambda: {step: [] for step in STEPS})
    first: dict[str, float] = field(default_factory=dict)
    peak_bytes: int = 0
    costs: dict[str, list[Cost]] = field(
        default_factory=lambda: {name: [] for name in (PRODUCT, SAME_ROWS, *FLOORS)}
    )
    asked: dict[str, list[Cost]] = field(default_factory=lambda: {name: [] for name in ASKED})

    def ratio(self, part: str, of: Callable[[list[float]], float] = median) -> float | None:
        """Returns a part's time divided by the baseline's, or None if the part has no baseline."""
        return of(self.product[part]) / of(self.baseline[part]) if part in self.baseline else None


def measure(connections: int, currencies: int, rounds: int, say: Say) -> Measurement:
    """Seeds a network in a new database, and measures.

    Raises:
        RuntimeError: the check of the ledger finds something at the end.
    """
    with (
        tempfile.TemporaryDirectory(prefix="clearwindow-bench-") as folder,
        start_embedded(Path(folder) / "data", durable=True) as postgres,
    ):
        migrate_as_owner(postgres.dsn)
        say(f"seeding {connections} connections with {currencies} currencies each")
        network = seed(postgres.dsn, connections, currencies)
        with (
            psycopg.connect(postgres.dsn, autocommit=True) as connection,
            psql_session(postgres.dsn) as psql,
            measured_server(postgres.dsn, network, Path(folder)) as server,
        ):
            _clean_up(connection)
            meter = Meter(connection, server.pid)
            bare = BareTables(connection, Path(folder), connections, currencies)
            bench = _Bench(network, server, psql, connection, Path(folder), meter, bare)
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
    meter: Meter
    bare: BareTables

    def run(self, connections: int, currencies: int, rounds: int, say: Say) -> Measurement:
        """Settles once before the first round, to warm up; the baseline copies the rows of this settlement."""
        body = signed_request(self.network, "first")
        measurement = Measurement(connections, currencies, len(body))
        baselines = [BaselineSettlement(self.folder) for _ in range(rounds)]
        measurement.first.update(self._product(body, baselines)[0])
        for number, baseline in enumerate(baselines, start=1):
            say(f"round {number} of {rounds}")
            body = signed_request(self.network, f"round-{number}")
            # The second one finds larger tables, so they take turns.
            if number % 2:
                product, same_rows = self._product(body), self._baseline(baseline)
            else:
                same_rows, product = self._baseline(baseline), self._product(body)
            self._add(measurement.product, product[0])
            self._add(measurement.baseline, same_rows[0])
            measurement.costs[PRODUCT].append(product[1])
            for name, cost in zip(ASKED, product[2], strict=True):
                measurement.asked[name].append(cost)
            measurement.costs[SAME_ROWS].append(same_rows[1])
            for floor in FLOORS:
                cost = self.bare.settle(floor, self.psql, self.meter, lambda: _clean_up(self.connection))
                measurement.costs[floor].append(cost)
        measurement.peak_bytes = self.server.peak_bytes()
        return measurement

    def _product(
        self, body: bytes, exported_to: list[BaselineSettlement] | None = None
    ) -> tuple[dict[str, float], Cost, tuple[Cost, Cost]]:
        seconds, previewed = self.meter.measure(lambda: self.server.preview(body))
        times = {"preview": seconds}
        staged, requested = self.meter.measure(lambda: self.server.stage(body))
        total = requested
        times |= {name: getattr(staged, name) for name in ("request", "decode", "verify", "stage")}
        self._export("stage", staged.settlement_id, exported_to)
        for step in ("finalise", "execute"):
            _clean_up(self.connection)
            times[step], cost = self.meter.measure(lambda: self.server.advance(staged.settlement_id))
            total += cost
            self._export(step, staged.settlement_id, exported_to)
        self._require_completed(staged.settlement_id)
        _clean_up(self.connection)
        return times, total, (previewed, requested)

    def _baseline(self, baseline: BaselineSettlement) -> tuple[dict[str, float], Cost]:
        times, total = {}, Cost()
        for step in STEPS:
            times[step], cost = self.meter.measure(lambda: baseline.run(self.psql, step))  # noqa: B023 - called at once
            total += cost
            _clean_up(self.connection)
        self._require_completed(baseline.id)
        baseline.remove_files()
        return times, total

    def _export(self, step: str, of: UUID, baselines: list[BaselineSettlement] | None) -> None:
        for baseline in baselines or []:
            baseline.export(self.connection, step, of)

    def _require_completed(self, settlement_id: UUID) -> None:
        found = self.connection.execute(sql["find_end"], {"id": settlement_id}).fetchone()
        if found != ("completed", 0):
            raise RuntimeError(f"the settlement ended as {found}")

    @staticmethod
    def _add(to: dict[str, list[float]], times: dict[str, float]) -> None:
        for name, seconds in times.items():
            to[name].append(seconds)


def _clean_up(connection: psycopg.Connection) -> None:
    """Cleans up, so that no step is slowed down by the dead rows or dirty pages of another."""
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
        raise RuntimeError(f"the check of the ledger finds: {findings}")
