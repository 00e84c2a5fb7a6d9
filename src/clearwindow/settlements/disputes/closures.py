"""Closing a dispute, and the review of the closing by a second person. Protocol §6.

Both take the partner's lock first: an approved closure must be there wholly or not at all when a settlement of
the partner takes the approved ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from uuid import UUID

from clearwindow.access.values import Member, Operator
from clearwindow.accounts import service as accounts
from clearwindow.accounts.values import BalanceKey, Entry, EntryKind, Shortfall
from clearwindow.audit import service as audit
from clearwindow.database.pool import Transaction
from clearwindow.disputes import rules, service, store, wire
from clearwindow.disputes.rules import Closing, OtherDispute
from clearwindow.disputes.values import AUTO_APPROVAL, ClosedBy, Closure, ClosureStatus, Dispute
from clearwindow.errors import ConflictError, NotFoundError, UnprocessableError
from clearwindow.network import lookups
from clearwindow.network import service as network
from clearwindow.notices.values import EventType
from clearwindow.runtime import Runtime
from clearwindow.signing import service as signing
from clearwindow.signing.values import SignedRequest
from clearwindow.transfers import service as transfers
from clearwindow.transfers.values import DisputeTarget, Objections, Party

Replayed = bool


def close_by_client(
    runtime: Runtime, member: Member, dispute_id: UUID | None, body: wire.CloseDisputeRequest, signed: SignedRequest
) -> tuple[wire.ClosureOutput, Replayed]:
    """The client says the dispute was wrong: the adjusted transfers are the original ones."""
    with runtime.transaction() as tx:
        client = network.require_client(tx, member.enterprise_id)
        dispute = service.own_dispute(tx, client, dispute_id)
        signing.verify(tx, client.go_account_id, signed)
        dispute, party = _lock(tx, dispute)
        if not signing.use_nonce(tx, member.enterprise_id, signed, ConflictError):
            made = store.find_closure_of_request(tx, dispute.id, signed.sha256)
            if made is not None:
                return wire.closure_output(made), True
        original = rules.sums(transfers.new_quantities(tx, dispute.settlement_id, dispute.connection_id))
        how = Closing(ClosedBy.CLIENT, member.user_id, body.notes, original, signed.sha256)
        closure = rules.new_closure(
            runtime.ids.new(), dispute, how, tx.now(), payload=signed.payload, signature=signed.signature
        )
        _insert(tx, dispute, party, closure)
        audit.record(tx, member, "dispute.close", dispute.id, closureId=str(closure.id))
        if lookups.partner(tx, dispute.partner_id).auto_approve_client_closures:
            closure = _review(
                runtime, tx, dispute, closure, ClosureStatus.APPROVED, AUTO_APPROVAL, review_notes=None
            )
        return wire.closure_output(closure), False


def close_by_operator(
    runtime: Runtime, operator: Operator, dispute_id: UUID | None, adjusted: Mapping[str, str], notes: str
) -> tuple[Closure, Replayed]:
    """An operator says what is right; nothing moves where ``adjusted`` is empty. Another operator reviews it."""
    with runtime.transaction() as tx:
        dispute, party = _lock(tx, _existing(tx, dispute_id))
        amounts = rules.canonical_amounts(adjusted, accounts.currencies(tx))
        request = json.dumps([str(operator.operator_id), sorted(amounts.items()), notes]).encode()
        request_sha256 = hashlib.sha256(request).digest()
        standing = store.standing_closures(tx, [dispute.id]).get(dispute.id)
        if standing is not None and standing.request_sha256 == request_sha256:
            return standing, True
        how = Closing(ClosedBy.OPERATOR, str(operator.operator_id), notes, amounts, request_sha256)
        closure = rules.new_closure(runtime.ids.new(), dispute, how, tx.now())
        _insert(tx, dispute, party, closure)
        texts = closure.adjusted_transfers
        audit.record(tx, operator, "dispute.close", dispute.id, closureId=str(closure.id), adjusted=texts)
        return closure, False


def review(
    runtime: Runtime, operator: Operator, closure_id: UUID | None, decision: ClosureStatus, notes: str | None
) -> tuple[Closure, Replayed]:
    """Approves or rejects a closure. Approved, its transfers wait for the partner's next settlement.

    Raises:
        UnprocessableError: the adjusted transfers need more than the dispute holds and the balance covers.
    """
    with runtime.transaction() as tx:
        found = store.find_closure(tx, closure_id) if closure_id else None
        if found is None:
            raise NotFoundError("closure_not_found", "there is no such dispute closure")
        dispute, _ = _lock(tx, _existing(tx, found.dispute_id))
        closure = store.find_closure(tx, found.id) or found
        reviewer = str(operator.operator_id)
        if closure.status == decision and closure.reviewed_by == reviewer:
            return closure, True
        rules.require_reviewable(closure, reviewer, decision)
        reviewed = _review(runtime, tx, dispute, closure, decision, reviewer, notes)
        audit.record(tx, operator, "closure.review", closure.id, decision=decision, disputeId=str(dispute.id))
        return reviewed, False


def _existing(tx: Transaction, dispute_id: UUID | None) -> Dispute:
    dispute = store.find_dispute(tx, dispute_id) if dispute_id else None
    if dispute is None:
        raise NotFoundError("dispute_not_found", "there is no such dispute")
    return dispute


def _lock(tx: Transaction, dispute: Dispute) -> tuple[Dispute, Party]:
    """Partner, then party, then dispute: the one order in which these are locked."""
    network.lock_partner(tx, dispute.partner_id)
    party = transfers.lock_party(tx, dispute.settlement_id, dispute.connection_id)
    if party is None:
        raise LookupError("a dispute is on a party of its settlement")
    return store.lock_dispute(tx, dispute.id), party


def _insert(tx: Transaction, dispute: Dispute, party: Party, closure: Closure) -> Closure:
    standing = store.standing_closures(tx, [dispute.id]).get(dispute.id)
    rules.require_closable(dispute, party, standing, closure.created_at)
    store.insert_closure(tx, closure)
    store.touch(tx, dispute.id)
    service.announce(tx, EventType.DISPUTE_CLOSED, dispute, closureId=str(closure.id), closedBy=closure.closed_by)
    return closure


def _review(
    runtime: Runtime,
    tx: Transaction,
    dispute: Dispute,
    closure: Closure,
    decision: ClosureStatus,
    reviewer: str,
    review_notes: str | None,
) -> Closure:
    store.review_closure(tx, closure.id, decision, reviewer, review_notes)
    store.touch(tx, dispute.id)
    if decision is ClosureStatus.APPROVED:
        _make_transfers(runtime, tx, dispute, closure)
    service.announce(tx, EventType.DISPUTE_REVIEWED, dispute, closureId=str(closure.id), decision=decision)
    reviewed = store.find_closure(tx, closure.id)
    if reviewed is None:
        raise LookupError("a closure just reviewed is there")
    return reviewed


def _make_transfers(runtime: Runtime, tx: Transaction, dispute: Dispute, closure: Closure) -> None:
    """Makes the transfers of a closure just approved, and its dispute's holds what they need."""
    account_id = lookups.network_account_of(tx, dispute.connection_id)
    objections = service.objections(tx, dispute.settlement_id)
    original = transfers.new_quantities(tx, dispute.settlement_id, dispute.connection_id)
    if closure.closed_by == ClosedBy.CLIENT:
        quantities = rules.running(original, objections)
    else:
        quantities = rules.with_partner(closure.adjusted_transfers)
    needed = rules.needs(account_id, quantities)
    between_connections = any(given.counterparty_connection_id is not None for given in original)
    others = _others(tx, dispute, objections) if between_connections else []
    held = accounts.holds_of(tx, [dispute.id])[dispute.id]
    balances = accounts.lock_balances(tx, rules.touched(held, needed, others))
    change = rules.adjust_holds(dispute, held, needed, others, balances)
    if change.shortfalls:
        raise _not_covered(account_id, closure, change.shortfalls)
    if change.holds:
        entry = Entry(runtime.ids.new(), EntryKind.DISPUTE_CLOSURE_HELD, closure.id, dispute.partner_id)
        accounts.post(tx, entry, change.movements, change.holds)
    transfers.insert_closure_transfers(
        tx,
        partner_id=dispute.partner_id,
        closure_id=closure.id,
        connection_id=dispute.connection_id,
        account_id=account_id,
        quantities=quantities,
    )


