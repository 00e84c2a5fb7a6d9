"""Checks of calls that come in another order than they were sent, and of the end of a dispute window."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

from clearwindow.clock import wire_time
from clearwindow.conformance import steps
from clearwindow.conformance.allocating import LEVEL, never_asked, require_exactly_one
from clearwindow.conformance.connecting import CONNECTED
from clearwindow.conformance.network import Network
from clearwindow.conformance.steps import ALLOCATION, DEALLOCATION
from clearwindow.conformance.values import Call, CheckFailedError, Group, NotApplicableError
from clearwindow.ids import parse_uuid
from clearwindow.partnercalls.values import Answer, Operation, Refused

order: Final = Group("order", "Order of events", "§4, §8")
finalize: Final = Group("finalize", "The end of a dispute window", "§5, §8")
_TOP_UP: Final = timedelta(hours=1)


@order.check(
    "clear-first",
    "A clear that comes before its allocation neither counts by itself nor spoils the allocation",
    "Refuse the clear of what you do not know with 404 and keep nothing of it; the network tells it again.",
    needs=LEVEL,
    moves_funds=True,
    aside=True,
)
def clear_first(network: Network) -> None:
    early = never_asked(network, ALLOCATION)
    steps.require_not_an_error(*steps.tell(network, steps.CLEARING[ALLOCATION], early), "the early clear: ")
    steps.refuse(network, DEALLOCATION, why="a deallocation of what was only cleared: ")
    asked = steps.repeat(network, early)
    steps.require_yes(asked, "the allocation after its clear: ")
    steps.clear(network, asked, "the clear after the allocation: ")
    require_exactly_one(network)


@order.check(
    "release-after-clear",
    "A release after the clear changes nothing",
    "Answer 409: what is cleared is done, and the funds stay allocated.",
    needs=LEVEL,
    moves_funds=True,
)
def release_after_clear(network: Network) -> None:
    asked = steps.move(network, ALLOCATION)
    steps.require_not_an_error(*steps.tell(network, steps.RELEASING[ALLOCATION], asked), "the release: ")
    require_exactly_one(network)


@order.check(
    "clear-after-release",
    "A clear after the release changes nothing",
    "Answer 409: what is released is undone, and the funds are not allocated.",
    needs=LEVEL,
    moves_funds=True,
)
def clear_after_release(network: Network) -> None:
    asked = steps.reserve(network, ALLOCATION)
    steps.release(network, asked)
    steps.require_not_an_error(*steps.tell(network, steps.CLEARING[ALLOCATION], asked), "the clear: ")
    steps.refuse(network, DEALLOCATION, why="a deallocation of what was released: ")


@finalize.check(
    "unknown",
    "The end of a settlement that you never staged is answered, with yes or no",
    "Answer 404, or 2xx: an error of your server would have it told again for ever.",
    needs=CONNECTED,
)
def unknown(network: Network) -> None:
    steps.require_not_an_error(*_tell(network, _made_up(network)))


@finalize.check(
    "acknowledged",
    "The final amounts are acknowledged",
    "Answer 2xx to the end of a settlement that you staged: until you do, it is told again.",
    needs=CONNECTED,
)
def acknowledged(network: Network) -> None:
    call, answer = _tell(network, _known(network))
    if network.terms.settlement is None and isinstance(answer, Refused):
        raise NotApplicableError(
            "the endpoint refuses settlements that it did not stage, which is right: name one that it did with "
            "--settlement-file"
        )
    _require_acknowledged(call, answer)


@finalize.check(
    "repeated",
    "The same end again is answered the same",
    "Keep by settlementId what has ended, and answer 2xx again.",
    needs=(*CONNECTED, "finalize.acknowledged"),
)
def repeated(network: Network) -> None:
    body = _known(network)
    _require_acknowledged(*_tell(network, body))
    _require_acknowledged(*_tell(network, body), why="the second time: ")


def _tell(network: Network, body: Mapping[str, object]) -> tuple[Call, Answer]:
    settlement_id = parse_uuid(str(body.get("settlementId")))
    return network.call(Operation.SETTLEMENT_FINALIZE, settlement_id or UUID(int=0), body)


def _require_acknowledged(call: Call, answer: Answer, why: str = "") -> None:
    if call.status is None or call.status not in range(200, 300):
        raise CheckFailedError(f"{why}{steps.took(answer)}", steps.HEARD, call)


def _known(network: Network) -> Mapping[str, object]:
    return _made_up(network) | dict(network.terms.settlement or {})


def _made_up(network: Network) -> dict[str, object]:
    settlement_id = network.new_id()
    lost = f"-{steps.in_words(network.terms.quantity)}"
    return {
        "settlementId": str(settlement_id),
        "externalId": f"partner-check-{settlement_id}",
        "settlementAmounts": {str(network.connection.id): {network.terms.currency: lost}},
        "disputes": [],
        "settlingDisputes": [],
        "topUpDeadline": wire_time(network.wall.now() + _TOP_UP),
    }
