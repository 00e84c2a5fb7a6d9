"""Retry by an operator, of settlements on chain and off chain."""

from __future__ import annotations

from uuid import UUID

from clearwindow.identity.models import Operator
from clearwindow.runtime import Runtime
from clearwindow.settlements import execution
from clearwindow.settlements import store as settlements
from clearwindow.settlements.models import Settlement, SettlementType
from clearwindow.settlements.onchain import execution as onchain_execution


def retry(runtime: Runtime, operator: Operator, settlement_id: UUID | None, reason: str | None) -> Settlement:
    found = _find(runtime, settlement_id)
    if found.settlement_type is SettlementType.ONCHAIN:
        return onchain_execution.retry(runtime, operator, found.id, reason)
    return execution.retry(runtime, operator, found.id, reason)


def _find(runtime: Runtime, settlement_id: UUID | None) -> Settlement:
    """Returns the settlement. Its type never changes, so that it may be read in a transaction of its own."""
    with runtime.transaction() as tx:
        return settlements.require(tx, settlement_id)
