"""Texts of accounts that require intent: nothing is open, whether a text was used or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from clearwindow.signing.intent import ALWAYS_INTENDED
from clearwindow.signing.models import Operation
from tests.attack.classes.texts import ORDER, other_places, twin_of
from tests.attack.signed import EXPIRES_AT, PREPARE, Prepared
from tests.attack.stage import Stage
from tests.attack.tally import AttackClass, Tally
from tests.signing.intent.scenes import require_intent
from tests.support.networks import ConnectionHandle, EnterpriseHandle
from tests.support.refusals import nothing_written

_REFUSALS: Final = frozenset({400, 401, 403, 404})
"""Never 409 or 422: a text for something else is refused before anything is looked at that could change."""

_MEMBERS: Final = ("operation", "enterpriseId", "expiresAt")
# It moves the clock, so that it is prepared first, and once.
_ONCE: Final = Operation.DISPUTE_CLOSE


def attack(stage: Stage, tally: Tally) -> None:
    """Prepares everything first: what prepares it signs texts that say nothing."""
    twin = twin_of(stage)
    prepared = [PREPARE[operation](stage) for operation in ORDER]
    others = [PREPARE[operation](stage) for operation in ORDER if operation is not _ONCE]
    sides = (stage.victim.enterprise, stage.exchange.enterprise, stage.spot.enterprise, twin.client.enterprise)
    for side in sides:
        tally.control(f"{side.id} requires intent", require_intent(side, expiresAt=EXPIRES_AT))
    for number, rightful in enumerate(prepared):
        body = rightful.intended()
        with nothing_written(stage.testbed.runtime):
            for name, target, sender in _elsewhere(stage, rightful, [*prepared, *others], twin, number):
                tally.judge(f"{rightful.operation} {name}", target.send(body, sender=sender), _REFUSALS)
            for name, lacking in _lacking(rightful):
                tally.judge(f"{rightful.operation} {name}", rightful.send(lacking), _REFUSALS)
        tally.control(str(rightful.operation), rightful.send(body))
        for name, target, sender in _elsewhere(stage, rightful, others, twin, number):
            tally.judge(f"used {rightful.operation} {name}", target.send(body, sender=sender), _REFUSALS)


def _elsewhere(
    stage: Stage, rightful: Prepared, targets: list[Prepared], twin: ConnectionHandle, number: int
) -> Iterator[tuple[str, Prepared, EnterpriseHandle | None]]:
    """Yields the places that a text is not for: a name, where it goes, and who sends it."""
    for target in stage.some(targets, number):
        if (target.path, target.method, target.version) != (rightful.path, rightful.method, rightful.version):
            yield f"as {target.operation} at {target.path}", target, None
            # Its own sender too: else the exchange's texts never came to the victim's paths, nor the other way.
            yield f"as {target.operation}, by its signer", target, rightful.sender
    for name, changed in other_places(stage, rightful):
        yield name, changed, None
    path = rightful.path.replace(stage.at_exchange.id, twin.id)
    yield "by another enterprise with the same key", replace(rightful, path=path), twin.client.enterprise


def _lacking(rightful: Prepared) -> Iterator[tuple[str, dict[str, object]]]:
    """Yields bodies for the right place whose text says too little, or that have no signature."""
    for name in (*_MEMBERS, *rightful.ids):
        yield f"without {name}", rightful.intended(name)
    yield "without intent", rightful.intended(*_MEMBERS, *rightful.ids)
    unsigned = {name: value for name, value in rightful.fields.items() if name != "nonce"}
    yield "unsigned", unsigned
    if rightful.operation in ALWAYS_INTENDED:
        yield "unsigned with a nonce", rightful.fields


CLASS: Final = AttackClass(
    "intent", "texts of accounts that require intent, used or not, offered for everything else", attack
)
