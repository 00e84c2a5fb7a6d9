"""Steps of settlements on chain: begun, funded, paid, given up, tried again and ended. Protocol §7.

No payment is confirmed by the passing of time: each is withheld in the step in which the chain gets it.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final
from uuid import UUID

from tests.simulate.on_chain import TRIES, OnChain
from tests.simulate.world import CLIENTS, INSTANT, Exchange, World, agree, answered
from tests.support.model import Key
from tests.support.networks import sign_body

_MOST_OPEN: Final = 6
_LOOK: Final = 0.2
"""The worker looks at payments every ten seconds. In minutes."""
_DEPOSITED: Final = 0.7
"""A deposit has been confirmed and seen by now, and no payment of the gains has been confirmed. In minutes."""
_FIRST_RETRY: Final = 0.5
_PATH: Final = "/partners/settlements/onchain"
_PENDING: Final = """
SELECT c.id::text, t.connection_id::text, t.currency, c.withheld
FROM chain_transaction c JOIN settlement_transfer t ON t.id = c.transfer_id
WHERE t.settlement_id = %s AND c.state = 'pending' ORDER BY t.connection_id, t.currency"""


def begin_on_chain(world: World, random: Random) -> str:
    exchange = world.exchanges["chain"]
    books = exchange.books
    if len([one for one in books.on_chain if one.is_open]) >= _MOST_OPEN:
        return "enough are open"
    change: dict[Key, int] = {}
    wire: dict[str, dict[str, str]] = {}
    for client in random.sample(CLIENTS, random.randint(1, 2)):
        connection = exchange.connections[client]
        given = world.amounts(exchange, random)
        wire[connection.id] = {name: str(quantity) for name, quantity in given.items()}
        change |= {(connection.id, exchange.names[name]): quantity for name, quantity in given.items()}
    external = world.reference()
    body = world.sign(exchange.name, {"externalId": external, "settlementAmounts": wire})
    answer = exchange.handle.api.post(_PATH, body)
    if any(books.accounts[key].available + quantity < 0 for key, quantity in change.items()):
        answered(answer, 400)
        return f"{wire}: not covered"
    made = OnChain(answered(answer, 202)["settlement"]["id"], external, change)
    books.on_chain.append(made)
    books.others.add(made.id)
    made.begin(books.accounts, books.partner, books.partner_held)
    _withhold(world, made)
    return f"{wire}: {made.id}; {_perhaps_pay(world, random, exchange, made)}"


def pay_on_chain(world: World, random: Random) -> str:
    """The chain confirms or gives up the payments that it has of a settlement."""
    exchange = world.exchanges["chain"]
    made = _one(exchange, random, lambda one: bool(one.under_way))
    return "the chain has no payment" if made is None else _pay(world, random, exchange, made)


def pay_everything(world: World, random: Random) -> None:
    """The chain ends all payments that it has. While it has any, a moved clock stops every ten seconds."""
    while any(one.under_way for one in world.exchanges["chain"].books.on_chain):
        pay_on_chain(world, random)


def fund_on_chain(world: World, random: Random) -> str:
    """The partner sends what the gains of a settlement need of a currency, or more."""
    exchange = world.exchanges["chain"]
    books = exchange.books
    made = _one(exchange, random, lambda one: bool(set(one.gains) - one.given))
    if made is None:
        return "none needs a deposit"
    currency = random.choice(sorted(set(made.gains) - made.given))
    quantity = made.gains[currency] + random.choice([0, 0, 17])
    made.given.add(currency)
    theirs = {ours: name for name, ours in exchange.names.items()}
    world.references += 1
    transaction = UUID(int=world.references).hex
    sent = {"partnerId": exchange.handle.id, "currency": currency, "quantity": str(quantity)}
    answered(world.operator.post("/chain/deposits", {**sent, "txId": transaction}), 200)
    deposits = [{"currency": theirs[currency], "onChainTxId": transaction}]
    fields = {"externalSettlementId": made.external_id, "deposits": deposits}
    answer = exchange.handle.api.post(f"{_PATH}/deposits", sign_body(fields, world.keys[exchange.name]))
    answered(answer, 201)
    world.pass_minutes(_DEPOSITED)
    made.deposit(currency, quantity, books.partner, books.partner_held)
    made.proceed(books.partner, books.partner_held)
    _withhold(world, made)
    world.compare()
    return f"{quantity} {currency} for {made.id}, {_perhaps_pay(world, random, exchange, made)}"


def end_on_chain(world: World, random: Random) -> str:
    """An operator has what was given up tried again, or rejects a settlement of which the chain has nothing."""
    exchange = world.exchanges["chain"]
    books = exchange.books
    made = _one(exchange, random, lambda one: one.is_open)
    if made is None:
        return "none is open"
    if made.state == "failed" and random.random() < 0.5:
        answered(world.operator.post(f"/settlements/{made.id}/retry"), 200)
        made.retry()
        world.pass_minutes(INSTANT)
        _withhold(world, made)
        return f"retry {made.id}"
    answer = world.operator.post(f"/settlements/{made.id}/reject")
    if not made.may_be_rejected:
        answered(answer, 409, "settlement_on_chain")
        return f"reject {made.id}: the chain has payments of it"
    agree("its status", answered(answer, 200)["settlement"]["status"], "rejected")
    made.reject(books.accounts, books.partner, books.partner_held)
    return f"reject {made.id}"


def _perhaps_pay(world: World, random: Random, exchange: Exchange, made: OnChain) -> str:
    # Most are paid in the same step, as in `pay_everything`.
    if not made.under_way:
        return made.phase
    return _pay(world, random, exchange, made) if random.random() < 0.85 else "its payments wait"


def _pay(world: World, random: Random, exchange: Exchange, made: OnChain) -> str:
    how = random.choice(["confirm", "confirm", "confirm", "fail once", "fail to the end"])
    if how == "confirm":
        _decide(world, exchange, made, dict.fromkeys(made.under_way, True))
    elif how == "fail once":
        failing = random.choice(made.under_way)
        _decide(world, exchange, made, {failing: False})
    else:
        while made.under_way:
            _decide(world, exchange, made, dict.fromkeys(made.under_way, False))
    world.compare()
    return f"{made.id}: {how}, now {made.phase}, {made.state}"


def _decide(world: World, exchange: Exchange, made: OnChain, verdicts: dict[Key, bool]) -> None:
    """Has the chain confirm or give up payments, and waits until the network has seen it and paid anew."""
    books = exchange.books
    pending = {(connection, currency): number for number, connection, currency, _ in _pending(world, made)}
    agree("the payments that the chain has", set(pending), set(made.under_way))
    for key, confirmed in verdicts.items():
        verdict = "confirm" if confirmed else "fail"
        answered(world.operator.post(f"/chain/transactions/{pending[key]}/{verdict}"), 200)
    world.pass_minutes(_LOOK)
    waits: set[float] = set()
    for key, confirmed in verdicts.items():
        if confirmed:
            made.pay(key, books.accounts, books.partner_held)
            continue
        made.failures[key] += 1
        if made.failures[key] < TRIES:
            waits.add(_FIRST_RETRY * 2 ** (made.failures[key] - 1))
    made.proceed(books.partner, books.partner_held)
    passed = 0.0
    for minutes in sorted(waits):
        world.pass_minutes(minutes - passed)
        passed = minutes
        _hold_back(world, made)
    _withhold(world, made)


def _withhold(world: World, made: OnChain) -> None:
    """Withholds the payments that the chain has just got, before their time comes."""
    if made.under_way:
        world.pass_minutes(INSTANT)

    def all_are_there() -> None:
        _hold_back(world, made)
        there = {(connection, currency) for _, connection, currency, _ in _pending(world, made)}
        agree("the payments that the chain has", there, set(made.under_way))

    world.eventually(all_are_there)
    world.eventually(world.compare)


def _hold_back(world: World, made: OnChain) -> None:
    for number, _, _, withheld in _pending(world, made):
        if not withheld:
            answered(world.operator.post(f"/chain/transactions/{number}/withhold"), 200)


def _pending(world: World, made: OnChain) -> list[tuple[str, str, str, bool]]:
    return [(row[0], row[1], row[2], row[3]) for row in world.rows(_PENDING, made.id)]


def _one(exchange: Exchange, random: Random, wanted: Callable[[OnChain], bool]) -> OnChain | None:
    found = [one for one in exchange.books.on_chain if one.is_open and wanted(one)]
    return random.choice(found) if found else None
