"""When a dispute may be raised, retracted, closed and reviewed, and what it holds. Pure; protocol §6."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from clearwindow.accounts.values import Balance, BalanceKey, Balances, Hold, HoldCause, Movement, Shortfall
from clearwindow.clock import wire_time
from clearwindow.disputes.values import ClosedBy, Closure, ClosureStatus, Dispute
from clearwindow.errors import ConflictError, InvalidRequestError, PermissionDeniedError, UnprocessableError
from clearwindow.money import canonical_currency
from clearwindow.transfers.values import Party

CLOSURE_TRANSITIONS: Final[dict[ClosureStatus, frozenset[ClosureStatus]]] = {
    ClosureStatus.PENDING_REVIEW: frozenset({ClosureStatus.APPROVED, ClosureStatus.REJECTED}),
    ClosureStatus.APPROVED: frozenset(),
    ClosureStatus.REJECTED: frozenset(),
}


def canonical_amounts(amounts: Mapping[str, str], known: Iterable[str]) -> dict[str, int]:
    """Amounts under our own currency names.

    Raises:
        InvalidRequestError: a currency is unknown, or is given under two names.
    """
    currencies = set(known)
    canonical: dict[str, int] = {}
    for name, amount in amounts.items():
        currency = canonical_currency(name)
        if currency not in currencies:
            raise InvalidRequestError("currency_unknown", f"{name}: no such currency")
        if currency in canonical:
            raise InvalidRequestError("currency_twice", f"{name}: {currency} is given twice")
        canonical[currency] = int(amount)
    return canonical


def require_window_open(party: Party, now: datetime) -> None:
    if party.disputed or now >= party.dispute_deadline_at:
        raise UnprocessableError(
            "dispute_window_over",
            f"the dispute window ended at {wire_time(party.dispute_deadline_at)}: contact the operator",
            {"disputeDeadlineAt": wire_time(party.dispute_deadline_at)},
        )


def require_disputable(party: Party, now: datetime) -> None:
    require_window_open(party, now)
    if not party.has_new_transfers:
        raise UnprocessableError(
            "nothing_to_dispute",
            "on this connection the settlement only carries out closed disputes, which cannot be disputed again",
        )


def require_change(dispute: Dispute, *, retracted: bool, has_new_expectation: bool) -> None:
    if dispute.retracted == retracted and (retracted or not has_new_expectation):
        state = "retracted" if retracted else "not retracted"
        raise ConflictError("dispute_unchanged", f"the dispute is {state} already")


def require_closable(dispute: Dispute, party: Party, standing: Closure | None, now: datetime) -> None:
    """A dispute is closed after its window, once, and only while it stands."""
    if dispute.retracted:
        raise ConflictError("dispute_retracted", "the dispute is retracted: there is nothing to close")
    if standing is not None:
        raise ConflictError(
            "dispute_closed", f"the dispute has the closure {standing.id}, which is {standing.status}"
        )
    if now < party.dispute_deadline_at:
        raise ConflictError(
            "dispute_window_open",
            f"the dispute window is open until {wire_time(party.dispute_deadline_at)}: retract the dispute instead",
        )
    if not party.disputed:
        raise ConflictError(
            "settlement_finalising",
            "the dispute window has just ended and is being evaluated: try again in a moment",
        )


def require_reviewable(closure: Closure, reviewer_id: str, decision: ClosureStatus) -> None:
    if decision not in CLOSURE_TRANSITIONS[ClosureStatus(closure.status)]:
        raise ConflictError("closure_reviewed", f"the closure is {closure.status} already")
    if closure.closed_by == ClosedBy.OPERATOR and closure.user_id == reviewer_id:
        raise PermissionDeniedError(
            "four_eyes", "a closure is reviewed by another operator than the one who made it"
        )


@dataclass(frozen=True, slots=True)
class Closing:
    """Who closes a dispute, and how. ``adjusted``: our currency names, base units, + the client receives."""

    closed_by: ClosedBy
    user_id: str
    notes: str
    adjusted: Mapping[str, int]
    request_sha256: bytes


def new_closure(
    closure_id: UUID,
    dispute: Dispute,
    closing: Closing,
    now: datetime,
    *,
    payload: str | None = None,
    signature: str | None = None,
) -> Closure:
    """A closure as it starts: awaiting review."""
    return Closure(
        id=closure_id,
        partner_id=dispute.partner_id,
        dispute_id=dispute.id,
        status=ClosureStatus.PENDING_REVIEW,
        closed_by=closing.closed_by,
        user_id=closing.user_id,
        notes=closing.notes,
        adjusted_transfers={currency: str(quantity) for currency, quantity in closing.adjusted.items()},
        payload=payload,
        signature=signature,
        request_sha256=closing.request_sha256,
        reviewed_by=None,
        review_notes=None,
        reviewed_at=None,
        created_at=now,
        updated_at=now,
    )


@dataclass(frozen=True, slots=True)
class HoldChange:
    """How a dispute's holds become what its adjusted transfers need."""

    movements: list[Movement]
    holds: list[Hold]
    shortfalls: list[Shortfall]


def adjust_holds(
    dispute: Dispute,
    account_id: UUID,
    held: Mapping[BalanceKey, int],
    adjusted: Mapping[str, int],
    balances: Balances,
) -> HoldChange:
    """What is held becomes exactly the losses among the adjusted transfers.

    A loss beyond what the dispute holds comes from the available balance; where that does not cover it, the
    shortfall is named and nothing may be written.
    """
    change = HoldChange([], [], [])
    for key in sorted({*held, *(BalanceKey(account_id, currency) for currency in adjusted)}):
        needed = max(0, -adjusted.get(key.currency, 0))
        more = needed - held.get(key, 0)
        if more == 0:
            continue
        balance = balances.get(key, Balance(0, 0))
        if more > balance.available:
            covered = balance.available + held.get(key, 0)
            change.shortfalls.append(Shortfall(account_id, key.currency, needed, covered))
        change.movements.append(Movement(key, available=-more, held=more))
        change.holds.append(Hold(HoldCause.DISPUTE, dispute.id, dispute.partner_id, key, needed))
    return change
