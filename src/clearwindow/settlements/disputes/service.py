"""Raising and retracting disputes. Protocol §6."""

from __future__ import annotations

from uuid import UUID

from clearwindow.core.errors import ConflictError, InvalidRequestError, NotFoundError
from clearwindow.custody import signatures
from clearwindow.custody import store as custody
from clearwindow.events import outbox
from clearwindow.events.models import Event, EventType
from clearwindow.identity import audit
from clearwindow.identity.models import Member
from clearwindow.network import parties
from clearwindow.network import store as network
from clearwindow.network.models import Client
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.settlements.disputes import rules, store
from clearwindow.settlements.disputes.models import Dispute, DisputeChange, DisputeResult, NewDispute, RaisedWith
from clearwindow.settlements.transfers import store as transfers
from clearwindow.settlements.transfers.models import Party
from clearwindow.signing import nonces
from clearwindow.signing.models import SignedRequest


def raise_dispute(
    runtime: Runtime,
    member: Member,
    settlement_id: UUID | None,
    asked: NewDispute,
    signed: SignedRequest,
) -> DisputeResult:
    """Records a client's dispute, which stops the transfers of its connection.

    Raises:
        NotFoundError: there is no such settlement, or not on a connection of the caller.
        ConflictError: the settlement is disputed on this connection already, or the nonce is used.
        UnprocessableError: the window has ended, the settlement was rejected, or there is nothing to dispute.
    """
    signatures.require_match(signed)
    with runtime.transaction() as tx:
        client = parties.require_client(tx, member.enterprise_id)
        own_settlement_id = _own(tx, client, settlement_id, asked.connection_id)
        existing = store.find_dispute_of_party(tx, own_settlement_id, asked.connection_id)
        if existing is not None and nonces.is_repeat(tx, member.enterprise_id, signed, existing.id):
            return _result(tx, existing, replayed=True)
        expected = rules.canonical_amounts(asked.expected_transfers, custody.currencies(tx))
        verified = signatures.verify(tx, client.go_account_id, signed)
        raised_with = RaisedWith(asked.reason, rules.as_texts(expected))
        party = _lock_party(tx, own_settlement_id, asked.connection_id)
        # Looked for again under the lock: the same request may have come at the same instant.
        existing = store.find_dispute_of_party(tx, party.settlement_id, party.connection_id)
        if existing is not None:
            if not nonces.is_repeat(tx, member.enterprise_id, signed, existing.id):
                rules.require_same_request(existing, store.find_raised_with(tx, existing.id), raised_with)
                nonces.use_again(tx, member.enterprise_id, verified, ConflictError, existing.id)
            return _result(tx, existing, replayed=True)
        dispute_id = tx.new_id()
        if not nonces.use(tx, member.enterprise_id, verified, ConflictError, dispute_id):
            raise AssertionError("a request that was accepted before has made a dispute")
        rules.require_not_rejected(rejected=transfers.is_rejected(tx, party.settlement_id))
        now = tx.now()
        rules.require_disputable(party, now)
        dispute = Dispute(
            id=dispute_id,
            partner_id=party.partner_id,
            settlement_id=party.settlement_id,
            connection_id=party.connection_id,
            user_id=member.user_id,
            reason=asked.reason,
            expected_transfers=raised_with.expected_transfers,
            retracted=False,
            retracted_by=None,
            retracted_at=None,
            retracted_reason=None,
            settled_in_settlement_id=None,
            created_at=now,
            updated_at=now,
            client_hands=(member.token_made_by,) if member.token_made_by else (),
        )
        store.insert_dispute(tx, dispute, raised_with)
        announce(tx, EventType.DISPUTE_CREATED, dispute)
        audit.record(tx, member, "dispute.raise", dispute.id, settlementId=str(dispute.settlement_id))
        return DisputeResult(dispute, None, replayed=False)


