"""The network of a simulation: who is in it, what the model says of it, and its time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final, LiteralString
from uuid import UUID

import httpx2
import psycopg

from clearwindow.signing.keys import PrivateKey
from tests.simulate.books import Books, Custody, Kind
from tests.simulate.hooks import Hooks, Steps
from tests.simulate.server import Processes
from tests.support.model import Account
from tests.support.networks import (
    ConnectionHandle,
    EnterpriseHandle,
    Json,
    Network,
    PartnerHandle,
    new_nonce,
    ok,
    sign_body,
)
from tests.support.operators import OperatorClient, make_key
from tests.support.partners import fake_partner
from tests.support.processes import START_TOKEN
from tests.support.receivers import receiving

CURRENCIES: Final = {"BTC": "ofcbtc", "USD": "ofcusd"}
DECIMALS: Final = {"ofcbtc": 8, "ofcusd": 2}
CLIENTS: Final = ("ann", "bob", "cid")
ALLOCATED: Final = 1_000
DEPOSITED: Final = 20_000
MARGIN_MINUTES: Final = 0.75
"""A window that ends so soon is passed first: a step must not meet its end by the time that it takes itself."""
_PAGE: Final = 100
_PATIENCE_SECONDS: Final = 20
"""A worker looks at payments on chain every ten seconds, and again after this time if it was just looking."""
_LOOK_SECONDS: Final = 0.02
OVER_HTTP_EVERY: Final = 40
"""After so many comparisons the same is read over HTTP, too."""
INSTANT: Final = 0.02
"""Long enough for what is due at once to be done: moving the clock waits for it. In minutes."""


class DifferenceError(AssertionError):
    """The server and the model do not agree."""


def agree(what: str, actual: object, expected: object) -> None:
    """Checks an answer of the server against the model.

    Raises:
        DifferenceError: they differ.
    """
    if actual != expected:
        raise DifferenceError(f"{what}: the server has {actual!r}, the model {expected!r}")


def answered(response: httpx2.Response, status: int, name: str | None = None) -> Json:
    """Returns the body of an answer that must have this status, and this name of an error."""
    if response.status_code != status:
        raise DifferenceError(f"answered {response.status_code}, and {status} by the model: {response.text[:600]}")
    body: Json = response.json()
    if name is not None:
        agree("the name of the error", body.get("name"), name)
    return body


@dataclass(eq=False)
class Exchange:
    """A partner, its terms and what the model says of it."""

    name: str
    kind: Kind
    handle: PartnerHandle
    connections: dict[str, ConnectionHandle]
    books: Books = field(default_factory=Books)
    decimal: bool = False
    asked: bool = False
    """It is called: about allocations, and with the final amounts of settlements."""
    settings: Json = field(default_factory=dict)
    """Of its configuration, and never changed."""
    names: dict[str, str] = field(default_factory=lambda: dict(CURRENCIES))
    active: bool = True
    inactive_connections: set[str] = field(default_factory=set)
    spare: str = ""
    """Another Go Account of it, on which its settlements may draw, if it has one."""
    instructions: dict[str, str] = field(default_factory=dict)
    """Its standing top-ups by currency."""
    parties: dict[str, frozenset[str]] = field(default_factory=dict)
    """The connections that each settlement had when it was staged. A cancelled closure does not take one out."""

    @property
    def decides_later(self) -> bool:
        """Whether it decides about allocations with requests of its own."""
        return bool(self.settings.get("asyncAllocations"))

    def amount(self, name: str, quantity: int) -> str:
        """Returns a quantity of base units as this exchange writes it."""
        if not self.decimal:
            return str(quantity)
        return f"{Decimal(quantity).scaleb(-DECIMALS[self.names[name]]):f}"

    def reads(self, wire: Json) -> bool:
        """Whether amounts as they were once sent still mean something under its names and in its unit (§2).

        A repeat acts only if a new request with the same amounts would be let through.
        """
        for name, given in wire.items():
            if isinstance(given, dict):
                if not self.reads(given):
                    return False
            elif name not in self.names or _places(given) > (DECIMALS[self.names[name]] if self.decimal else 0):
                return False
        return True

    def configuration(self) -> Json:
        unit = "decimal" if self.decimal else "base"
        return {"currencies": self.names, "amountUnit": unit, **self.settings}


@dataclass(frozen=True)
class Sent:
    """A signed request that was accepted, and what the same bytes must be answered with from then on."""

    what: str
    send: Callable[[], httpx2.Response]
    require: Callable[[httpx2.Response], None]
    by: str
    key: PrivateKey


class World:
    """The network, and the model beside it. Minutes are those of the network's clock since the beginning."""

    def __init__(self, processes: Processes, stack: ExitStack) -> None:
        self.processes = processes
        self.operator = stack.enter_context(OperatorClient(processes.url, START_TOKEN))
        self.second = stack.enter_context(self.operator.another())
        self.network = stack.enter_context(Network(self.operator))
        self.partner_server = stack.enter_context(fake_partner(processes.url))
        self._database = stack.enter_context(psycopg.connect(processes.dsn, autocommit=True))
        self._comparisons = 0
        self._finalised: set[str] = set()
        self._hooks = Hooks(stack.enter_context(receiving()))
        self.custody = Custody()
        self.sent: list[Sent] = []
        self.statuses: Counter[int] = Counter()
        self.references = 0
        self._now, self._moved_at = self._read_clock(), time.monotonic()
        self._began = self._now
        self.exchanges = {each.name: each for each in self._exchanges()}
        self.network_accounts = dict(self.rows("SELECT id::text, network_account_id::text FROM connection"))
        self._accounts = {each.id: each.account.id for each in self._enterprises()}
        self.keys: dict[str, PrivateKey] = {}
        self.key_ids: dict[str, str] = {}
        for enterprise in self._enterprises():
            self.keys[enterprise.id] = enterprise.account.key
            self.key_ids[enterprise.id] = enterprise.account.key_id

        for enterprise in self._enterprises():
            if enterprise.id in (*CLIENTS, "flat", "broker"):
                self._hooks.register(enterprise)

    # Time

    @property
    def minutes(self) -> float:
        real = timedelta(seconds=time.monotonic() - self._moved_at)
        return (self._now + real - self._began) / timedelta(minutes=1)

    def minutes_of(self, moment: str) -> float:
        return (datetime.fromisoformat(moment) - self._began) / timedelta(minutes=1)

    def moment(self, minutes: float) -> str:
        at = (self._began + timedelta(minutes=minutes)).astimezone(UTC)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def pass_minutes(self, minutes: float) -> None:
        """Moves the clock, which stops wherever something is due and goes on when it is done."""
        self.pass_to(self.minutes + minutes)

    def pass_to(self, minutes: float) -> None:
        self.move_clock(minutes)
        self.catch_up()

    def move_clock(self, minutes: float) -> None:
        """Moves the clock, and leaves the model behind."""
        moved = ok(self.operator.post("/clock", {"now": self.moment(minutes)}))
        self._now, self._moved_at = datetime.fromisoformat(moved["now"]), time.monotonic()

    def catch_up(self) -> None:
        """Brings the model to the network's time."""
        now = self.minutes
        for exchange in self.exchanges.values():
            exchange.books.advance(max(0.0, now - exchange.books.now))

    def come_near(self) -> None:
        """Passes windows that end so soon that the next step could meet their end, and brings the model on time."""
        while True:
            moments = [exchange.books.next_moment() for exchange in self.exchanges.values()]
            soon = [each for each in moments if each is not None and each <= self.minutes + MARGIN_MINUTES]
            if not soon:
                break
            self.pass_to(max(soon) + INSTANT)
        self.catch_up()

    def finish_due(self) -> None:
        """Waits for settlements that money has just made due."""
        if any(exchange.books.is_due for exchange in self.exchanges.values()):
            self.pass_minutes(INSTANT)

    # Requests

    def rows(self, statement: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        """Returns what the database has."""
        return self._database.execute(statement, values).fetchall()

    def amounts(self, exchange: Exchange, random: Random) -> dict[str, int]:
        """Returns amounts by the exchange's names of currencies."""
        names = random.sample(sorted(exchange.names), random.randint(1, len(exchange.names)))
        return {name: random.choice((-1, 1)) * random.randint(1, 300) for name in names}

    def sign(self, enterprise_id: str, fields: Mapping[str, object], key: PrivateKey | None = None) -> Json:
        return sign_body({"nonce": new_nonce(), **fields}, key or self.keys[enterprise_id])

    def reference(self) -> str:
        self.references += 1
        return f"reference {self.references}"

    def decided(self, response: httpx2.Response, decision: str = "approve") -> Json:
        """Returns the answer of an operator's act, after the second operator has decided about it if it must."""
        if response.status_code != 202:
            return answered(response, 200)
        agree("approvals that the network needs", self.processes.approvals_needed, 1)
        proposal = response.json()["proposal"]["id"]
        who = self.operator if decision == "withdraw" else self.second
        ended = answered(who.post(f"/proposals/{proposal}/{decision}"), 200)["proposal"]
        agree("the proposal", ended["status"], _ENDED[decision])
        return dict(ended.get("result") or {})

    # What agrees

    def eventually(self, check: Callable[[], None]) -> None:
        """Checks again and again, while the worker may still be in the middle of a step."""
        give_up_at = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return check()
            except DifferenceError:
                if time.monotonic() > give_up_at:
                    raise
            time.sleep(_LOOK_SECONDS)

    def compare(self) -> None:
        """Compares every balance, and the newest settlements of each exchange, in one look at the database.

        Now and then the same is read over HTTP, too, where each enterprise sees its own.
        """
        self._comparisons += 1
        self._compare_balances()
        self._compare_newest()
        if self._comparisons % OVER_HTTP_EVERY == 0:
            for client in CLIENTS:
                self.compare_client(client)
            for exchange in self.exchanges.values():
                self.compare_exchange(exchange)

    def _compare_balances(self) -> None:
        expected: dict[tuple[str, str], tuple[str, tuple[int, int]]] = {}
        for currency in DECIMALS:
            for client in CLIENTS:
                own = _both(self.custody.accounts[client, currency])
                expected[_uuid(self.account_of(client)), currency] = f"{client}'s Go Account", own
            for exchange in self.exchanges.values():
                theirs = exchange.books.partner[currency], exchange.books.partner_held[currency]
                expected[_uuid(exchange.handle.enterprise.account.id), currency] = (
                    f"{exchange.name}'s account",
                    theirs,
                )
                if exchange.spare:
                    kept = exchange.books.spare[currency], 0
                    expected[_uuid(exchange.spare), currency] = f"{exchange.name}'s other account", kept
                for client, connection in exchange.connections.items():
                    there = _both(exchange.books.accounts[connection.id, currency])
                    expected[self.network_accounts[connection.id], currency] = f"{client} at {exchange.name}", there
        statement = "SELECT account_id::text, currency, available, held FROM balance WHERE account_id = ANY(%s)"
        rows = self.rows(statement, [account for account, _ in expected])
        seen = {(account, currency): (int(free), int(held)) for account, currency, free, held in rows}
        for key, (whose, amounts) in expected.items():
            agree(f"{whose}, {key[1]}", seen.get(key, (0, 0)), amounts)

    def _compare_newest(self) -> None:
        expected: dict[str, str] = {}
        for exchange in self.exchanges.values():
            expected |= {one.id: one.state for one in exchange.books.settlements[-6:]}
            expected |= {one.id: one.state for one in exchange.books.at_once[-3:]}
            expected |= {one.id: one.state for one in exchange.books.on_chain}
        found = self.rows("SELECT id::text, state FROM settlement WHERE id = ANY(%s)", list(expected))
        agree("the newest settlements", dict(found), expected)

    def compare_client(self, client: str) -> None:
        """Compares every balance of a client, as it sees them."""
        handle = self.exchanges["flat"].connections[client].client
        seen = ok(handle.api.get("/clients/balances", pageSize=500))
        for currency in DECIMALS:
            agree(
                f"{client}'s Go Account, {currency}",
                _pair(seen["balances"], currency),
                _both(self.custody.accounts[client, currency]),
            )
            for exchange in self.exchanges.values():
                connection = exchange.connections[client].id
                agree(
                    f"{client} at {exchange.name}, {currency}",
                    _pair(seen["networkBalances"][connection]["balances"], currency),
                    _both(exchange.books.accounts[connection, currency]),
                )

    def compare_exchange(self, exchange: Exchange) -> None:
        """Compares the account of an exchange, and the state of its newest settlements."""
        balances = self.operator.balances(exchange.handle.enterprise.account.id)
        for currency in DECIMALS:
            agree(
                f"{exchange.name}'s account, {currency}",
                balances.get(currency, (0, 0)),
                (exchange.books.partner[currency], exchange.books.partner_held[currency]),
            )
        if exchange.kind in (Kind.WINDOW, Kind.BROKER) and exchange.books.settlements:
            newest = exchange.books.settlements[-6:]
            wanted = ",".join(one.id for one in newest)
            page = ok(self.operator.get("/settlements", settlementIds=wanted))
            agree(
                f"the settlements of {exchange.name}",
                {one["id"]: one["stage"] for one in page["settlements"]},
                {one.id: one.state for one in newest},
            )

    def compare_everything(self) -> None:
        """Runs the network's own check and compares everything that the model has."""
        agree("the check of the ledger", self.operator.check(), [])
        for client in CLIENTS:
            self.compare_client(client)
        for exchange in self.exchanges.values():
            self.compare_exchange(exchange)
            self._compare_states(exchange)
            self._compare_calls(exchange)
            exchange.books.forget_ended()
        self._compare_told()
        agree("signatures that the partner refused", self.partner_server.complaints, [])
        self.sent = self.sent[-300:]

    def _compare_calls(self, exchange: Exchange) -> None:
        """Compares of which settlements a partner was told the final amounts, once or more often."""
        if exchange.asked and exchange.kind is Kind.WINDOW:
            while self.partner_server.seen:
                call = self.partner_server.seen.pop(0)
                if call.path.endswith("/finalize"):
                    self._finalised.add(call.body["settlementId"])
            finalised = {one for one, steps in exchange.books.told.items() if "finalizing" in steps}
            agree("the settlements with final amounts", self._finalised, finalised)

    def _compare_told(self) -> None:
        """Compares what each enterprise was told about settlements, of each settlement in order."""
        self.pass_minutes(INSTANT)
        others = set().union(*(exchange.books.others for exchange in self.exchanges.values()))
        for client in CLIENTS:
            expected = {
                settlement: steps
                for exchange in self.exchanges.values()
                for settlement, steps in exchange.books.told.items()
                if exchange.connections[client].id in exchange.parties[settlement]
            }
            self._compare_steps(client, others, expected)
        for exchange in self.exchanges.values():
            if exchange.kind in (Kind.WINDOW, Kind.BROKER):
                self._compare_steps(exchange.name, others, exchange.books.told)

    def _compare_steps(self, enterprise_id: str, others: Collection[str], expected: Steps) -> None:
        told = {one: steps for one, steps in self._hooks.told(enterprise_id).items() if one not in others}
        for settlement in {*told, *expected}:
            said = f"what {enterprise_id} was told of {settlement}"
            agree(said, told.get(settlement), expected.get(settlement))

    def _compare_states(self, exchange: Exchange) -> None:
        states = {one.id: one.state for one in exchange.books.settlements}
        states |= {one.id: one.state for one in exchange.books.at_once}
        known = list(states)
        for part in (known[start : start + _PAGE] for start in range(0, len(known), _PAGE)):
            page = ok(self.operator.get("/settlements", settlementIds=",".join(part), pageSize=_PAGE))
            seen = {one["id"]: one.get("stage", one["status"]) for one in page["settlements"]}
            agree(f"all settlements of {exchange.name}", seen, {each: states[each] for each in part})

    # Building

    def _exchanges(self) -> list[Exchange]:
        clients = {name: self.network.client(name, deposits=dict.fromkeys(DECIMALS, DEPOSITED)) for name in CLIENTS}
        for name in CLIENTS:
            for currency in DECIMALS:
                self.custody.accounts[name, currency].available = DEPOSITED
        made = []
        called: Json = {"callbackUrl": self.partner_server.url}
        terms: list[tuple[str, Kind, Json]] = [
            ("flat", Kind.WINDOW, called),
            ("broker", Kind.BROKER, {}),
            ("instant", Kind.AT_ONCE, {}),
            ("chain", Kind.ON_CHAIN, {"onchainEnabled": True}),
            ("asked", Kind.AT_ONCE, called),
        ]
        for name, kind, settings in terms:
            window = 10 if kind in (Kind.WINDOW, Kind.BROKER) else None
            handle = self.network.partner(
                name,
                dispute_window=window,
                top_up_window=window,
                broker=kind is Kind.BROKER,
                currencies=CURRENCIES,
                amountUnit="decimal" if kind is Kind.AT_ONCE else "base",
                **settings,
            )
            connections = {who: self.network.connect(client, handle) for who, client in clients.items()}
            exchange = Exchange(
                name,
                kind,
                handle,
                connections,
                decimal=kind is Kind.AT_ONCE,
                asked="callbackUrl" in settings,
                settings=settings,
            )
            if window is not None:
                owner = handle.enterprise
                exchange.spare = self.operator.go_account(owner.id, owner.account.key).id
            for who, connection in connections.items():
                for currency in DECIMALS:
                    ok(connection.allocate(currency, ALLOCATED))
                    self.custody.accounts[who, currency].available -= ALLOCATED
                    exchange.books.accounts[connection.id, currency].available = ALLOCATED
            made.append(exchange)
        # From now on it decides later.
        made[-1].settings = {**called, "asyncAllocations": True}
        self.network.configure(made[-1].name, **made[-1].configuration())
        return made

    def _enterprises(self) -> list[EnterpriseHandle]:
        flat = self.exchanges["flat"]
        return [
            *(each.client.enterprise for each in flat.connections.values()),
            *(each.handle.enterprise for each in self.exchanges.values()),
        ]

    def account_of(self, enterprise_id: str) -> str:
        return self._accounts[enterprise_id]

    def new_key(self) -> PrivateKey:
        self.references += 1
        return make_key(1_000_000 + self.references)

    def _read_clock(self) -> datetime:
        return datetime.fromisoformat(ok(self.operator.get("/clock"))["now"])


_ENDED: Final = {"approve": "carried_out", "reject": "rejected", "withdraw": "withdrawn"}


def _places(amount: str) -> int:
    """Returns how many decimals an amount is written with. All that the exchanges write count, also zeros."""
    return len(amount.partition(".")[2])


def _uuid(text: str) -> str:
    """Returns an id as the database writes it: on the wire, some have no dashes."""
    return str(UUID(text))


def _pair(balances: Mapping[str, Mapping[str, str]], currency: str) -> tuple[int, int]:
    found = balances.get(currency, {"available": "0", "held": "0"})
    return int(found["available"]), int(found["held"])


def _both(account: Account) -> tuple[int, int]:
    return account.available, account.held
