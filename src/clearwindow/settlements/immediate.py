"""Settling at once, for partners without a dispute window: version 1 of the wire. Protocol §5.

The settlement, its transfers and their execution are one transaction. What is short is recorded as a failed
settlement, which holds nothing and waits for nobody: the same request again, or an operator, tries it once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from clearwindow.access.values import Member
from clearwindow.accounts import batches
from clearwindow.accounts.values import Entry, EntryKind
from clearwindow.audit import service as audit
from clearwindow.database.pool import Transaction
from clearwindow.errors import PermissionDeniedError
from clearwindow.network.values import Partner
from clearwindow.notices.values import EventType
from clearwindow.runtime import Runtime
from clearwindow.settlements import amounts, funding, notifying, receiving, rules, shortfalls, store, wire
from clearwindow.settlements.values import FundingGap, Settlement, SettlementState
from clearwindow.signing.values import SignedRequest
from clearwindow.transfers import service as transfers
from clearwindow.transfers.values import NO_OBJECTIONS

_NOT_TRIED = "not tried yet"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The settlement as it stands now; what it is short of while it is failed."""

    settlement: Settlement
    connection_shortfalls: Sequence[dict[str, str]] = field(default=())
    partner_gaps: Sequence[FundingGap] = field(default=())
    replayed: bool = False


def settle_at_once(
    runtime: Runtime, member: Member, body: wire.SettleAtOnceRequest, signed: SignedRequest
) -> Outcome:
    """Creates the settlement with its transfers and executes all of them, or records that it failed.

    Raises:
        PermissionDeniedError: no active partner, or one with a dispute window.
        InvalidRequestError: an entry that cannot be a transfer, or a payload that says something else.
        NotAuthenticatedError: the signature is not the partner's.
        ConflictError: the externalId or the nonce belongs to another request.
    """
    count = amounts.require_within_limits(body.settlement_amounts, runtime.limits)
    with runtime.transaction() as tx:
        received = receiving.receive(tx, member, _WAY, body, signed, count)
        partner = received.partner
        if received.existing is not None:
            return _repeat(runtime, tx, member, partner, received.existing)
        draft = receiving.draft(runtime, tx, member, _WAY, body, signed, partner)
        settlement = replace(draft, cutoff_at=body.cutoff_at, reason=_NOT_TRIED)
        receiving.insert(tx, settlement, received.staged)
        outcome = attempt(runtime, tx, partner, settlement)
        if outcome.settlement.state is SettlementState.FAILED:
            _notify_failed(tx, partner, outcome)
        details = {"externalId": body.external_id, "amounts": count, "status": outcome.settlement.state.value}
        audit.record(tx, member, "settlement.settle", settlement.id, **details)
        return outcome


def attempt(runtime: Runtime, tx: Transaction, partner: Partner, settlement: Settlement) -> Outcome:
    """Executes a failed immediate settlement, or leaves it failed and says what it is short of.

    The caller holds the partner's lock and the settlement's.
    """
    change = funding.seen_by_partner(transfers.compute_run(tx, settlement.id, NO_OBJECTIONS))
    gaps = funding.gaps(tx, partner, change)
    short = batches.uncovered_losses(tx)
    if gaps or short:
        listed = shortfalls.of_connections(tx, partner, short) if short else []
        reason = rules.not_covered_reason(shortfalls.in_words(listed) if listed else None, gaps)
        return Outcome(store.keep_failed(tx, settlement, reason), listed, gaps)
    entry = Entry(runtime.ids.new(), EntryKind.SETTLEMENT_EXECUTED, settlement.id, partner.id)
    batches.settle_run(tx, entry, partner.go_account_id, {name: by for name, by in change.items() if by != 0})
    done = store.change_state(tx, settlement, SettlementState.COMPLETED, due_at=None, finalized_at=tx.now())
    notifying.notify_all(tx, EventType.SETTLEMENT_COMPLETED, partner, done, balances_changed=True)
    if any(quantity > 0 for quantity in change.values()):
        funding.wake_waiting(tx, [partner.id])
    return Outcome(done)


def _without_disputes(partner: Partner) -> Partner:
    if not partner.active:
        raise PermissionDeniedError("partner_inactive", "the partner is inactive: ask the operator")
    if partner.client_dispute_window_minutes is not None:
        raise PermissionDeniedError(
            "disputes_enabled",
            "the partner has a dispute window, so that its clients may object: use version 2 of this endpoint",
        )
    return partner


# It begins as what every retry begins as, so that there is one way to execute it.
_WAY: Final = receiving.Way(_without_disputes, SettlementState.FAILED, immediate=True)


def _repeat(runtime: Runtime, tx: Transaction, member: Member, partner: Partner, existing: Settlement) -> Outcome:
    settlement = store.lock(tx, existing.id)
    if settlement is None:
        raise LookupError("a settlement is never deleted")
    if settlement.state is not SettlementState.FAILED:
        return Outcome(settlement, replayed=True)
    outcome = attempt(runtime, tx, partner, settlement)
    audit.record(tx, member, "settlement.retry", settlement.id, status=outcome.settlement.state.value)
    return outcome


def _notify_failed(tx: Transaction, partner: Partner, outcome: Outcome) -> None:
    notifying.notify_all(tx, EventType.SETTLEMENT_FAILED, partner, outcome.settlement)
    if outcome.partner_gaps:
        kind = EventType.SETTLEMENT_TOP_UP_REQUIRED
        notifying.notify_partner(tx, kind, partner, outcome.settlement, outcome.partner_gaps)
