"""Checks of deallocations."""

from __future__ import annotations

from typing import Final

from clearwindow.allocations.models import Release
from clearwindow.outbound.models import Reply
from clearwindow.partner_calls import rules
from clearwindow.partner_calls.models import Refused
from clearwindow.simulator.partner_check import steps
from clearwindow.simulator.partner_check.allocations import (
    BALANCE_CHECKS,
    CLEARED,
    require_concurrent_repeat_counts_once,
    require_same_answer,
    require_unknown_refused,
    unsent_request,
)
from clearwindow.simulator.partner_check.connections import CONNECTED
from clearwindow.simulator.partner_check.models import CheckFailedError, Group, Level
from clearwindow.simulator.partner_check.network import Network
from clearwindow.simulator.partner_check.steps import ALLOCATION, DEALLOCATION

deallocations: Final = Group("deallocations", "Deallocations", "§4, §8")
_KEEP: Final = "Store each deallocation by its id, hold its amount once, and answer a repeat from the stored one."


@deallocations.check(
    "accepted",
    "Allocated funds can be deallocated",
    "Answer 2xx with a JSON object that repeats deallocationId and adds partnersDeallocationId, and answer 2xx to "
    "the clear that follows.",
    needs=CLEARED,
    moves_funds=True,
)
def accepted(network: Network) -> None:
    steps.request_and_clear(network, ALLOCATION)
    steps.request_and_clear(network, DEALLOCATION)


@deallocations.check(
    "repeated",
    "A repeated deallocation gets the same answer, and its amount is held once",
    _KEEP,
    needs=BALANCE_CHECKS,
    moves_funds=True,
)
def repeated(network: Network) -> None:
    _allocate_twice(network)
    request = require_same_answer(network, DEALLOCATION)
    steps.clear(network, request)
    steps.request_and_clear(network, DEALLOCATION, why="a deallocation of the remaining amount: ")


@deallocations.check(
    "cleared-once",
    "A deallocation that is cleared twice is deducted once",
    "Answer 2xx to the clear of a deallocation that is cleared already, and deduct nothing a second time.",
    needs=BALANCE_CHECKS,
    moves_funds=True,
)
def cleared_once(network: Network) -> None:
    _allocate_twice(network)
    request = steps.request_and_clear(network, DEALLOCATION)
    steps.clear(network, request, "the repeat: ")
    steps.request_and_clear(network, DEALLOCATION, why="a deallocation of the remaining amount: ")


@deallocations.check(
    "at-once",
    "Two equal deallocations at the same moment are held once, and neither is refused",
    "Let one of the two wait for the other. A refusal such as 409 would leave the funds with you. After an answer "
    "such as 503 or 425 the network repeats the call.",
    needs=BALANCE_CHECKS,
    moves_funds=True,
)
def at_once(network: Network) -> None:
    _allocate_twice(network)
    require_concurrent_repeat_counts_once(network, DEALLOCATION)
    steps.request_and_clear(network, DEALLOCATION, why="a deallocation of the remaining amount: ")


@deallocations.check(
    "beyond",
    "A deallocation of more than is available is refused",
    "Answer 4xx, or 2xx with a rejectionReason. An accepted amount leaves the client's account when it is cleared.",
    needs=BALANCE_CHECKS,
    moves_funds=True,
)
def beyond(network: Network) -> None:
    steps.request_and_clear(network, ALLOCATION)
    twice = steps.plus(network.terms.quantity, network.terms.quantity)
    steps.require_refusal(network, DEALLOCATION, twice)


@deallocations.check(
    "held",
    "A deallocation holds its amount before it is cleared",
    "When you accept a deallocation, deduct its amount from the available funds at once. Two deallocations must "
    "never get the same funds.",
    needs=BALANCE_CHECKS,
    moves_funds=True,
)
def held(network: Network) -> None:
    steps.request_and_clear(network, ALLOCATION)
    first = steps.reserve(network, DEALLOCATION)
    try:
        steps.require_refusal(network, DEALLOCATION, why="a second deallocation of the same funds: ")
    finally:
        steps.cancel(network, first)


@deallocations.check(
    "released",
    "After the release of a deallocation its amount is available again",
    "Answer 2xx to the release, and make the amount available again.",
    needs=BALANCE_CHECKS,
    moves_funds=True,
)
def released(network: Network) -> None:
    steps.request_and_clear(network, ALLOCATION)
    request = steps.reserve(network, DEALLOCATION)
    steps.release(network, request)
    steps.request_and_clear(network, DEALLOCATION, why="a deallocation of the released amount: ")


@deallocations.check(
    "refused-release",
    "The release after a refusal is not repeated",
    "Answer 2xx, 404, 409 or 410. The network reports every outcome, including that of your own refusal.",
    needs=(*BALANCE_CHECKS, "deallocations.beyond"),
)
def refused_release(network: Network) -> None:
    steps.release(network, _refused(network))


@deallocations.check(
    "reason",
    "A refusal has a reason",
    "Add a rejectionReason that the client can read and act on.",
    needs=(*BALANCE_CHECKS, "deallocations.beyond"),
    level=Level.SHOULD,
)
def reason(network: Network) -> None:
    request = _refused(network)
    status = request.call.status or 0
    without_reason = rules.answer_to_question(Reply(status, b"", None))
    if not isinstance(request.verdict, Release):
        raise CheckFailedError(request.answer_text, steps.REFUSAL, request.call)
    if isinstance(without_reason, Refused) and request.verdict.reason == without_reason.reason:
        raise CheckFailedError("the refusal gives no reason", "rejectionReason with a text", request.call)


@deallocations.check(
    "clear-unknown",
    "The clear of an unknown deallocation is refused",
    "Answer 404. The network takes a 2xx as an acknowledgement, and does not repeat the clear.",
    needs=CONNECTED,
    own_connection=True,
    needs_decision=True,
    level=Level.SHOULD,
)
def clear_unknown(network: Network) -> None:
    require_unknown_refused(network, DEALLOCATION)


@deallocations.check(
    "release-unknown",
    "The release of an unknown deallocation is not repeated",
    "Answer 2xx, 404, 409 or 410. After any other answer the network repeats the release for days.",
    needs=CONNECTED,
    own_connection=True,
    needs_decision=True,
)
def release_unknown(network: Network) -> None:
    steps.release(network, unsent_request(network, DEALLOCATION))


def _allocate_twice(network: Network) -> None:
    for _ in range(2):
        steps.request_and_clear(network, ALLOCATION)


def _refused(network: Network) -> steps.FundsRequest:
    return steps.require_refusal(network, DEALLOCATION)
