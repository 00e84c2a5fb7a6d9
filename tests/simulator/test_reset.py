"""The reset of a sandbox while its processes keep running."""

from __future__ import annotations

import threading
from datetime import timedelta

import psycopg
import pytest

from clearwindow.jobs import reset
from clearwindow.runtime import Runtime
from tests.conftest import START
from tests.simulator.conftest import Join
from tests.support.networks import Network, ok
from tests.support.operators import OperatorClient
from tests.support.settlements import stage

KEPT = {"schema_migration", "sandbox", "currency", "operator", "account", "access_token", "audit_record"}


def counts(dsn: str) -> dict[str, int]:
    with psycopg.connect(dsn) as connection:
        names = connection.execute("SELECT relname FROM pg_stat_user_tables").fetchall()
        return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for (name,) in names}  # type: ignore[index]  # noqa: S608


def run_settlement(network: Network) -> None:
    """Runs a settlement from deposit to execution."""
    exchange = network.partner(dispute_window=10, top_up_window=10, deposits={"ofcbtc": 100})
    trader = network.funded(exchange, {"ofcbtc": 1000})
    staged = stage(exchange, {trader.id: {"BTC": "-5"}})
    ok(network.operator.post("/clock", {"advanceMinutes": 60}))
    shown = ok(network.operator.get(f"/settlements/{staged['id']}"))["settlement"]
    assert shown["stage"] == "completed"
    assert network.operator.check() == []


def test_a_reset_empties_the_sandbox_and_its_processes_keep_working(
    network: Network, operator: OperatorClient, join: Join, dsn: str
) -> None:
    other = join()
    ok(operator.post("/currencies", {"name": "ofcnew", "backing": "new", "decimals": 2}))
    fresh = counts(dsn) | {"operator": 2, "access_token": 1}
    run_settlement(network)
    with other.transaction() as tx:
        assert tx.now() == START + timedelta(minutes=60)
    with operator.another("ben") as ben:
        emptied = ok(ben.post("/sandbox/reset"))
    assert emptied == {
        "now": "2026-01-05T12:00:00.000Z",
        "wall": "2026-01-05T12:00:00.000Z",
        "sandbox": True,
    }
    left = {name: count for name, count in counts(dsn).items() if count}
    assert left.keys() <= KEPT
    assert {name: left[name] for name in left.keys() - {"audit_record"}} == {
        name: fresh[name] for name in left.keys() - {"audit_record"}
    }
    with other.transaction() as tx:
        assert tx.now() == START
    (line,) = operator.audit_log()
    assert (line["sequence"], line["action"], line["at"]) == (1, "sandbox.reset", "2026-01-05T12:00:00.000Z")
    assert line["details"] == {"until": "2026-01-05T13:00:00.000Z"}
    run_settlement(network)


def test_permanent_rows_are_protected_after_a_reset(network: Network, operator: OperatorClient, dsn: str) -> None:
    ok(operator.post("/sandbox/reset"))
    run_settlement(network)
    with psycopg.connect(dsn, autocommit=True) as connection:
        for change in ("TRUNCATE enterprise CASCADE", "DELETE FROM entry_posting", "DELETE FROM audit_record"):
            with pytest.raises(psycopg.errors.IntegrityError):
                connection.execute(change)
        disabled = "SELECT count(*) FROM pg_trigger WHERE tgenabled <> 'O'"
        assert connection.execute(disabled).fetchone() == (0,)


def test_a_reset_waits_for_work_in_progress_or_is_rejected(
    network: Network, operator: OperatorClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    network.enterprise("desk")
    monkeypatch.setattr(reset, "LONGEST_SECONDS", 0)
    with runtime.transaction() as tx:
        tx.run("SELECT FROM enterprise")
        refused = operator.post("/sandbox/reset")
        assert (refused.status_code, refused.json()["name"]) == (409, "sandbox_in_use")
        monkeypatch.setattr(reset, "LONGEST_SECONDS", 20)
        answers: list[int] = []
        waiting = threading.Thread(target=lambda: answers.append(operator.post("/sandbox/reset").status_code))
        waiting.start()
        assert tx.scalars(int, "SELECT count(*) FROM enterprise, pg_sleep(0.6)") == [1]
    waiting.join()
    assert answers == [200]
