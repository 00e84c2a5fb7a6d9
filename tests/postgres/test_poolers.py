"""The database behind PgBouncer: it works in both modes, or the refusal names it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from clearwindow import bootstrap
from clearwindow.bootstrap import DatabaseUnreachableError
from clearwindow.core.clock import SystemClock
from clearwindow.postgres.address import RELIED_ON
from clearwindow.postgres.pool import Database
from clearwindow.postgres.sandbox import holding_clock
from clearwindow.settings import load_settings
from tests.support.databases import TestCluster
from tests.support.networks import Network
from tests.support.operators import OperatorClient
from tests.support.poolers import pgbouncer


@pytest.fixture(params=["session", "transaction"])
def dsn(cluster: TestCluster, request: pytest.FixtureRequest, open_dir: Path) -> Iterator[str]:
    with cluster.fresh_database() as direct:
        # What a role or a database sets must not change what statements mean.
        name = conninfo_to_dict(direct)["dbname"]
        with psycopg.connect(direct, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE \"{name}\" SET bytea_output = 'escape'".encode())
            connection.execute(f"ALTER DATABASE \"{name}\" SET timezone = 'Asia/Kolkata'".encode())
        with pgbouncer(direct, open_dir, request.param) as through:
            yield through


def test_network_works_through_a_pooler(network: Network, operator: OperatorClient) -> None:
    client, partner = network.client(deposits={"ofcusd": 1000}), network.partner()
    connection = network.connect(client, partner)
    with ThreadPoolExecutor(8) as threads:
        # More often than psycopg needs to prepare a statement.
        answers = list(threads.map(lambda _: connection.allocate("ofcusd", 10).status_code, range(40)))
    assert set(answers) == {200}
    assert connection.balances()["ofcusd"] == (400, 0)
    assert operator.check() == []


def test_every_transaction_has_the_settings_and_leaves_none_behind(dsn: str) -> None:
    database = Database(make_conninfo(dsn), SystemClock())
    database.open()
    try:
        with database.transaction() as first, database.transaction() as second:
            for tx in (first, second):
                names = {**RELIED_ON, "statement_timeout": "2min"}
                found = {name: tx.scalars(str, "SELECT current_setting(%(name)s)", name=name)[0] for name in names}
                assert found == names
    finally:
        database.close()
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SHOW bytea_output").fetchone() == ("escape",)


def test_sandbox_is_opened_and_its_clock_is_held_by_one(dsn: str) -> None:
    settings = load_settings(database_url=dsn, secret_key="ab" * 32, sandbox=True)
    for _ in range(2):
        with bootstrap.opened_database(settings, share_running=True, sandbox=True) as opened:
            with opened.database.transaction() as tx:
                assert tx.now().utcoffset() == timedelta(0)
            with holding_clock(dsn) as first, holding_clock(dsn) as second:
                assert (first, second) == (True, False)
            with holding_clock(dsn) as third:
                assert third


def test_options_that_the_pooler_ignores_hold_all_the_same(cluster: TestCluster, open_dir: Path) -> None:
    ignoring = "ignore_startup_parameters = options"
    with cluster.fresh_database() as direct, pgbouncer(direct, open_dir, "transaction", more=ignoring) as through:
        database = Database(
            make_conninfo(through, options="-c lock_timeout=3s -c search_path=public,pg_temp"), SystemClock()
        )
        database.open()
        try:
            with database.transaction() as tx:
                assert tx.scalars(str, "SHOW lock_timeout") == ["3s"]
                assert tx.scalars(str, "SHOW search_path") == ["public, pg_temp"]
        finally:
            database.close()


def test_options_that_the_pooler_refuses_are_told_in_one_line(cluster: TestCluster, open_dir: Path) -> None:
    with cluster.fresh_database() as direct, pgbouncer(direct, open_dir, "session") as through:
        settings = load_settings(database_url=make_conninfo(through, options="-c lock_timeout=3s"))
        with (
            pytest.raises(DatabaseUnreachableError, match=r"PgBouncer.*ignore_startup_parameters") as caught,
            bootstrap.opened_database(settings, share_running=True),
        ):
            pass
        assert "\n" not in str(caught.value)
