"""Settling at once, for partners without a dispute window: version 1 of the endpoint. Protocol §5.

The settlement, its transfers and their execution are one transaction. If something does not cover its part, the
settlement is recorded as failed and holds nothing. The same request again, or an operator, tries it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from clearwindow.core.errors import PermissionDeniedError
from clearwindow.events.models import EventType
from clearwindow.identity import audit
from clearwindow.identity.models import Member
from clearwindow.ledger import store as ledger
from clearwindow.ledger.models import Entry, EntryKind
from clearwindow.network.models import Partner
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.settlements import events, funding, intake, rules, store
from clearwindow.settlements.models import FundingGap, Instruction, Method, Settlement, SettlementState
from clearwindow.settlements.transfers import store as transfers
from clearwindow.signing.models import SignedRequest

_NOT_TRIED = "not tried yet"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The settlement as it is now and, if it failed, what it lacks."""

    settlement: Settlement
    connection_shortfalls: Sequence[dict[str, str]] = field(default=())
    partner_gaps: Sequence[FundingGap] = field(default=())
    replayed: bool = False
    warnings: Sequence[str] = ()


def settle_at_once(runtime: Runtime, member: Member, instruction: Instruction, signed: SignedRequest) -> Outcome:
    """Creates the settlement with its transfers and executes all of them, or records that it failed.

    Raises:
        PermissionDeniedError: the caller is no active partner, or a partner with a dispute window.
        InvalidRequestError: an amount cannot be a transfer, or the payload differs from the body.
        NotAuthenticatedError: the signature is not the partner's.
        ConflictError: the externalId or the nonce belongs to another request.
    """
    request = intake.read(runtime, member, _METHOD, instruction, signed)
    with runtime.transaction() as tx:
        rules.require_cutoff(instruction.cutoff_at, tx.now())
        received = intake.receive(tx, request)
        if isinstance(received, intake.Repeated):
            return _repeat(tx, member, received)
        partner = received.partner
        draft = intake.draft(tx, request, received, tx.new_id())
        warnings = rules.cutoff_warnings(instruction.cutoff_at, received.last_cutoff)
        settlement = replace(draft, cutoff_at=instruction.cutoff_at, reason=_NOT_TRIED, warnings=warnings)
        with tx.together():
            accepted = intake.accept(tx, request, received, settlement)
        accepted()
        outcome = replace(attempt(tx, partner, settlement, warnings), warnings=warnings)
        if outcome.settlement.state is SettlementState.FAILED:
            _notify_failed(tx, partner, outcome)
        details = {
            "externalId": instruction.external_id,
            "amounts": request.amount_count,
            "status": outcome.settlement.state.value,
        }
        audit.record(tx, member, "settlement.settle", settlement.id, **details)
        return outcome


def attempt(tx: Transaction, partner: Partner, settlement: Settlement, warnings: Sequence[str] = ()) -> Outcome:
    """Executes a failed immediate settlement, or keeps it failed and returns what it lacks.

    The caller has locked the partner and the settlement.
    """
    run = transfers.run(tx, settlement.id)
    change = funding.seen_by_partner(run.net)
    gaps = funding.gaps(tx, partner, change)
    short = ledger.uncovered_losses(tx, run.moves)
    if gaps or short:
        listed = funding.connection_shortfalls(tx, partner, short) if short else []
        reason = rules.not_covered_reason(funding.in_words(listed) if listed else None, gaps)
        return Outcome(store.keep_failed(tx, settlement, reason), listed, gaps)
    entry = Entry(tx.new_id(), EntryKind.SETTLEMENT_EXECUTED, settlement.id, partner.id)
    ledger.settle_run(tx, entry, run.moves, None, partner.go_account_id, change)
    done = store.change_state(tx, settlement, SettlementState.COMPLETED, due_at=None, finalized_at=tx.now())
    kind = EventType.SETTLEMENT_COMPLETED
    events.notify_all(tx, kind, partner, done, balances_changed=True, warnings=warnings)
    if any(quantity > 0 for quantity in change.values()):
        funding.wake_waiting(tx, [partner.id])
    return Outcome(done)


def _without_disputes(partner: Partner) -> Partner:
    if not partner.active:
        raise PermissionDeniedError("partner_inactive", "the partner is inactive: ask the operator")
    if partner.client_dispute_window_minutes is not None:
        raise PermissionDeniedError(
            "disputes_enabled",
            "the partner has a dispute window: use version 2 of this endpoint",
        )
    return partner


# A retry starts from a failed settlement. The first attempt does too, so that both execute in the same way.
_METHOD: Final = Method(_without_disputes, SettlementState.FAILED, immediate=True)


def _repeat(tx: Transaction, member: Member, received: intake.Repeated) -> Outcome:
    if not received.may_act:
        return Outcome(received.settlement, replayed=True, warnings=received.settlement.warnings)
    outcome = attempt(tx, received.partner, received.settlement)
    audit.record(tx, member, "settlement.retry", outcome.settlement.id, status=outcome.settlement.state.value)
    return replace(outcome, warnings=received.settlement.warnings)


def _notify_failed(tx: Transaction, partner: Partner, outcome: Outcome) -> None:
    kind = EventType.SETTLEMENT_FAILED
    events.notify_all(tx, kind, partner, outcome.settlement, warnings=outcome.warnings)
    if outcome.partner_gaps:
        kind = EventType.SETTLEMENT_TOP_UP_REQUIRED
        events.notify_partner(tx, kind, partner, outcome.settlement, outcome.partner_gaps)
