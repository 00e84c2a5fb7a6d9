"""Checks of allocations: funds that come to the partner."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

from clearwindow.allocations.values import AllocationType, Clear, Release
from clearwindow.conformance import steps
from clearwindow.conformance.connecting import CONNECTED
from clearwindow.conformance.network import Network
from clearwindow.conformance.steps import ALLOCATION, DEALLOCATION
from clearwindow.conformance.values import CheckFailedError, Group, Level
from clearwindow.partnercalls.values import Refused

allocations: Final = Group("allocations", "Allocations", "§4, §8")
CLEARED: Final = (*CONNECTED, "allocations.accepted", "allocations.cleared")
LEVEL: Final = (*CLEARED, "deallocations.accepted")
"""What must work before it can be told how much is allocated."""
_UNKNOWN: Final = "4xx (but 408, 425 and 429)"
_KEEP: Final = (
    "Keep each allocation by its id, and answer a repeat from what you kept: the network repeats a call, with "
    "the same id "
    "and body, whenever its answer was lost."
)


@allocations.check(
    "accepted",
    "An allocation is accepted",
    "Answer 2xx with a JSON object that repeats allocationId and adds partnersAllocationId. Whatever else it "
    "repeats must "
    "be exactly what was sent; amounts are texts.",
    needs=CONNECTED,
)
def accepted(network: Network) -> None:
    asked = steps.reserve(network, ALLOCATION)
    steps.call_off(network, asked)


@allocations.check(
    "repeated",
    "The same allocation again is answered the same",
    _KEEP,
    needs=(*CONNECTED, "allocations.accepted"),
)
def repeated(network: Network) -> None:
    require_same_again(network, ALLOCATION)


@allocations.check(
    "cleared",
    "The clear of an allocation is heard",
    "Answer 2xx to the clear of an allocation that you accepted: until you do, it is told again.",
    needs=(*CONNECTED, "allocations.accepted"),
    moves_funds=True,
    at_once=True,
)
def cleared(network: Network) -> None:
    steps.move(network, ALLOCATION)


@allocations.check(
    "clear-repeated",
    "The clear again is heard again",
    "Answer 2xx to the clear of what is cleared already.",
    needs=CLEARED,
    moves_funds=True,
)
def clear_repeated(network: Network) -> None:
    asked = steps.move(network, ALLOCATION)
    steps.clear(network, asked, "the second time: ")


@allocations.check(
    "released",
    "Released funds are not allocated",
    "Answer 2xx to the release, and take the funds off the client's account: they went back to its custody.",
    needs=(*CONNECTED, "allocations.accepted", "deallocations.accepted"),
    moves_funds=True,
)
def released(network: Network) -> None:
    asked = steps.reserve(network, ALLOCATION)
    steps.release(network, asked)
    steps.refuse(network, DEALLOCATION, why="a deallocation of what was released: ")


@allocations.check(
    "counted-once",
    "An allocation that is repeated, and cleared twice, counts once",
    _KEEP,
    needs=LEVEL,
    moves_funds=True,
)
def counted_once(network: Network) -> None:
    asked = steps.reserve(network, ALLOCATION)
    steps.require_yes(steps.repeat(network, asked), "the second time: ")
    steps.clear(network, asked)
    steps.tell(network, steps.CLEARING[ALLOCATION], asked)
    require_exactly_one(network)


@allocations.check(
    "at-once",
    "The same allocation twice at the same moment counts once, and neither is refused",
    "Have one of the two wait for the other (a unique key on allocationId, or a lock). A refusal such as 409 "
    "would release "
    "the funds; an answer such as 503 or 425 has the call repeated.",
    needs=LEVEL,
    moves_funds=True,
)
def at_once(network: Network) -> None:
    require_once_at_once(network, ALLOCATION)
    require_exactly_one(network)


@allocations.check(
    "unknown-connection",
    "An allocation to a connection that you were never told of is refused",
    "Answer 4xx, or a rejectionReason: the funds go back to the client.",
    needs=(*CONNECTED, "allocations.accepted"),
    at_once=True,
)
def unknown_connection(network: Network) -> None:
    stranger = {
        "clientId": str(network.new_id()),
        "connectionId": str(network.new_id()),
        "partnersClientId": "nobody",
        "partnersConnectionId": "nothing",
    }
    asked = steps.ask(network, ALLOCATION, changed=stranger)
    if not isinstance(asked.verdict, Release):
        raise CheckFailedError(asked.said, steps.A_NO, asked.call)


@allocations.check(
    "clear-unknown",
    "The clear of an allocation that you were never asked about is refused",
    "Answer 404: to a 2xx the network takes its word for heard, and tells it no more.",
    needs=CONNECTED,
    aside=True,
    at_once=True,
    level=Level.SHOULD,
)
def clear_unknown(network: Network) -> None:
    require_unknown(network, ALLOCATION)


@allocations.check(
    "release-unknown",
    "The release of an allocation that you were never asked about ends there",
    "Answer 2xx, 404, 409 or 410: anything else is told again, for days.",
    needs=CONNECTED,
    aside=True,
    at_once=True,
)
def release_unknown(network: Network) -> None:
    steps.release(network, never_asked(network, ALLOCATION))


def require_exactly_one(network: Network) -> None:
    """What is allocated is the amount of the run, once."""
    steps.move(network, DEALLOCATION, why="a deallocation of all that was allocated: ")
    steps.refuse(network, DEALLOCATION, why="a deallocation of more than was allocated: ")


def require_same_again(network: Network, kind: AllocationType) -> steps.Asked:
    asked = steps.ask(network, kind)
    own_id = steps.require_yes(asked)
    again = steps.repeat(network, asked)
    if len({own_id, steps.require_yes(again, "the second time: ")} - {""}) > 1:
        raise CheckFailedError(
            f"partners{kind.capitalize()}Id is another than the first time",
            f"{own_id}, as the first time",
            again.call,
        )
    return asked


def require_once_at_once(network: Network, kind: AllocationType) -> None:
    """Two equal questions side by side; leaves the one that was asked cleared."""
    subject_id = network.new_id()
    with ThreadPoolExecutor(2) as both:
        pending = [both.submit(steps.ask, network, kind, subject_id=subject_id) for _ in range(2)]
        answers = [one.result() for one in pending]
    for asked in answers:
        if isinstance(asked.verdict, Release):
            raise CheckFailedError(
                f"one of the two: {asked.said}", "a yes, or an answer that has it repeated", asked.call
            )
    settled = next((asked for asked in answers if isinstance(asked.verdict, Clear)), answers[0])
    again = steps.repeat(network, settled)
    steps.require_yes(again, "asked again: ")
    steps.clear(network, again)


def never_asked(network: Network, kind: AllocationType) -> steps.Asked:
    """A question that was never sent, to tell the outcome of."""
    subject_id = network.new_id()
    body = steps.question(network, kind, subject_id, network.terms.quantity)
    return steps.Asked(kind, subject_id, body, network.connection.call, Clear("never-asked"))


def require_unknown(network: Network, kind: AllocationType) -> None:
    call, answer = steps.tell(network, steps.CLEARING[kind], never_asked(network, kind))
    if not isinstance(answer, Refused) or call.status is None or call.status < 400:  # noqa: PLR2004 - HTTP's classes
        raise CheckFailedError(steps.took(answer), _UNKNOWN, call)
