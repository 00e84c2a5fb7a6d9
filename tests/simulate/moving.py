"""Steps that move money: custody, allocations, settlements of every kind, and the same bytes again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from functools import partial
from random import Random
from typing import Final
from uuid import UUID

import httpx2

from tests.simulate.books import AtOnce, Kind
from tests.simulate.world import CLIENTS, DECIMALS, INSTANT, Exchange, Sent, World, agree, answered
from tests.support.model import Move
from tests.support.networks import ConnectionHandle, Json, sign_body

_CUTOFF: Final = "2020-01-01T00:00:00.000Z"
_AT_ONCE_PATHS: Final = ("/partners/settlements", "/partners/settlements/nonReconciled")


def deposit(world: World, random: Random) -> str:
    """An operator deposits, and where others must approve, the second decides."""
    currency, quantity = random.choice(sorted(DECIMALS)), random.randint(1, 400)
    decision = random.choice(["approve", "approve", "reject", "withdraw"])
    owner = random.choice([*CLIENTS, "flat", "broker", "instant"])
    answer = world.operator.move(
        "deposits", world.account_of(owner), currency, quantity, f"deposit {world.reference()}"
    )
    world.decided(answer, decision)
    if answer.status_code == httpx2.codes.ACCEPTED and decision != "approve":
        return f"{quantity} {currency} for {owner}: {decision}"
    if owner in CLIENTS:
        world.custody.accounts[owner, currency].available += quantity
        world.compare_client(owner)
    else:
        exchange = world.exchanges[owner]
        exchange.books.fund(currency, quantity)
        world.pass_minutes(INSTANT)
        world.compare_exchange(exchange)
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
        world.compare_client(client)
        account.available, account.held = account.available + quantity, account.held - quantity
    world.decided(answer, decision)
    if answer.status_code != httpx2.codes.ACCEPTED or decision == "approve":
        account.available -= quantity
    world.compare_client(client)
    return f"{said}: {decision if answer.status_code == httpx2.codes.ACCEPTED else 'at once'}"


def allocate(world: World, random: Random) -> str:
    exchange, client = random.choice(list(world.exchanges.values())), random.choice(CLIENTS)
    return move(world, exchange, client, "allocations", random.choice(sorted(DECIMALS)), random.randint(1, 900))


def deallocate(world: World, random: Random) -> str:
    exchange, client = random.choice(list(world.exchanges.values())), random.choice(CLIENTS)
    return move(world, exchange, client, "deallocations", random.choice(sorted(DECIMALS)), random.randint(1, 1_300))


def move(world: World, exchange: Exchange, client: str, what: str, currency: str, quantity: int) -> str:
    """Moves funds between a client's Go Account and its account at an exchange, or finds that nothing covers it."""
    connection = exchange.connections[client]
    own, there = world.custody.accounts[client, currency], exchange.books.accounts[connection.id, currency]
    source, target = (own, there) if what == "allocations" else (there, own)
    body = world.sign(client, connection.allocation_fields(currency, quantity))
    path = f"{connection.path}/{what}"
    answer = connection.client.api.post(path, body)
    said = f"{what} of {quantity} {currency}, {client} at {exchange.name}"
    if what == "allocations" and (not exchange.active or client in exchange.inactive_connections):
        answered(answer, 422)
        return f"{said}: inactive"
    covered = quantity <= source.available
    made = answered(answer, 200 if covered else 422)
    if covered:
        source.available -= quantity
        target.available += quantity
    kept = made.get(what[:-1], made)["id"]

    def again(repeat: httpx2.Response) -> None:
        agree("a repeat says that it is one", repeat.headers.get("Idempotent-Replayed"), "true")
        body_again = answered(repeat, 200 if covered else 422)
        agree("the record of a repeat", body_again.get(what[:-1], body_again)["id"], kept)

    send = partial(connection.client.api.post, path, body)
    world.sent.append(Sent(said, send, again, client, world.keys[client]))
    world.compare_client(client)
    return f"{said}: {'cleared' if covered else 'not covered'}"