def update_dispute(
    runtime: Runtime,
    member: Member,
    dispute_id: UUID | None,
    asked: DisputeChange,
    signed: SignedRequest,
) -> DisputeResult:
    """Retracts a dispute, reverses a retraction or changes what the client expects, inside the window."""
    with runtime.transaction() as tx:
        client = parties.require_client(tx, member.enterprise_id)
        dispute = own_dispute(tx, client, dispute_id)
        signatures.require_match(signed.named(settlementId=str(dispute.settlement_id)))
        if nonces.is_repeat(tx, member.enterprise_id, signed, dispute.id):
            return _result(tx, dispute, replayed=True)
        if dispute.connection_id != asked.connection_id:
            raise InvalidRequestError("connection_differs", "connectionId: the dispute is on another connection")
        expected = None
        if asked.expected_transfers is not None:
            expected = rules.canonical_amounts(asked.expected_transfers, custody.currencies(tx))
        verified = signatures.verify(tx, client.go_account_id, signed)
        # The party is locked so that the window cannot end now, the dispute so that it cannot be closed now.
        party = _lock_party(tx, dispute.settlement_id, dispute.connection_id)
        dispute = store.lock_dispute(tx, dispute.id)
        if not nonces.use(tx, member.enterprise_id, verified, ConflictError, dispute.id):
            return _result(tx, dispute, replayed=True)
        rules.require_not_rejected(rejected=transfers.is_rejected(tx, party.settlement_id))
        rules.require_window_open(party, tx.now())
        rules.require_change(dispute, retracted=asked.retracted, has_new_expectation=expected is not None)
        kind = EventType.DISPUTE_RETRACTED if asked.retracted else EventType.DISPUTE_UNRETRACTED
        if asked.retracted:
            store.retract(tx, dispute.id, member.user_id, asked.reason)
        else:
            texts = None if expected is None else rules.as_texts(expected)
            store.restore(tx, dispute.id, asked.reason, texts)
        store.add_client_hand(tx, dispute.id, member.token_made_by)
        announce(tx, kind, dispute)
        audit.record(tx, member, "dispute.update", dispute.id, retracted=asked.retracted)
        return _result(tx, store.lock_dispute(tx, dispute.id), replayed=False)


def own_dispute(tx: Transaction, client: Client, dispute_id: UUID | None) -> Dispute:
    """Returns the client's own dispute. Another client's raises the same error as one that does not exist."""
    dispute = store.find_dispute(tx, dispute_id) if dispute_id else None
    if dispute is None or network.connection_of_client(tx, client.id, dispute.connection_id) is None:
        raise NotFoundError("dispute_not_found", "there is no such dispute")
    return dispute


def _own(tx: Transaction, client: Client, settlement_id: UUID | None, connection_id: UUID) -> UUID:
    """Returns the settlement's id if it is on this connection of the client. Locks nothing."""
    if settlement_id and network.connection_of_client(tx, client.id, connection_id) is not None:
        found = transfers.party_connections(tx, settlement_id, [connection_id])
        if found:
            return settlement_id
    raise NotFoundError("settlement_not_found", "there is no such settlement on this connection")


def _lock_party(tx: Transaction, settlement_id: UUID, connection_id: UUID) -> Party:
    party = transfers.lock_party(tx, settlement_id, connection_id)
    if party is None:
        raise LookupError("a party of a settlement stays one")
    return party


def _result(tx: Transaction, dispute: Dispute, *, replayed: bool) -> DisputeResult:
    closures = store.standing_closures(tx, [dispute.id])
    return DisputeResult(dispute, closures.get(dispute.id), replayed)


def announce(tx: Transaction, kind: EventType, dispute: Dispute, **more: object) -> None:
    """Records an event for both sides of a dispute."""
    payload = {
        "disputeId": str(dispute.id),
        "settlementId": str(dispute.settlement_id),
        "connectionId": str(dispute.connection_id),
        **more,
    }
    partner = network.existing_partner(tx, dispute.partner_id)
    owner = network.owners(tx, [dispute.connection_id])[dispute.connection_id]
    enterprises = dict.fromkeys([partner.enterprise_id, owner])
    outbox.record(tx, [Event(kind, enterprise, dispute.id, payload) for enterprise in enterprises])
