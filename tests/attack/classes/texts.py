"""Texts that were signed and accepted once, used for something else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from clearwindow.signing.models import Operation
from tests.attack.signed import PREPARE, Prepared
from tests.attack.stage import Stage
from tests.attack.tally import AttackClass, Tally
from tests.support.networks import ClientHandle, ConnectionHandle, EnterpriseHandle, ok
from tests.support.settlements import fields_at_once

REFUSALS: Final = frozenset({400, 401, 403, 404, 409, 422})
# Closing comes first: it moves the clock past the dispute window that others must still be in.
ORDER: Final = sorted(PREPARE, key=lambda operation: operation is not Operation.DISPUTE_CLOSE)


def attack(stage: Stage, tally: Tally) -> None:
    twin = twin_of(stage)
    for number, operation in enumerate(ORDER):
        accepted = PREPARE[operation](stage)
        body = accepted.signed()
        tally.control(str(operation), accepted.send(body))
        for name, elsewhere, sender in _elsewhere(stage, accepted, twin, number):
            tally.judge(f"{operation} {name}", elsewhere.send(body, sender=sender), REFUSALS)
    for name, unused, sender in _unused(stage, twin):
        tally.judge(f"unused {unused.operation} {name}", unused.send(unused.signed(), sender=sender), REFUSALS)


def _elsewhere(
    stage: Stage, accepted: Prepared, twin: ConnectionHandle, number: int
) -> Iterator[tuple[str, Prepared, EnterpriseHandle | None]]:
    """Yields the places that a text was not signed for: a name, where it goes, and who sends it."""
    for operation in ORDER[number:] if stage.thorough else ORDER[number : number + 4]:
        target = PREPARE[operation](stage)
        if operation is accepted.operation:
            if target.path != accepted.path:
                yield "for another thing of its kind", target, None
        else:
            yield f"as {operation}", target, None
    for operation in ORDER[:number] if stage.thorough else ():
        if operation is not Operation.DISPUTE_CLOSE:
            yield f"as {operation}", PREPARE[operation](stage), None
    for name, changed in other_places(stage, accepted):
        yield name, changed, None
    path = accepted.path.replace(stage.at_exchange.id, twin.id)
    yield "by another enterprise with the same key", replace(accepted, path=path), twin.client.enterprise


def _unused(stage: Stage, twin: ConnectionHandle) -> Iterator[tuple[str, Prepared, EnterpriseHandle | None]]:
    """Yields texts that were signed and not sent, each with another place that takes their fields."""
    for operation in (Operation.ALLOCATION, Operation.DEALLOCATION):
        for place in range(len(list(other_places(stage, PREPARE[operation](stage))))):
            name, changed = list(other_places(stage, PREPARE[operation](stage)))[place]
            yield name, changed, None
    for operation in (Operation.ALLOCATION, Operation.CONNECTION_CREATE):
        made = PREPARE[operation](stage)
        path = made.path.replace(stage.at_exchange.id, twin.id)
        yield "by another enterprise with the same key", replace(made, path=path), twin.client.enterprise
    first, second = (PREPARE[Operation.DISPUTE_RAISE](stage) for _ in range(2))
    yield "for another thing of its kind", replace(first, path=second.path), None
    onchain = PREPARE[Operation.SETTLEMENT_ONCHAIN](stage)
    fields = fields_at_once({stage.at_spot.id: {"BTC": "-1"}})
    at_once = replace(onchain, path="/partners/settlements", sender=stage.spot.enterprise, fields=fields)
    yield "as settlement.immediate", at_once, None


def other_places(stage: Stage, accepted: Prepared) -> Iterator[tuple[str, Prepared]]:
    """Yields other paths that take the same fields."""
    at = stage.at_exchange.id
    if at in accepted.path:
        yield "at another exchange", replace(accepted, path=accepted.path.replace(at, stage.at_spot.id))
    twins = {"/allocations": "/deallocations", "/deallocations": "/allocations"}
    for end, other in twins.items():
        if accepted.path.endswith(end):
            yield f"as {other[1:-1]}", replace(accepted, path=accepted.path.removesuffix(end) + other)
    if accepted.path.endswith("/partners/settlements"):
        yield "by the other version", replace(accepted, version=3 - accepted.version)
        yield "on chain", replace(accepted, version=1, path=f"{accepted.path}/onchain")


def twin_of(stage: Stage) -> ConnectionHandle:
    """Makes an enterprise whose account has the victim's key, with a connection to the same exchange."""
    operator, network = stage.testbed.operator, stage.testbed.network
    operator.enterprise("twin")
    account = operator.go_account("twin", stage.victim.enterprise.account.key)
    operator.deposit(account.id, "ofcbtc", 1_000)
    twin = EnterpriseHandle("twin", account, network.member("twin"))
    client = ClientHandle(ok(twin.api.post("/clients"))["client"]["id"], twin)
    connection = network.connect(client, stage.exchange)
    ok(connection.allocate("ofcbtc", 100))
    return connection


CLASS: Final = AttackClass("texts", "texts accepted for one thing, offered for each other", attack)
