"""Raising and retracting disputes, and what settlements may do with them. Protocol §6."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from clearwindow.access.values import Member
from clearwindow.accounts import service as accounts
from clearwindow.audit import service as audit
from clearwindow.database.listing import Listing
from clearwindow.database.pool import Transaction
from clearwindow.disputes import rules, store, wire
from clearwindow.disputes.values import AssignedClosure, ClosedBy, Closure, Dispute, DisputeFilter
from clearwindow.errors import ConflictError, InvalidRequestError, NotFoundError
from clearwindow.network import lookups
from clearwindow.network import service as network
from clearwindow.network.values import Client
from clearwindow.notices import service as notices
from clearwindow.notices.values import Event, EventType
from clearwindow.runtime import Runtime
from clearwindow.signing import service as signing
from clearwindow.signing.values import SignedRequest
from clearwindow.transfers import service as transfers
from clearwindow.transfers.values import Objections, Party
from clearwindow.transfers.wire import DisputedTransferOutput, disputed_transfer

Replayed = bool


def raise_dispute(
    runtime: Runtime,
    member: Member,
    settlement_id: UUID | None,
    body: wire.RaiseDisputeRequest,
    signed: SignedRequest,
) -> tuple[wire.DisputeOutput, Replayed]:
    """Records a client's objection, which keeps its transfers from executing.

    Raises:
        NotFoundError: no such settlement, or none of the caller's on this connection.
        ConflictError: disputed already, or the nonce is taken.
        UnprocessableError: the window is over, or there is nothing to dispute.
    """
    with runtime.transaction() as tx:
        client = network.require_client(tx, member.enterprise_id)
        party = _party(tx, client, settlement_id, body.connection_id)
        expected = rules.canonical_amounts(body.expected_transfers, accounts.currencies(tx))
        signing.verify(tx, client.go_account_id, signed)
        existing = store.find_dispute_of_party(tx, party.settlement_id, party.connection_id)
        if not signing.use_nonce(tx, member.enterprise_id, signed, ConflictError) and existing is not None:
            return _output(tx, existing), True
        if existing is not None:
            raise ConflictError("dispute_exists", "this settlement is disputed on this connection already")
        now = tx.now()
        rules.require_disputable(party, now)
        dispute = Dispute(
            id=runtime.ids.new(),
            partner_id=party.partner_id,
            settlement_id=party.settlement_id,
            connection_id=party.connection_id,
            user_id=member.user_id,
            reason=body.reason,
            expected_transfers={currency: str(quantity) for currency, quantity in expected.items()},
            retracted=False,
            retracted_by=None,
            retracted_at=None,
            retracted_reason=None,
            settled_in_settlement_id=None,
            created_at=now,
            updated_at=now,
        )
        store.insert_dispute(tx, dispute)
        announce(tx, EventType.DISPUTE_CREATED, dispute)
        audit.record(tx, member, "dispute.raise", dispute.id, settlementId=str(dispute.settlement_id))
        return wire.dispute_output(dispute, None), False


def update_dispute(
    runtime: Runtime,
    member: Member,
    dispute_id: UUID | None,
    body: wire.UpdateDisputeRequest,
    signed: SignedRequest,
) -> tuple[wire.DisputeOutput, Replayed]:
    """Retracts a dispute or takes the retraction back, inside the window."""
    with runtime.transaction() as tx:
        client = network.require_client(tx, member.enterprise_id)
        dispute = own_dispute(tx, client, dispute_id)
        if dispute.connection_id != body.connection_id:
            raise InvalidRequestError("connection_differs", "connectionId: the dispute is on another connection")
        expected = None
        if body.expected_transfers is not None:
            expected = rules.canonical_amounts(body.expected_transfers, accounts.currencies(tx))
        signing.verify(tx, client.go_account_id, signed)
        # The party's lock orders this against the end of the window, the dispute's against its closing.
        party = _party(tx, client, dispute.settlement_id, dispute.connection_id)
        dispute = store.lock_dispute(tx, dispute.id)
        if not signing.use_nonce(tx, member.enterprise_id, signed, ConflictError):
            return _output(tx, dispute), True
        rules.require_window_open(party, tx.now())
        rules.require_change(dispute, retracted=body.retracted, has_new_expectation=expected is not None)
        kind = EventType.DISPUTE_RETRACTED if body.retracted else EventType.DISPUTE_UNRETRACTED
        if body.retracted:
            store.retract(tx, dispute.id, member.user_id, body.reason)
        else:
            texts = None if expected is None else {name: str(quantity) for name, quantity in expected.items()}
            store.restore(tx, dispute.id, body.reason, texts)
        announce(tx, kind, dispute)
        audit.record(tx, member, "dispute.update", dispute.id, retracted=body.retracted)
        return _output(tx, store.lock_dispute(tx, dispute.id)), False


def own_dispute(tx: Transaction, client: Client, dispute_id: UUID | None) -> Dispute:
    """The client's own dispute; one of another client answers as one that does not exist."""
    dispute = store.find_dispute(tx, dispute_id) if dispute_id else None
    if dispute is None or network.connection_of_client(tx, client.id, dispute.connection_id) is None:
        raise NotFoundError("dispute_not_found", "there is no such dispute")
    return dispute


