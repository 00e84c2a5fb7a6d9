"""What waits for a second user of the same enterprise: opened, decided and read back.

``request`` and ``decide`` work in their caller's transaction; what becomes of the allocation is the
allocations' own business.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from clearwindow.access import service as access
from clearwindow.access.values import Member
from clearwindow.approvals import rules, store, tellings
from clearwindow.approvals.values import Approval, ApprovalFilter, ApprovalKind, ApprovalStatus, Decided, Wish
from clearwindow.audit import service as audit
from clearwindow.database.listing import Listing
from clearwindow.database.pool import Transaction
from clearwindow.errors import NotFoundError
from clearwindow.network import service as network
from clearwindow.notices.values import EventType
from clearwindow.runtime import Runtime


def threshold_of(tx: Transaction, enterprise_id: str, currency: str) -> int | None:
    """Above which quantity the enterprise's allocations of this currency need a second user; None for never."""
    return store.thresholds(tx, enterprise_id).get(currency)


def request(tx: Transaction, member: Member, approval_id: UUID, wish: Wish) -> Approval:
    """Lets the wish wait for another user than the member."""
    approval = rules.requested(approval_id, wish, member.enterprise_id, member.user_id, tx.now())
    store.insert_approval(tx, approval)
    tellings.tell(tx, EventType.APPROVAL_REQUESTED, approval)
    evidence = {
        "kind": str(wish.kind),
        "currency": wish.currency,
        "quantity": None if wish.quantity is None else str(wish.quantity),
        "threshold": str(wish.threshold),
        "allocationId": None if wish.allocation_id is None else str(wish.allocation_id),
    }
    audit.record(tx, member, "approval.requested", approval.id, **evidence)
    return approval


def decide(
    tx: Transaction, member: Member, approval_id: UUID, decision: ApprovalStatus, notes: str | None
) -> Decided:
    """Decides once, under a lock, so that of two users who decide at once one is told of the other.

    Raises:
        NotFoundError: the enterprise has no such approval.
        PermissionDeniedError: the member asked for it, and would approve it.
        ConflictError: it is decided already, or a threshold has changed since.
    """
    approval = _of_member(tx, member, approval_id)
    if approval.kind is ApprovalKind.THRESHOLD:
        # In the order of changing thresholds: the enterprise, then what waits.
        access.lock_enterprise(tx, member.enterprise_id)
    approval = store.lock_approval(tx, approval.id)
    if rules.is_repeat(approval, member.user_id, decision, notes):
        return Decided(approval, replayed=True)
    rules.require_decidable(approval, member.user_id, decision)
    now = tx.now()
    decided = replace(
        approval, status=decision, decided_by=member.user_id, decided_at=now, notes=notes, updated_at=now
    )
    store.decide(tx, decided)
    if decided.kind is ApprovalKind.THRESHOLD and decision is ApprovalStatus.APPROVED:
        _put_threshold(tx, member, decided)
    tellings.tell(tx, EventType(f"approval.{decision}"), decided)
    evidence = {"kind": str(decided.kind), "notes": notes, "initiatedBy": decided.initiated_by}
    audit.record(tx, member, f"approval.{decision}", decided.id, **evidence)
    return Decided(decided, replayed=False)


def approval_of(runtime: Runtime, member: Member, approval_id: UUID) -> Approval:
    with runtime.transaction() as tx:
        network.require_client(tx, member.enterprise_id)
        return _of_member(tx, member, approval_id)


def approvals_of(
    runtime: Runtime, member: Member, wanted: ApprovalFilter, *, limit: int, offset: int
) -> Listing[Approval]:
    with runtime.transaction() as tx:
        network.require_client(tx, member.enterprise_id)
        own = replace(wanted, enterprise_id=member.enterprise_id)
        return store.list_approvals(tx, own, limit=limit, offset=offset)


def _of_member(tx: Transaction, member: Member, approval_id: UUID) -> Approval:
    """The same answer for another's approval as for none."""
    approval = store.find_approval(tx, approval_id)
    if approval is None or approval.enterprise_id != member.enterprise_id:
        raise NotFoundError("approval_unknown", "the enterprise has no pending approval with this id")
    return approval


def _put_threshold(tx: Transaction, member: Member, approved: Approval) -> None:
    rules.require_unchanged(approved, store.thresholds(tx, member.enterprise_id).get(approved.currency))
    if approved.quantity is None:
        store.drop_threshold(tx, member.enterprise_id, approved.currency)
    else:
        store.put_thresholds(tx, member.enterprise_id, member.user_id, {approved.currency: approved.quantity})
