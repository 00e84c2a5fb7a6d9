"""When a dispute may be raised, retracted, closed and reviewed, and what it holds. Protocol §6."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from clearwindow.core.clock import wire_time
from clearwindow.core.errors import ConflictError, InvalidRequestError, PermissionDeniedError, UnprocessableError
from clearwindow.core.money import canonical_currency
from clearwindow.identity.models import Hands
from clearwindow.identity.rules import share_hands
from clearwindow.ledger.models import Balance, BalanceKey, Balances, Hold, HoldCause, Movement, Shortfall
from clearwindow.settlements.disputes.models import ClosedBy, Closure, ClosureStatus, Dispute, RaisedWith
from clearwindow.settlements.transfers.models import Objections, Party, Quantity
from clearwindow.signing import repeats

CLOSURE_TRANSITIONS: Final[dict[ClosureStatus, frozenset[ClosureStatus]]] = {
    ClosureStatus.PENDING_REVIEW: frozenset({ClosureStatus.APPROVED, ClosureStatus.REJECTED}),
    ClosureStatus.APPROVED: frozenset(),
    ClosureStatus.REJECTED: frozenset(),
}

_WHERE: Final = {"custody": "in custody", "connection": "on the connection"}


@dataclass(frozen=True, slots=True)
class Paying:
    """The base units of one currency that may pay an adjustment, available and held.

    A partner pays in what it owes when its settlement runs, so that its present balance is no limit. It cannot pay
    in more than there is in custody.
    """

    custody: int
    connection: int


def canonical_amounts(amounts: Mapping[str, str], known: Iterable[str]) -> dict[str, int]:
    """Returns the amounts by our own currency names.

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


def require_not_rejected(*, rejected: bool) -> None:
    if rejected:
        raise UnprocessableError(
            "settlement_rejected",
            "the settlement was rejected or withdrawn and none of its own transfers runs: nothing is left to"
            " dispute or close",
        )


def require_carriable(adjusted: Mapping[str, int], own: Mapping[str, int], paying: Mapping[str, Paying]) -> None:
    """Requires that somebody could pay each adjusted amount.

    The client pays out of its connection, the partner out of what there is in custody. ``own`` is how much of each
    currency the settlement's own transfers move; it is added to both.
    """
    beyond = []
    for currency, quantity in sorted(adjusted.items()):
        pays = paying[currency].custody if quantity > 0 else paying[currency].connection
        moves = own.get(currency, 0)
        if abs(quantity) > pays + moves:
            beyond.append(
                {
                    "currency": currency,
                    "adjusted": str(quantity),
                    "account": "custody" if quantity > 0 else "connection",
                    "balance": str(pays),
                    "settlementAmounts": str(moves),
                }
            )
    if beyond:
        first = beyond[0]
        where = _WHERE[first["account"]]
        raise UnprocessableError(
            "adjustment_out_of_reach",
            f"{first['currency']}: {first['adjusted']} is more than there is {where} ({first['balance']})"
            f" and the settlement moves ({first['settlementAmounts']}) together: give a smaller amount",
            {"adjustments": beyond},
        )


def require_cancellable(closure: Closure, dispute: Dispute, *, ran: bool) -> None:
    """Requires a closure that a settlement has taken and not carried out."""
    if dispute.settled_in_settlement_id is None:
        raise ConflictError(
            "closure_not_taken",
            f"the closure is {closure.status} and no settlement has taken it: there is nothing to cancel",
        )
    if ran:
        raise ConflictError(
            "closure_settled", f"the settlement {dispute.settled_in_settlement_id} has carried out the closure"
        )


def as_texts(amounts: Mapping[str, int]) -> dict[str, str]:
    return {currency: str(quantity) for currency, quantity in amounts.items()}


def differing_fields(first: RaisedWith, asked: RaisedWith) -> list[str]:
    """Returns the fields in which a request differs from the one that raised the dispute. Empty: it is the same."""
    differing = {
        "reason": first.reason != asked.reason,
        "expectedTransfers": first.expected_transfers != asked.expected_transfers,
    }
    return [name for name, differs in differing.items() if differs]


