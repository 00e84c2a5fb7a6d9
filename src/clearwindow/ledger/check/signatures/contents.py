"""Is a record what its signed payload asks for? Pure comparisons of values.

The payload was compared with its request when it was accepted, so that here its types are as they must be, unless
somebody changed it. Whatever is not so then counts as a difference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Context, Decimal
from typing import Any, Final
from uuid import UUID

from clearwindow.core.clock import parse_rfc3339, whole_milliseconds
from clearwindow.core.money import canonical_currency
from clearwindow.ledger.check.signatures.models import (
    AccountRecord,
    AllocationRecord,
    ClosureRecord,
    ConnectionRecord,
    DisputeRecord,
    EndpointRecord,
    KeptRequest,
    MovedAmounts,
    Records,
    SettlementRecord,
    StandingTopUpRecord,
)
from clearwindow.signing.models import Operation

_EXACT: Final = Context(prec=400)
"""Amounts have at most 78 digits in base units, and currencies at most 36 decimals."""

MovedBy = Callable[[UUID], MovedAmounts]
"""Returns what the transfers of a settlement move. Called for settlements whose amounts can be compared."""
Payload = Mapping[str, Any]
NO_RECORD: Final = "record"


def differing_fields(kept: KeptRequest, payload: Payload, records: Records, moved_by: MovedBy) -> list[str]:
    """Returns the fields in which the record differs from its signed payload; ``record`` if there is no record."""
    try:
        compared = _compared(kept, payload, records, moved_by)
        if payload.get("operation", kept.operation) != kept.operation:
            compared["operation"] = False
        return [name for name, same in compared.items() if not same]
    except (ArithmeticError, AttributeError, KeyError, LookupError, TypeError, ValueError):
        return ["payload"]


def _compared(kept: KeptRequest, payload: Payload, records: Records, moved_by: MovedBy) -> dict[str, bool]:
    operation, subject_id = Operation(kept.operation), kept.subject_id
    if operation is Operation.SETTLEMENT_DEPOSITS:
        return _deposits(payload, records, subject_id)
    if operation is Operation.SETTLEMENT_WITHDRAW:
        withdrawn = records.settlements.get(subject_id)
        return _withdrawal(kept, payload, withdrawn) if withdrawn else {NO_RECORD: False}
    if operation in _METHODS:
        found = records.settlements.get(subject_id)
        return _settlement(kept, payload, found, moved_by) if found else {NO_RECORD: False}
    if operation in (Operation.DISPUTE_RAISE, Operation.DISPUTE_UPDATE, Operation.DISPUTE_CLOSE):
        return _of_dispute(operation, kept, payload, records)
    if operation in _OF_SETUP:
        return _of_setup(operation, kept, payload, records)
    allocation = records.allocations.get(subject_id)
    return _allocation(kept, payload, allocation) if allocation else {NO_RECORD: False}


_OF_ENDPOINTS: Final = frozenset(
    {
        Operation.WEBHOOK_ENDPOINT_CREATE,
        Operation.WEBHOOK_ENDPOINT_UPDATE,
        Operation.WEBHOOK_ENDPOINT_DELETE,
        Operation.WEBHOOK_ENDPOINT_ROTATE_SECRET,
    }
)
_OF_THRESHOLDS: Final = frozenset(
    {
        Operation.APPROVAL_THRESHOLDS_CHANGE,
        Operation.DAILY_APPROVAL_THRESHOLDS_CHANGE,
        Operation.CUSTODIAN_LIMITS_CHANGE,
    }
)
_OF_SETUP: Final = (
    _OF_ENDPOINTS
    | _OF_THRESHOLDS
    | {
        Operation.STANDING_TOP_UP_CREATE,
        Operation.CONNECTION_CREATE,
        Operation.CONNECTION_UPDATE,
        Operation.LOSS_LIMITS_CHANGE,
        Operation.ACCOUNT_REQUIRE_INTENT,
    }
)


def _of_setup(operation: Operation, kept: KeptRequest, payload: Payload, records: Records) -> dict[str, bool]:
    if operation in _OF_ENDPOINTS:
        endpoint = records.endpoints.get(kept.subject_id)
        return _endpoint(kept, endpoint) if endpoint else {NO_RECORD: False}
    if operation is Operation.STANDING_TOP_UP_CREATE:
        standing = records.standing_top_ups.get(kept.subject_id)
        return _standing_top_up(kept, payload, standing) if standing else {NO_RECORD: False}
    if operation is Operation.ACCOUNT_REQUIRE_INTENT or operation in _OF_THRESHOLDS:
        account = records.accounts.get(kept.subject_id)
        return _account(kept, payload, account) if account else {NO_RECORD: False}
    connection = records.connections.get(kept.subject_id)
    if connection is None:
        return {NO_RECORD: False}
    if operation is Operation.CONNECTION_CREATE:
        return _connection(payload, connection)
    # Its name, state and limits may have changed since.
    return {"connectionId": _id(kept.path_ids["connectionId"]) == connection.id}


def _of_dispute(operation: Operation, kept: KeptRequest, payload: Payload, records: Records) -> dict[str, bool]:
    if operation is Operation.DISPUTE_CLOSE:
        closure = records.closures.get(kept.subject_id)
        return _closure(kept, payload, closure) if closure else {NO_RECORD: False}
    dispute = records.disputes.get(kept.subject_id)
    return _dispute(kept, payload, dispute) if dispute else {NO_RECORD: False}


_METHODS: Final = {
    Operation.SETTLEMENT_STAGE: ("offchain", False),
    Operation.SETTLEMENT_IMMEDIATE: ("offchain", True),
    Operation.SETTLEMENT_ONCHAIN: ("onchain", False),
}
"""The type of each operation's settlements, and whether they execute at once."""


