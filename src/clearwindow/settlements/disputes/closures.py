"""Closing a dispute, and the review of the closure by a second person. Protocol §6.

Both lock the partner first: a settlement of the partner that takes approved closures sees all of a closure or
nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from uuid import UUID

from clearwindow.core.errors import ConflictError, NotFoundError, UnprocessableError
from clearwindow.core.ids import NIL
from clearwindow.custody import signatures
from clearwindow.custody import store as custody
from clearwindow.events.models import EventType
from clearwindow.identity import audit
from clearwindow.identity.models import Member, Operator
from clearwindow.ledger import store as ledger
from clearwindow.ledger.models import Balance, BalanceKey, Entry, EntryKind, Shortfall
from clearwindow.network import parties
from clearwindow.network import store as network
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.settlements.disputes import rules, service, store
from clearwindow.settlements.disputes.models import AUTO_APPROVAL, ClosedBy, Closure, ClosureStatus, Dispute
from clearwindow.settlements.disputes.rules import Closing, OtherDispute
from clearwindow.settlements.transfers import store as transfers
from clearwindow.settlements.transfers.models import DisputeTarget, Objections, Party
from clearwindow.signing import nonces
from clearwindow.signing.models import SignedRequest

Replayed = bool


def close_by_client(
    runtime: Runtime,
    member: Member,
    dispute_id: UUID | None,
    notes: str,
    signed: SignedRequest,
) -> tuple[Closure, Replayed]:
    """Closes a dispute that its client gives up: the adjusted transfers are the original ones."""
    with runtime.transaction() as tx:
        client = parties.require_client(tx, member.enterprise_id)
        dispute = service.own_dispute(tx, client, dispute_id)
        signatures.require_match(signed.named(settlementId=str(dispute.settlement_id)))
        made = _made_by(tx, member, dispute, signed)
        if made is not None:
            return made, True
        verified = signatures.verify(tx, client.go_account_id, signed)
        dispute, party = _lock(tx, dispute)
        # Looked for again under the lock: the same request may have come at the same instant.
        made = _made_by(tx, member, dispute, signed)
        if made is not None:
            return made, True
        standing = store.standing_closures(tx, [dispute.id]).get(dispute.id)
        if standing is not None:
            rules.require_same_closing(standing, notes)
            nonces.use_again(tx, member.enterprise_id, verified, ConflictError, standing.id)
            return standing, True
        closure_id = tx.new_id()
        if not nonces.use(tx, member.enterprise_id, verified, ConflictError, closure_id):
            raise AssertionError("a request that was accepted before has made a closure")
        original = rules.sums(transfers.new_quantities(tx, dispute.settlement_id, dispute.connection_id))
        how = Closing(ClosedBy.CLIENT, member.user_id, notes, original, signed.sha256)
        closure = rules.new_closure(closure_id, dispute, how, tx.now())
        closure = replace(closure, payload=signed.payload, signature=signed.signature)
        _insert(tx, dispute, party, closure)
        store.add_client_hand(tx, dispute.id, member.token_made_by)
        audit.record(tx, member, "dispute.close", dispute.id, closureId=str(closure.id))
        if network.existing_partner(tx, dispute.partner_id).auto_approve_client_closures:
            closure = _review(tx, dispute, closure, ClosureStatus.APPROVED, AUTO_APPROVAL, review_notes=None)
        return closure, False


def _made_by(tx: Transaction, member: Member, dispute: Dispute, signed: SignedRequest) -> Closure | None:
    """Returns the closure that exactly this request made or repeated."""
    made = store.find_closure_of_request(tx, dispute.id, signed.sha256)
    if made is not None:
        return made
    used = nonces.find(tx, member.enterprise_id, signed)
    if used is None or used.record_id is None or used.request_sha256 != signed.sha256:
        return None
    return store.find_closure(tx, used.record_id)


def close_by_operator(
    runtime: Runtime, operator: Operator, dispute_id: UUID | None, adjusted: Mapping[str, str], notes: str
) -> tuple[Closure, Replayed]:
    """Closes a dispute with an operator's adjustment, which may be empty. Another operator reviews it."""
    with runtime.transaction() as tx:
        dispute, party = _lock(tx, _existing(tx, dispute_id))
        amounts = rules.canonical_amounts(adjusted, custody.currencies(tx))
        request = json.dumps([str(operator.operator_id), sorted(amounts.items()), notes]).encode()
        request_sha256 = hashlib.sha256(request).digest()
        standing = store.standing_closures(tx, [dispute.id]).get(dispute.id)
        if standing is not None and standing.request_sha256 == request_sha256:
            return standing, True
        claimed = dispute.expected_transfers
        beyond = rules.beyond_claim(amounts, claimed)
        rules.require_written_reason(beyond, notes)
        who = str(operator.operator_id)
        how = Closing(ClosedBy.OPERATOR, who, notes, amounts, request_sha256, operator.token_made_by, dict(claimed))
        closure = rules.new_closure(tx.new_id(), dispute, how, tx.now())
        _insert(tx, dispute, party, closure)
        _require_carriable(tx, dispute, amounts)
        texts = closure.adjusted_transfers
        audit.record(
            tx, operator, "dispute.close", dispute.id, closureId=str(closure.id), adjusted=texts, beyondClaim=beyond
        )
        return closure, False


