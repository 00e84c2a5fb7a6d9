"""A simulated exchange in a thread beside the server of the tests, and who trades on it."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from clearwindow.client import ApiError, Client, HttpOptions, KeySigner, NewKey, Operator, Partner, TokenKey
from clearwindow.client.answers.network import Connection
from clearwindow.sandbox.exchange.events import Event
from clearwindow.sandbox.exchange.faults import Faults
from clearwindow.sandbox.exchange.running import Access, Terms, run
from clearwindow.sandbox.exchange.settling import Plan
from tests.conftest import OPERATOR_TOKEN
from tests.support.operators import make_key
from tests.support.settling import Floor

NAMES: Final = {"BTC": "ofcbtc", "USDC": "ofcusdc"}
ALLOCATED: Final = {"ofcbtc": 10**8, "ofcusdc": 50_000 * 10**6}
SEED: Final = "7"
PATIENCE_SECONDS: Final = 30
STEP_SECONDS: Final = 0.1
ONCE: Final = HttpOptions(trust_env=False, repeats=0, read_timeout_seconds=60)


class Heard:
    """What the exchange says, in the order in which it does."""

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
        """The fields of the event of this name that is the ``count``-th one."""
        with self._changed:
            found = self._changed.wait_for(
                lambda: [event for event in self._events if event.name == name][count - 1 :], PATIENCE_SECONDS
            )
            assert found, f"no {name}: {[(event.name, event.sentence) for event in self._events]}"
            return dict(found[0].fields)


@dataclass(frozen=True)
class Market:
    """An exchange's place on a network, with an operator and a trader; ``floor`` has the clock and the worker."""

    floor: Floor
    operator: Operator
    partner: Partner
    trader: Client
    partner_id: str
    partner_account: str
    access: Access

    def connect(self, name: str = "Aster at Meridian") -> Connection:
        made = self.trader.connections.create(
            partner_id=self.partner_id, name=name, connection_key=TokenKey("from-the-exchange")
        )
        self.until(lambda: self.trader.connections.get(made.id).initialized)
        return made

    def move(self, what: str, connection: Connection, currency: str, quantity: int) -> str:
        """Allocates or deallocates, and gives the status in which it ends, which the exchange is told."""
        call = getattr(self.trader.allocations, what)
        asked = {"currency": currency, "quantity": quantity, "client_external_id": uuid4().hex}
        try:
            moved = call(connection.id, **asked)
        except ApiError as error:
            if error.allocation is None:
                raise
            moved = error.allocation
        self.until(lambda: self.trader.allocations.get(moved.id).status != "reserved")
        self.floor.run_due()
        return str(self.trader.allocations.get(moved.id).status)

    def available(self, connection: Connection) -> dict[str, int]:
        balances = self.trader.balances().network_balances[connection.id].balances
        assert not any(balance.held for balance in balances.values())
        return {name: balance.available for name, balance in balances.items() if balance.available}

    def close(self, dispute_id: str, adjusted: dict[str, int]) -> None:
        """Two operators find that the client was right."""
        closure = self.operator.disputes.close(dispute_id, adjusted_transfers=adjusted, notes="it was right")
        second = self.operator.operators.create(name="second")
        token = self.operator.operators.create_token(second.id, label="review")
        with Operator(self.access.url, token.value, options=ONCE) as reviewer:
            reviewer.dispute_closures.review(closure.id, decision="approved")

    def until(self, condition: Callable[[], bool]) -> None:
        """Lets time go by on the network until it is so: what is owed is tried again."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < give_up_at, "it never came"
            self.floor.pass_minutes(1)
            # The exchange lives by the real clock, however fast the network's goes.
            time.sleep(STEP_SECONDS / 5)


def build(floor: Floor, url: str, *, answers_later: bool = False) -> Market:
    operator = Operator(url, OPERATOR_TOKEN, options=ONCE)
    tokens, accounts = zip(
        *(_enterprise(operator, name, number) for number, name in enumerate(("meridian", "aster"))), strict=True
    )
    callback_url = f"http://127.0.0.1:{free_port()}"
    operator.configure_partner(
        "meridian",
        currencies=NAMES,
        amount_unit="decimal",
        callback_url=callback_url,
        async_allocations=answers_later,
    )
    signers = [KeySigner(make_key(number).xprv) for number in range(2)]
    partner = Partner(url, tokens[0], "meridian", signer=signers[0], options=ONCE)
    made = partner.register(
        name="Meridian", broker=False, institution_identifier="meridian", connection_key_schema="token"
    )
    operator.update_partner(made.id, client_dispute_window_minutes=10, top_up_window_minutes=10)
    trader = Client(url, tokens[1], "aster", signer=signers[1], options=ONCE)
    trader.register()
    for account in accounts:
        for currency, quantity in ALLOCATED.items():
            operator.go_accounts.deposit(account, currency=currency, quantity=10 * quantity, reference=uuid4().hex)
    access = Access(
        url=url,
        enterprise_id="meridian",
        token=tokens[0],
        signer=signers[0],
        callback_url=callback_url,
        options=HttpOptions(trust_env=False, first_wait_seconds=0.01),
    )
    return Market(floor, operator, partner, trader, made.id, accounts[0], access)


@contextmanager
def running(
    market: Market,
    faults: Faults | None = None,
    *,
    rounds: int | None = None,
    answers_later_seconds: float | None = None,
) -> Iterator[Heard]:
    """The exchange until the block ends; a step every tenth of a second."""
    plan = Plan("meridian", STEP_SECONDS, faults or Faults(SEED), rounds)
    port = int((market.access.callback_url or "").rsplit(":", 1)[1])
    terms = Terms(
        access=market.access,
        plan=plan,
        seed=SEED,
        host="127.0.0.1",
        port=port,
        answers_later_seconds=answers_later_seconds,
    )
    heard = Heard()
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    ended: list[BaseException | None] = []

    def live() -> None:
        try:
            loop.run_until_complete(run(terms, heard, stop))
            ended.append(None)
        except BaseException as error:  # noqa: BLE001 - shown by the test
            ended.append(error)
            heard(Event("listening", f"never: {error!r}"))
        finally:
            loop.close()

    thread = threading.Thread(target=live, daemon=True)
    thread.start()
    try:
        heard.wait_for("listening")
        assert not ended, ended
        yield heard
    finally:
        if not ended:
            loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE_SECONDS)
    assert ended == [None]


def _enterprise(operator: Operator, name: str, number: int) -> tuple[str, str]:
    operator.enterprises.create(enterprise_id=name, name=name, licensed=True, trust_org="BitGo Trust")
    user = operator.enterprises.create_user(name, user_id=f"desk@{name}", name="The desk")
    token = operator.enterprises.create_token(
        name, user_id=user.id, scopes=["settlement_network_read", "settlement_network_write"], label="desk"
    )
    account = operator.go_accounts.create(name, keys=[NewKey(make_key(number).xpub)], label="main")
    return token.value, account.id


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