def _settlement(
    kept: KeptRequest, payload: Payload, settlement: SettlementRecord, moved_by: MovedBy
) -> dict[str, bool]:
    method = (settlement.settlement_type, settlement.immediate)
    compared = {
        "operation": method == _METHODS[Operation(kept.operation)],
        "enterpriseId": settlement.enterprise_id == kept.enterprise_id,
        "externalId": payload["externalId"] == settlement.external_id,
        "notes": payload.get("notes") == settlement.notes,
        "cutoffAt": _same_moment(payload.get("cutoffAt"), settlement.cutoff_at),
    }
    if settlement.amount_scale is not None:
        asked = _quantities(payload["settlementAmounts"], settlement.amount_scale)
        compared["settlementAmounts"] = asked == dict(moved_by(settlement.id))
    return compared


def _withdrawal(kept: KeptRequest, payload: Payload, settlement: SettlementRecord) -> dict[str, bool]:
    return {
        "enterpriseId": settlement.enterprise_id == kept.enterprise_id,
        "settlementId": _id(kept.path_ids["settlementId"]) == settlement.id,
        "reason": payload["reason"] == settlement.withdrawn_reason,
    }


def _quantities(
    amounts: Mapping[str, Mapping[str, Any]], scale: Mapping[str, tuple[str, int]]
) -> dict[tuple[UUID | None, UUID, str], int]:
    """Returns base units by the other side, the connection and our name of the currency."""
    asked: dict[tuple[UUID | None, UUID, str], int] = {}
    for connection, given in amounts.items():
        for name, value in given.items():
            nested = isinstance(value, Mapping)
            sides = (UUID(connection), UUID(name)) if nested else (None, UUID(connection))
            for currency, amount in value.items() if nested else [(name, value)]:
                ours, decimals = scale[currency]
                quantity = Decimal(amount).scaleb(decimals, _EXACT)
                if quantity != int(quantity):
                    raise ValueError("an amount is finer than the currency")
                key = (*sides, ours)
                asked[key] = asked.get(key, 0) + int(quantity)
    return {key: quantity for key, quantity in asked.items() if quantity}


def _deposits(payload: Payload, records: Records, settlement_id: UUID) -> dict[str, bool]:
    known = records.deposits.get(settlement_id, ())
    external_ids = {deposit.external_settlement_id for deposit in known}
    # Two names of the partner may mean one currency, so that a transaction may be known under the other name.
    transactions = {deposit.on_chain_tx_id for deposit in known}
    return {
        "externalSettlementId": external_ids == {payload["externalSettlementId"]},
        "settlementId": _id(payload.get("settlementId", settlement_id)) == settlement_id,
        "deposits": all(given["onChainTxId"] in transactions for given in payload["deposits"]),
    }