def review(
    runtime: Runtime, operator: Operator, closure_id: UUID | None, decision: ClosureStatus, notes: str | None
) -> tuple[Closure, Replayed]:
    """Approves or rejects a closure. The transfers of an approved one wait for the partner's next settlement.

    Raises:
        UnprocessableError: the adjusted transfers take more than the dispute holds and the balance covers, or more
            than any account could pay; or the disputed settlement was rejected.
    """
    with runtime.transaction() as tx:
        found = store.find_closure(tx, closure_id) if closure_id else None
        if found is None:
            raise NotFoundError("closure_not_found", "there is no such dispute closure")
        dispute, _ = _lock(tx, _existing(tx, found.dispute_id))
        closure = store.find_closure(tx, found.id) or found
        reviewer = str(operator.operator_id)
        if closure.status is decision and closure.reviewed_by == reviewer:
            return closure, True
        rules.require_reviewable(closure, dispute.client_hands, operator.hands, decision)
        if decision is ClosureStatus.APPROVED:
            rules.require_not_rejected(rejected=transfers.is_rejected(tx, dispute.settlement_id))
            if closure.closed_by is ClosedBy.OPERATOR:
                _require_carriable(tx, dispute, {name: int(by) for name, by in closure.adjusted_transfers.items()})
        reviewed = _review(tx, dispute, closure, decision, reviewer, notes)
        audit.record(tx, operator, "closure.review", closure.id, decision=decision, disputeId=str(dispute.id))
        return reviewed, False


def _existing(tx: Transaction, dispute_id: UUID | None) -> Dispute:
    dispute = store.find_dispute(tx, dispute_id) if dispute_id else None
    if dispute is None:
        raise NotFoundError("dispute_not_found", "there is no such dispute")
    return dispute


def _lock(tx: Transaction, dispute: Dispute) -> tuple[Dispute, Party]:
    """Locks partner, party and dispute, always in this order."""
    parties.lock_partner(tx, dispute.partner_id)
    party = transfers.lock_party(tx, dispute.settlement_id, dispute.connection_id)
    if party is None:
        raise LookupError("a dispute is on a party of its settlement")
    return store.lock_dispute(tx, dispute.id), party


def _require_carriable(tx: Transaction, dispute: Dispute, adjusted: Mapping[str, int]) -> None:
    """Refuses amounts that nobody could ever pay: the settlement that takes them could never run."""
    own = transfers.own_amounts(tx, dispute.settlement_id, list(adjusted))
    own_account = network.network_account_of(tx, dispute.connection_id)
    balances = ledger.balances_of(tx, [NIL, own_account])
    none = Balance(0, 0)
    # The outside world has less than nothing: exactly what all accounts in custody have.
    paying = {
        currency: rules.Paying(
            -balances[NIL].get(currency, none).total, balances[own_account].get(currency, none).total
        )
        for currency in adjusted
    }
    rules.require_carriable(adjusted, own, paying)


