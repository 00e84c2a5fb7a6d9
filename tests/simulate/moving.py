"""Steps that move money: custody, allocations, settlements of every kind, and the same bytes again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from functools import partial
from random import Random
from typing import Final

import httpx2

from clearwindow.signing.keys import PrivateKey
from tests.simulate.books import AtOnce, Kind, Reserved
from tests.simulate.world import CLIENTS, DECIMALS, Exchange, Sent, World, agree, answered
from tests.support.model import Account, Move
from tests.support.networks import ConnectionHandle, Json
from tests.support.partners import Behaviour, agreeing, refusing

AT_ONCE: Final = ("instant", "asked")
"""The partners that settle at once."""
_REFUSING = refusing()
SAYS: Final[dict[str, Behaviour]] = {
    "yes": agreeing,
    "no": lambda seen: agreeing(seen) if seen.method == "PUT" or "/finalize" in seen.path else _REFUSING(seen),
}
"""What a partner answers that is asked about an allocation."""
_CUTOFF: Final = "2020-01-01T00:00:00.000Z"
_AT_ONCE_PATHS: Final = ("/partners/settlements", "/partners/settlements/nonReconciled")


def deposit(world: World, random: Random) -> str:
    """An operator deposits, and where others must approve, the second decides."""
    currency, quantity = random.choice(sorted(DECIMALS)), random.randint(1, 400)
    decision = random.choice(["approve", "approve", "reject", "withdraw"])
    owner = random.choice([*CLIENTS, "flat", "broker", *AT_ONCE])
    answer = world.operator.move(
        "deposits", world.account_of(owner), currency, quantity, f"deposit {world.reference()}"
    )
    world.decided(answer, decision)
    if answer.status_code == httpx2.codes.ACCEPTED and decision != "approve":
        return f"{quantity} {currency} for {owner}: {decision}"
    if owner in CLIENTS:
        world.custody.accounts[owner, currency].available += quantity
        world.compare()
    else:
        exchange = world.exchanges[owner]
        exchange.books.fund(currency, quantity)
        world.finish_due()
        world.compare()
    return f"{quantity} {currency} for {owner}"


def withdraw(world: World, random: Random) -> str:
    """An operator withdraws. A proposed withdrawal holds the funds."""
    client, currency, quantity = random.choice(CLIENTS), random.choice(sorted(DECIMALS)), random.randint(1, 3_000)
    decision = random.choice(["approve", "reject", "withdraw"])
    account = world.custody.accounts[client, currency]
    answer = world.operator.move(
        "withdrawals", world.account_of(client), currency, quantity, f"withdrawal {world.reference()}"
    )
    said = f"{quantity} {currency} of {client}"
    if quantity > account.available:
        answered(answer, 422, "insufficient_funds")
        return f"{said}: not covered"
    if answer.status_code == httpx2.codes.ACCEPTED:
        account.available, account.held = account.available - quantity, account.held + quantity
        world.compare()
        account.available, account.held = account.available + quantity, account.held - quantity
    world.decided(answer, decision)
    if answer.status_code != httpx2.codes.ACCEPTED or decision == "approve":
        account.available -= quantity
    world.compare()
    return f"{said}: {decision if answer.status_code == httpx2.codes.ACCEPTED else 'at once'}"


def allocate(world: World, random: Random) -> str:
    return _move_some(world, random, "allocations", 900)


def deallocate(world: World, random: Random) -> str:
    return _move_some(world, random, "deallocations", 1_300)


def _move_some(world: World, random: Random, what: str, most: int) -> str:
    exchange, client = random.choice(list(world.exchanges.values())), random.choice(CLIENTS)
    says = random.choice(["yes"] * 9 + ["no"])
    return move(world, exchange, client, what, random.choice(sorted(DECIMALS)), random.randint(1, most), says=says)


def move(
    world: World, exchange: Exchange, client: str, what: str, currency: str, quantity: int, *, says: str = "yes"
) -> str:
    """Moves funds between a client's Go Account and its account at an exchange, or finds that nothing covers it.

    ``says``: what the exchange answers if it is asked.
    """
    connection = exchange.connections[client]
    source, target = sides(world, exchange, client, what, currency)
    body = world.sign(client, connection.allocation_fields(currency, quantity))
    path = f"{connection.path}/{what}"
    world.partner_server.behave = SAYS[says]
    send = partial(connection.client.api.post, path, body)
    answer = send()
    said = f"{what} of {quantity} {currency}, {client} at {exchange.name}"
    if what == "allocations" and (not exchange.active or client in exchange.inactive_connections):
        answered(answer, 422)
        return f"{said}: inactive"
    kind = what[:-1]
    status = _status(exchange, says) if quantity <= source.available else "released"
    made = answered(answer, 422 if status == "released" else 200)
    record = made.get(kind, made)
    agree("its status", record["status"], status)
    kept = Reserved(what, record["id"], client, connection.id, currency, quantity, status)
    if status != "released":
        source.available -= quantity
    if status == "cleared":
        target.available += quantity
    elif status == "reserved":
        source.held += quantity
        exchange.books.reserved.append(kept)

    def again(repeat: httpx2.Response) -> None:
        agree("a repeat says that it is one", repeat.headers.get("Idempotent-Replayed"), "true")
        body_again = answered(repeat, 422 if kept.status == "released" else 200)
        seen = body_again.get(kind, body_again)
        agree("the record of a repeat", (seen["id"], seen["status"]), (kept.id, kept.status))

    world.sent.append(Sent(said, send, again, client, world.keys[client]))
    world.compare()
    return f"{said}: {status}"


def decide_reserved(world: World, random: Random) -> str:
    """A partner decides about what it has left open, signed, once and again."""
    exchange = world.exchanges["asked"]
    if not exchange.books.reserved:
        return "nothing waits"
    chosen = exchange.books.reserved.pop(random.randrange(len(exchange.books.reserved)))
    kind, status = chosen.what[:-1], random.choice(["cleared", "released"])
    theirs = {ours: name for name, ours in exchange.names.items()}[chosen.currency]
    fields = {
        f"{kind}Id": chosen.id,
        "amount": {"currency": theirs, "quantity": exchange.amount(theirs, chosen.quantity)},
        "clientId": exchange.connections[chosen.client].client.id,
        "connectionId": chosen.connection,
        "partnersClientId": "their-client",
        "partnersConnectionId": f"theirs-{chosen.connection}",
        f"partners{kind.capitalize()}Id": f"their-{chosen.id}",
        "status": status,
    }
    body = world.sign(exchange.name, fields)
    send = partial(exchange.handle.api.put, f"/partners/{chosen.what}", body)
    answered(send(), 200)
    source, target = sides(world, exchange, chosen.client, chosen.what, chosen.currency)
    source.held -= chosen.quantity
    (target if status == "cleared" else source).available += chosen.quantity
    chosen.status = status
    said = f"{exchange.name} decides {chosen.id}: {status}"
    other = {**fields, "status": "released" if status == "cleared" else "cleared"}
    second = exchange.handle.api.put(f"/partners/{chosen.what}", world.sign(exchange.name, other))
    answered(second, 409, "allocation_decided")

    def again(repeat: httpx2.Response) -> None:
        agree("a repeat says that it is one", repeat.headers.get("Idempotent-Replayed"), "true")
        answered(repeat, 200)

    world.sent.append(Sent(said, send, again, exchange.name, world.keys[exchange.name]))
    return said


def sides(world: World, exchange: Exchange, client: str, what: str, currency: str) -> tuple[Account, Account]:
    """Returns the account that an allocation or a deallocation takes from, and the one that it gives to."""
    there = exchange.books.accounts[exchange.connections[client].id, currency]
    own = world.custody.accounts[client, currency]
    return (own, there) if what == "allocations" else (there, own)


def _status(exchange: Exchange, says: str) -> str:
    """Returns how an allocation that is covered stands after the answer of the exchange, if it is asked."""
    if not exchange.asked or says == "yes":
        # Whoever decides later has only heard of it.
        return "reserved" if exchange.decides_later else "cleared"
    return "released"


def stage(world: World, random: Random) -> str:
    """A settlement with a dispute window, flat or between connections."""
    exchange = world.exchanges[random.choice(["flat", "broker"])]
    if exchange.kind is Kind.WINDOW:
        moves, wire = _flat(world, exchange, random)
    else:
        moves, wire = _between(world, exchange, random)
    fields = {"externalId": world.reference(), "settlementAmounts": wire, "cutoffAt": _CUTOFF}
    body = world.sign(exchange.name, fields)
    return post_staged(world, exchange, moves, body)


def post_staged(world: World, exchange: Exchange, moves: list[Move], body: Json, *, dies_after: float = 0) -> str:
    """Sends a settlement, and the same bytes again if the server dies meanwhile."""
    books = exchange.books
    world.catch_up()
    expected = books.shortfalls(moves)
    send = partial(exchange.handle.api.post, "/partners/settlements", body, version=2)
    answer = send() if not dies_after else _send_to_the_dying(world, send, dies_after)
    said = f"{exchange.name}: {body['settlementAmounts']}"
    if not exchange.active:
        answered(answer, 403, "partner_inactive")
        return f"{said}: inactive"
    if expected:
        named = {
            (short["connectionId"], short["currency"]): int(short["shortfall"])
            for short in answered(answer, 422)["details"]["shortfalls"]
        }
        agree("the shortfalls", named, expected)
        return f"{said}: not covered"
    first = answered(answer, 200)
    settling = {one["id"] for one in first["settlement"]["settlingDisputes"]}
    waiting = books.waiting_disputes()
    agree("the disputes that it settles", settling, {one.id for one in waiting})
    books.now = world.minutes_of(first["settlement"]["createdAt"])
    made = books.stage(first["settlement"]["id"], moves)
    # A closure may move nothing, and its client is in the settlement that takes it.
    exchange.parties[made.id] = frozenset(each for each, _ in made.touched()) | {one.connection for one in waiting}
    world.catch_up()
    owner, key, wire = exchange.name, world.keys[exchange.name], body["settlementAmounts"]

    def again(repeat: httpx2.Response) -> None:
        acts = made.state == "failed" and _is_let_through(world, exchange, wire, key)
        changed = {"updatedAt"} if acts else set()
        seen, expected_again = answered(repeat, 200)["settlement"], first["settlement"]
        agree("a repeat's answer", _without(seen, changed), _without(expected_again, changed))
        if acts:
            books.retry(made)
            world.finish_due()

    world.sent.append(Sent(said, send, again, owner, key))
    world.compare()
    return f"{said}: staged {made.id}"


def settle_at_once(world: World, random: Random) -> str:
    """A settlement of version 1, in full units of each currency."""
    exchange = world.exchanges[random.choice(AT_ONCE)]
    change: defaultdict[tuple[str, str], int] = defaultdict(int)
    wire: dict[str, dict[str, str]] = {}
    for client in random.sample(CLIENTS, random.randint(1, 3)):
        given = world.amounts(exchange, random)
        wire[exchange.connections[client].id] = {name: exchange.amount(name, each) for name, each in given.items()}
        for name, quantity in given.items():
            change[exchange.connections[client].id, exchange.names[name]] += quantity
    body = world.sign(exchange.name, {"externalId": world.reference(), "settlementAmounts": wire})
    path = random.choice(_AT_ONCE_PATHS)
    send = partial(exchange.handle.api.post, path, body)
    answer = send()
    said = f"{exchange.name}: {wire}"
    if not exchange.active:
        answered(answer, 403, "partner_inactive")
        return f"{said}: inactive"
    made = AtOnce(answer.json().get("settlement", {}).get("id", ""), dict(change), "failed")
    exchange.books.at_once.append(made)
    exchange.books.others.add(made.id)
    _tried(exchange, made, answer)
    owner, key = exchange.name, world.keys[exchange.name]

    def again(repeat: httpx2.Response) -> None:
        if made.state == "failed" and _is_let_through(world, exchange, wire, key):
            _tried(exchange, made, repeat)
            return
        settlement = answered(repeat, 200 if made.state == "completed" else 401)["settlement"]
        agree("a repeat's settlement", (settlement["id"], settlement["status"]), (made.id, made.state))

    world.sent.append(Sent(said, send, again, owner, key))
    world.compare()
    return f"{said}: {made.state}"


def end_at_once(world: World, random: Random) -> str:
    """An operator tries a failed settlement of version 1 again, or rejects it."""
    exchange = world.exchanges[random.choice(AT_ONCE)]
    failed = [one for one in exchange.books.at_once if one.state == "failed"]
    if not failed:
        return "none has failed"
    chosen, what = random.choice(failed), random.choice(["retry", "reject"])
    answer = world.operator.post(f"/settlements/{chosen.id}/{what}")
    if what == "reject":
        chosen.state = "rejected"
    else:
        exchange.books.execute(chosen)
    agree("its status", answered(answer, 200)["settlement"]["status"], chosen.state)
    world.compare()
    return f"{what} {chosen.id}: {chosen.state}"


def repeat(world: World, random: Random) -> str:
    """The same bytes again, whatever happened to keys, names and windows meanwhile."""
    if not world.sent:
        return "nothing was sent"
    chosen = random.choice(world.sent[-60:])
    chosen.require(chosen.send())
    world.compare()
    return chosen.what


def send_while_the_server_dies(world: World, random: Random) -> str:
    """The server is killed somewhere in a staging. The same bytes are sent until they are answered."""
    exchange = world.exchanges["flat"]
    moves, wire = _flat(world, exchange, random)
    fields = {"externalId": world.reference(), "settlementAmounts": wire, "cutoffAt": _CUTOFF}
    said = post_staged(world, exchange, moves, world.sign("flat", fields), dies_after=random.uniform(0.0, 0.06))
    return f"killed: {said}"


def _send_to_the_dying(world: World, send: Callable[[], httpx2.Response], after: float) -> httpx2.Response:
    with world.processes.dying_server(after):
        try:
            answer = send()
        except httpx2.TransportError:
            answer = httpx2.Response(0)
    if answer.status_code in (0, 500, 503):
        answer = send()
    return answer


def _is_let_through(world: World, exchange: Exchange, wire: Json, key: PrivateKey) -> bool:
    """Whether a repeat passes what a new request must pass, so that it may act (§2)."""
    return exchange.active and world.keys[exchange.name] == key and exchange.reads(wire)


def _without(values: Json, names: Collection[str]) -> Json:
    return {name: value for name, value in values.items() if name not in names}


def _tried(exchange: Exchange, settlement: AtOnce, answer: httpx2.Response) -> None:
    missing = exchange.books.execute(settlement)
    body = answered(answer, 401 if missing else 200)
    agree("its status", body["settlement"]["status"], settlement.state)
    if missing:
        details = body["details"]
        named: dict[object, int] = {
            (entry["connectionId"], entry["currency"]): int(entry["shortfall"]) for entry in details["shortfalls"]
        }
        named |= {entry["currency"]: int(entry["shortfall"]) for entry in details["partnerShortfalls"]}
        agree("what is missing", named, missing)


def _flat(world: World, exchange: Exchange, random: Random) -> tuple[list[Move], Json]:
    moves: list[Move] = []
    wire: Json = {}
    for client in random.sample(CLIENTS, random.randint(1, 3)):
        connection: ConnectionHandle = exchange.connections[client]
        given = world.amounts(exchange, random)
        wire[connection.id] = {name: exchange.amount(name, quantity) for name, quantity in given.items()}
        moves += [Move(connection.id, None, exchange.names[name], quantity) for name, quantity in given.items()]
    return moves, wire


def _between(world: World, exchange: Exchange, random: Random) -> tuple[list[Move], Json]:
    moves: list[Move] = []
    wire: Json = {}
    pairs = [(one, other) for one in CLIENTS for other in CLIENTS if one != other]
    for source, target in random.sample(pairs, random.randint(1, 3)):
        given = world.amounts(exchange, random)
        ids = exchange.connections[source].id, exchange.connections[target].id
        wire.setdefault(ids[0], {})[ids[1]] = {name: exchange.amount(name, each) for name, each in given.items()}
        moves += [Move(ids[1], ids[0], exchange.names[name], quantity) for name, quantity in given.items()]
    return moves, wire
