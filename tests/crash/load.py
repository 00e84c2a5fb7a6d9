"""Partners that settle and clients that dispute without a pause, until a kill at a random moment."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import httpx2
import psycopg

from tests.crash.kills import EVENT_TYPES, TIMEOUT_SECONDS
from tests.crash.networks import CURRENCIES, PATH, Amounts, Balances, LargeNetwork, build_large_network
from tests.crash.servers import OPERATOR_TOKEN, Server, Target, connected, running_server, wait_until
from tests.support.events import events_of_settlement
from tests.support.networks import Network, ok
from tests.support.operators import OperatorClient

PARTNERS: Final = 3
CONNECTIONS: Final = 40
WINDOW_MINUTES: Final = 0.003
_SHORTEST_SECONDS, _LONGEST_SECONDS = 0.2, 2.0


@dataclass
class Sent:
    """A settlement's request, and its answer if it came."""

    external_id: str
    content: bytes
    amounts: Amounts
    answer: object = None


@dataclass
class Trader:
    """The partner and the clients of one large network, which act in a thread."""

    large_network: LargeNetwork
    rng: random.Random
    initial: Balances
    sent: list[Sent] = field(default_factory=list)
    disputes: list[str] = field(default_factory=list)
    closures: list[str] = field(default_factory=list)
    defect: BaseException | None = None

    def trade(self, stop: threading.Event) -> None:
        """Settles and disputes until it is told to stop or the server is gone."""
        try:
            while not stop.is_set() and self._settle():
                self._close_disputes()
        except httpx2.HTTPError:
            return
        except BaseException as error:  # noqa: BLE001 - the main thread reports it
            self.defect = error

    def _settle(self) -> bool:
        amounts = self.large_network.amounts(self.rng)
        sent = Sent(*self.large_network.request(amounts), amounts)
        self.sent.append(sent)
        answer = self.large_network.partner.api.post_raw(PATH, sent.content, version=2)
        if answer.status_code != 200:
            assert answer.status_code == 500, answer.text
            return False
        sent.answer = answer.json()
        connection = self.rng.choice(self.large_network.clients)
        settlement_id = answer.json()["settlement"]["id"]
        body = connection.client.enterprise.sign({"connectionId": connection.id, "expectedTransfers": {}})
        raised = connection.client.api.post(f"/clients/settlements/{settlement_id}/disputes", body)
        if raised.status_code == 200:
            self.disputes.append(raised.json()["dispute"]["id"])
        return raised.status_code < 500

    def _close_disputes(self) -> None:
        """Closes the last dispute but one; the window of the last may still be open."""
        for dispute_id in self.disputes[-2:-1]:
            for connection in self.large_network.clients:
                body = connection.client.enterprise.sign({"notes": "we were wrong"})
                answer = connection.client.api.post(f"/clients/settlements/disputes/{dispute_id}/close", body)
                if answer.status_code == 200:
                    self.closures.append(answer.json()["disputeClosure"]["id"])


