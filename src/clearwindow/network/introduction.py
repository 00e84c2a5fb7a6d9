"""Tells a partner's endpoint about a new connection and stores the partner's ids for it. Protocol §8."""

from __future__ import annotations

import json
from uuid import UUID

from clearwindow.events import outbox
from clearwindow.events.models import Event, EventType
from clearwindow.network import rules, store
from clearwindow.network.models import Client, Connection, Partner
from clearwindow.partner_calls import calls
from clearwindow.partner_calls.jobs import CallWork
from clearwindow.partner_calls.models import Accepted, Answer, Callee, Operation, OwedCall, Silent
from clearwindow.partner_calls.rules import contradiction
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime

_ASKED = (Operation.CONNECTION,)


def owe(tx: Transaction, connection: Connection, client: Client, partner: Partner, key: bytes) -> None:
    """Records the call that tells the partner about the connection, with the client's key."""
    fields = {name: value for name, value in json.loads(key).items() if name != "schema"}
    body = fields | {
        "clientId": str(client.id),
        "clientWalletId": client.go_account_id.hex,
        "connectionId": str(connection.id),
        "partnerId": str(partner.id),
    }
    callee = Callee(partner.id, partner.enterprise_id)
    calls.owe(tx, callee, Operation.CONNECTION, connection.id, body, leased=True)


def introduce(runtime: Runtime, connection: Connection, *, leased: bool) -> Connection:
    """Calls the partner now, unless it has answered already. The worker repeats a call that gets no answer.

    ``leased``: this request recorded the call and holds its lease. Otherwise the call is made only if nobody
    else is making it.
    """
    if connection.initialized or connection.refused_reason is not None:
        return connection
    call = calls.take(runtime, connection.id, _ASKED, leased=leased)
    if call is not None:
        _settle(runtime, call, calls.make(runtime, call, attempts=runtime.calls.inline_attempts))
    with runtime.transaction() as tx:
        return _existing(store.find_connection(tx, connection.id), connection.id)


def introduction_work() -> CallWork:
    return CallWork("connections", _ASKED, _carry_on)


def notify(
    tx: Transaction,
    kind: EventType,
    connection: Connection,
    client: Client,
    partner: Partner,
    changed_by: str | None = None,
) -> None:
    """Records an event for the client's and the partner's enterprise. The partner is not told which user did it."""
    payload: dict[str, object] = {
        "connectionId": str(connection.id),
        "clientId": str(connection.client_id),
        "partnerId": str(connection.partner_id),
        "name": connection.name,
        "active": connection.active,
        "initialized": connection.initialized,
    }
    for_client = payload if changed_by is None else {**payload, "changedBy": changed_by}
    # One enterprise may be both client and partner. It gets one event.
    payloads = {partner.enterprise_id: payload, client.enterprise_id: for_client}
    receivers = dict.fromkeys((client.enterprise_id, partner.enterprise_id))
    outbox.record(tx, [Event(kind, owner, connection.id, payloads[owner]) for owner in receivers])


def _carry_on(runtime: Runtime, call: OwedCall) -> None:
    _settle(runtime, call, calls.make(runtime, call))


def _settle(runtime: Runtime, call: OwedCall, answer: Answer) -> None:
    """Stores the first valid answer. A second one changes nothing."""
    with runtime.transaction() as tx:
        connection = _existing(store.lock_connection(tx, call.subject_id), call.subject_id)
        if connection.initialized or connection.refused_reason is not None:
            return
        if isinstance(answer, Accepted):
            differing = contradiction(answer, _echoed(connection))
            if differing is not None:
                answer = Silent(f"the answer's {differing} is not the one that was sent")
        if isinstance(answer, Silent):
            calls.postpone(tx, call, answer)
            return
        known = rules.introduced(connection, answer, tx.now())
        if known is None:
            calls.postpone(tx, call, Silent("the answer has no partnersClientId and partnersConnectionId"))
            return
        calls.end(tx, call)
        store.introduce_connection(tx, known)
        client = store.find_client(tx, client_id=known.client_id)
        if client is None:
            raise LookupError(f"the connection {known.id} has no client")
        notify(tx, EventType.CONNECTION_UPDATED, known, client, store.existing_partner(tx, known.partner_id))


def _echoed(connection: Connection) -> dict[str, object]:
    return {"clientId": str(connection.client_id), "connectionId": str(connection.id)}


def _existing(connection: Connection | None, connection_id: UUID) -> Connection:
    if connection is None:
        raise LookupError(f"there is no connection {connection_id}")
    return connection
