"""Connecting a client to a partner, and looking at the connections there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypedDict
from uuid import UUID

from clearwindow.access.values import Member
from clearwindow.accounts import service as accounts
from clearwindow.audit import service as audit
from clearwindow.database.listing import Listing
from clearwindow.database.pool import Transaction
from clearwindow.errors import InvalidRequestError, NotFoundError
from clearwindow.network import introducing, rules, service, store
from clearwindow.network.values import Client, Connection, ConnectionFilter, ConnectionKeySchema, Partner
from clearwindow.notices.values import EventType
from clearwindow.partnercalls import service as calls
from clearwindow.runtime import Runtime
from clearwindow.signing import service as signing
from clearwindow.signing.values import SignedRequest


@dataclass(frozen=True, slots=True)
class NewConnection:
    """A client's account at a partner, and the key that proves it there."""

    partner_id: UUID
    name: str
    key_schema: ConnectionKeySchema
    key_fields: Mapping[str, str] = field(repr=False)
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Connected:
    """The connection; ``replayed`` where an earlier byte-identical request had made it."""

    connection: Connection
    replayed: bool


class ConnectionChanges(TypedDict, total=False):
    active: bool
    name: str


def require_connectable(
    runtime: Runtime,
    member: Member,
    partner_id: UUID,
    key_schema: ConnectionKeySchema,
    key_fields: Mapping[str, str],
) -> None:
    """Whether a request that is about to be signed names a partner and a key that it takes."""
    with runtime.transaction() as tx:
        service.require_client(tx, member.enterprise_id)
        _partner_for(tx, partner_id, key_schema, key_fields)


def connect(runtime: Runtime, member: Member, asked: NewConnection, request: SignedRequest) -> Connected:
    """Makes the connection and the network account it owns, and has the partner name it. Protocol §1, §3, §8.

    Raises:
        UnprocessableError: the partner refuses it; the record of it stays, inactive.
    """
    made = _make(runtime, member, asked, request)
    connection = introducing.introduce(runtime, made.connection, leased=not made.replayed)
    rules.require_not_refused(connection)
    return replace(made, connection=connection)


def _make(runtime: Runtime, member: Member, asked: NewConnection, request: SignedRequest) -> Connected:
    with runtime.transaction() as tx:
        client = service.require_client(tx, member.enterprise_id)
        partner = _partner_for(tx, asked.partner_id, asked.key_schema, asked.key_fields)
        signing.verify(tx, client.go_account_id, request)
        if not signing.use_nonce(tx, member.enterprise_id, request, conflict=InvalidRequestError):
            return Connected(_made_before(tx, client, request), replayed=True)
        rules.require_may_connect(client, partner)
        endpoint = calls.endpoint_of(tx, partner.enterprise_id)
        connection = _new_connection(tx, runtime, member, client, asked, request)
        if endpoint.is_called:
            connection = replace(connection, partners_client_id=None, partners_connection_id=None)
        accounts.open_network_account(tx, connection.network_account_id, partner.id)
        sealed = runtime.vault.encrypt(asked.key, context=f"connection-key:{connection.id}")
        store.insert_connection(tx, connection, sealed)
        if endpoint.is_called:
            introducing.owe(tx, runtime, connection, client, partner, asked.key)
        introducing.notify(tx, EventType.CONNECTION_CREATED, connection, client, partner)
        audit.record(tx, member, "connection.created", connection.id, partnerId=str(partner.id))
        return Connected(connection, replayed=False)


def change(runtime: Runtime, member: Member, connection_id: UUID, changes: ConnectionChanges) -> Connection:
    """Renames, stops or restarts a connection; what is as asked already is no change and tells nobody."""
    with runtime.transaction() as tx:
        client = service.require_client(tx, member.enterprise_id)
        before = store.lock_connection(tx, connection_id)
        if before is None or before.client_id != client.id:
            raise unknown_connection()
        if changes.get("active"):
            rules.require_not_refused(before)
        after = replace(before, **changes)
        if after == before:
            return before
        after = replace(after, updated_at=tx.now())
        store.update_connection(tx, after)
        partner = service.partner_by_id(tx, after.partner_id)
        if partner is None:
            raise LookupError(f"the connection {after.id} has no partner")
        introducing.notify(tx, EventType.CONNECTION_UPDATED, after, client, partner)
        audit.record(tx, member, "connection.changed", after.id, **changes)
        return after


def client_connection(runtime: Runtime, member: Member, connection_id: UUID) -> Connection:
    with runtime.transaction() as tx:
        client = service.require_client(tx, member.enterprise_id)
        connection = service.connection_of_client(tx, client.id, connection_id)
    if connection is None:
        raise unknown_connection()
    return connection


def partner_connection(runtime: Runtime, member: Member, connection_id: UUID) -> Connection:
    with runtime.transaction() as tx:
        partner = service.require_partner(tx, member.enterprise_id)
        connection = service.connection_of_partner(tx, partner.id, connection_id)
    if connection is None:
        raise unknown_connection()
    return connection


def client_connections(
    runtime: Runtime, member: Member, wanted: ConnectionFilter, *, limit: int, offset: int
) -> Listing[Connection]:
    with runtime.transaction() as tx:
        client = service.require_client(tx, member.enterprise_id)
        return store.list_connections(tx, replace(wanted, client_id=client.id), limit=limit, offset=offset)


def partner_connections(
    runtime: Runtime, member: Member, wanted: ConnectionFilter, *, limit: int, offset: int
) -> Listing[Connection]:
    with runtime.transaction() as tx:
        partner = service.require_partner(tx, member.enterprise_id)
        return store.list_connections(tx, replace(wanted, partner_id=partner.id), limit=limit, offset=offset)


def unknown_connection() -> NotFoundError:
    """The same answer for another's connection as for none."""
    return NotFoundError("connection_unknown", "the enterprise has no connection with this id")


def _partner_for(
    tx: Transaction, partner_id: UUID, key_schema: ConnectionKeySchema, key_fields: Mapping[str, str]
) -> Partner:
    partner = service.partner_by_id(tx, partner_id)
    if partner is None:
        raise NotFoundError("partner_unknown", "partnerId: there is no partner with this id")
    rules.require_key_schema(partner, key_schema)
    rules.require_readable_key(partner, key_fields)
    return partner


def _made_before(tx: Transaction, client: Client, request: SignedRequest) -> Connection:
    connection = store.find_connection_by_nonce(tx, client.id, request.nonce)
    if connection is None:
        raise InvalidRequestError("nonce_used", "the nonce was used by another request: choose a new one")
    return connection


def _new_connection(
    tx: Transaction,
    runtime: Runtime,
    member: Member,
    client: Client,
    asked: NewConnection,
    request: SignedRequest,
) -> Connection:
    connection_id, now = runtime.ids.new(), tx.now()
    return Connection(
        id=connection_id,
        partner_id=asked.partner_id,
        client_id=client.id,
        network_account_id=runtime.ids.new(),
        name=asked.name,
        active=True,
        nonce=request.nonce,
        proof=request.signature,
        # A partner without a callback gives no names of its own: ours serve both sides (*choice*).
        partners_client_id=str(client.id),
        partners_connection_id=str(connection_id),
        initiated_by=member.user_id,
        created_at=now,
        updated_at=now,
    )
