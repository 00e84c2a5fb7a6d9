"""Where races are run: a network, actors that start at the same instant, and what must hold after each round."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random
from threading import Barrier
from typing import Any, Final

import httpx2

from clearwindow.jobs.worker import Worker
from clearwindow.settlements.jobs import SettlementWork
from tests.support.networks import ConnectionHandle, PartnerHandle, ok
from tests.support.operators import OperatorClient
from tests.support.partners import FakePartner
from tests.support.receivers import Receiver
from tests.support.settlements import Testbed

PLENTY: Final = 10**9
ACTORS: Final = 3
LATEST_SECONDS: Final = 0.03
"""How long an actor waits at most. A request takes about half of it, so that either may be first."""
_PATIENCE_SECONDS: Final = 120
_AT_ONCE_SHARE: Final = 0.4
"""How many of the actors do not wait at all."""

_FUNDS: Final = """
SELECT b.available, b.held FROM balance b JOIN connection c ON c.network_account_id = b.account_id
WHERE c.id = %(id)s AND b.currency = 'ofcbtc'"""
_HELD: Final = """
SELECT count(*) FROM balance b
WHERE b.held <> (SELECT coalesce(sum(h.quantity), 0) FROM hold h
                 WHERE h.account_id = b.account_id AND h.currency = b.currency)"""
_SUMS: Final = """
SELECT count(*) FROM (SELECT currency FROM balance GROUP BY currency HAVING sum(available + held) <> 0) AS wrong"""
_TWICE: Final = """
SELECT count(*) FROM (SELECT cause_id FROM ledger_entry WHERE kind = 'settlement_executed'
                      GROUP BY cause_id HAVING count(*) > 1) AS twice"""


@dataclass(frozen=True)
class Desk:
    """A partner and one client of it, which only one kind of race uses."""

    partner: PartnerHandle
    connection: ConnectionHandle

    @property
    def account(self) -> str:
        return self.partner.enterprise.account.id


@dataclass
class Arena:
    """A network for some hundred rounds.

    Attributes:
        second: an operator who decides about what the first did.
        partner_server: the endpoint of a partner that is called.
        receiver: the endpoint of webhooks.
        memory: what a race remembers from one round to the next, by a name of its own.
    """

    testbed: Testbed
    second: OperatorClient
    partner_server: FakePartner
    receiver: Receiver
    random: Random
    actors: ThreadPoolExecutor
    memory: dict[str, Any] = field(default_factory=dict)
    _desks: dict[str, Desk] = field(default_factory=dict)

    @property
    def operator(self) -> OperatorClient:
        return self.testbed.operator

    def desk(self, name: str, *, allocated: int = PLENTY, **terms: Any) -> Desk:  # noqa: ANN401 - a partner's terms
        """Returns the partner and the client of a kind of race. They are made in its first round."""
        if name not in self._desks:
            network = self.testbed.network
            partner = network.partner(f"{name}-partner", **terms)
            client = network.client(f"{name}-client", deposits={"ofcbtc": 2 * PLENTY})
            connection = network.connect(client, partner)
            if allocated:
                ok(connection.allocate("ofcbtc", allocated))
            self._desks[name] = Desk(partner, connection)
        return self._desks[name]

    def together(self, *calls: Callable[[], Any]) -> list[Any]:
        """Starts the actors at the same instant, in random order and each with a random delay of its own.

        Returns their results in the order of the calls.
        """
        barrier = Barrier(len(calls))
        delays = [0.0 if self.random.random() < _AT_ONCE_SHARE else self._delay() for _ in calls]

        def act(number: int) -> Any:  # noqa: ANN401 - whatever the call returns
            barrier.wait(_PATIENCE_SECONDS)
            time.sleep(delays[number])
            return calls[number]()

        started: dict[int, Future[Any]] = {}
        for number in self.random.sample(range(len(calls)), len(calls)):
            started[number] = self.actors.submit(act, number)
        return [started[number].result(_PATIENCE_SECONDS) for number in range(len(calls))]

    def _delay(self) -> float:
        return self.random.uniform(0, LATEST_SECONDS)

    def work(self) -> int:
        """Takes due steps of settlements, as a worker does."""
        return Worker(self.testbed.runtime, [SettlementWork()]).run_due()

    def end_window(self) -> int:
        """Lets a window of ten minutes end, and takes the steps that are due then."""
        self.testbed.clock.advance(minutes=10)
        return self.work()

    def ending(self) -> Callable[[], int]:
        """Returns an actor that lets the window end, later than a request takes to be decided, or earlier."""
        waits = self.random.uniform(0, LATEST_SECONDS)

        def end() -> int:
            # Moving the clock takes no time at all, and so would always come first.
            time.sleep(waits)
            return self.end_window()

        return end

    def settle(self) -> None:
        """Lets both windows of everything end."""
        self.end_window()
        self.end_window()

    def funds(self, desk: Desk) -> tuple[int, int]:
        """Returns what the client has at the partner: available and held."""
        with self.testbed.runtime.transaction() as tx:
            found = tx.connection.execute(_FUNDS, {"id": desk.connection.id}).fetchone()
        return (int(found[0]), int(found[1])) if found else (0, 0)

    def state(self, settlement_id: str) -> str:
        with self.testbed.runtime.transaction() as tx:
            return tx.scalars(str, "SELECT state FROM settlement WHERE id = %(id)s", id=settlement_id)[0]

    def prove_touched(self) -> None:
        """Checks what every round touches: sums, holds and executions. Protocol §10.1, §10.2 and §10.5."""
        with self.testbed.runtime.transaction() as tx:
            found = [tx.scalars(int, statement)[0] for statement in (_HELD, _SUMS, _TWICE)]
        assert found == [0, 0, 0], f"held funds without a cause, sums, executions: {found} are wrong"


def accepted(answer: httpx2.Response, refusals: Mapping[str, int]) -> bool:
    """Returns whether a request was accepted. If not, it was refused with one of these names and their statuses."""
    if answer.status_code == httpx2.codes.OK:
        return True
    said = answer.json()
    assert refusals.get(said.get("name")) == answer.status_code, f"{answer.status_code} {answer.text[:500]}"
    short = said.get("details", {}).get("shortfalls", [])
    assert all(int(one["shortfall"]) > 0 for one in short), f"refused for nothing: {answer.text[:500]}"
    return False


def either(outcomes: Mapping[str, bool]) -> str:
    """Returns the one that happened. Exactly one must have."""
    happened = [name for name, was in outcomes.items() if was]
    assert len(happened) == 1, f"exactly one of {sorted(outcomes)} may happen, but these did: {happened}"
    return happened[0]
