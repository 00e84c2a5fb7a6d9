"""``python -m bench.check``: how long the check of the books takes, and how much memory, for a number of transfers.

One settlement goes through the product to its end, and SQL copies it with all that it wrote. A last one stays open.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final

import psycopg
import typer

from bench.network import seed, signed_request
from bench.processes import children_of, memory_of_own, parent_of
from bench.serving import measured_server
from clearwindow.core.clock import SystemClock
from clearwindow.ledger.check.invariants import INVARIANTS
from clearwindow.ledger.check.service import Checked, check_whole_ledger
from clearwindow.postgres.embedded.cluster import start_embedded
from clearwindow.postgres.pool import Database
from tests.support.databases import migrate_as_owner

MAX_CONNECTIONS: Final = 10_000
MAX_CURRENCIES: Final = 10
_SECONDS_BETWEEN_LOOKS: Final = 0.02
_COPYING: Final = (
    # What a copy may not do is allowed here: it is completed from the start.
    "SET LOCAL session_replication_role = replica",
    """CREATE TEMPORARY TABLE copied ON COMMIT DROP AS
       SELECT gen_random_uuid() AS copy_id, id, partner_id
       FROM settlement CROSS JOIN generate_series(1, %(copies)s) WHERE id = %(of)s""",
    """CREATE TEMPORARY TABLE copied_entry ON COMMIT DROP AS
       SELECT gen_random_uuid() AS entry_id, copy_id, original.id AS original_id, original.number, original.kind
       FROM copied JOIN ledger_entry AS original ON original.cause_id = copied.id""",
    """INSERT INTO settlement
       SELECT (jsonb_populate_record(settlement, jsonb_build_object('id', copy_id, 'external_id', copy_id))).*
       FROM copied JOIN settlement USING (id)""",
    """INSERT INTO settlement_party (settlement_id, partner_id, connection_id, dispute_deadline_at, disputed)
       SELECT copy_id, party.partner_id, connection_id, dispute_deadline_at, disputed
       FROM copied JOIN settlement_party AS party ON settlement_id = id""",
    """INSERT INTO settlement_transfer (id, partner_id, settlement_id, connection_id, network_account_id, currency,
                                        quantity, created_at, assigned_at)
       SELECT gen_random_uuid(), transfer.partner_id, copy_id, connection_id, network_account_id, currency,
              quantity, created_at, assigned_at
       FROM copied JOIN settlement_transfer AS transfer ON settlement_id = copied.id""",
    """INSERT INTO ledger_entry (id, partner_id, kind, cause_id, reference, created_at)
       SELECT entry_id, partner_id, copied_entry.kind, copy_id, reference, created_at
       FROM copied_entry JOIN ledger_entry ON ledger_entry.id = original_id""",
    """INSERT INTO entry_posting (entry_number, account_number, currency_number, of_settlement, available, held)
       SELECT made.number, account_number, currency_number, of_settlement, available, held
       FROM copied_entry JOIN ledger_entry AS made ON made.id = entry_id
       JOIN entry_posting ON entry_number = copied_entry.number""",
    """UPDATE balance SET available = balance.available + moved.available, held = balance.held + moved.held
       FROM (SELECT account_number, currency_number, sum(available) AS available, sum(held) AS held
             FROM copied_entry JOIN entry_posting ON entry_number = copied_entry.number
             GROUP BY account_number, currency_number) AS moved
       WHERE (balance.account_number, balance.currency_number) = (moved.account_number, moved.currency_number)""",
)


@dataclass(frozen=True, slots=True)
class InvariantCost:
    """What one invariant took. ``database_bytes``: the most memory of PostgreSQL's processes, unshared."""

    invariant: str
    seconds: float
    database_bytes: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run measured. ``command_bytes``: the peak memory of the process that runs the check."""

    transfers: int
    postings: int
    database_size_bytes: int
    seconds: float
    command_bytes: int
    load: float
    invariants: tuple[InvariantCost, ...]


def main(
    *,
    transfers: Annotated[int, typer.Option(min=1, help="How many transfers at least.")] = 300_000,
    connections: Annotated[int, typer.Option(min=2, max=MAX_CONNECTIONS)] = 1_000,
    currencies: Annotated[int, typer.Option(min=1, max=MAX_CURRENCIES)] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure the check of the books, one invariant after the other."""
    outcome = measure(transfers, connections, currencies)
    typer.echo(json.dumps(asdict(outcome)) if as_json else "\n".join(_lines(outcome)))


