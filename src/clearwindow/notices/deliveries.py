"""Taking what endpoints are owed, and writing down what came of it. Protocol §9.

An endpoint is one worker's for as long as its lease lasts: only so do its messages arrive in order. A worker that
dies leaves a lease that runs out, and what it had delivered without saying so is delivered again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from clearwindow.clock import wire_time
from clearwindow.database.pool import Transaction
from clearwindow.notices import rules, service, store
from clearwindow.notices.endpoints import place, secret_context
from clearwindow.notices.rules import Course, Verdict
from clearwindow.notices.signatures import Signer, SigningKeys
from clearwindow.notices.values import Event, EventType
from clearwindow.notices.webhooks import Answer, Claim, DisabledReason, Endpoint, EndpointStatus, OwedMessage
from clearwindow.runtime import Runtime

_TIMEOUTS_IN_A_LEASE: Final = 6
PER_ENDPOINT: Final = 100
"""Messages that are posted to an endpoint before it is said what came of them."""
BYTES_PER_ENDPOINT: Final = 1024 * 1024
"""Of all of these but the first, as the database stores them."""

_DISABLED: Final = {
    Course.DISABLED_AS_GONE: DisabledReason.GONE,
    Course.DISABLED_AS_FAILING: DisabledReason.FAILING,
}


def lease(runtime: Runtime) -> timedelta:
    """How long endpoints are whose messages are in hand; those of a process that dies are free again after that."""
    return timedelta(seconds=_TIMEOUTS_IN_A_LEASE * runtime.calls.webhook_timeout_seconds)


def claim(runtime: Runtime, limit: int) -> list[Claim]:
    """Takes up to that many endpoints that may be posted to now, with what they are owed first."""
    with runtime.transaction() as tx:
        now = tx.now()
        return store.claim(
            tx,
            runtime.ids.new(),
            leased_until=now + lease(runtime),
            owed_after=now - rules.MAX_AGE,
            limit=limit,
            per_endpoint=PER_ENDPOINT,
            bytes_per_endpoint=BYTES_PER_ENDPOINT,
        )


def signer(runtime: Runtime, claimed: Claim) -> Signer:
    vault = runtime.vault
    return Signer(
        [
            SigningKeys.of_bytes(vault.decrypt(secret.encrypted_keys, context=secret_context(secret.id)))
            for secret in claimed.secrets
        ]
    )


def body(message: OwedMessage) -> bytes:
    """The text of a message: the same at every try."""
    timestamp = wire_time(message.created_at)
    return f'{{"type":{json.dumps(message.type)},"timestamp":"{timestamp}","data":{message.payload}}}'.encode()


def settle(runtime: Runtime, claimed: Claim, answers: Sequence[Answer], chance: float) -> None:
    """Gives the endpoint back with what came of the first messages of the claim, one answer for each.

    Where the lease was lost nothing is written: whoever has the endpoint now tells its own story. What an endpoint
    did before its owner changed it, perhaps to another address, is noted and not held against it.
    """
    with runtime.transaction() as tx:
        endpoint = store.lock_leased(tx, claimed)
        if endpoint is None:
            return
        changed = endpoint.updated_at != claimed.endpoint.updated_at
        if not answers or changed or endpoint.status != EndpointStatus.ENABLED:
            store.record_answers(tx, claimed, answers)
            store.give_up_lease(tx, claimed)
            return
        judged = rules.verdict(endpoint.failures, endpoint.failing_since, answers, tx.now(), chance)
        store.record_answers(tx, claimed, answers)
        store.return_endpoint(tx, claimed, judged, _DISABLED.get(judged.course))
        _tell(tx, endpoint, judged)


class WebhookBacklog:
    """What could be delivered now, as due work: counted in endpoints, for one hears in its own order."""

    name = "webhooks"

    def next_due_at(self, tx: Transaction) -> datetime | None:
        return store.next_delivery_at(tx)

    def count_due(self, tx: Transaction) -> int:
        return store.count_owed_endpoints(tx)

    def under_way(self, tx: Transaction) -> int:
        """How many endpoints are being posted to."""
        return store.count_leased(tx)


def _tell(tx: Transaction, endpoint: Endpoint, judged: Verdict) -> None:
    payload: dict[str, object] = {"webhookEndpointId": str(endpoint.id), "url": place(endpoint.url)}
    if judged.course is Course.RECOVERED:
        kind = EventType.WEBHOOK_ENDPOINT_RECOVERED
        payload["failingSince"] = wire_time(endpoint.failing_since) if endpoint.failing_since else None
    elif judged.course in _DISABLED:
        kind = EventType.WEBHOOK_ENDPOINT_DISABLED
        payload["reason"] = _DISABLED[judged.course]
        payload["failingSince"] = wire_time(judged.failing_since) if judged.failing_since else None
    else:
        return
    service.record(tx, [Event(kind, endpoint.enterprise_id, endpoint.id, payload)])