def take_approved_closures(tx: Transaction, partner_id: UUID, settlement_id: UUID) -> list[AssignedClosure]:
    """Hands every approved, unassigned closure of the partner to a settlement. Protocol §5.3.

    The caller holds the partner's lock and has made the settlement.
    """
    return store.take_approved_closures(tx, partner_id, settlement_id)


def objections(tx: Transaction, settlement_id: UUID, *, as_standing: UUID | None = None) -> Objections:
    """How the disputes of a settlement stand; none has a closure before its window is over.

    ``as_standing`` is a dispute that is looked at as if its closure were not approved.
    """
    standing, upheld = {}, set()
    for one in store.objections(tx, settlement_id):
        if one.closed_by is None or one.dispute_id == as_standing:
            standing[one.dispute_id] = one.connection_id
        elif one.closed_by == ClosedBy.OPERATOR:
            upheld.add(one.connection_id)
    return Objections(standing, frozenset(upheld))


def is_disputed(tx: Transaction, settlement_id: UUID) -> bool:
    """Whether a dispute was raised on the settlement and not retracted, closed or not."""
    return bool(store.objections(tx, settlement_id))


def disputed_among(
    tx: Transaction, settlement_ids: Sequence[UUID], connection_ids: Sequence[UUID] | None = None
) -> set[UUID]:
    """Which of the settlements are disputed; as a client sees it, only on its own connections."""
    return store.disputed_among(tx, settlement_ids, connection_ids)


def describe(tx: Transaction, wanted: DisputeFilter) -> Listing[wire.DisputeWithClosureOutput]:
    """Disputes with their closures and the closures' transfers, whose other sides a client is not shown."""
    page = store.list_disputes(tx, wanted)
    return Listing(_described(tx, page.items, masked=wanted.own_connection_ids is not None), page.total)


def list_closures(
    tx: Transaction, statuses: Sequence[str] | None, dispute_ids: Sequence[UUID] | None, limit: int, offset: int
) -> Listing[Closure]:
    """Closures of the whole network, for operators."""
    return store.list_closures(tx, statuses=statuses, dispute_ids=dispute_ids, limit=limit, offset=offset)


def _described(tx: Transaction, found: Sequence[Dispute], *, masked: bool) -> list[wire.DisputeWithClosureOutput]:
    closures = store.standing_closures(tx, [dispute.id for dispute in found])
    made = transfers.closure_transfers(tx, [closure.id for closure in closures.values()])
    partner_accounts = lookups.partner_accounts(tx, {dispute.partner_id for dispute in found})
    connections = {dispute.connection_id for dispute in found}
    if not masked:
        connections |= {one.counterparty_connection_id for one in made if one.counterparty_connection_id}
    client_accounts = lookups.client_accounts(tx, connections)
    by_closure: dict[UUID | None, list[DisputedTransferOutput]] = {}
    for transfer in made:
        shown = disputed_transfer(transfer, (partner_accounts[transfer.partner_id], client_accounts))
        by_closure.setdefault(transfer.dispute_closure_id, []).append(shown)
    described = []
    for dispute in found:
        closure = closures.get(dispute.id)
        own = by_closure.get(closure.id, []) if closure else []
        described.append(wire.dispute_with_closure(dispute, closure, own))
    return described


def _party(tx: Transaction, client: Client, settlement_id: UUID | None, connection_id: UUID) -> Party:
    party = None
    if settlement_id and network.connection_of_client(tx, client.id, connection_id) is not None:
        party = transfers.lock_party(tx, settlement_id, connection_id)
    if party is None:
        raise NotFoundError("settlement_not_found", "there is no such settlement on this connection")
    return party


def _output(tx: Transaction, dispute: Dispute) -> wire.DisputeOutput:
    closures = store.standing_closures(tx, [dispute.id])
    return wire.dispute_output(dispute, closures.get(dispute.id))


def announce(tx: Transaction, kind: EventType, dispute: Dispute, **more: object) -> None:
    """Tells the two sides of a dispute."""
    payload = {
        "disputeId": str(dispute.id),
        "settlementId": str(dispute.settlement_id),
        "connectionId": str(dispute.connection_id),
        **more,
    }
    partner = lookups.partner(tx, dispute.partner_id)
    owner = network.owners(tx, [dispute.connection_id])[dispute.connection_id]
    enterprises = dict.fromkeys([partner.enterprise_id, owner])
    notices.record(tx, [Event(kind, enterprise, dispute.id, payload) for enterprise in enterprises])
