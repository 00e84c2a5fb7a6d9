"""Decisions about allocations. Pure; the states and their transitions are protocol §4."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from clearwindow.accounts.values import Balance, BalanceKey, EntryKind, HoldCause
from clearwindow.allocations.values import (
    Allocation,
    AllocationStatus,
    AllocationType,
    PolicyResult,
    Refusal,
)
from clearwindow.errors import InvalidRequestError
from clearwindow.http.bodies import quoted
from clearwindow.money import canonical_currency
from clearwindow.network.values import Client, Connection, CurrencyMap, Partner

TRANSITIONS: Final[Mapping[AllocationStatus, frozenset[AllocationStatus]]] = {
    AllocationStatus.RESERVED: frozenset({AllocationStatus.CLEARED, AllocationStatus.RELEASED}),
    AllocationStatus.CLEARED: frozenset(),
    AllocationStatus.RELEASED: frozenset(),
}

ENTRY_KINDS: Final[Mapping[tuple[AllocationType, AllocationStatus], EntryKind]] = {
    (AllocationType.ALLOCATION, AllocationStatus.RESERVED): EntryKind.ALLOCATION_RESERVED,
    (AllocationType.ALLOCATION, AllocationStatus.CLEARED): EntryKind.ALLOCATION_CLEARED,
    (AllocationType.ALLOCATION, AllocationStatus.RELEASED): EntryKind.ALLOCATION_RELEASED,
    (AllocationType.DEALLOCATION, AllocationStatus.RESERVED): EntryKind.DEALLOCATION_RESERVED,
    (AllocationType.DEALLOCATION, AllocationStatus.CLEARED): EntryKind.DEALLOCATION_CLEARED,
    (AllocationType.DEALLOCATION, AllocationStatus.RELEASED): EntryKind.DEALLOCATION_RELEASED,
}

HOLD_CAUSES: Final[Mapping[AllocationType, HoldCause]] = {
    AllocationType.ALLOCATION: HoldCause.ALLOCATION,
    AllocationType.DEALLOCATION: HoldCause.DEALLOCATION,
}

_REASONS: Final[Mapping[Refusal, str]] = {
    Refusal.INSUFFICIENT_FUNDS: "the available balance does not cover the amount",
    Refusal.CONNECTION_INACTIVE: "the connection is inactive and takes no allocations",
    Refusal.CLIENT_INACTIVE: "the client is inactive and makes no allocations",
    Refusal.PARTNER_INACTIVE: "the partner is inactive and takes no allocations",
    Refusal.APPROVAL_REJECTED: "the approval of another user of the enterprise was refused",
}
WAITS_FOR_APPROVAL: Final = "it waits for the approval of another user of the enterprise"


def require_mapped(name: str, currencies: CurrencyMap) -> str:
    """Our name of a currency that the partner takes."""
    currency = canonical_currency(name)
    if not currencies.partner_names(currency):
        raise InvalidRequestError(
            "currency_not_supported",
            f"amount.currency: the partner does not take {quoted(name)}: see supportedCurrencies",
        )
    return currency


def require_known(name: str, known: Iterable[str]) -> str:
    """Our name of a currency of the network.

    Funds must find back although the partner's map has changed since (*choice*), so that a deallocation needs
    no more than this.
    """
    currency = canonical_currency(name)
    if currency not in known:
        raise InvalidRequestError(
            "currency_not_supported", f"amount.currency: the network does not know {quoted(name)}"
        )
    return currency


def refusal(
    kind: AllocationType, client: Client, partner: Partner, connection: Connection, source: Balance, quantity: int
) -> Refusal | None:
    """Why this cannot be done now. What stops new business never stops funds from coming back."""
    if kind is AllocationType.ALLOCATION:
        stopped = stopping(client, partner, connection)
        if stopped is not None:
            return stopped
    return Refusal.INSUFFICIENT_FUNDS if source.available < quantity else None


def stopping(client: Client, partner: Partner, connection: Connection) -> Refusal | None:
    """Why no new business is done, however much the funds cover."""
    if not client.active:
        return Refusal.CLIENT_INACTIVE
    if not partner.active:
        return Refusal.PARTNER_INACTIVE
    return None if connection.active else Refusal.CONNECTION_INACTIVE


def direction(
    kind: AllocationType, go_account: BalanceKey, network_account: BalanceKey
) -> tuple[BalanceKey, BalanceKey]:
    """(source, destination) of the funds."""
    if kind is AllocationType.ALLOCATION:
        return go_account, network_account
    return network_account, go_account


def is_evaluated(kind: AllocationType, partner: Partner) -> bool:
    """Whether the client's policy is asked: where the partner has policies; never on the way back (*choice*)."""
    return partner.allocation_policies_enabled and kind is AllocationType.ALLOCATION


def passed(allocation: Allocation, evaluation_id: UUID) -> Allocation:
    """Evaluated, and under the threshold."""
    return replace(allocation, evaluation_id=evaluation_id, policy_result=PolicyResult.APPROVED)


def waiting(allocation: Allocation, evaluation_id: UUID, approval_id: UUID) -> Allocation:
    """Evaluated, and over the threshold."""
    return replace(
        allocation,
        evaluation_id=evaluation_id,
        pending_approval_id=approval_id,
        reason=WAITS_FOR_APPROVAL,
        retriable=False,
    )


def approved(allocation: Allocation, now: datetime) -> Allocation:
    """As if there had been no policy: reserved, and nobody asked yet."""
    return replace(allocation, policy_result=PolicyResult.APPROVED, reason=None, updated_at=now)


def rejected(allocation: Allocation, now: datetime) -> Allocation:
    refused = replace(allocation, policy_result=PolicyResult.REJECTED)
    return released(refused, Refusal.APPROVAL_REJECTED, now)


def released(allocation: Allocation, why: Refusal, now: datetime) -> Allocation:
    return _moved(replace(allocation, refusal=why, reason=_REASONS[why]), AllocationStatus.RELEASED, now)


def cleared(allocation: Allocation, now: datetime) -> Allocation:
    return _moved(replace(allocation, reason=None), AllocationStatus.CLEARED, now)


def _moved(allocation: Allocation, status: AllocationStatus, now: datetime) -> Allocation:
    if status not in TRANSITIONS[allocation.status]:
        raise AssertionError(f"an allocation cannot go from {allocation.status} to {status}")
    if allocation.waits_for_approval:
        raise AssertionError("an allocation that waits for its approval stays reserved")
    return replace(allocation, status=status, retriable=False, updated_at=now)
