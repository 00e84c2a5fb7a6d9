"""The acts of exchanges that are signed, and what comes after each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from fastapi import Response

from clearwindow.allocations.routes import decide_allocation, decide_deallocation
from clearwindow.api.routing import Answer
from clearwindow.console.routing import Visit
from clearwindow.console.rules import PREFIX
from clearwindow.console.signing import Act
from clearwindow.settlements.routes import stage_settlement, withdraw_settlement
from clearwindow.signing.models import Operation

EXCHANGE: Final = f"{PREFIX}/exchange"

Ids = Mapping[str, str]


def _staged(visit: Visit, ids: Ids, answer: Answer[Any]) -> Response:  # noqa: ARG001 - as every act
    # Staging answers with the JSON text that its repeats get, too.
    body = json.loads(answer.body) if isinstance(answer.body, str) else answer.body.model_dump(by_alias=True)
    return visit.go_to(f"{EXCHANGE}/settlements/{body['settlement']['id']}", "settlement_staged")


def _withdrawn(visit: Visit, ids: Ids, answer: Any) -> Response:  # noqa: ANN401, ARG001 - as every act
    return visit.go_to(f"{EXCHANGE}/settlements/{ids['settlementId']}", "settlement_withdrawn")


def _decided(visit: Visit, ids: Ids, answer: Answer[Any]) -> Response:  # noqa: ARG001 - as every act
    body = answer.body
    decided_id = getattr(body, "allocation_id", None) or getattr(body, "deallocation_id", "")
    return visit.go_to(f"{EXCHANGE}/allocations/{decided_id}", "allocation_decided")


STAGE: Final = Act(
    Operation.SETTLEMENT_STAGE,
    stage_settlement,
    "v2PartnerSettlementsPostRoute",
    "POST",
    "/partners/settlements",
    "Stage a settlement",
    _staged,
    version=2,
    sent_to="/signed/settlement",
    as_exchange=True,
)
WITHDRAW: Final = Act(
    Operation.SETTLEMENT_WITHDRAW,
    withdraw_settlement,
    "v1PartnerSettlementWithdrawPostRoute",
    "POST",
    "/partners/settlements/{settlementId}/withdraw",
    "Take a settlement back",
    _withdrawn,
    {"settlementId": "settlement_id"},
    as_exchange=True,
)
DECIDE_ALLOCATION: Final = Act(
    Operation.ALLOCATION_DECIDE,
    decide_allocation,
    "v1PartnerAllocationsPutRoute",
    "PUT",
    "/partners/allocations",
    "Decide about an allocation",
    _decided,
    as_exchange=True,
)
DECIDE_DEALLOCATION: Final = Act(
    Operation.DEALLOCATION_DECIDE,
    decide_deallocation,
    "V1PartnerDeallocationsPutRoute",
    "PUT",
    "/partners/deallocations",
    "Decide about a deallocation",
    _decided,
    as_exchange=True,
)
ACTS: Final = (STAGE, WITHDRAW, DECIDE_ALLOCATION, DECIDE_DEALLOCATION)