def measure(transfers: int, connections: int, currencies: int) -> Outcome:
    """Builds the books in a new database and checks them.

    Raises:
        RuntimeError: the check finds something.
    """
    with (
        tempfile.TemporaryDirectory(prefix="clearwindow-bench-") as folder,
        start_embedded(Path(folder) / "data", durable=True) as postgres,
    ):
        migrate_as_owner(postgres.dsn)
        network = seed(postgres.dsn, connections, currencies)
        with measured_server(postgres.dsn, network, Path(folder)) as server:
            completed = server.stage(signed_request(network, "completed")).settlement_id
            server.advance(completed)
            server.advance(completed)
            server.stage(signed_request(network, "open"))
        with psycopg.connect(postgres.dsn, autocommit=True) as connection:
            copies = max(0, -(-transfers // (connections * currencies)) - 2)
            with connection.transaction():
                for statement in _COPYING:
                    connection.execute(
                        statement, {"copies": copies, "of": completed} if "%(" in statement else None
                    )
            connection.execute("VACUUM (ANALYZE)")
            counted = connection.execute(
                "SELECT (SELECT count(*) FROM settlement_transfer), (SELECT count(*) FROM entry_posting),"
                " pg_database_size(current_database())"
            ).fetchone()
        # In a process of its own, so that its memory is that of the check.
        spawned = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawned) as pool:
            costs, command_bytes = pool.submit(check_measured, postgres.dsn).result()
    if counted is None:
        raise AssertionError("a count is one row")
    rows, postings, size = counted
    seconds = round(sum(cost.seconds for cost in costs), 2)
    return Outcome(rows, postings, size, seconds, command_bytes, round(os.getloadavg()[0], 1), costs)


def check_measured(dsn: str) -> tuple[tuple[InvariantCost, ...], int]:
    """Runs the check, and returns what each invariant took and the peak memory of this process in bytes.

    Raises:
        RuntimeError: the check finds something.
    """
    names, costs = iter(INVARIANTS), list[InvariantCost]()
    database = Database(dsn, SystemClock())
    database.open()
    try:
        with database.transaction() as tx, _watched(tx.connection.info.backend_pid) as memory:

            def on_checked(checked: Checked) -> None:
                seconds = checked.seconds - sum(cost.seconds for cost in costs)
                costs.append(InvariantCost(next(names), seconds, memory.taken()))

            findings = check_whole_ledger(tx, on_checked)
    finally:
        database.close()
    if findings:
        raise RuntimeError(f"the check of the ledger finds: {findings}")
    return tuple(costs), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class _Memory:
    """The most that PostgreSQL's processes had at once, beside shared memory, since it was last taken."""

    def __init__(self, postmaster_pid: int) -> None:
        self._postmaster_pid = postmaster_pid
        self._most = 0

    def look(self) -> None:
        self._most = max(self._most, sum(map(memory_of_own, children_of(self._postmaster_pid))))

    def taken(self) -> int:
        self.look()
        most, self._most = self._most, 0
        return most


@contextmanager
def _watched(backend_pid: int) -> Iterator[_Memory]:
    memory, ended = _Memory(parent_of(backend_pid)), threading.Event()

    def look_often() -> None:
        while not ended.wait(_SECONDS_BETWEEN_LOOKS):
            memory.look()

    thread = threading.Thread(target=look_often)
    thread.start()
    try:
        yield memory
    finally:
        ended.set()
        thread.join()


def _lines(outcome: Outcome) -> list[str]:
    slowest_first = sorted(outcome.invariants, key=lambda cost: -cost.seconds)
    most = max(cost.database_bytes for cost in outcome.invariants)
    lines = [f"{cost.seconds:8.2f} s {cost.database_bytes >> 20:5} MiB  {cost.invariant}" for cost in slowest_first]
    size = f"{outcome.transfers} transfers, {outcome.postings} postings, {outcome.database_size_bytes >> 20} MiB"
    memory = (
        f"{most >> 20} MiB in PostgreSQL without shared memory, {outcome.command_bytes >> 20} MiB in the command"
    )
    return [*lines, f"{size}: {outcome.seconds:.1f} s; at most {memory}; load average {outcome.load} at the end"]


if __name__ == "__main__":
    typer.run(main)
