"""A standby stands in the address: writes go to the primary, before and after a failover. Protocol §2."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from clearwindow.postgres.address import CONNECTION_WAIT_SECONDS
from clearwindow.postgres.embedded.cluster import EmbeddedPostgres
from tests.support.networks import Network
from tests.support.operators import OperatorClient
from tests.support.standbys import both, promote, standby_of
from tests.support.unavailable import becomes, make_read_only, readiness


@pytest.fixture
def connection_wait_seconds() -> float:
    return CONNECTION_WAIT_SECONDS


@pytest.fixture
def standby(primary: EmbeddedPostgres, folder: Path) -> Iterator[str]:
    (folder / "standby").mkdir()
    with standby_of(primary, folder / "standby") as dsn:
        yield dsn


@pytest.fixture
def dsn(primary: EmbeddedPostgres, standby: str) -> str:
    return both(standby, primary.dsn)


def test_requests_go_to_the_primary_before_and_after_a_failover(
    network: Network, operator: OperatorClient, base_url: str, primary: EmbeddedPostgres, standby: str
) -> None:
    account = network.client().enterprise.account.id
    operator.deposit(account, "ofcusd", 1)
    assert readiness(base_url) == (200, None)

    # A server of tests commits before it has written: the place of the last insertion counts.
    with psycopg.connect(primary.dsn) as connection:
        (written,) = connection.execute("SELECT pg_current_wal_insert_lsn()").fetchone() or ("",)
    with psycopg.connect(standby, autocommit=True) as connection:
        behind = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
        becomes(lambda: connection.execute(behind, [written]).fetchone() == (True,), seconds=60)
    make_read_only(primary.dsn, on=True)
    promote(standby)
    becomes(lambda: operator.move("deposits", account, "ofcusd", 2, "after").status_code == 200, seconds=60)
    assert readiness(base_url) == (200, None)
    with psycopg.connect(standby) as connection:
        assert connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,)
        found = connection.execute("SELECT reference FROM custody_movement ORDER BY reference").fetchall()
    assert ("after",) in found
