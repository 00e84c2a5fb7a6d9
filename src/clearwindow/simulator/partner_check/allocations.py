"""Checks of allocations."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

from clearwindow.allocations.models import AllocationType, Clear, Release
from clearwindow.partner_calls.models import Refused
from clearwindow.simulator.partner_check import steps
from clearwindow.simulator.partner_check.connections import CONNECTED
from clearwindow.simulator.partner_check.models import CheckFailedError, Group, Level
from clearwindow.simulator.partner_check.network import Network
from clearwindow.simulator.partner_check.steps import ALLOCATION, DEALLOCATION

allocations: Final = Group("allocations", "Allocations", "§4, §8")
CLEARED: Final = (*CONNECTED, "allocations.accepted", "allocations.cleared")
BALANCE_CHECKS: Final = (*CLEARED, "deallocations.accepted")
"""The checks that must pass before a check can find out how much is allocated."""
_UNKNOWN: Final = "4xx (except 408, 425 and 429)"
_KEEP: Final = (
    "Store each allocation by its id, and answer a repeat from the stored one. The network repeats a call, with "
    "the same id and body, if its answer was lost."
)


@allocations.check(
    "accepted",
    "An allocation is accepted",
    "Answer 2xx with a JSON object that repeats allocationId and adds partnersAllocationId. Other fields that it "
    "repeats must have the values that were sent. Amounts are strings.",
    needs=CONNECTED,
)
def accepted(network: Network) -> None:
    request = steps.reserve(network, ALLOCATION)
    steps.cancel(network, request)


@allocations.check(
    "repeated",
    "A repeated allocation gets the same answer",
    _KEEP,
    needs=(*CONNECTED, "allocations.accepted"),
)
def repeated(network: Network) -> None:
    require_same_answer(network, ALLOCATION)


@allocations.check(
    "cleared",
    "The clear of an allocation is acknowledged",
    "Answer 2xx to the clear of an allocation that you accepted. Until you do, the network repeats it.",
    needs=(*CONNECTED, "allocations.accepted"),
    moves_funds=True,
    needs_decision=True,
)
def cleared(network: Network) -> None:
    steps.request_and_clear(network, ALLOCATION)


@allocations.check(
    "clear-repeated",
    "A repeated clear is acknowledged again",
    "Answer 2xx to the clear of an allocation that is cleared already.",
    needs=CLEARED,
    moves_funds=True,
)
def clear_repeated(network: Network) -> None:
    request = steps.request_and_clear(network, ALLOCATION)
    steps.clear(network, request, "the repeat: ")


@allocations.check(
    "released",
    "Released funds are not allocated",
    "Answer 2xx to the release, and remove the funds from the client's account. They went back to its custody "
    "account.",
    needs=(*CONNECTED, "allocations.accepted", "deallocations.accepted"),
    moves_funds=True,
)
def released(network: Network) -> None:
    request = steps.reserve(network, ALLOCATION)
    steps.release(network, request)
    steps.require_refusal(network, DEALLOCATION, why="a deallocation of what was released: ")


@allocations.check(
    "counted-once",
    "An allocation that is repeated and cleared twice counts once",
    _KEEP,
    needs=BALANCE_CHECKS,
    moves_funds=True,
)
def counted_once(network: Network) -> None:
    request = steps.reserve(network, ALLOCATION)
    steps.require_acceptance(steps.repeat(network, request), "the repeat: ")
    steps.clear(network, request)
    steps.send_outcome(network, steps.CLEARING[ALLOCATION], request)
    require_allocated_once(network)


@allocations.check(
    "at-once",
    "Two equal allocations at the same moment count once, and neither is refused",
    "Let one of the two wait for the other (a unique key on allocationId, or a lock). A refusal such as 409 would "
    "release the funds. After an answer such as 503 or 425 the network repeats the call.",
    needs=BALANCE_CHECKS,
    moves_funds=True,
)
def at_once(network: Network) -> None:
    require_concurrent_repeat_counts_once(network, ALLOCATION)
    require_allocated_once(network)


@allocations.check(
    "unknown-connection",
    "An allocation to an unknown connection is refused",
    "Answer 4xx, or 2xx with a rejectionReason. The funds go back to the client.",
    needs=(*CONNECTED, "allocations.accepted"),
    needs_decision=True,
)
def unknown_connection(network: Network) -> None:
    unknown_key = {
        "clientId": str(network.new_id()),
        "connectionId": str(network.new_id()),
        "partnersClientId": "nobody",
        "partnersConnectionId": "nothing",
    }
    request = steps.send(network, ALLOCATION, changed=unknown_key)
    if not isinstance(request.verdict, Release):
        raise CheckFailedError(request.answer_text, steps.REFUSAL, request.call)


@allocations.check(
    "clear-unknown",
    "The clear of an unknown allocation is refused",
    "Answer 404. The network takes a 2xx as an acknowledgement, and does not repeat the clear.",
    needs=CONNECTED,
    own_connection=True,
    needs_decision=True,
    level=Level.SHOULD,
)
def clear_unknown(network: Network) -> None:
    require_unknown_refused(network, ALLOCATION)


@allocations.check(
    "release-unknown",
    "The release of an unknown allocation is not repeated",
    "Answer 2xx, 404, 409 or 410. After any other answer the network repeats the release for days.",
    needs=CONNECTED,
    own_connection=True,
    needs_decision=True,
)
def release_unknown(network: Network) -> None:
    steps.release(network, unsent_request(network, ALLOCATION))


def require_allocated_once(network: Network) -> None:
    """Requires that exactly the amount of the run is allocated, once."""
    steps.request_and_clear(network, DEALLOCATION, why="a deallocation of everything that was allocated: ")
    steps.require_refusal(network, DEALLOCATION, why="a deallocation of more than was allocated: ")


def require_same_answer(network: Network, kind: AllocationType) -> steps.FundsRequest:
    """Sends a request twice, requires the same answer, and returns the request."""
    request = steps.send(network, kind)
    own_id = steps.require_acceptance(request)
    again = steps.repeat(network, request)
    if len({own_id, steps.require_acceptance(again, "the repeat: ")} - {""}) > 1:
        raise CheckFailedError(
            f"partners{kind.capitalize()}Id differs from the first answer",
            f"{own_id}, as in the first answer",
            again.call,
        )
    return request


def require_concurrent_repeat_counts_once(network: Network, kind: AllocationType) -> None:
    """Sends two equal requests at the same moment, and clears the request."""
    subject_id = network.new_id()
    with ThreadPoolExecutor(2) as both:
        pending = [both.submit(steps.send, network, kind, subject_id=subject_id) for _ in range(2)]
        answers = [one.result() for one in pending]
    for request in answers:
        if isinstance(request.verdict, Release):
            raise CheckFailedError(
                f"one of the two: {request.answer_text}",
                "an acceptance, or an answer after which the network repeats the call",
                request.call,
            )
    settled = next((request for request in answers if isinstance(request.verdict, Clear)), answers[0])
    again = steps.repeat(network, settled)
    steps.require_acceptance(again, "the repeat: ")
    steps.clear(network, again)


def unsent_request(network: Network, kind: AllocationType) -> steps.FundsRequest:
    """Returns a request that is not sent, to report an outcome of it."""
    subject_id = network.new_id()
    body = steps.request_body(network, kind, subject_id, network.terms.quantity)
    return steps.FundsRequest(kind, subject_id, body, network.connection.call, Clear("never-asked"))


def require_unknown_refused(network: Network, kind: AllocationType) -> None:
    """Requires that the clear of an unknown request is refused."""
    call, answer = steps.send_outcome(network, steps.CLEARING[kind], unsent_request(network, kind))
    if not isinstance(answer, Refused) or call.status is None or call.status < 400:  # noqa: PLR2004 - HTTP's classes
        raise CheckFailedError(steps.answer_text(answer), _UNKNOWN, call)
