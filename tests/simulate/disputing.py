"""Steps with disputes, and with settlements that operators end. Protocol §5 and §6."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Final

from tests.simulate.books import Kind
from tests.simulate.world import CLIENTS, DECIMALS, INSTANT, Exchange, Sent, World, agree, answered
from tests.support.model import ModelDispute, ModelSettlement
from tests.support.networks import ConnectionHandle, Json

_NEVER: Final = "2090-01-01T00:00:00Z"


def raise_dispute(world: World, random: Random) -> str:
    exchange = _one_with(world, random, lambda each: bool(each.books.settlements))
    if exchange is None:
        return "there is no settlement"
    settlement = random.choice(exchange.books.settlements[-4:])
    clients = random.sample(CLIENTS, random.randint(1, 3))
    return "; ".join(_raise(world, exchange, settlement, client) for client in clients)


def _raise(world: World, exchange: Exchange, settlement: ModelSettlement, client: str) -> str:
    connection = exchange.connections[client]
    path = f"/clients/settlements/{settlement.id}/disputes"
    body = world.sign(client, {"connectionId": connection.id, "expectedTransfers": {}})
    send = partial(connection.client.api.post, path, body)
    answer = send()
    said = f"{client} disputes {settlement.id}"
    known = settlement.disputes.get(connection.id)
    if not settlement.takes_part(connection.id):
        answered(answer, 422 if connection.id in exchange.parties[settlement.id] else 404)
        return f"{said}: is not in it"
    if known is not None:
        agree("the dispute that was raised", answered(answer, 200)["dispute"]["id"], known.id)
        return f"{said}: again"
    if world.minutes >= settlement.dispute_deadline or settlement.without_new:
        answered(answer, 422)
        return f"{said}: too late"
    made = answered(answer, 200)["dispute"]["id"]
    exchange.books.raise_dispute(settlement, connection.id, made)
    world.sent.append(
        Sent(
            said,
            send,
            lambda repeat: agree("a repeat's dispute", answered(repeat, 200)["dispute"]["id"], made),
            client,
            world.keys[client],
        )
    )
    return said


def change_dispute(world: World, random: Random) -> str:
    """A client retracts its dispute, or raises it again."""
    found = _any_dispute(world, random)
    if found is None:
        return "there is no dispute"
    exchange, chosen = found
    client, connection = _owner(exchange, chosen)
    retracted = random.random() < 0.5
    body = world.sign(client, {"connectionId": connection.id, "retracted": retracted})
    answer = connection.client.api.put(f"/clients/settlements/disputes/{chosen.id}", body)
    said = f"{client} {'retracts' if retracted else 'raises again'} {chosen.id}"
    if world.minutes >= chosen.settlement.dispute_deadline or chosen.settlement.without_new:
        answered(answer, 422)
        return f"{said}: too late"
    if chosen.retracted == retracted:
        answered(answer, 409)
        return f"{said}: is so already"
    agree("whether it is retracted", answered(answer, 200)["dispute"]["retracted"], retracted)
    chosen.retracted = retracted
    return said


def close_as_client(world: World, random: Random) -> str:
    found = _any_dispute(world, random)
    if found is None:
        return "there is no dispute"
    exchange, chosen = found
    client, connection = _owner(exchange, chosen)
    path = f"/clients/settlements/disputes/{chosen.id}/close"
    answer = connection.client.api.post(path, world.sign(client, {"notes": "we were wrong"}))
    said = f"{client} closes {chosen.id}"
    if _closable(chosen):
        closure = answered(answer, 200)["disputeClosure"]
        original = exchange.books.original(chosen)
        adjusted = {name: int(text) for name, text in closure["adjustedTransfers"].items()}
        agree("what the client accepts", adjusted, original)
        _closed(chosen, closure, "client", original)
        return said
    if chosen.closed_by == "client" and chosen.closure_status in {"pending_review", "approved"}:
        agree("its closure", answered(answer, 200)["disputeClosure"]["id"], chosen.closure_id)
        return f"{said}: again"
    answered(answer, 422 if chosen.settlement.without_new else 409)
    return f"{said}: may not be closed"


def close_as_operator(world: World, random: Random) -> str:
    found = _any_dispute(world, random)
    if found is None:
        return "there is no dispute"
    exchange, chosen = found
    names = random.sample(sorted(DECIMALS), random.randint(0, 2))
    adjusted = {name: random.choice((-1, 1)) * random.randint(1, 300) for name in names}
    texts = {currency: str(quantity) for currency, quantity in adjusted.items()}
    body = {"adjustedTransfers": texts, "notes": f"looked into, {world.reference()}"}
    answer = world.operator.post(f"/disputes/{chosen.id}/close", body)
    said = f"an operator closes {chosen.id} with {adjusted}"
    if not _closable(chosen):
        answered(answer, 422 if chosen.settlement.without_new else 409)
        return f"{said}: may not be closed"
    if _out_of_reach(world, exchange, chosen, adjusted):
        answered(answer, 422, "adjustment_out_of_reach")
        return f"{said}: nobody could pay it"
    _closed(chosen, answered(answer, 200)["disputeClosure"], "admin", adjusted)
    return said


def review(world: World, random: Random) -> str:
    exchange = _one_with(world, random, lambda each: bool(_pending(each)))
    if exchange is None:
        return "no closure waits"
    chosen = random.choice(_pending(exchange))
    decision = random.choice(["approved", "approved", "rejected"])
    path = f"/dispute-closures/{chosen.closure_id}/review"
    # Whoever closed it, and whoever made the client's token, does not review it.
    answered(world.operator.post(path, {"decision": decision, "notes": "mine"}), 403, "four_eyes")
    answer = world.second.post(path, {"decision": decision, "notes": "seen"})
    said = f"{decision}: the closure of {chosen.id}"
    if decision == "rejected":
        answered(answer, 200)
        chosen.closure_id = chosen.closure_status = None
        return said
    if chosen.settlement.without_new:
        answered(answer, 422, "settlement_rejected")
        return f"{said}: its settlement was rejected"
    if chosen.closed_by == "admin" and _out_of_reach(world, exchange, chosen, chosen.adjusted):
        answered(answer, 422, "adjustment_out_of_reach")
        return f"{said}: nobody could pay it"
    if exchange.books.approve(chosen):
        answered(answer, 422)
        return f"{said}: not covered"
    agree("the closure", answered(answer, 200)["disputeClosure"]["status"], "approved")
    world.compare()
    return said


def reject_settlement(world: World, random: Random) -> str:
    """Operators reject a settlement: one, or two if it is disputed or carries closures."""
    exchange = _one_with(world, random, lambda each: bool(each.books.settlements))
    if exchange is None:
        return "there is no settlement"
    books = exchange.books
    chosen = random.choice(books.settlements[-3:])
    path = f"/settlements/{chosen.id}/reject"
    answer = world.operator.post(path)
    said = f"reject {chosen.id}"
    if chosen.state == "completed":
        answered(answer, 409)
        return f"{said}: is completed"
    if chosen.state != "rejected":
        if books.needs_two(chosen):
            answered(answer, 202)
            answer = world.second.post(path)
        world.catch_up()
        books.reject(chosen)
    agree("its status", answered(answer, 200)["settlement"]["status"], "rejected")
    _settle(world)
    return said


def take_back(world: World, random: Random) -> str:
    """A partner withdraws its settlement, inside its window or too late."""
    exchange = _one_with(world, random, lambda each: bool(each.books.settlements))
    if exchange is None:
        return "there is no settlement"
    books = exchange.books
    chosen = random.choice(books.settlements[-4:])
    said_for = {"operation": "settlement.withdraw", "enterpriseId": exchange.name, "settlementId": chosen.id}
    fields = {"reason": "the wrong day", **said_for, "expiresAt": _NEVER}
    send = partial(
        exchange.handle.api.post,
        f"/partners/settlements/{chosen.id}/withdraw",
        world.sign(exchange.name, fields),
    )
    answer = send()
    said = f"{exchange.name} withdraws {chosen.id}"
    if chosen.withdrawn:
        agree("a repeat says that it is one", answer.headers.get("Idempotent-Replayed"), "true")
        answered(answer, 200)
        return f"{said}: again"
    if chosen.state == "rejected":
        answered(answer, 409)
        return f"{said}: was rejected"
    if world.minutes >= chosen.dispute_deadline:
        answered(answer, 422, "withdrawal_window_over")
        return f"{said}: too late"
    books.withdraw(chosen)
    status = "pending" if chosen.pulled else "rejected"
    agree("its status", answered(answer, 200)["settlement"]["status"], status)
    _settle(world)
    return said


def cancel_closure(world: World, random: Random) -> str:
    exchange = _one_with(world, random, lambda each: any(one.settled_in for one in each.books.disputes))
    if exchange is None:
        return "no closure was taken"
    chosen = random.choice([one for one in exchange.books.disputes if one.settled_in])
    path = f"/dispute-closures/{chosen.closure_id}/cancel"
    answer = world.operator.post(path)
    said = f"cancel the closure of {chosen.id}"
    if chosen.cancelled:
        answered(answer, 200)
        return f"{said}: again"
    if chosen.settled_in is None or not chosen.settled_in.is_open:
        answered(answer, 409)
        return f"{said}: was carried out"
    answered(answer, 202)
    answer = world.second.post(path)
    world.catch_up()
    if exchange.books.cancel(chosen):
        # What carries it out is refused, and the request waits for one that can.
        answered(answer, 422, "cancellation_not_covered")
    else:
        assert "cancelledAt" in answered(answer, 200)["disputeClosure"]
    _settle(world)
    return said


def retry_failed(world: World, random: Random) -> str:
    """An operator has a failed settlement tried again."""
    exchange = _one_with(world, random, lambda each: any(one.state == "failed" for one in each.books.settlements))
    if exchange is None:
        return "none has failed"
    chosen = random.choice([one for one in exchange.books.settlements if one.state == "failed"])
    answered(world.operator.post(f"/settlements/{chosen.id}/retry"), 200)
    world.catch_up()
    exchange.books.retry(chosen)
    _settle(world)
    return f"retry {chosen.id}: {chosen.state}"


def _settle(world: World) -> None:
    """Waits for what is due at once, and compares."""
    world.pass_minutes(INSTANT)
    world.compare()


def _one_with(world: World, random: Random, wanted: Callable[[Exchange], bool]) -> Exchange | None:
    found = [each for each in world.exchanges.values() if each.kind in (Kind.WINDOW, Kind.BROKER) and wanted(each)]
    return random.choice(found) if found else None


def _any_dispute(world: World, random: Random) -> tuple[Exchange, ModelDispute] | None:
    exchange = _one_with(world, random, lambda each: bool(each.books.disputes))
    return None if exchange is None else (exchange, random.choice(exchange.books.disputes[-12:]))


def _owner(exchange: Exchange, chosen: ModelDispute) -> tuple[str, ConnectionHandle]:
    return next((name, each) for name, each in exchange.connections.items() if each.id == chosen.connection)


def _pending(exchange: Exchange) -> list[ModelDispute]:
    return [one for one in exchange.books.disputes if one.closure_status == "pending_review"]


def _closable(chosen: ModelDispute) -> bool:
    over = chosen.settlement.state != "dispute_window" and not chosen.settlement.without_new
    return over and not chosen.retracted and chosen.closure_status is None


def _closed(chosen: ModelDispute, closure: Json, closed_by: str, adjusted: dict[str, int]) -> None:
    agree("the closure", closure["status"], "pending_review")
    chosen.closure_id, chosen.closure_status = closure["id"], "pending_review"
    chosen.closed_by, chosen.adjusted = closed_by, dict(adjusted)


def _out_of_reach(world: World, exchange: Exchange, chosen: ModelDispute, adjusted: dict[str, int]) -> set[str]:
    books = {name: each.books for name, each in world.exchanges.items()}
    custody = {currency: world.custody.total(currency, books) for currency in DECIMALS}
    return exchange.books.out_of_reach(chosen, adjusted, custody)
