"""When a dispute may be raised, retracted, closed and reviewed, and what it holds. Pure; protocol §6."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from clearwindow.accounts.values import Balance, BalanceKey, Balances, Hold, HoldCause, Movement, Shortfall
from clearwindow.clock import wire_time
from clearwindow.disputes.values import ClosedBy, Closure, ClosureStatus, Dispute
from clearwindow.errors import ConflictError, InvalidRequestError, PermissionDeniedError, UnprocessableError
from clearwindow.money import canonical_currency
from clearwindow.transfers.values import Objections, Party, Quantity

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


Holds = Mapping[BalanceKey, int]


@dataclass(frozen=True, slots=True)
class OtherDispute:
    """Another standing dispute of the same settlement, as approving a closure changes it.

    ``before`` and ``after`` are what the transfers it answers for would take: more, where it takes over what the
    closed dispute answered for and it disputes as well; less, where an adjustment replaces such a transfer.
    """

    id: UUID
    held: Holds
    before: Holds
    after: Holds

    def changes(self) -> set[BalanceKey]:
        return {key for key in {*self.before, *self.after} if self.before.get(key, 0) != self.after.get(key, 0)}


def sums(quantities: Iterable[Quantity]) -> dict[str, int]:
    """What a connection gains or loses in all, per currency."""
    found: dict[str, int] = {}
    for given in quantities:
        found[given.currency] = found.get(given.currency, 0) + int(given.quantity)
    return {currency: quantity for currency, quantity in sorted(found.items()) if quantity != 0}


def with_partner(adjusted: Mapping[str, str]) -> list[Quantity]:
    """An operator's adjustment names no counterparty: the partner stands behind its trades."""
    return [Quantity(None, None, currency, Decimal(quantity)) for currency, quantity in adjusted.items()]


def running(quantities: Iterable[Quantity], objections: Objections) -> list[Quantity]:
    """Of the original quantities of a disputed connection, those that its own closure lets run.

    ``objections`` are the other ones. What a counterparty disputes too waits for its closure, which takes it along
    if it comes last; what an operator has replaced by an adjustment never runs.
    """
    kept_back = {*objections.standing.values(), *objections.upheld}
    return [given for given in quantities if given.counterparty_connection_id not in kept_back]


def needs(account_id: UUID, quantities: Iterable[Quantity]) -> dict[BalanceKey, int]:
    """What the transfers of a closure take from each balance; 0 where they take nothing."""
    sums: dict[BalanceKey, int] = {}
    for given in quantities:
        own = BalanceKey(account_id, given.currency)
        sums[own] = sums.get(own, 0) + int(given.quantity)
        if given.counterparty_account_id is not None:
            theirs = BalanceKey(given.counterparty_account_id, given.currency)
            sums[theirs] = sums.get(theirs, 0) - int(given.quantity)
    return {key: max(0, -quantity) for key, quantity in sums.items()}


@dataclass(frozen=True, slots=True)
class HoldChange:
    """How a dispute's holds become what its adjusted transfers need."""

    movements: list[Movement]
    holds: list[Hold]
    shortfalls: list[Shortfall]


def touched(held: Holds, needed: Holds, others: Iterable[OtherDispute]) -> list[BalanceKey]:
    """The balances that approving a closure may change, in the order of locking."""
    return sorted({*held, *needed}.union(*(other.changes() for other in others)))


def adjust_holds(
    dispute: Dispute, held: Holds, needed: Holds, others: Sequence[OtherDispute], balances: Balances
) -> HoldChange:
    """What is held becomes exactly the losses among the adjusted transfers; the rest is given back.

    Other disputes take over what they answer for from now on, out of what this one held for it. A loss beyond what
    the dispute holds comes from the available balance; where that does not cover it, the shortfall is named and
    nothing may be written.
    """
    change = HoldChange([], [], [])
    for key in touched(held, needed, others):
        had, needs_now = held.get(key, 0), needed.get(key, 0)
        wanted = {dispute.id: (had, needs_now)} | _shared(key, max(0, had - needs_now), others)
        more = sum(now - before for before, now in wanted.values())
        balance = balances.get(key, Balance(0, 0))
        if more > balance.available:
            covered = needs_now - (more - balance.available)
            change.shortfalls.append(Shortfall(key.account_id, key.currency, needs_now, covered))
        if more != 0:
            change.movements.append(Movement(key, available=-more, held=more))
        change.holds.extend(
            Hold(HoldCause.DISPUTE, dispute_id, dispute.partner_id, key, now)
            for dispute_id, (before, now) in wanted.items()
            if now != before
        )
    return change


def _shared(key: BalanceKey, free: int, others: Iterable[OtherDispute]) -> dict[UUID, tuple[int, int]]:
    """What the other disputes held on one balance and hold from now on; ``free`` is what they may take over."""
    shared = {}
    for other in others:
        had, after = other.held.get(key, 0), other.after.get(key, 0)
        more = min(free, max(0, after - other.before.get(key, 0)))
        free -= more
        shared[other.id] = (had, had + more if more else min(had, after))
    return shared
