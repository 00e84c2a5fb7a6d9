"""The second user's decision, and how an allocation that waited for it goes on. Protocol §4."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from clearwindow.access.values import Member
from clearwindow.allocations import asking, rules, settling, store, tellings
from clearwindow.allocations import parties as between
from clearwindow.allocations.parties import Parties
from clearwindow.allocations.values import Allocation, AllocationStatus, Refusal
from clearwindow.approvals import service as approvals
from clearwindow.approvals.values import Approval, ApprovalStatus
from clearwindow.database.pool import Transaction
from clearwindow.network import service as network
from clearwindow.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Approved:
    """The approval as decided, and the allocation that it was about, if it was about one."""

    approval: Approval
    allocation: Allocation | None
    replayed: bool


def decide(
    runtime: Runtime, member: Member, approval_id: UUID, decision: ApprovalStatus, notes: str | None
) -> Approved:
    """Decides what waits for the enterprise's second user; an allocation goes on, or is released, with it.

    The partner is asked after the commit, as it is where nothing had to be approved.
    """
    outcome = _decide(runtime, member, approval_id, decision, notes)
    if outcome.allocation is None:
        return outcome
    return replace(outcome, allocation=asking.follow_up(runtime, outcome.allocation, leased=not outcome.replayed))


def _decide(
    runtime: Runtime, member: Member, approval_id: UUID, decision: ApprovalStatus, notes: str | None
) -> Approved:
    with runtime.transaction() as tx:
        network.require_client(tx, member.enterprise_id)
        decided = approvals.decide(tx, member, approval_id, decision, notes)
        approval = decided.approval
        if approval.allocation_id is None:
            return Approved(approval, None, decided.replayed)
        allocation = store.lock_allocation(tx, approval.allocation_id)
        if allocation is None:
            raise LookupError(f"the approval {approval.id} is about an allocation that does not exist")
        if not decided.replayed:
            allocation = _go_on(tx, runtime, allocation, decision)
        return Approved(approval, allocation, decided.replayed)


def _go_on(tx: Transaction, runtime: Runtime, waited: Allocation, decision: ApprovalStatus) -> Allocation:
    parties = between.of_allocation(tx, waited)
    if decision is ApprovalStatus.REJECTED:
        done = settling.release(tx, runtime, rules.rejected(waited), parties, Refusal.APPROVAL_REJECTED)
    else:
        done = _approved(tx, runtime, rules.approved(waited), parties)
    if done.status is not AllocationStatus.RESERVED:
        tellings.tell(tx, [done], parties.client, parties.partner, parties.currencies)
    return done


def _approved(tx: Transaction, runtime: Runtime, reserved: Allocation, parties: Parties) -> Allocation:
    """On as if there had been no policy, unless new business was stopped while it waited."""
    stopped = rules.stopping(parties.client, parties.partner, parties.connection)
    if stopped is not None:
        return settling.release(tx, runtime, reserved, parties, stopped)
    return asking.proceed(tx, runtime, reserved, parties)
