"""An operator's acts on a settlement, whichever course it takes."""

from __future__ import annotations

from uuid import UUID

from clearwindow.access.values import Operator
from clearwindow.onchain import course as onchain_course
from clearwindow.runtime import Runtime
from clearwindow.settlements import course
from clearwindow.settlements import service as settlements
from clearwindow.settlements.values import Settlement, SettlementType


def retry(runtime: Runtime, operator: Operator, settlement_id: UUID | None, reason: str | None) -> Settlement:
    found = _find(runtime, settlement_id)
    if found.settlement_type is SettlementType.ONCHAIN:
        return onchain_course.retry(runtime, operator, found.id, reason)
    return course.retry(runtime, operator, found.id, reason)


def reject(runtime: Runtime, operator: Operator, settlement_id: UUID | None, reason: str) -> Settlement:
    found = _find(runtime, settlement_id)
    if found.settlement_type is SettlementType.ONCHAIN:
        return onchain_course.reject(runtime, operator, found.id, reason)
    return course.reject(runtime, operator, found.id, reason)


def _find(runtime: Runtime, settlement_id: UUID | None) -> Settlement:
    """A settlement never changes its type, so that it may be looked up before the act."""
    with runtime.transaction() as tx:
        return settlements.require(tx, settlement_id)
