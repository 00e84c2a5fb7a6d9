"""Partners that settle, clients that dispute, and every other kind of request, until a kill at a random moment."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import httpx2
import psycopg

from tests.crash.facts import finish
from tests.crash.kills import EVENT_TYPES, TIMEOUT_SECONDS
from tests.crash.kinds import KINDS, Asked, ClosureReview, Kind, Scene, open_scene
from tests.crash.networks import CURRENCIES, PATH, Amounts, Balances, LargeNetwork, build_large_network
from tests.crash.servers import OPERATOR_TOKEN, AnyServer, Target, connected, wait_until
from tests.support.events import events_of_settlement
from tests.support.networks import Json, ok

PARTNERS: Final = 3
CONNECTIONS: Final = 40
WINDOW_MINUTES: Final = 0.003
_SHORTEST_SECONDS, _LONGEST_SECONDS = 0.05, 0.8
CALLERS: Final = 3
"""How many threads send the other kinds of requests."""

# It waits until all due work has ended, which never happens under load. Traders close disputes.
LOADED_KINDS: Final = tuple(kind for kind in KINDS if kind is not ClosureReview)
_BREAKING: Final = frozenset({500, 502, 503})


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
            assert answer.status_code in _BREAKING, answer.text
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
class Caller:
    """Sends requests of several kinds in a thread.

    Attributes:
        sent: each request, with its last answer if it came.
    """

    kinds: Sequence[Kind]
    rng: random.Random
    sent: list[tuple[Asked, Json | None]] = field(default_factory=list)
    defect: BaseException | None = None

    def call(self, stop: threading.Event) -> None:
        """Sends until it is told to stop or the server is gone."""
        try:
            while not stop.is_set() and self._ask():
                pass
        except httpx2.HTTPError:
            return
        except BaseException as error:  # noqa: BLE001 - the main thread reports it
            # What a request needs before it may have met the kill, and says so as a failed assertion.
            if not (stop.is_set() and isinstance(error, AssertionError)):
                self.defect = error

    def _ask(self) -> bool:
        asked = self.rng.choice(self.kinds).prepare()
        self.sent.append((asked, None))
        answer = asked.send()
        if answer.status_code not in asked.last:
            assert answer.status_code in _BREAKING, answer.text
            assert "internal_error" not in answer.text, answer.text
            return False
        self.sent[-1] = (asked, answer.json())
        return True


@dataclass
class LoadedServer:
    """A server under load."""

    server: AnyServer
    scene: Scene
    traders: Sequence[Trader]
    callers: Sequence[Caller]
    rng: random.Random

    def round(self, target: Target, *, thorough: bool) -> Counter[str]:
        """Loads, kills, recovers and checks; returns how many requests were sent and acknowledged."""
        senders: list[Trader | Caller] = [*self.traders, *self.callers]
        for each in senders:
            each.sent.clear()
        stop = threading.Event()
        jobs = [*(trader.trade for trader in self.traders), *(caller.call for caller in self.callers)]
        threads = [threading.Thread(target=job, args=[stop]) for job in jobs]
        for thread in threads:
            thread.start()
        time.sleep(self.rng.uniform(_SHORTEST_SECONDS, _LONGEST_SECONDS))
        backend = self._some_backend()
        stop.set()
        self.server.kill(target, backend)
        for thread in threads:
            thread.join(TIMEOUT_SECONDS)
            assert not thread.is_alive(), "a request was not answered, and its connection is still open"
        self.server.recover(target)
        self._check(thorough=thorough)
        for each in senders:
            if each.defect is not None:
                raise each.defect
        for trader in self.traders:
            self._send_again(trader)
        for caller in self.callers:
            _call_again(caller)
        finish(self.server.dsn)
        with connected(self.server.dsn) as connection:
            for trader in self.traders:
                self._assert_all_ended(connection, trader)
                _assert_in_order(connection, trader)
        self._check(thorough=thorough)
        answers = [one.answer for trader in self.traders for one in trader.sent]
        answers += [answer for caller in self.callers for _, answer in caller.sent]
        return Counter(sent=len(answers), acknowledged=sum(answer is not None for answer in answers))

    def _check(self, *, thorough: bool) -> None:
        if thorough:
            self.server.check()
        assert self.scene.operator.check() == []

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
    def _assert_all_ended(connection: psycopg.Connection, trader: Trader) -> None:
        partner_id = trader.large_network.partner.id
        states = "SELECT DISTINCT state FROM settlement WHERE partner_id = %s"
        assert connection.execute(states, [partner_id]).fetchall() in ([], [("completed",)])


def _call_again(caller: Caller) -> None:
    """Sends each request again, until it gets its last answer; an acknowledged one gets the same as before."""
    for asked, answer in caller.sent:
        again: list[httpx2.Response] = []

        def answered(asked: Asked = asked, again: list[httpx2.Response] = again) -> bool:
            again.append(asked.send())
            return again[-1].status_code in asked.last

        wait_until(answered, TIMEOUT_SECONDS, "the same request was never answered")
        if answer is not None and asked.repeats:
            assert again[-1].json() == answer, "an acknowledged request gets another answer after the kill"


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
def open_loaded_server(server: AnyServer, seed: int) -> Iterator[LoadedServer]:
    """Prepares a running server for load: partners that are ready to trade, and a network of each kind."""
    with open_scene(server.url, server.dsn, OPERATOR_TOKEN) as scene:
        traders = []
        for number in range(PARTNERS):
            large_network = build_large_network(
                scene.network,
                server.dsn,
                name=f"exchange-{number}",
                clients=4,
                connections=CONNECTIONS,
                window_minutes=WINDOW_MINUTES,
            )
            with connected(server.dsn) as connection:
                initial = large_network.balances(connection)
            traders.append(Trader(large_network, random.Random(f"{seed} {number}"), initial))  # noqa: S311 - no secret
        kinds = [kind(scene) for kind in LOADED_KINDS]
        callers = [
            Caller(kinds[number::CALLERS], random.Random(f"{seed} caller {number}"))  # noqa: S311 - the same
            for number in range(CALLERS)
        ]
        yield LoadedServer(server, scene, traders, callers, random.Random(seed))  # noqa: S311 - the same