def _dispute(kept: KeptRequest, payload: Payload, dispute: DisputeRecord) -> dict[str, bool]:
    compared = {"connectionId": _id(payload["connectionId"]) == dispute.connection_id}
    if kept.operation == Operation.DISPUTE_UPDATE:
        compared["disputeId"] = _id(kept.path_ids["disputeId"]) == dispute.id
        if kept.number == dispute.last_update:
            compared["retracted"] = payload["retracted"] is dispute.retracted
        return compared
    compared["settlementId"] = _id(kept.path_ids["settlementId"]) == dispute.settlement_id
    first = dispute.raised_with
    if first is not None:
        expected = {
            canonical_currency(name): str(int(amount)) for name, amount in payload["expectedTransfers"].items()
        }
        compared["reason"] = payload.get("reason") == first["reason"]
        compared["expectedTransfers"] = expected == first["expected_transfers"]
    return compared


def _closure(kept: KeptRequest, payload: Payload, closure: ClosureRecord) -> dict[str, bool]:
    return {
        "closedBy": closure.closed_by == "client",
        "disputeId": _id(kept.path_ids["disputeId"]) == closure.dispute_id,
        "notes": payload["notes"] == closure.notes,
    }


def _allocation(kept: KeptRequest, payload: Payload, allocation: AllocationRecord) -> dict[str, bool]:
    if kept.operation in (Operation.ALLOCATION_DECIDE, Operation.DEALLOCATION_DECIDE):
        return {
            "operation": kept.operation == f"{allocation.type}.decide",
            "id": _id(payload[f"{allocation.type}Id"]) == allocation.id,
            "connectionId": _id(payload["connectionId"]) == allocation.connection_id,
            "status": payload["status"] == allocation.status,
        }
    return {
        "operation": kept.operation == allocation.type,
        "connectionId": _id(kept.path_ids["connectionId"]) == allocation.connection_id,
        "clientExternalId": payload["clientExternalId"] == allocation.client_external_id,
        "currency": canonical_currency(payload["amount"]["currency"]) == allocation.currency,
        "quantity": int(payload["amount"]["quantity"]) == allocation.quantity,
        "notes": payload.get("notes") == allocation.notes,
    }


def _connection(payload: Payload, connection: ConnectionRecord) -> dict[str, bool]:
    compared = {"partnerId": _id(payload["partnerId"]) == connection.partner_id}
    if connection.name is not None:
        compared["name"] = payload["name"] == connection.name
    return compared


def _account(kept: KeptRequest, payload: Payload, account: AccountRecord) -> dict[str, bool]:
    if kept.operation != Operation.ACCOUNT_REQUIRE_INTENT:
        # A threshold is the enterprise's. Its own account, whose key signs, stands for it.
        return {"enterpriseId": account.enterprise_id == kept.enterprise_id}
    return {
        "goAccountId": _id(kept.path_ids["goAccountId"]) == account.id,
        "enterpriseId": kept.enterprise_id == account.enterprise_id,
        "requireIntent": payload["requireIntent"] is True,
    }


def _standing_top_up(kept: KeptRequest, payload: Payload, standing: StandingTopUpRecord) -> dict[str, bool]:
    return {
        "goAccountId": _id(kept.path_ids["goAccountId"]) == standing.go_account_id,
        "enterpriseId": kept.enterprise_id == standing.enterprise_id,
        "currency": canonical_currency(payload["currency"]) == standing.currency,
        "perSettlement": int(payload["perSettlement"]) == standing.per_settlement,
    }


def _endpoint(kept: KeptRequest, endpoint: EndpointRecord) -> dict[str, bool]:
    """Compares what no later change may have changed."""
    compared = {"enterpriseId": endpoint.enterprise_id == kept.enterprise_id}
    if kept.operation != Operation.WEBHOOK_ENDPOINT_CREATE:
        compared["endpointId"] = _id(kept.path_ids["endpointId"]) == endpoint.id
    if kept.operation == Operation.WEBHOOK_ENDPOINT_DELETE:
        compared["deleted"] = endpoint.deleted
    return compared


def _id(value: object) -> UUID:
    return value if isinstance(value, UUID) else UUID(str(value))


def _same_moment(text: object, moment: datetime | None) -> bool:
    if text is None or moment is None:
        return text is None and moment is None
    signed = parse_rfc3339(str(text))
    return signed is not None and whole_milliseconds(signed) == whole_milliseconds(moment)