def _others(tx: Transaction, dispute: Dispute, after: Objections) -> list[OtherDispute]:
    """The other standing disputes, with what the approval changes in what they answer for."""
    before = service.objections(tx, dispute.settlement_id, as_standing=dispute.id)
    place = (dispute.settlement_id, dispute.connection_id)
    was = _by_dispute(transfers.dispute_targets_around(tx, *place, before))
    becomes = _by_dispute(transfers.dispute_targets_around(tx, *place, after))
    ids = [other for other in after.standing if other in was or other in becomes]
    held = accounts.holds_of(tx, ids)
    return [OtherDispute(other, held[other], was.get(other, {}), becomes.get(other, {})) for other in ids]


def _by_dispute(targets: Iterable[DisputeTarget]) -> dict[UUID, dict[BalanceKey, int]]:
    found: dict[UUID, dict[BalanceKey, int]] = {}
    for target in targets:
        key = BalanceKey(target.account_id, target.currency)
        found.setdefault(target.dispute_id, {})[key] = int(target.quantity)
    return found


def _not_covered(account_id: UUID, closure: Closure, short: Iterable[Shortfall]) -> UnprocessableError:
    own = [gap for gap in short if gap.account_id == account_id]
    if not own:
        # Whose balance it is, and what it has, is not for the client that closes the dispute to know.
        return UnprocessableError(
            "adjustment_not_covered_by_counterparty",
            "the other side of a transfer does not cover it until the settlement has executed: try again later",
            {"disputeClosureId": str(closure.id)},
        )
    return UnprocessableError(
        "adjustment_not_covered",
        "the adjusted transfers take more than the dispute holds and the connection has available",
        {
            "shortfalls": [
                {
                    "currency": gap.currency,
                    "liability": str(gap.liability),
                    "available": str(gap.available),
                    "shortfall": str(gap.shortfall),
                }
                for gap in own
            ]
        },
    )
