"""Making a new connection known to a partner that is called, and taking the partner's names for it. Protocol §8."""

from __future__ import annotations

import json
from collections.abc import Mapping
from uuid import UUID

from clearwindow.database.pool import Transaction
from clearwindow.network import lookups, rules, service, store
from clearwindow.network.values import Client, Connection, Partner
from clearwindow.notices import service as notices
from clearwindow.notices.values import Event, EventType
from clearwindow.partnercalls import service as calls
from clearwindow.partnercalls.rules import contradiction
from clearwindow.partnercalls.values import Accepted, Answer, Callee, Operation, OwedCall, Silent
from clearwindow.partnercalls.work import CallWork
from clearwindow.runtime import Runtime

_ASKED = (Operation.CONNECTION,)


def owe(
    tx: Transaction, runtime: Runtime, connection: Connection, client: Client, partner: Partner, key: bytes
) -> None:
    """Writes that the partner is owed the news of the connection, with the key that proves it."""
    fields = {name: value for name, value in json.loads(key).items() if name != "schema"}
    body = fields | {
        "clientId": str(client.id),
        "clientWalletId": client.go_account_id.hex,
        "connectionId": str(connection.id),
        "partnerId": str(partner.id),
    }
    callee = Callee(partner.id, partner.enterprise_id)
    calls.owe(tx, runtime, callee, Operation.CONNECTION, connection.id, body, leased=True)


def introduce(runtime: Runtime, connection: Connection, *, leased: bool) -> Connection:
    """Asks the partner now, where that is still to be done; what it does not answer now is asked again later.

    ``leased``: the question has just been left to this caller. Any other asks only what nobody is asking.
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


def notify(tx: Transaction, kind: EventType, connection: Connection, client: Client, partner: Partner) -> None:
    payload: Mapping[str, object] = {
        "connectionId": str(connection.id),
        "clientId": str(connection.client_id),
        "partnerId": str(connection.partner_id),
        "name": connection.name,
        "active": connection.active,
        "initialized": connection.initialized,
    }
    # One enterprise may be both sides, and hears of it once.
    hearers = dict.fromkeys((client.enterprise_id, partner.enterprise_id))
    notices.record(tx, [Event(kind, enterprise_id, connection.id, payload) for enterprise_id in hearers])


def _carry_on(runtime: Runtime, call: OwedCall) -> None:
    _settle(runtime, call, calls.make(runtime, call))


def _settle(runtime: Runtime, call: OwedCall, answer: Answer) -> None:
    """Carries out the first answer that is one; whoever comes second finds the call ended."""
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
        client = service.client_by_id(tx, known.client_id)
        if client is None:
            raise LookupError(f"the connection {known.id} has no client")
        notify(tx, EventType.CONNECTION_UPDATED, known, client, lookups.partner(tx, known.partner_id))


def _echoed(connection: Connection) -> dict[str, object]:
    return {"clientId": str(connection.client_id), "connectionId": str(connection.id)}


def _existing(connection: Connection | None, connection_id: UUID) -> Connection:
    if connection is None:
        raise LookupError(f"there is no connection {connection_id}")
    return connection
