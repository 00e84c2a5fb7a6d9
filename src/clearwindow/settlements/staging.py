"""Staging a settlement: the six effects of the endpoint, in one transaction. Protocol §5."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from clearwindow.core.errors import PermissionDeniedError, UnprocessableError
from clearwindow.events.models import EventType
from clearwindow.identity import audit
from clearwindow.identity.models import Member
from clearwindow.ledger import store as ledger
from clearwindow.ledger.models import Entry, EntryKind, Shortfall
from clearwindow.network import parties
from clearwindow.network.models import Partner
from clearwindow.postgres.asking import Later
from clearwindow.postgres.paging import Slice
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.settlements import events, funding, intake, rules, store
from clearwindow.settlements.disputes import store as disputes
from clearwindow.settlements.disputes import views as dispute_views
from clearwindow.settlements.disputes.models import AssignedClosure, DisputeDetail, DisputeFilter
from clearwindow.settlements.models import Instruction, Method, Settlement, SettlementState
from clearwindow.settlements.transfers import store as transfers
from clearwindow.signing.models import SignedRequest


@dataclass(frozen=True, slots=True)
class StagedAnswer:
    """The answer's JSON text, whether it repeats an earlier answer, and warnings about the accepted request."""

    body: str
    replayed: bool
    warnings: Sequence[str] = ()


Render = Callable[[Settlement, Sequence[DisputeDetail]], str]
"""Returns the answer's JSON text from a new settlement and the disputes that it settles."""


def stage_settlement(
    runtime: Runtime, member: Member, instruction: Instruction, signed: SignedRequest, render: Render
) -> StagedAnswer:
    """Creates the settlement with its transfers, assigns closed disputes, holds the liabilities and notifies.

    The answer is stored in the same transaction, so that a repeat gets the same bytes.

    Raises:
        PermissionDeniedError: the caller is no active partner with a dispute window.
        InvalidRequestError: an amount cannot be a transfer, or the payload differs from the body.
        NotAuthenticatedError: the signature is not the partner's.
        ConflictError: the externalId or the nonce belongs to another request.
        UnprocessableError: liabilities exceed what connections have, or something is paused. Then nothing is
            written.
    """
    request = intake.read(runtime, member, METHOD, instruction, signed)
    with runtime.transaction() as tx:
        rules.require_cutoff(instruction.cutoff_at, tx.now())
        received = intake.receive(tx, request)
        if isinstance(received, intake.Repeated):
            return _repeat(tx, member, received)
        partner = received.partner
        draft = intake.draft(tx, request, received, tx.new_id())
        warnings = rules.cutoff_warnings(instruction.cutoff_at, received.last_cutoff)
        settlement = replace(_with_windows(draft, partner, instruction), warnings=warnings)
        taken = received.closures
        with tx.together():
            accepted = intake.accept(tx, request, received, settlement)
            if taken:
                # A paused client of a closure makes the settlement wait, and refuses none: this comes before it.
                accepted()
            _take_closures(tx, settlement, taken)
            short = _hold(tx, settlement, taken)
            events.notify_all(tx, EventType.SETTLEMENT_INITIATED, partner, settlement, warnings=warnings)
            details = {"externalId": instruction.external_id, "amounts": request.amount_count}
            audit.record(tx, member, "settlement.stage", settlement.id, **details)
            answer = render(settlement, settling_disputes(tx, taken))
            stored = store.set_staged_answer(tx, settlement.id, answer)
        if not taken:
            accepted()
        if uncovered := short():
            raise funding.not_covered(tx, partner, uncovered)
        stored()
        return StagedAnswer(answer, replayed=False, warnings=warnings)


def require_partner(runtime: Runtime, member: Member) -> Partner:
    """Requires that the caller is a partner, before it gets a text to sign."""
    with runtime.transaction() as tx:
        return parties.require_partner(tx, member.enterprise_id)


def allowed_to_stage(partner: Partner) -> Partner:
    """Returns the partner if it may stage settlements.

    Raises:
        PermissionDeniedError: it is inactive, or has no dispute window.
    """
    if not partner.active:
        raise PermissionDeniedError("partner_inactive", "the partner is inactive: ask the operator")
    if partner.client_dispute_window_minutes is None:
        raise PermissionDeniedError(
            "disputes_not_enabled", "the partner has no dispute window configured: use version 1 of this endpoint"
        )
    return partner


METHOD: Final = Method(allowed_to_stage, SettlementState.DISPUTE_WINDOW, stopped_by=UnprocessableError)


def _repeat(tx: Transaction, member: Member, received: intake.Repeated) -> StagedAnswer:
    answer, warnings = received.settlement.staged_answer, received.settlement.warnings
    if not received.may_act:
        return StagedAnswer(answer, replayed=True, warnings=warnings)
    pending = retry(tx, received.settlement)
    audit.record(tx, member, "settlement.retry", pending.id)
    return StagedAnswer(rules.answer_after_retry(answer, pending.updated_at), replayed=True, warnings=warnings)


def retry(tx: Transaction, settlement: Settlement) -> Settlement:
    """Makes a failed settlement pending and due at once. Older failed ones of the partner are tried before it."""
    due_at = tx.now()
    pending = store.change_state(tx, settlement, SettlementState.TOP_UP_WINDOW, due_at=due_at)
    store.wake_waiting(tx, [settlement.partner_id], due_at)
    return pending


def _with_windows(draft: Settlement, partner: Partner, instruction: Instruction) -> Settlement:
    if partner.client_dispute_window_minutes is None:
        raise AssertionError("a partner without a dispute window stages no settlement")
    ends = rules.deadlines(draft.created_at, partner.client_dispute_window_minutes, partner.top_up_window_minutes)
    return replace(
        draft,
        cutoff_at=instruction.cutoff_at,
        dispute_deadline_at=ends.dispute_deadline_at,
        top_up_deadline_at=ends.top_up_deadline_at,
        execute_when_funded=partner.execute_when_funded,
        due_at=ends.dispute_deadline_at,
    )


def _take_closures(tx: Transaction, settlement: Settlement, taken: Sequence[AssignedClosure]) -> None:
    if taken:
        disputes.assign_closures(tx, settlement.id, taken)
        closure_ids = [closure.closure_id for closure in taken]
        transfers.insert_parties_of_closures(
            tx,
            settlement_id=settlement.id,
            partner_id=settlement.partner_id,
            dispute_deadline_at=settlement.dispute_deadline_at,
            connection_ids=sorted({closure.connection_id for closure in taken}),
            closure_ids=closure_ids,
        )
        transfers.assign_closure_transfers(tx, settlement.id, closure_ids)


def _hold(tx: Transaction, settlement: Settlement, taken: Sequence[AssignedClosure]) -> Later[list[Shortfall]]:
    entry = Entry(tx.new_id(), EntryKind.SETTLEMENT_HELD, settlement.id, settlement.partner_id)
    return ledger.hold_liabilities(
        tx, entry, transfers.liabilities(settlement.id), [closure.dispute_id for closure in taken]
    )


def settling_disputes(tx: Transaction, taken: Sequence[AssignedClosure]) -> list[DisputeDetail]:
    """Returns the disputes of the closures that a settlement takes."""
    if not taken:
        return []
    dispute_ids = [closure.dispute_id for closure in taken]
    return dispute_views.describe(tx, DisputeFilter(dispute_ids=dispute_ids, part=Slice.of(len(taken)))).items
