"""``python -m bench.due``: how many due settlements a second one worker finishes, for one partner and for many.

The settlements of each partner are copies of one that was staged over HTTP, with all that it wrote. Their windows
are over, so that each is finalised and executed.
"""

from __future__ import annotations

import json
import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final

import psycopg
import structlog
import typer

from clearwindow.identity.operators import ensure_bootstrap_operator
from clearwindow.jobs.worker import Worker
from clearwindow.ledger.check.service import check_ledger
from clearwindow.postgres.embedded.cluster import start_embedded
from clearwindow.runtime import Runtime
from clearwindow.settlements.jobs import SettlementWork
from clearwindow.web.app import create_app
from clearwindow.web.routers import ROUTERS
from tests.support.asgi import listening
from tests.support.databases import migrate_as_owner
from tests.support.networks import Network
from tests.support.operators import OperatorClient
from tests.support.runtimes import open_runtime
from tests.support.settlements import stage

_OPERATOR_TOKEN: Final = "an-operator-of-this-bench"  # noqa: S105 - of a database that lives for a minute
_FUNDS: Final = 10**12
_COUNT_OPEN: Final = "SELECT count(*) FROM settlement WHERE state <> 'completed'"
# Deadlines never change, so that the trigger that says so is off for this statement.
_MAKE_DUE: Final = (
    "SET session_replication_role = replica;"
    " UPDATE settlement SET due_at = now(), dispute_deadline_at = now(), top_up_deadline_at = now();"
    " UPDATE settlement_party SET dispute_deadline_at = settlement.dispute_deadline_at"
    " FROM settlement WHERE settlement.id = settlement_id;"
    " RESET session_replication_role"
)
_COPYING: Final = (
    """CREATE TEMPORARY TABLE copied AS
       SELECT gen_random_uuid() AS copy_id, gen_random_uuid() AS entry_id, id, partner_id
       FROM settlement CROSS JOIN generate_series(2, %(each)s)""",
    """INSERT INTO settlement
       SELECT (jsonb_populate_record(settlement, jsonb_build_object('id', copy_id, 'external_id', copy_id))).*
       FROM copied JOIN settlement USING (id)""",
    """INSERT INTO settlement_party (settlement_id, partner_id, connection_id, dispute_deadline_at, disputed)
       SELECT copy_id, partner_id, connection_id, dispute_deadline_at, disputed
       FROM copied JOIN settlement_party USING (partner_id) WHERE settlement_id = id""",
    """INSERT INTO settlement_transfer (id, partner_id, settlement_id, connection_id, network_account_id, currency,
                                        quantity, created_at, assigned_at)
       SELECT gen_random_uuid(), partner_id, copy_id, connection_id, network_account_id, currency, quantity,
              created_at, assigned_at
       FROM copied JOIN settlement_transfer USING (partner_id) WHERE settlement_id = copied.id""",
    """INSERT INTO ledger_entry (id, partner_id, kind, cause_id, created_at)
       SELECT entry_id, partner_id, 'settlement_held', copy_id, now() FROM copied""",
    """INSERT INTO entry_posting (entry_number, account_number, currency_number, of_settlement, available, held)
       SELECT made.number, account_number, currency_number, of_settlement, available, held
       FROM copied JOIN ledger_entry AS made ON made.id = copied.entry_id
       JOIN ledger_entry AS original ON original.cause_id = copied.id
       JOIN entry_posting ON entry_number = original.number""",
    """INSERT INTO hold (partner_id, cause_id, cause_kind, account_id, currency, quantity)
       SELECT copied.partner_id, copy_id, cause_kind, account_id, currency, quantity
       FROM copied JOIN hold ON cause_id = copied.id""",
    """UPDATE balance SET available = available - moved, held = held + moved
       FROM (SELECT account_id, currency, sum(quantity) AS moved FROM copied JOIN hold ON cause_id = copy_id
             GROUP BY account_id, currency) AS held_by_copies
       WHERE (balance.account_id, balance.currency) = (held_by_copies.account_id, held_by_copies.currency)""",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run measured."""

    partners: int
    due: int
    seconds: float
    a_second: float


def main(
    *,
    due: Annotated[int, typer.Option(min=1, help="How many settlements are due in all.")] = 5_000,
    partners: Annotated[list[int] | None, typer.Option(help="Of how many partners; may be repeated.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for each run.")] = False,
) -> None:
    """Measure how many due settlements a second one worker finishes."""
    # One log line per request would stand between the results.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    for number in partners or [1, 50]:
        outcome = measure(number, max(1, due // number))
        typer.echo(json.dumps(asdict(outcome)) if as_json else _line(outcome))


def measure(partners: int, each: int) -> Outcome:
    """Measures in a new database.

    Raises:
        RuntimeError: a settlement is left, or the check of the ledger finds something at the end.
    """
    with _network(partners) as (dsn, runtime), psycopg.connect(dsn, autocommit=True) as connection:
        with connection.transaction():
            for statement in _COPYING:
                connection.execute(statement, {"each": each})
            connection.execute(_MAKE_DUE)
        connection.execute("ANALYZE")
        worker, work = Worker(runtime, []), SettlementWork()
        start = time.perf_counter()
        while worker.run_batch(work):
            pass
        seconds = time.perf_counter() - start
        if connection.execute(_COUNT_OPEN).fetchone() != (0,):
            raise RuntimeError("a due settlement was not completed")
        with runtime.transaction() as tx:
            found = check_ledger(tx)
        if found:
            raise RuntimeError(f"the ledger is not in order: {found}")
    return Outcome(partners, partners * each, round(seconds, 2), round(partners * each / seconds))


@contextmanager
def _network(partners: int) -> Iterator[tuple[str, Runtime]]:
    """Makes partners with one connection and one staged settlement of two currencies each."""
    with (
        tempfile.TemporaryDirectory(prefix="clearwindow-bench-") as folder,
        start_embedded(Path(folder) / "database", durable=True) as postgres,
    ):
        migrate_as_owner(postgres.dsn)
        with open_runtime(postgres.dsn, operator_token=_OPERATOR_TOKEN) as runtime:
            ensure_bootstrap_operator(runtime)
            with (
                listening(create_app(runtime, ROUTERS)) as address,
                OperatorClient(address, _OPERATOR_TOKEN) as operator,
                Network(operator) as network,
            ):
                for number in range(partners):
                    deposits = {"ofcbtc": _FUNDS, "ofceth": _FUNDS}
                    partner = network.partner(f"exchange-{number}", top_up_window=0, deposits=deposits)
                    connection = network.funded(partner, deposits, name=f"trader-{number}")
                    stage(partner, {connection.id: {"BTC": "-100", "ETH": "100"}})
            yield postgres.dsn, runtime


def _line(outcome: Outcome) -> str:
    return (
        f"{outcome.partners} partners: {outcome.due} due settlements in {outcome.seconds:.2f} s,"
        f" {outcome.a_second:.0f} a second"
    )


if __name__ == "__main__":
    typer.run(main)
