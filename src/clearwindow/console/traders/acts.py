"""The acts of clients that are signed, and what comes after each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import Response

from clearwindow.allocations.routes import allocate, deallocate
from clearwindow.api.routing import Answer
from clearwindow.console.routing import Visit
from clearwindow.console.rules import PREFIX
from clearwindow.console.signing import Act
from clearwindow.loss_limits.routes import change_limits
from clearwindow.network.routes import change_connection
from clearwindow.settlements.disputes.routes import close_dispute, raise_dispute, update_dispute
from clearwindow.signing.models import Operation

TRADER: Final = f"{PREFIX}/trader"

Ids = Mapping[str, str]


def _raised(visit: Visit, ids: Ids, answer: Any) -> Response:  # noqa: ANN401, ARG001 - as every act
    return visit.go_to(f"{TRADER}/disputes/{answer.body.dispute.id}", "dispute_raised")


def _updated(visit: Visit, ids: Ids, answer: Any) -> Response:  # noqa: ANN401 - as every act
    done = "dispute_retracted" if answer.body.dispute.retracted else "dispute_stands_again"
    return visit.go_to(f"{TRADER}/disputes/{ids['disputeId']}", done)


def _given_up(visit: Visit, ids: Ids, answer: Any) -> Response:  # noqa: ANN401, ARG001 - as every act
    return visit.go_to(f"{TRADER}/disputes/{ids['disputeId']}", "dispute_given_up")


def _moved(visit: Visit, ids: Ids, answer: Any) -> Response:  # noqa: ANN401 - of either kind
    body = answer.body if isinstance(answer, Answer) else answer
    record = getattr(body, "allocation", None) or getattr(body, "deallocation", None)
    if record is None:
        return visit.go_to(f"{TRADER}/connections/{ids['connectionId']}", "allocation_sent")
    return visit.go_to(f"{TRADER}/allocations/{record.id}", "allocation_sent")


def _connection_changed(visit: Visit, ids: Ids, answer: Any) -> Response:  # noqa: ANN401, ARG001 - as every act
    return visit.go_to(f"{TRADER}/connections/{ids['connectionId']}", "connection_changed")


def _limits_changed(visit: Visit, ids: Ids, answer: Any) -> Response:  # noqa: ANN401, ARG001 - as every act
    return visit.go_to(f"{TRADER}/connections/{ids['connectionId']}", "limits_changed")


RAISE: Final = Act(
    Operation.DISPUTE_RAISE,
    raise_dispute,
    "createClientSettlementDispute",
    "POST",
    "/clients/settlements/{settlementId}/disputes",
    "Dispute a settlement",
    _raised,
    {"settlementId": "settlement_id"},
)
UPDATE: Final = Act(
    Operation.DISPUTE_UPDATE,
    update_dispute,
    "updateClientSettlementDispute",
    "PUT",
    "/clients/settlements/disputes/{disputeId}",
    "Change a dispute",
    _updated,
    {"disputeId": "dispute_id"},
)
CLOSE: Final = Act(
    Operation.DISPUTE_CLOSE,
    close_dispute,
    "V1ClientSettlementDisputeClosurePostRoute",
    "POST",
    "/clients/settlements/disputes/{disputeId}/close",
    "Give a dispute up",
    _given_up,
    {"disputeId": "dispute_id"},
)
ALLOCATE: Final = Act(
    Operation.ALLOCATION,
    allocate,
    "V1ClientAllocationsPostRoute",
    "POST",
    "/clients/connections/{connectionId}/allocations",
    "Allocate",
    _moved,
    {"connectionId": "connection_id"},
    sent_to="/signed/to-partner",
)
DEALLOCATE: Final = Act(
    Operation.DEALLOCATION,
    deallocate,
    "V1ClientDeallocationsPostRoute",
    "POST",
    "/clients/connections/{connectionId}/deallocations",
    "Take back",
    _moved,
    {"connectionId": "connection_id"},
    sent_to="/signed/to-partner",
)
CHANGE_CONNECTION: Final = Act(
    Operation.CONNECTION_UPDATE,
    change_connection,
    "v1ClientConnectionPutRoute",
    "PUT",
    "/clients/connections/{connectionId}",
    "Change a connection",
    _connection_changed,
    {"connectionId": "connection_id"},
)
CHANGE_LIMITS: Final = Act(
    Operation.LOSS_LIMITS_CHANGE,
    change_limits,
    "v1ClientLossLimitsPutRoute",
    "PUT",
    "/clients/connections/{connectionId}/loss-limits",
    "Set limits of loss",
    _limits_changed,
    {"connectionId": "connection_id"},
)
ACTS: Final = (RAISE, UPDATE, CLOSE, ALLOCATE, DEALLOCATE, CHANGE_CONNECTION, CHANGE_LIMITS)
