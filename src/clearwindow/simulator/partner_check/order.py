"""Checks of calls that arrive in an unusual order, and of the end of a dispute window."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

from clearwindow.core.clock import wire_time
from clearwindow.core.ids import parse_uuid
from clearwindow.partner_calls.models import Answer, Operation, Refused
from clearwindow.simulator.partner_check import steps
from clearwindow.simulator.partner_check.allocations import BALANCE_CHECKS, require_allocated_once, unsent_request
from clearwindow.simulator.partner_check.connections import CONNECTED
from clearwindow.simulator.partner_check.models import Call, CheckFailedError, Group, NotApplicableError
from clearwindow.simulator.partner_check.network import Network
from clearwindow.simulator.partner_check.steps import ALLOCATION, DEALLOCATION

order: Final = Group("order", "Order of events", "§4, §8")
finalize: Final = Group("finalize", "The end of a dispute window", "§5, §8")
_TOP_UP: Final = timedelta(hours=1)


@order.check(
    "clear-first",
    "A clear before its allocation has no effect, and the allocation still works",
    "Refuse the clear of an unknown allocation with 404 and store nothing. The network repeats the clear.",
    needs=BALANCE_CHECKS,
    moves_funds=True,
    own_connection=True,
)
def clear_first(network: Network) -> None:
    early = unsent_request(network, ALLOCATION)
    steps.require_answer(*steps.send_outcome(network, steps.CLEARING[ALLOCATION], early), "the early clear: ")
    steps.require_refusal(network, DEALLOCATION, why="a deallocation after the early clear only: ")
    request = steps.repeat(network, early)
    steps.require_acceptance(request, "the allocation after its clear: ")
    steps.clear(network, request, "the clear after the allocation: ")
    require_allocated_once(network)


@order.check(
    "release-after-clear",
    "A release after the clear changes nothing",
    "Answer 409. A cleared allocation is final, and the funds stay allocated.",
    needs=BALANCE_CHECKS,
    moves_funds=True,
)
def release_after_clear(network: Network) -> None:
    request = steps.request_and_clear(network, ALLOCATION)
    steps.require_answer(*steps.send_outcome(network, steps.RELEASING[ALLOCATION], request), "the release: ")
    require_allocated_once(network)


@order.check(
    "clear-after-release",
    "A clear after the release changes nothing",
    "Answer 409. A released allocation is undone, and the funds are not allocated.",
    needs=BALANCE_CHECKS,
    moves_funds=True,
)
def clear_after_release(network: Network) -> None:
    request = steps.reserve(network, ALLOCATION)
    steps.release(network, request)
    steps.require_answer(*steps.send_outcome(network, steps.CLEARING[ALLOCATION], request), "the clear: ")
    steps.require_refusal(network, DEALLOCATION, why="a deallocation of the released amount: ")


@finalize.check(
    "unknown",
    "The final amounts of an unknown settlement get a definite answer",
    "Answer 404, or 2xx. After a 5xx status the network repeats the call again and again.",
    needs=CONNECTED,
)
def unknown(network: Network) -> None:
    steps.require_answer(*_tell(network, _made_up(network)))


@finalize.check(
    "acknowledged",
    "The final amounts are acknowledged",
    "Answer 2xx to the final amounts of a settlement that you staged. Until you do, the network repeats the call.",
    needs=CONNECTED,
)
def acknowledged(network: Network) -> None:
    call, answer = _tell(network, _known(network))
    if network.terms.settlement is None and isinstance(answer, Refused):
        raise NotApplicableError(
            "the endpoint refuses settlements that it did not stage, which is correct; name a settlement that it "
            "staged with --settlement-file"
        )
    _require_acknowledged(call, answer)


@finalize.check(
    "repeated",
    "Repeated final amounts are acknowledged again",
    "Remember by settlementId which settlements were finalized, and answer 2xx again.",
    needs=(*CONNECTED, "finalize.acknowledged"),
)
def repeated(network: Network) -> None:
    body = _known(network)
    _require_acknowledged(*_tell(network, body))
    _require_acknowledged(*_tell(network, body), why="the repeat: ")


def _tell(network: Network, body: Mapping[str, object]) -> tuple[Call, Answer]:
    settlement_id = parse_uuid(str(body.get("settlementId")))
    return network.call(Operation.SETTLEMENT_FINALIZE, settlement_id or UUID(int=0), body)


def _require_acknowledged(call: Call, answer: Answer, why: str = "") -> None:
    if call.status is None or call.status not in range(200, 300):
        raise CheckFailedError(f"{why}{steps.answer_text(answer)}", steps.ACKNOWLEDGEMENT, call)


def _known(network: Network) -> Mapping[str, object]:
    return _made_up(network) | dict(network.terms.settlement or {})


def _made_up(network: Network) -> dict[str, object]:
    settlement_id = network.new_id()
    lost = f"-{steps.amount_text(network.terms.quantity)}"
    return {
        "settlementId": str(settlement_id),
        "externalId": f"partner-check-{settlement_id}",
        "settlementAmounts": {str(network.connection.id): {network.terms.currency: lost}},
        "disputes": [],
        "settlingDisputes": [],
        "topUpDeadline": wire_time(network.wall.now() + _TOP_UP),
    }
