"""Approvals by a second user of the same enterprise, and the thresholds above which allocations need one.

``request`` and ``decide`` work in the caller's transaction. ``allocations.approval`` carries the decision about an
allocation out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

from clearwindow.approvals import events, rules, store
from clearwindow.approvals.models import (
    Approval,
    ApprovalFilter,
    ApprovalKind,
    ApprovalStatus,
    Change,
    Changed,
    Decided,
    RequestedApproval,
)
from clearwindow.core.errors import InvalidRequestError, NotFoundError
from clearwindow.core.ids import NIL
from clearwindow.core.money import canonical_currency
from clearwindow.core.text import quoted
from clearwindow.custody import changes as signed_changes
from clearwindow.custody import store as custody
from clearwindow.events.models import EventType
from clearwindow.identity import audit, enterprises
from clearwindow.identity.models import Member
from clearwindow.identity.programs import require_person
from clearwindow.network import parties
from clearwindow.network import store as network
from clearwindow.postgres.paging import Listing, Slice
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.signing.models import SignedRequest


def threshold_of(tx: Transaction, enterprise_id: str, kind: ApprovalKind, currency: str) -> int | None:
    """Returns the threshold of the currency in base units, or None if the enterprise has none."""
    return store.thresholds(tx, enterprise_id, kind).get(currency)


def request(tx: Transaction, member: Member, approval_id: UUID, wanted: RequestedApproval) -> Approval:
    """Records a pending approval, which another user than the member must decide."""
    approval = rules.requested(approval_id, wanted, member.enterprise_id, member.user_id, tx.now())
    store.insert_approval(tx, approval)
    events.record(tx, EventType.APPROVAL_REQUESTED, approval)
    evidence = {
        "kind": str(wanted.kind),
        "currency": wanted.currency,
        "quantity": None if wanted.quantity is None else str(wanted.quantity),
        "threshold": str(wanted.threshold),
        "allocationId": None if wanted.allocation_id is None else str(wanted.allocation_id),
    }
    audit.record(tx, member, "approval.requested", approval.id, **evidence)
    return approval


def decide(
    tx: Transaction, member: Member, approval_id: UUID, decision: ApprovalStatus, notes: str | None
) -> Decided:
    """Decides a pending approval, under a lock, so that only one of two concurrent decisions succeeds.

    Raises:
        NotFoundError: the enterprise has no such approval.
        PermissionDeniedError: the member would approve its own request, or the token is a program's.
        ConflictError: it is already decided, or the threshold has changed since the request.
    """
    require_person(member)
    approval = _of_member(tx, member, approval_id)
    if approval.kind is not ApprovalKind.ALLOCATION:
        # The same lock order as in ``change_thresholds``: the enterprise, then its approvals.
        enterprises.lock_enterprise(tx, member.enterprise_id)
    approval = store.lock_approval(tx, approval.id)
    if rules.is_repeat(approval, member.user_id, decision, notes):
        return Decided(approval, replayed=True)
    rules.require_decidable(approval, member.user_id, decision)
    now = tx.now()
    decided = replace(
        approval, status=decision, decided_by=member.user_id, decided_at=now, notes=notes, updated_at=now
    )
    store.decide(tx, decided)
    if decided.kind is not ApprovalKind.ALLOCATION and decision is ApprovalStatus.APPROVED:
        _put_threshold(tx, member, decided)
    events.record(tx, EventType(f"approval.{decision}"), decided)
    evidence = {"kind": str(decided.kind), "notes": notes, "initiatedBy": decided.initiated_by}
    audit.record(tx, member, f"approval.{decision}", decided.id, **evidence)
    return Decided(decided, replayed=False)


def thresholds_of(runtime: Runtime, member: Member, kind: ApprovalKind) -> dict[str, int]:
    with runtime.transaction() as tx:
        _require_owner(tx, member, kind)
        return store.thresholds(tx, member.enterprise_id, kind)


def change_thresholds(
    runtime: Runtime,
    member: Member,
    kind: ApprovalKind,
    asked: Mapping[str, int | None],
    signed: SignedRequest | None,
) -> Changed:
    """Sets the thresholds of this kind of the currencies in ``asked``, in base units. None removes a threshold.

    Raises:
        InvalidRequestError: the network does not know a currency, or a currency is named twice. Or the enterprise's
            account requires intent and the change is not signed, or its signature is malformed or used.
        NotAuthenticatedError: no active key of the account made the signature.
        ConflictError: another change of one of these thresholds is pending.
    """
    signed = signed_changes.require_match(signed)
    with runtime.transaction() as tx:
        _require_owner(tx, member, kind)
        wanted = _known(tx, asked)
        enterprises.lock_enterprise(tx, member.enterprise_id)
        standing = store.thresholds(tx, member.enterprise_id, kind)
        already = store.waiting_changes(tx, member.enterprise_id, kind)
        if not _accept(tx, member, signed):
            return Changed(standing, [already[currency] for currency in sorted(already)], replayed=True)
        changes = {currency: rules.change_of(standing.get(currency), wanted[currency]) for currency in wanted}
        at_once = {
            currency: quantity
            for currency, quantity in wanted.items()
            if quantity is not None and changes[currency] is Change.AT_ONCE
        }
        if at_once:
            store.put_thresholds(tx, member.enterprise_id, kind, member.user_id, at_once)
            set_now = {currency: str(quantity) for currency, quantity in at_once.items()}
            evidence = {"kind": str(kind), "thresholds": set_now}
            audit.record(tx, member, "approval_thresholds.changed", member.enterprise_id, **evidence)
            events.thresholds_changed(tx, member, kind, at_once)
        waiting = [
            _waiting(tx, member, already.get(currency), _raising(kind, currency, standing[currency], quantity))
            for currency, quantity in sorted(wanted.items())
            if changes[currency] is Change.AFTER_APPROVAL
        ]
        return Changed({**standing, **at_once}, waiting)


def require_decider(tx: Transaction, member: Member) -> None:
    """Requires that the enterprise is a client or a partner: others have nothing to approve.

    Raises:
        PermissionDeniedError: it is neither.
    """
    if network.find_partner(tx, enterprise_id=member.enterprise_id) is None:
        parties.require_client(tx, member.enterprise_id)


def approval_of(runtime: Runtime, member: Member, approval_id: UUID) -> Approval:
    with runtime.transaction() as tx:
        require_decider(tx, member)
        return _of_member(tx, member, approval_id)


def approvals_of(runtime: Runtime, member: Member, wanted: ApprovalFilter, part: Slice) -> Listing[Approval]:
    with runtime.transaction() as tx:
        require_decider(tx, member)
        own = replace(wanted, enterprise_id=member.enterprise_id)
        return store.list_approvals(tx, own, part)


def _of_member(tx: Transaction, member: Member, approval_id: UUID) -> Approval:
    """Returns the approval. Another enterprise's approval is answered as one that does not exist."""
    approval = store.find_approval(tx, approval_id)
    if approval is None or approval.enterprise_id != member.enterprise_id:
        raise NotFoundError("approval_unknown", "the enterprise has no pending approval with this id")
    return approval