def require_same_request(dispute: Dispute, first: RaisedWith | None, asked: RaisedWith) -> None:
    """Requires that a second request for a dispute on the connection is the first one, signed anew.

    ``first`` is None if only bytes can be compared, and they differ.

    Raises:
        ConflictError: it differs.
    """
    fields = [] if first is None else differing_fields(first, asked)
    if first is None or fields:
        raise ConflictError("dispute_exists", *repeats.differs("connectionId", "dispute", dispute.id, fields))


def require_same_closing(standing: Closure, notes: str) -> None:
    """Requires that a second request of the client to close the dispute is the first one, signed anew.

    Raises:
        ConflictError: it differs, or an operator made the standing closure.
    """
    if standing.closed_by is not ClosedBy.CLIENT:
        raise _closed(standing)
    if standing.notes != notes:
        raise ConflictError("dispute_closed", *repeats.differs("disputeId", "closure", standing.id, ["notes"]))


def _closed(standing: Closure) -> ConflictError:
    return ConflictError(
        "dispute_closed", f"the dispute already has the closure {standing.id}, which is {standing.status}"
    )


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
            "the settlement only settles closed disputes on this connection: these cannot be disputed again",
        )


def require_change(dispute: Dispute, *, retracted: bool, has_new_expectation: bool) -> None:
    if dispute.retracted == retracted and (retracted or not has_new_expectation):
        state = "retracted" if retracted else "not retracted"
        raise ConflictError("dispute_unchanged", f"the dispute is {state} already")


def require_closable(dispute: Dispute, party: Party, standing: Closure | None, now: datetime) -> None:
    """Requires a dispute that is not retracted, has no closure yet, and whose window has ended."""
    if dispute.retracted:
        raise ConflictError("dispute_retracted", "the dispute is retracted: there is nothing to close")
    if standing is not None:
        raise _closed(standing)
    if now < party.dispute_deadline_at:
        raise ConflictError(
            "dispute_window_open",
            f"the dispute window is open until {wire_time(party.dispute_deadline_at)}: retract the dispute instead",
        )
    if not party.disputed:
        raise ConflictError(
            "settlement_finalising",
            "the dispute window has just ended and the settlement is being finalised: try again in a few seconds",
        )


def require_reviewable(
    closure: Closure, client_hands: Collection[UUID], reviewer: Hands, decision: ClosureStatus
) -> None:
    """Checks that the reviewer may make this decision: another person than the one who made the closure.

    Raises:
        ConflictError: it is reviewed already.
        PermissionDeniedError: the reviewer made it, as an operator or as the client, under whatever name.
    """
    if decision not in CLOSURE_TRANSITIONS[closure.status]:
        raise ConflictError("closure_reviewed", f"the closure is {closure.status} already")
    if closure.closed_by is ClosedBy.OPERATOR and share_hands(
        Hands(UUID(closure.user_id), closure.token_made_by), reviewer
    ):
        raise PermissionDeniedError(
            "four_eyes", "an operator cannot review its own closure: another operator must review it"
        )
    if not {reviewer.operator_id, reviewer.token_made_by}.isdisjoint(client_hands):
        raise PermissionDeniedError(
            "four_eyes",
            "you made a token with which the client acted on this dispute: another operator must review",
        )


def beyond_claim(adjusted: Mapping[str, int], claimed: Mapping[str, str]) -> list[str]:
    """Returns the currencies in which a closure gives the client more than it has claimed."""
    return sorted(name for name, quantity in adjusted.items() if quantity > int(claimed.get(name, 0)))


def require_written_reason(beyond: Collection[str], notes: str) -> None:
    """Requires words from an operator who gives a client more than it has claimed.

    Raises:
        InvalidRequestError: the notes say nothing.
    """
    if beyond and not any(character.isalnum() for character in notes):
        raise InvalidRequestError(
            "reason_missing",
            f"notes: must say why the client gets more {', '.join(beyond)} than it has claimed",
            {"currencies": list(beyond)},
        )


@dataclass(frozen=True, slots=True)
class Closing:
    """Who closes a dispute, and how. ``adjusted``: base units by our currency names, + the client receives."""

    closed_by: ClosedBy
    user_id: str
    notes: str
    adjusted: Mapping[str, int]
    request_sha256: bytes
    token_made_by: UUID | None = None
    claimed: dict[str, str] | None = None