def stage(world: World, random: Random) -> str:
    """A settlement with a dispute window, flat or between connections."""
    exchange = world.exchanges[random.choice(["flat", "broker"])]
    if exchange.kind is Kind.WINDOW:
        moves, wire = _flat(exchange, random)
    else:
        moves, wire = _between(exchange, random)
    fields = {"externalId": world.reference(), "settlementAmounts": wire, "cutoffAt": _CUTOFF}
    body = world.sign(exchange.name, fields)
    return post_staged(world, exchange, moves, body)


def post_staged(world: World, exchange: Exchange, moves: list[Move], body: Json, *, dies_after: float = 0) -> str:
    """Sends a settlement, and the same bytes again if the server dies meanwhile."""
    books = exchange.books
    # Each settlement has a moment of its own, by which they are ordered.
    world.pass_minutes(INSTANT)
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
    agree("the disputes that it settles", settling, {one.id for one in books.waiting_disputes()})
    books.now = world.minutes_of(first["settlement"]["createdAt"])
    made = books.stage(first["settlement"]["id"], moves)
    exchange.parties[made.id] = frozenset(connection for connection, _ in made.touched())
    world.catch_up()
    owner, key = exchange.name, world.keys[exchange.name]

    def again(repeat: httpx2.Response) -> None:
        acts = made.state == "failed" and exchange.active and world.keys[owner] == key
        changed = {"updatedAt"} if acts else set()
        seen, expected_again = answered(repeat, 200)["settlement"], first["settlement"]
        agree("a repeat's answer", _without(seen, changed), _without(expected_again, changed))
        if acts:
            books.retry(made)
            world.pass_minutes(INSTANT)

    world.sent.append(Sent(said, send, again, owner, key))
    for client in CLIENTS:
        if any(key_of == exchange.connections[client].id for key_of, _ in made.touched()):
            world.compare_client(client)
    world.compare_exchange(exchange)
    return f"{said}: staged {made.id}"


def settle_at_once(world: World, random: Random) -> str:
    """A settlement of version 1, in full units of each currency."""
    exchange = world.exchanges["instant"]
    change: defaultdict[tuple[str, str], int] = defaultdict(int)
    wire: dict[str, dict[str, str]] = {}
    for client in random.sample(CLIENTS, random.randint(1, 3)):
        given = _amounts(exchange, random)
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
    _tried(exchange, made, answer)
    owner, key = exchange.name, world.keys[exchange.name]

    def again(repeat: httpx2.Response) -> None:
        if made.state == "failed" and exchange.active and world.keys[owner] == key:
            _tried(exchange, made, repeat)
            return
        settlement = answered(repeat, 200 if made.state == "completed" else 401)["settlement"]
        agree("a repeat's settlement", (settlement["id"], settlement["status"]), (made.id, made.state))

    world.sent.append(Sent(said, send, again, owner, key))
    for client in CLIENTS:
        world.compare_client(client)
    world.compare_exchange(exchange)
    return f"{said}: {made.state}"


def end_at_once(world: World, random: Random) -> str:
    """An operator tries a failed settlement of version 1 again, or rejects it."""
    exchange = world.exchanges["instant"]
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
    for client in CLIENTS:
        world.compare_client(client)
    world.compare_exchange(exchange)
    return f"{what} {chosen.id}: {chosen.state}"


