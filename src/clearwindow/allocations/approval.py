"""The second user's decision, and what it does to the allocation that waited for it. Protocol §4."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from clearwindow.allocations import events, partner_decision, rules, store, transitions
from clearwindow.allocations.models import Allocation, AllocationStatus, ApprovalOutcome, Parties, Refusal
from clearwindow.approvals import service as approvals
from clearwindow.approvals.models import ApprovalStatus
from clearwindow.identity.models import Member
from clearwindow.pauses import rules as pause_rules
from clearwindow.pauses import store as pauses
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Funding, Runtime


def decide(
    runtime: Runtime, member: Member, approval_id: UUID, decision: ApprovalStatus, notes: str | None
) -> ApprovalOutcome:
    """Decides a pending approval. Its allocation, if it has one, continues or is released in the same transaction.

    The partner is asked after the commit, as for an allocation that needs no approval.
    """
    outcome = _decide(runtime, member, approval_id, decision, notes)
    if outcome.allocation is None:
        return outcome
    allocation, _ = partner_decision.follow_up(runtime, outcome.allocation, leased=not outcome.replayed)
    return replace(outcome, allocation=allocation)


def _decide(
    runtime: Runtime, member: Member, approval_id: UUID, decision: ApprovalStatus, notes: str | None
) -> ApprovalOutcome:
    with runtime.transaction() as tx:
        approvals.require_decider(tx, member)
        decided = approvals.decide(tx, member, approval_id, decision, notes)
        approval = decided.approval
        if approval.allocation_id is None:
            return ApprovalOutcome(approval, None, decided.replayed)
        allocation = store.lock_allocation(tx, approval.allocation_id)
        if allocation is None:
            raise LookupError(f"the approval {approval.id} is about an allocation that does not exist")
        if not decided.replayed:
            allocation = _carry_out(tx, allocation, decision, runtime.funding)
        return ApprovalOutcome(approval, allocation, decided.replayed)


def _carry_out(tx: Transaction, waiting: Allocation, decision: ApprovalStatus, funding: Funding) -> Allocation:
    parties = transitions.parties_of(tx, waiting)
    if decision is ApprovalStatus.REJECTED:
        done = transitions.release(tx, rules.rejected(waiting), parties, funding, Refusal.APPROVAL_REJECTED)
    else:
        done = _continue(tx, rules.approved(waiting), parties, funding)
    if done.status is not AllocationStatus.RESERVED:
        events.record(tx, [done], parties)
    return done


def _continue(tx: Transaction, approved: Allocation, parties: Parties, funding: Funding) -> Allocation:
    """Asks the partner, or releases the funds if the client, partner or connection was deactivated meanwhile.

    Raises:
        UnprocessableError: something of the allocation is paused. It goes on waiting for its approval.
    """
    pause_rules.require_open(pauses.standing_for_allocation(tx, approved.id))
    stopped = rules.stopping(parties.client, parties.partner, parties.connection)
    if stopped is not None:
        return transitions.release(tx, approved, parties, funding, stopped)
    return partner_decision.proceed(tx, approved, parties, funding)
