"""SIGKILL between the steps of an allocation with a call to the partner: the worker finishes it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import UUID

import httpx2
import psycopg
import pytest

from tests.support.long import long
from tests.support.networks import ConnectionHandle, Network
from tests.support.operators import OperatorClient
from tests.support.partners import FakePartner, Reaction, Seen, agreeing, fake_partner
from tests.support.processes import START_TOKEN, TIMEOUT_SECONDS, Running, running

SECRET_KEY = "ab" * 32


@contextmanager
def server(folder: Path, dsn: str, *arguments: str) -> Iterator[Running]:
    settings = {
        "secret_key": SECRET_KEY,
        "operator_token": START_TOKEN,
        "allow_private_addresses": "1",
        "partner_call_timeout_seconds": "3",
    }
    with running(folder, "serve", "--port", "0", "--database-url", dsn, *arguments, **settings) as served:
        yield served


@contextmanager
def network_of(served: Running) -> Iterator[Network]:
    with OperatorClient(served.url, START_TOKEN) as operator, Network(operator) as network:
        yield network


def wait_until(holds: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + TIMEOUT_SECONDS
    while not holds():
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


class Crash:
    """Stops an allocation at one step until its server is killed."""

    def __init__(self, dsn: str, partner_server: FakePartner) -> None:
        self._dsn = dsn
        self._their_side = partner_server
        self.reached = False
        self._held = ExitStack()

    def before_the_call(self) -> None:
        self._lock("LOCK TABLE partner_call_key")

    def during_the_call(self) -> None:
        def hang(_: Seen) -> Reaction:
            self.reached = True
            return Reaction(delay_seconds=4)

        self._their_side.behave = hang

    def before_the_answer_is_written(self) -> None:
        def answer(seen: Seen) -> Reaction:
            self._lock("SELECT FROM allocation FOR UPDATE")
            return agreeing(seen)

        self._their_side.behave = answer

    def is_reached(self) -> bool:
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        with psycopg.connect(self._dsn) as connection:
            row = connection.execute(waiting).fetchone()
        return self.reached or row == (1,)

    def let_go(self) -> None:
        self._held.close()
        self._their_side.behave = agreeing

    def funds(self, go_account_id: str) -> tuple[int, int]:
        """Returns (available, held) of the Go Account after the crash."""
        written = "SELECT available, held FROM balance WHERE account_id = %s"
        with psycopg.connect(self._dsn) as connection:
            ((available, held),) = connection.execute(written, [UUID(hex=go_account_id)]).fetchall()
        return int(available), int(held)

    def _lock(self, statement: str) -> None:
        connection = self._held.enter_context(psycopg.connect(self._dsn))
        connection.execute(statement)


@pytest.mark.parametrize(
    ("what", "step"),
    [
        pytest.param("deallocation", "during_the_call", marks=long),
        pytest.param("allocation", "before_the_answer_is_written", marks=long),
    ],
)
def test_worker_finishes_what_a_killed_server_left(tmp_path: Path, dsn: str, step: str, what: str) -> None:
    with fake_partner("") as partner_server:
        crash = Crash(dsn, partner_server)
        with server(tmp_path, dsn, "--no-worker") as served, network_of(served) as network:
            partner_server.network_url = served.url
            partner = network.partner(callbackUrl=partner_server.url)
            connection = network.funded(partner, {"ofcbtc": 100})
            account_id = connection.client.enterprise.account.id
            network.operator.deposit(account_id, "ofcbtc", 40)
            partner_server.seen.clear()
            getattr(crash, step)()
            with ThreadPoolExecutor(1) as pool:
                sent = pool.submit(_send, connection, what)
                wait_until(crash.is_reached)
                served.end(signal.SIGKILL)
                with pytest.raises(httpx2.TransportError):
                    sent.result()
        crash.let_go()
        assert crash.funds(account_id) == {"allocation": (0, 40), "deallocation": (40, 0)}[what]
        with server(tmp_path, dsn) as served, network_of(served) as network:
            partner_server.network_url = served.url
            operator = network.operator
            assert operator.check() == []
            moved = {"allocation": (0, 0), "deallocation": (80, 0)}[what]
            wait_until(lambda: operator.balances(account_id)["ofcbtc"] == moved)
            # The first allocation's notice is sent, too: the first server had no worker.
            wait_until(lambda: len({call.path for call in partner_server.asked("/clear")}) == 2)
            assert operator.check() == []
    assert len({call.raw for call in partner_server.asked(f"/{what}s")}) == 1


def _send(connection: ConnectionHandle, what: str) -> httpx2.Response:
    if what == "deallocation":
        return connection.deallocate("ofcbtc", 40)
    return connection.allocate("ofcbtc", 40)