def settle_on_chain(world: World, random: Random) -> str:
    """A settlement on chain from its beginning to its end, with the deposits that its gains need."""
    exchange = world.exchanges["chain"]
    books = exchange.books
    change: dict[tuple[str, str], int] = {}
    wire: dict[str, dict[str, str]] = {}
    for client in random.sample(CLIENTS, random.randint(1, 2)):
        connection = exchange.connections[client]
        given = _amounts(exchange, random)
        wire[connection.id] = {name: str(quantity) for name, quantity in given.items()}
        change |= {(connection.id, exchange.names[name]): quantity for name, quantity in given.items()}
    external = world.reference()
    body = world.sign(exchange.name, {"externalId": external, "settlementAmounts": wire})
    answer = exchange.handle.api.post("/partners/settlements/onchain", body)
    if not exchange.active:
        answered(answer, 403, "partner_inactive")
        return f"{wire}: inactive"
    if any(books.accounts[key].available + quantity < 0 for key, quantity in change.items()):
        answered(answer, 400)
        return f"{wire}: not covered"
    settlement = answered(answer, 202)["settlement"]["id"]
    for (key, currency), quantity in change.items():
        books.accounts[key, currency].available += min(0, quantity)
        books.accounts[key, currency].held -= min(0, quantity)
    for client in CLIENTS:
        world.compare_client(client)
    _fund_on_chain(world, exchange, external, change)
    seen = "pending"
    for _ in range(12):
        world.pass_minutes(11)
        seen = answered(world.operator.get(f"/settlements/{settlement}"), 200)["settlement"]["status"]
        if seen == "completed":
            break
    agree("the settlement on chain", seen, "completed")
    for (key, currency), quantity in change.items():
        books.accounts[key, currency].available += max(0, quantity)
        books.accounts[key, currency].held += min(0, quantity)
    for client in CLIENTS:
        world.compare_client(client)
    world.compare_exchange(exchange)
    return f"{wire}: completed"


def repeat(world: World, random: Random) -> str:
    """The same bytes again, whatever happened to keys, names and windows meanwhile."""
    if not world.sent:
        return "nothing was sent"
    chosen = random.choice(world.sent[-60:])
    chosen.require(chosen.send())
    for client in CLIENTS:
        world.compare_client(client)
    for exchange in world.exchanges.values():
        world.compare_exchange(exchange)
    return chosen.what


def send_while_the_server_dies(world: World, random: Random) -> str:
    """The server is killed somewhere in a staging. The same bytes are sent until they are answered."""
    exchange = world.exchanges["flat"]
    moves, wire = _flat(exchange, random)
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


def _fund_on_chain(world: World, exchange: Exchange, external: str, change: Mapping[tuple[str, str], int]) -> None:
    gains: defaultdict[str, int] = defaultdict(int)
    for (_, currency), quantity in change.items():
        gains[currency] += max(0, quantity)
    theirs = {ours: name for name, ours in exchange.names.items()}
    for currency, quantity in sorted(gains.items()):
        if quantity == 0:
            continue
        world.references += 1
        transaction = UUID(int=world.references).hex
        sent = {"partnerId": exchange.handle.id, "currency": currency, "quantity": str(quantity)}
        answered(world.operator.post("/chain/deposits", {**sent, "txId": transaction}), 200)
        deposits = [{"currency": theirs[currency], "onChainTxId": transaction}]
        fields = {"externalSettlementId": external, "deposits": deposits}
        path = "/partners/settlements/onchain/deposits"
        body = sign_body(fields, world.keys[exchange.name])
        answered(exchange.handle.api.post(path, body), 201)


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


def _amounts(exchange: Exchange, random: Random) -> dict[str, int]:
    names = random.sample(sorted(exchange.names), random.randint(1, len(exchange.names)))
    return {name: random.choice((-1, 1)) * random.randint(1, 300) for name in names}


def _flat(exchange: Exchange, random: Random) -> tuple[list[Move], Json]:
    moves: list[Move] = []
    wire: Json = {}
    for client in random.sample(CLIENTS, random.randint(1, 3)):
        connection: ConnectionHandle = exchange.connections[client]
        given = _amounts(exchange, random)
        wire[connection.id] = {name: exchange.amount(name, quantity) for name, quantity in given.items()}
        moves += [Move(connection.id, None, exchange.names[name], quantity) for name, quantity in given.items()]
    return moves, wire


def _between(exchange: Exchange, random: Random) -> tuple[list[Move], Json]:
    moves: list[Move] = []
    wire: Json = {}
    pairs = [(one, other) for one in CLIENTS for other in CLIENTS if one != other]
    for source, target in random.sample(pairs, random.randint(1, 3)):
        given = _amounts(exchange, random)
        ids = exchange.connections[source].id, exchange.connections[target].id
        wire.setdefault(ids[0], {})[ids[1]] = {name: exchange.amount(name, each) for name, each in given.items()}
        moves += [Move(ids[1], ids[0], exchange.names[name], quantity) for name, quantity in given.items()]
    return moves, wire
