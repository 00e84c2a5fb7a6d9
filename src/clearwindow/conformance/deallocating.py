"""Checks of deallocations: funds that go back from the partner."""

from __future__ import annotations

from typing import Final

from clearwindow.allocations.values import Release
from clearwindow.conformance import steps
from clearwindow.conformance.allocating import (
    CLEARED,
    LEVEL,
    never_asked,
    require_once_at_once,
    require_same_again,
    require_unknown,
)
from clearwindow.conformance.connecting import CONNECTED
from clearwindow.conformance.network import Network
from clearwindow.conformance.steps import ALLOCATION, DEALLOCATION
from clearwindow.conformance.values import CheckFailedError, Group, Level
from clearwindow.outgoing.values import Reply
from clearwindow.partnercalls import rules
from clearwindow.partnercalls.values import Refused

deallocations: Final = Group("deallocations", "Deallocations", "§4, §8")
_KEEP: Final = "Keep each deallocation by its id, hold its amount once, and answer a repeat from what you kept."


@deallocations.check(
    "accepted",
    "What was allocated can be deallocated",
    "Answer 2xx with a JSON object that repeats deallocationId and adds partnersDeallocationId, and 2xx to the "
    "clear that "
    "follows.",
    needs=CLEARED,
    moves_funds=True,
)
def accepted(network: Network) -> None:
    steps.move(network, ALLOCATION)
    steps.move(network, DEALLOCATION)


@deallocations.check(
    "repeated",
    "The same deallocation again is answered the same, and held once",
    _KEEP,
    needs=LEVEL,
    moves_funds=True,
)
def repeated(network: Network) -> None:
    _allocate_twice(network)
    asked = require_same_again(network, DEALLOCATION)
    steps.clear(network, asked)
    steps.move(network, DEALLOCATION, why="a deallocation of what must be left: ")


@deallocations.check(
    "cleared-once",
    "A deallocation that is cleared twice is taken once",
    "Answer 2xx to the clear of what is cleared already, and take nothing a second time.",
    needs=LEVEL,
    moves_funds=True,
)
def cleared_once(network: Network) -> None:
    _allocate_twice(network)
    asked = steps.move(network, DEALLOCATION)
    steps.clear(network, asked, "the second time: ")
    steps.move(network, DEALLOCATION, why="a deallocation of what must be left: ")


@deallocations.check(
    "at-once",
    "The same deallocation twice at the same moment is held once, and neither is refused",
    "Have one of the two wait for the other. A refusal such as 409 would leave the funds with you; an answer "
    "such as 503 or "
    "425 has the call repeated.",
    needs=LEVEL,
    moves_funds=True,
)
def at_once(network: Network) -> None:
    _allocate_twice(network)
    require_once_at_once(network, DEALLOCATION)
    steps.move(network, DEALLOCATION, why="a deallocation of what must be left: ")


@deallocations.check(
    "beyond",
    "A deallocation of more than is free is refused",
    "Answer a rejectionReason, or 4xx: what you grant leaves your books when it is cleared.",
    needs=LEVEL,
    moves_funds=True,
)
def beyond(network: Network) -> None:
    steps.move(network, ALLOCATION)
    twice = steps.plus(network.terms.quantity, network.terms.quantity)
    steps.refuse(network, DEALLOCATION, twice)


@deallocations.check(
    "held",
    "A deallocation holds its amount before it is cleared",
    "Take what you have granted out of what is free at once: two deallocations must never be granted the same "
    "funds.",
    needs=LEVEL,
    moves_funds=True,
)
def held(network: Network) -> None:
    steps.move(network, ALLOCATION)
    first = steps.reserve(network, DEALLOCATION)
    try:
        steps.refuse(network, DEALLOCATION, why="a second one of the same funds: ")
    finally:
        steps.call_off(network, first)


@deallocations.check(
    "released",
    "A deallocation that is released gives its amount back to the client's account",
    "Answer 2xx to the release, and count the amount as free again.",
    needs=LEVEL,
    moves_funds=True,
)
def released(network: Network) -> None:
    steps.move(network, ALLOCATION)
    asked = steps.reserve(network, DEALLOCATION)
    steps.release(network, asked)
    steps.move(network, DEALLOCATION, why="a deallocation of what was released: ")


@deallocations.check(
    "refused-release",
    "The release after a refusal is heard",
    "Answer 2xx, 404, 409 or 410: the network tells every outcome, that of your own refusal too.",
    needs=(*LEVEL, "deallocations.beyond"),
)
def refused_release(network: Network) -> None:
    steps.release(network, _refused(network))


@deallocations.check(
    "reason",
    "A refusal says why",
    "Add a rejectionReason that the client can read and act on.",
    needs=(*LEVEL, "deallocations.beyond"),
    level=Level.SHOULD,
)
def reason(network: Network) -> None:
    asked = _refused(network)
    status = asked.call.status or 0
    speechless = rules.understood(Reply(status, b"", None))
    if not isinstance(asked.verdict, Release):
        raise CheckFailedError(asked.said, steps.A_NO, asked.call)
    if isinstance(speechless, Refused) and asked.verdict.reason == speechless.reason:
        raise CheckFailedError("the refusal gives no reason", "rejectionReason: a text", asked.call)


@deallocations.check(
    "clear-unknown",
    "The clear of a deallocation that you were never asked about is refused",
    "Answer 404: to a 2xx the network takes its word for heard, and tells it no more.",
    needs=CONNECTED,
    aside=True,
    at_once=True,
    level=Level.SHOULD,
)
def clear_unknown(network: Network) -> None:
    require_unknown(network, DEALLOCATION)


@deallocations.check(
    "release-unknown",
    "The release of a deallocation that you were never asked about ends there",
    "Answer 2xx, 404, 409 or 410: anything else is told again, for days.",
    needs=CONNECTED,
    aside=True,
    at_once=True,
)
def release_unknown(network: Network) -> None:
    steps.release(network, never_asked(network, DEALLOCATION))


def _allocate_twice(network: Network) -> None:
    for _ in range(2):
        steps.move(network, ALLOCATION)


def _refused(network: Network) -> steps.Asked:
    return steps.refuse(network, DEALLOCATION)
