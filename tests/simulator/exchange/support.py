"""A simulated exchange in a thread, with a server, an operator and a trader."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from clearwindow.client import ApiError, Client, HttpOptions, KeySigner, Operator, Partner, TokenKey
from clearwindow.client.answers.network import Connection
from clearwindow.simulator.exchange.events import Event
from clearwindow.simulator.exchange.faults import Faults
from clearwindow.simulator.exchange.run import Access, Terms, run
from clearwindow.simulator.exchange.settlement import Plan
from tests.conftest import OPERATOR_TOKEN
from tests.support.networks import PartnerHandle
from tests.support.ports import reserved_port
from tests.support.settlements import Testbed

NAMES: Final = {"BTC": "ofcbtc", "USDC": "ofcusdc"}
ALLOCATED: Final = {"ofcbtc": 10**8, "ofcusdc": 50_000 * 10**6}
SEED: Final = "7"
TIMEOUT_SECONDS: Final = 120
STEP_SECONDS: Final = 0.1
ONCE: Final = HttpOptions(trust_env=False, repeats=0, read_timeout_seconds=60)


class EventLog:
    """The events of an exchange, in order."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._changed = threading.Condition()

    def __call__(self, event: Event) -> None:
        with self._changed:
            self._events.append(event)
            self._changed.notify_all()

    def named(self, name: str) -> list[dict[str, Any]]:
        with self._changed:
            return [dict(event.fields) for event in self._events if event.name == name]

    def wait_for(self, name: str, count: int = 1) -> dict[str, Any]:
        """Waits for the ``count``-th event with this name, and returns its fields."""
        with self._changed:
            found = self._changed.wait_for(
                lambda: [event for event in self._events if event.name == name][count - 1 :], TIMEOUT_SECONDS
            )
            assert found, f"no {name}: {[(event.name, event.sentence) for event in self._events]}"
            return dict(found[0].fields)


@dataclass(frozen=True)
class ExchangeSetup:
    """An exchange, an operator and a trader on a network; ``testbed`` has the clock and the worker."""

    testbed: Testbed
    operator: Operator
    partner: Partner
    trader: Client
    exchange: PartnerHandle
    access: Access

    @property
    def partner_id(self) -> str:
        return self.exchange.id

    def connect(self, name: str = "Aster at Meridian") -> Connection:
        made = self.trader.connections.create(
            partner_id=self.partner_id, name=name, connection_key=TokenKey("from-the-exchange")
        )
        self.wait_until(lambda: self.trader.connections.get(made.id).initialized)
        return made

    def move(self, what: str, connection: Connection, currency: str, quantity: int) -> str:
        """Allocates or deallocates. Returns the final status, after the exchange got the outcome."""
        call = getattr(self.trader.allocations, what)
        asked = {"currency": currency, "quantity": quantity, "client_external_id": uuid4().hex}
        try:
            moved = call(connection.id, **asked)
        except ApiError as error:
            if error.allocation is None:
                raise
            moved = error.allocation
        self.wait_until(lambda: self.trader.allocations.get(moved.id).status != "reserved")
        self.testbed.run_due()
        return str(self.trader.allocations.get(moved.id).status)

    def available(self, connection: Connection) -> dict[str, int]:
        balances = self.trader.balances().network_balances[connection.id].balances
        assert not any(balance.held for balance in balances.values())
        return {name: balance.available for name, balance in balances.items() if balance.available}

    def close(self, dispute_id: str, adjusted: dict[str, int]) -> None:
        """Closes the dispute with these amounts; another operator approves."""
        closure = self.operator.disputes.close(dispute_id, adjusted_transfers=adjusted, notes="the client is right")
        second = self.operator.operators.create(name="second")
        token = self.operator.operators.create_token(second.id, label="review")
        with Operator(self.access.url, token.value, options=ONCE) as reviewer:
            reviewer.dispute_closures.review(closure.id, decision="approved")

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Moves the network's clock until the condition is true; calls that failed are repeated meanwhile."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not condition():
            assert time.monotonic() < deadline, "the condition did not become true"
            self.testbed.pass_minutes(1)
            # The exchange uses the real clock, even if the network's clock moves faster.
            time.sleep(STEP_SECONDS / 5)


def build(testbed: Testbed, url: str, *, answers_later: bool = False) -> ExchangeSetup:
    # The exchange writes cutoffs by the real clock, which must not be ahead of the network's.
    behind = (datetime.now(UTC) - testbed.clock.now()).total_seconds()
    testbed.clock.advance(minutes=max(0.0, behind / 60))
    deposits = {currency: 10 * quantity for currency, quantity in ALLOCATED.items()}
    callback_url = f"http://127.0.0.1:{reserved_port()}"
    exchange = testbed.network.partner(
        "meridian",
        deposits=deposits,
        currencies=NAMES,
        amountUnit="decimal",
        callbackUrl=callback_url,
        asyncAllocations=answers_later,
    )
    aster = testbed.network.client("aster", deposits=deposits)
    tokens = [testbed.operator.user_token(name) for name in ("meridian", "aster")]
    signers = [KeySigner(each.enterprise.account.key.xprv) for each in (exchange, aster)]
    access = Access(
        url=url,
        enterprise_id="meridian",
        token=tokens[0],
        signer=signers[0],
        callback_url=callback_url,
        options=HttpOptions(trust_env=False, first_wait_seconds=0.01),
    )
    return ExchangeSetup(
        testbed,
        Operator(url, OPERATOR_TOKEN, options=ONCE),
        Partner(url, tokens[0], "meridian", signer=signers[0], options=ONCE),
        Client(url, tokens[1], "aster", signer=signers[1], options=ONCE),
        exchange,
        access,
    )


@contextmanager
def running(
    setup: ExchangeSetup,
    faults: Faults | None = None,
    *,
    rounds: int | None = None,
    answers_later_seconds: float | None = None,
) -> Iterator[EventLog]:
    """Runs the exchange until the block ends, with a step every tenth of a second."""
    plan = Plan("meridian", STEP_SECONDS, faults or Faults(SEED), rounds)
    port = int((setup.access.callback_url or "").rsplit(":", 1)[1])
    terms = Terms(
        access=setup.access,
        plan=plan,
        seed=SEED,
        host="127.0.0.1",
        port=port,
        answers_later_seconds=answers_later_seconds,
    )
    events = EventLog()
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    ended: list[BaseException | None] = []

    def run_exchange() -> None:
        try:
            loop.run_until_complete(run(terms, events, stop))
            ended.append(None)
        except BaseException as error:  # noqa: BLE001 - shown by the test
            ended.append(error)
            events(Event("listening", f"never: {error!r}"))
        finally:
            loop.close()

    thread = threading.Thread(target=run_exchange, daemon=True)
    thread.start()
    try:
        events.wait_for("listening")
        assert not ended, ended
        yield events
    finally:
        if not ended:
            loop.call_soon_threadsafe(stop.set)
        thread.join(TIMEOUT_SECONDS)
    assert ended == [None]
