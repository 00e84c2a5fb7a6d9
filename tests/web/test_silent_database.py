"""A database server that no longer answers, and closes nothing: callers are answered all the same. Protocol §2."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from clearwindow.postgres.address import CONNECTION_WAIT_SECONDS
from clearwindow.postgres.embedded.cluster import EmbeddedPostgres
from tests.support.networks import Network
from tests.support.operators import OperatorClient
from tests.support.silence import Network as Wire
from tests.support.silence import frozen, network_to
from tests.support.standbys import both, promote, standby_of
from tests.support.unavailable import assert_unavailable, becomes, readiness


@pytest.fixture
def connection_wait_seconds() -> float:
    return CONNECTION_WAIT_SECONDS


class TestFrozenPrimary:
    @pytest.fixture
    def standby(self, primary: EmbeddedPostgres, folder: Path) -> Iterator[str]:
        (folder / "standby").mkdir()
        with standby_of(primary, folder / "standby") as dsn:
            yield dsn

    @pytest.fixture
    def dsn(self, primary: EmbeddedPostgres, standby: str) -> str:
        return both(primary.dsn, standby)

    def test_requests_go_to_the_promoted_standby_while_the_former_primary_stays_frozen(
        self, network: Network, operator: OperatorClient, base_url: str, primary: EmbeddedPostgres, standby: str
    ) -> None:
        account = network.client().enterprise.account.id
        operator.deposit(account, "ofcusd", 1)
        with psycopg.connect(primary.dsn) as connection:
            (written,) = connection.execute("SELECT pg_current_wal_insert_lsn()").fetchone() or ("",)
        with psycopg.connect(standby, autocommit=True) as connection:
            behind = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
            becomes(lambda: connection.execute(behind, [written]).fetchone() == (True,), seconds=60)
        with frozen(primary):
            promote(standby)
            becomes(lambda: operator.move("deposits", account, "ofcusd", 2, "after").status_code == 200, seconds=60)
            becomes(lambda: readiness(base_url) == (200, None), seconds=60)
            with psycopg.connect(standby) as connection:
                (found,) = connection.execute(
                    "SELECT count(*) FROM custody_movement WHERE reference = 'after'"
                ).fetchone() or (0,)
        assert found == 1


class TestNetworkThatDropsPackets:
    @pytest.fixture
    def wire(self, primary: EmbeddedPostgres) -> Iterator[Wire]:
        place = conninfo_to_dict(primary.dsn)
        with network_to(Path(str(place["host"])) / f".s.PGSQL.{place['port']}") as wire:
            yield wire

    @pytest.fixture
    def dsn(self, primary: EmbeddedPostgres, wire: Wire) -> str:
        return make_conninfo(primary.dsn, host="127.0.0.1", port=wire.port, sslmode="disable", gssencmode="disable")

    def test_request_in_the_middle_of_a_statement_is_answered(
        self, network: Network, operator: OperatorClient, wire: Wire, primary: EmbeddedPostgres
    ) -> None:
        account = network.client().enterprise.account.id
        answers: list[httpx2.Response] = []
        with ExitStack() as stack:
            # The deposit waits for the lock of its balance, and hears nothing more.
            holder = stack.enter_context(psycopg.connect(primary.dsn))
            operator.deposit(account, "ofcusd", 1)
            holder.execute("SELECT FROM balance FOR UPDATE")
            asking = threading.Thread(
                target=lambda: answers.append(operator.move("deposits", account, "ofcusd", 2, "cut off"))
            )
            asking.start()
            waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            with psycopg.connect(primary.dsn, autocommit=True) as looking:
                becomes(lambda: looking.execute(waits).fetchone() == (1,), seconds=60)
            wire.drops.set()
            asking.join(60)
            assert not asking.is_alive(), "the request still waits"
        assert_unavailable(answers[0], 503, "database_unavailable")
        assert_unavailable(operator.move("deposits", account, "ofcusd", 3, "silent"), 503, "database_unavailable")
        wire.drops.clear()
        becomes(lambda: operator.move("deposits", account, "ofcusd", 3, "silent").status_code == 200, seconds=60)