@dataclass
class LoadedServer:
    """A server under load."""

    server: Server
    operator: OperatorClient
    traders: Sequence[Trader]
    rng: random.Random

    def round(self, target: Target) -> Counter[str]:
        """Loads, kills, recovers and checks; returns how many requests were sent and acknowledged."""
        for trader in self.traders:
            trader.sent.clear()
        stop = threading.Event()
        threads = [threading.Thread(target=trader.trade, args=[stop]) for trader in self.traders]
        for thread in threads:
            thread.start()
        time.sleep(self.rng.uniform(_SHORTEST_SECONDS, _LONGEST_SECONDS))
        self.server.kill(target, self._some_backend())
        stop.set()
        for thread in threads:
            thread.join(TIMEOUT_SECONDS)
            assert not thread.is_alive(), "a request was not answered, and its connection is still open"
        self.server.recover(target)
        self.server.check()
        for trader in self.traders:
            if trader.defect is not None:
                raise trader.defect
            self._send_again(trader)
        with connected(self.server.dsn) as connection:
            self._assert_all_ended(connection)
            for trader in self.traders:
                _assert_in_order(connection, trader)
        self.server.check()
        sent = [sent for trader in self.traders for sent in trader.sent]
        acknowledged = sum(one.answer is not None for one in sent)
        return Counter(sent=len(sent), acknowledged=acknowledged)

    def _some_backend(self) -> int:
        with connected(self.server.dsn) as connection:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'clearwindow' ORDER BY state, pid"
            ).fetchall()
        return int(rows[0][0])

    def _send_again(self, trader: Trader) -> None:
        for sent in trader.sent:
            again = ok(trader.large_network.partner.api.post_raw(PATH, sent.content, version=2))
            assert sent.answer in (None, again), "an acknowledged request gets another answer after the kill"

    @staticmethod
    def _assert_all_ended(connection: psycopg.Connection) -> None:
        def ended() -> bool:
            states = connection.execute("SELECT DISTINCT state FROM settlement").fetchall()
            return states in ([], [("completed",)])

        wait_until(ended, TIMEOUT_SECONDS, "a settlement did not complete")


def _assert_in_order(connection: psycopg.Connection, trader: Trader) -> None:
    large_network = trader.large_network
    for sent in trader.sent:
        rows = connection.execute(
            "SELECT settlement.id, connection_id, currency, quantity FROM settlement"
            " JOIN settlement_transfer ON settlement_id = settlement.id"
            " WHERE external_id = %s AND dispute_closure_id IS NULL",
            [sent.external_id],
        ).fetchall()
        assert len({row[0] for row in rows}) == 1
        assert sorted((str(of), currency, int(quantity)) for _, of, currency, quantity in rows) == sorted(
            (of, CURRENCIES[name], amount) for of, given in sent.amounts.items() for name, amount in given.items()
        )
        _assert_single_events(connection, rows[0][0], large_network)
    for table, made in (("dispute", trader.disputes), ("dispute_closure", trader.closures)):
        found = connection.execute(f"SELECT count(*) FROM {table} WHERE id = ANY(%s::uuid[])", [made]).fetchone()  # noqa: S608 - two names of ours
        # To close the same dispute again is a repeat, which answers with the closure that was made.
        assert found == (len(set(made)),), f"an acknowledged {table} is lost"
    moved = connection.execute(
        "SELECT network_account_id, currency, sum(quantity) FROM settlement_transfer_view"
        " WHERE partner_id = %s AND status = 'completed' GROUP BY 1, 2",
        [large_network.partner.id],
    ).fetchall()
    expected = {key: sum(amounts) for key, amounts in trader.initial.items()}
    for account, currency, quantity in moved:
        expected[account, currency] += int(quantity)
        expected[large_network.partner_account, currency] -= int(quantity)
    assert {key: sum(amounts) for key, amounts in large_network.balances(connection).items()} == expected


def _assert_single_events(connection: psycopg.Connection, settlement_id: UUID, large_network: LargeNetwork) -> None:
    assert events_of_settlement(connection, settlement_id) == {
        (enterprise, kind, 1) for enterprise in large_network.enterprises for kind in EVENT_TYPES
    }


@contextmanager
def open_loaded_server(seed: int) -> Iterator[LoadedServer]:
    """Starts a server with partners that are ready to trade."""
    with ExitStack() as stack:
        server = stack.enter_context(running_server())
        operator = stack.enter_context(OperatorClient(server.url, OPERATOR_TOKEN))
        network = stack.enter_context(Network(operator))
        traders = []
        for number in range(PARTNERS):
            large_network = build_large_network(
                network,
                server.dsn,
                name=f"exchange-{number}",
                clients=4,
                connections=CONNECTIONS,
                window_minutes=WINDOW_MINUTES,
            )
            with connected(server.dsn) as connection:
                initial = large_network.balances(connection)
            traders.append(Trader(large_network, random.Random(f"{seed} {number}"), initial))  # noqa: S311 - no secret
        yield LoadedServer(server, operator, traders, random.Random(seed))  # noqa: S311 - the same