def _insert(tx: Transaction, dispute: Dispute, party: Party, closure: Closure) -> Closure:
    rules.require_not_rejected(rejected=transfers.is_rejected(tx, dispute.settlement_id))
    standing = store.standing_closures(tx, [dispute.id]).get(dispute.id)
    rules.require_closable(dispute, party, standing, closure.created_at)
    store.insert_closure(tx, closure)
    store.touch(tx, dispute.id)
    service.announce(tx, EventType.DISPUTE_CLOSED, dispute, closureId=str(closure.id), closedBy=closure.closed_by)
    return closure


def _review(
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
        _make_transfers(tx, dispute, closure)
    service.announce(tx, EventType.DISPUTE_REVIEWED, dispute, closureId=str(closure.id), decision=decision)
    reviewed = store.find_closure(tx, closure.id)
    if reviewed is None:
        raise LookupError("a closure that was just reviewed exists")
    return reviewed


def _make_transfers(tx: Transaction, dispute: Dispute, closure: Closure) -> None:
    """Creates the transfers of a closure that was just approved, and adjusts its dispute's holds to them."""
    account_id = network.network_account_of(tx, dispute.connection_id)
    objections = store.objections(tx, dispute.settlement_id)
    original = transfers.new_quantities(tx, dispute.settlement_id, dispute.connection_id)
    if closure.closed_by is ClosedBy.CLIENT:
        quantities = rules.running(original, objections)
    else:
        quantities = rules.with_partner(closure.adjusted_transfers)
    needed = rules.needs(account_id, quantities)
    between_connections = any(given.counterparty_connection_id is not None for given in original)
    others = _others(tx, dispute, objections) if between_connections else []
    held = ledger.holds_of(tx, [dispute.id])[dispute.id]
    balances = ledger.lock_balances(tx, rules.touched(held, needed, others))
    change = rules.adjust_holds(dispute, held, needed, others, balances)
    if change.shortfalls:
        raise _not_covered(account_id, closure, change.shortfalls)
    if change.holds:
        entry = Entry(tx.new_id(), EntryKind.DISPUTE_CLOSURE_HELD, closure.id, dispute.partner_id)
        ledger.post(tx, entry, change.movements, change.holds)
    transfers.insert_closure_transfers(
        tx,
        partner_id=dispute.partner_id,
        closure_id=closure.id,
        connection_id=dispute.connection_id,
        account_id=account_id,
        quantities=quantities,
    )


def _others(tx: Transaction, dispute: Dispute, after: Objections) -> list[OtherDispute]:
    """Returns the other standing disputes, with what they stop before and after the approval."""
    before = store.objections(tx, dispute.settlement_id, as_standing=dispute.id)
    party = (dispute.settlement_id, dispute.connection_id)
    was = _by_dispute(transfers.dispute_targets_around(tx, *party, before))
    becomes = _by_dispute(transfers.dispute_targets_around(tx, *party, after))
    ids = [other for other in after.standing if other in was or other in becomes]
    held = ledger.holds_of(tx, ids)
    return [OtherDispute(other, held[other], was.get(other, {}), becomes.get(other, {})) for other in ids]


def _by_dispute(targets: Iterable[DisputeTarget]) -> dict[UUID, dict[BalanceKey, int]]:
    found: dict[UUID, dict[BalanceKey, int]] = {}
    for target in targets:
        key = BalanceKey(target.account_id, target.currency)
        found.setdefault(target.dispute_id, {})[key] = target.quantity
    return found


def _not_covered(account_id: UUID, closure: Closure, short: Iterable[Shortfall]) -> UnprocessableError:
    own = [gap for gap in short if gap.account_id == account_id]
    if not own:
        # The client that closes the dispute must not learn another client's balance.
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