def _accept(tx: Transaction, member: Member, signed: SignedRequest | None) -> bool:
    """Uses the signature up. What changes is the enterprise's, so that its account stands for it."""
    account_id = signed_changes.default_account(tx, member.enterprise_id)
    record_id = account_id or NIL
    return signed_changes.accept(tx, member.enterprise_id, account_id, signed, record_id, InvalidRequestError)


def _put_threshold(tx: Transaction, member: Member, approved: Approval) -> None:
    kind, currency = approved.kind, approved.currency
    rules.require_unchanged(approved, store.thresholds(tx, member.enterprise_id, kind).get(currency))
    if approved.quantity is None:
        store.drop_threshold(tx, member.enterprise_id, kind, currency)
    else:
        store.put_thresholds(tx, member.enterprise_id, kind, member.user_id, {currency: approved.quantity})
    events.thresholds_changed(tx, member, kind, {currency: approved.quantity})


def _require_owner(tx: Transaction, member: Member, kind: ApprovalKind) -> None:
    """Requires that the enterprise can have thresholds of this kind: those of allocations are a client's."""
    if kind is not ApprovalKind.CUSTODIAN_LIMIT:
        parties.require_client(tx, member.enterprise_id)


def _known(tx: Transaction, asked: Mapping[str, int | None]) -> dict[str, int | None]:
    wanted = {canonical_currency(name): quantity for name, quantity in asked.items()}
    if len(wanted) < len(asked):
        raise InvalidRequestError("currency_twice", "thresholds: a currency is named twice, with and without ofc")
    unknown = sorted(set(wanted) - set(custody.currencies(tx, sorted(wanted))))
    if unknown:
        raise InvalidRequestError("currency_unknown", f"thresholds: the network does not know {quoted(unknown[0])}")
    return wanted


def _raising(kind: ApprovalKind, currency: str, threshold: int, quantity: int | None) -> RequestedApproval:
    return RequestedApproval(kind, currency, quantity, threshold)


def _waiting(tx: Transaction, member: Member, already: Approval | None, wanted: RequestedApproval) -> Approval:
    if already is not None:
        rules.require_same_change(already, wanted)
        return already
    return request(tx, member, tx.new_id(), wanted)
