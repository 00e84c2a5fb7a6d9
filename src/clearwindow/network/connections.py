"""Clients connect to partners and change their connections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

from clearwindow.core.errors import REFUSALS, InvalidRequestError, NotFoundError
from clearwindow.custody import changes as signed_changes
from clearwindow.custody import signatures
from clearwindow.events.models import EventType
from clearwindow.identity import audit
from clearwindow.identity.models import Member
from clearwindow.ledger import store as ledger
from clearwindow.ledger.models import AccountKind
from clearwindow.network import introduction, parties, rules, store
from clearwindow.network.models import (
    Client,
    Connected,
    Connection,
    ConnectionChanges,
    ConnectionKeySchema,
    FirstRequest,
    NewConnection,
    Partner,
)
from clearwindow.partner_calls import calls
from clearwindow.pauses import rules as pause_rules
from clearwindow.pauses import store as pauses
from clearwindow.pauses.models import Touched
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.signing import nonces
from clearwindow.signing.models import SignedRequest, VerifiedRequest

Replayed = bool


def require_connectable(
    runtime: Runtime,
    member: Member,
    partner_id: UUID,
    key_schema: ConnectionKeySchema,
    key_fields: Mapping[str, str],
) -> None:
    """Checks, before the client signs, that the partner exists and takes keys of this schema."""
    with runtime.transaction() as tx:
        parties.require_client(tx, member.enterprise_id)
        _partner_for(tx, partner_id, key_schema, key_fields)


def connect(runtime: Runtime, member: Member, asked: NewConnection, request: SignedRequest) -> Connected:
    """Makes the connection with its network account, and asks the partner for its ids. Protocol §1, §3, §8.

    Raises:
        UnprocessableError: the partner refuses the connection, which stays as an inactive record. Or something is
            paused, and nothing is recorded.
    """
    made = _make(runtime, member, asked, signatures.require_match(request))
    connection = made.connection
    if made.may_call:
        connection = introduction.introduce(runtime, connection, leased=not made.replayed)
    rules.require_not_refused(connection)
    return replace(made, connection=connection)


def _make(runtime: Runtime, member: Member, asked: NewConnection, request: SignedRequest) -> Connected:
    with runtime.transaction() as tx:
        client = parties.require_client(tx, member.enterprise_id)
        made = store.find_connection_by_nonce(tx, client.id, request.nonce)
        if made is not None and nonces.is_repeat(tx, member.enterprise_id, request, made.id):
            return _repeated(tx, client, asked, request, made)
        partner, verified = _verified(tx, client, asked, request)
        connection_id = tx.new_id()
        if nonces.claim(tx, member.enterprise_id, verified, InvalidRequestError, connection_id):
            return _new(tx, member, client, partner, asked, request, connection_id)
        # Looked for again: the same request may have come at the same instant.
        made = store.find_connection_by_nonce(tx, client.id, request.nonce)
        if made is None:
            raise nonces.used_before(tx, verified, InvalidRequestError)
        if not nonces.is_repeat(tx, member.enterprise_id, request, made.id):
            rules.require_same_connection(made, _first_request(tx, made), asked)
            nonces.use_again(tx, member.enterprise_id, verified, InvalidRequestError, made.id)
        return _passed(made, client, partner)


def _first_request(tx: Transaction, made: Connection) -> FirstRequest | None:
    """Returns what the connection was requested with, None if an older version made it."""
    found = store.find_first_request(tx, made.id)
    if found.name is None:
        return None
    return FirstRequest(found.name, tx.vault.decrypt(found.encrypted_key, context=_key_context(made.id)))


def _key_context(connection_id: UUID) -> str:
    return f"connection-key:{connection_id}"


def _verified(
    tx: Transaction, client: Client, asked: NewConnection, request: SignedRequest, *, is_repeat: bool = False
) -> tuple[Partner, VerifiedRequest]:
    """Returns the partner and the request with its signer, after every check that comes before the nonce."""
    partner = _partner_for(tx, asked.partner_id, asked.key_schema, asked.key_fields)
    return partner, signatures.verify(tx, client.go_account_id, request, is_repeat=is_repeat)


def _repeated(
    tx: Transaction, client: Client, asked: NewConnection, request: SignedRequest, made: Connection
) -> Connected:
    """Answers a byte-identical repeat. The partner is called again only if a new request would be allowed."""
    if made.initialized or made.refused_reason is not None:
        return Connected(made, replayed=True, may_call=False)
    try:
        partner, _ = _verified(tx, client, asked, request, is_repeat=True)
    except REFUSALS:
        return Connected(made, replayed=True, may_call=False)
    return _passed(made, client, partner)


def _passed(made: Connection, client: Client, partner: Partner) -> Connected:
    """Answers a repeat that passed every check. An inactive party keeps the connection from the partner."""
    return Connected(made, replayed=True, may_call=client.active and partner.active)


def _new(
    tx: Transaction,
    member: Member,
    client: Client,
    partner: Partner,
    asked: NewConnection,
    request: SignedRequest,
    connection_id: UUID,
) -> Connected:
    parties.require_licence(tx, member.enterprise_id, partner.id)
    rules.require_may_connect(client, partner)
    touched = Touched([partner.id], [client.id], go_account_ids=[client.go_account_id])
    pause_rules.require_open(pauses.standing_among(tx, touched))
    endpoint = calls.endpoint_of(tx, partner.enterprise_id)
    connection = _new_connection(tx, member, client, asked, request, connection_id)
    if endpoint.is_called:
        connection = replace(connection, partners_client_id=None, partners_connection_id=None)
    ledger.insert_account(tx, connection.network_account_id, AccountKind.NETWORK, partner.id)
    sealed = tx.vault.encrypt(asked.key, context=_key_context(connection.id))
    store.insert_connection(tx, connection, sealed)
    if endpoint.is_called:
        introduction.owe(tx, connection, client, partner, asked.key)
    introduction.notify(tx, EventType.CONNECTION_CREATED, connection, client, partner)
    audit.record(tx, member, "connection.created", connection.id, partnerId=str(partner.id))
    return Connected(connection, replayed=False)


def change(
    runtime: Runtime,
    member: Member,
    connection_id: UUID,
    changes: ConnectionChanges,
    request: SignedRequest | None,
) -> tuple[Connection, Replayed]:
    """Renames, stops or restarts a connection. If nothing changes, no event is recorded.

    Raises:
        InvalidRequestError: the connection's account requires intent, and the change is not signed. Or its
            nonce or text is used.
    """
    request = signed_changes.require_match(request)
    with runtime.transaction() as tx:
        client = parties.require_client(tx, member.enterprise_id)
        before = store.lock_connection(tx, connection_id)
        if before is None or before.client_id != client.id:
            raise rules.unknown_connection()
        account_id = client.go_account_id
        if not signed_changes.accept(tx, member.enterprise_id, account_id, request, before.id, InvalidRequestError):
            return before, True
        if changes.get("active"):
            rules.require_not_refused(before)
        after = replace(before, **changes)
        if after == before:
            return before, False
        after = replace(after, updated_at=tx.now())
        store.update_connection(tx, after)
        partner = store.existing_partner(tx, after.partner_id)
        introduction.notify(tx, EventType.CONNECTION_UPDATED, after, client, partner, changed_by=member.user_id)
        audit.record(tx, member, "connection.changed", after.id, **changes)
        return after, False


def _partner_for(
    tx: Transaction, partner_id: UUID, key_schema: ConnectionKeySchema, key_fields: Mapping[str, str]
) -> Partner:
    partner = store.find_partner(tx, partner_id=partner_id)
    if partner is None:
        raise NotFoundError("partner_unknown", "partnerId: there is no partner with this id")
    rules.require_key_schema(partner, key_schema)
    rules.require_readable_key(partner, key_fields)
    return partner


def _new_connection(
    tx: Transaction,
    member: Member,
    client: Client,
    asked: NewConnection,
    request: SignedRequest,
    connection_id: UUID,
) -> Connection:
    now = tx.now()
    return Connection(
        id=connection_id,
        partner_id=asked.partner_id,
        client_id=client.id,
        network_account_id=tx.new_id(),
        name=asked.name,
        active=True,
        nonce=request.nonce,
        proof=request.signature,
        # A partner without a callback gives no ids of its own: both sides use ours (choice C23).
        partners_client_id=str(client.id),
        partners_connection_id=str(connection_id),
        initiated_by=member.user_id,
        created_at=now,
        updated_at=now,
    )