def new_closure(closure_id: UUID, dispute: Dispute, closing: Closing, now: datetime) -> Closure:
    """Returns a closure that waits for its review."""
    return Closure(
        id=closure_id,
        partner_id=dispute.partner_id,
        dispute_id=dispute.id,
        status=ClosureStatus.PENDING_REVIEW,
        closed_by=closing.closed_by,
        user_id=closing.user_id,
        notes=closing.notes,
        adjusted_transfers={currency: str(quantity) for currency, quantity in closing.adjusted.items()},
        request_sha256=closing.request_sha256,
        reviewed_by=None,
        review_notes=None,
        reviewed_at=None,
        created_at=now,
        updated_at=now,
        token_made_by=closing.token_made_by,
        claimed_transfers=closing.claimed,
    )


Holds = Mapping[BalanceKey, int]


@dataclass(frozen=True, slots=True)
class OtherDispute:
    """Another standing dispute of the same settlement.

    ``before`` and ``after`` are what the transfers that it stops would take, before and after the approval. It is
    more if both disputes stopped a transfer, which this one now stops alone. It is less if the adjustment replaces
    such a transfer.
    """

    id: UUID
    held: Holds
    before: Holds
    after: Holds

    def changes(self) -> set[BalanceKey]:
        """Returns the balances on which the approval changes what this dispute stops."""
        return {key for key in {*self.before, *self.after} if self.before.get(key, 0) != self.after.get(key, 0)}


def sums(quantities: Iterable[Quantity]) -> dict[str, int]:
    """Returns what a connection gains or loses in all, by currency."""
    found: dict[str, int] = {}
    for given in quantities:
        found[given.currency] = found.get(given.currency, 0) + given.quantity
    return {currency: quantity for currency, quantity in sorted(found.items()) if quantity != 0}


def with_partner(adjusted: Mapping[str, str]) -> list[Quantity]:
    """Returns an operator's adjustment as quantities with the partner: it names no counterparty."""
    return [Quantity(None, None, currency, int(quantity)) for currency, quantity in adjusted.items()]


def running(quantities: Iterable[Quantity], objections: Objections) -> list[Quantity]:
    """Returns the original quantities of a disputed connection that run once its own dispute is closed.

    ``objections`` are the other disputes. What a counterparty disputes too runs with the last of the two closures.
    What an operator's adjustment has replaced never runs.
    """
    kept_back = {*objections.standing.values(), *objections.upheld}
    return [given for given in quantities if given.counterparty_connection_id not in kept_back]


def needs(account_id: UUID, quantities: Iterable[Quantity]) -> dict[BalanceKey, int]:
    """Returns what the transfers of a closure take from each balance, 0 if they take nothing."""
    sums: dict[BalanceKey, int] = {}
    for given in quantities:
        own = BalanceKey(account_id, given.currency)
        sums[own] = sums.get(own, 0) + given.quantity
        if given.counterparty_account_id is not None:
            theirs = BalanceKey(given.counterparty_account_id, given.currency)
            sums[theirs] = sums.get(theirs, 0) - given.quantity
    return {key: max(0, -quantity) for key, quantity in sums.items()}


@dataclass(frozen=True, slots=True)
class HoldChange:
    """What makes a dispute's holds equal to what its adjusted transfers need."""

    movements: list[Movement]
    holds: list[Hold]
    shortfalls: list[Shortfall]


def touched(held: Holds, needed: Holds, others: Iterable[OtherDispute]) -> list[BalanceKey]:
    """Returns the balances that approving a closure may change, in the order of locking."""
    return sorted({*held, *needed}.union(*(other.changes() for other in others)))


def adjust_holds(
    dispute: Dispute, held: Holds, needed: Holds, others: Sequence[OtherDispute], balances: Balances
) -> HoldChange:
    """Returns the change after which the dispute holds exactly the losses of its adjusted transfers.

    The rest becomes available, or goes to other disputes for the transfers that only they stop from now on. A loss
    beyond what the dispute holds comes from the available balance. If that does not cover it, the change has
    shortfalls and must not be written.
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
    """Returns what each other dispute held and will hold on one balance. ``free`` is what they may take over."""
    shared = {}
    for other in others:
        had, after = other.held.get(key, 0), other.after.get(key, 0)
        more = min(free, max(0, after - other.before.get(key, 0)))
        free -= more
        shared[other.id] = (had, had + more if more else min(had, after))
    return shared
