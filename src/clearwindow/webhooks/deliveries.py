"""Claims of messages to deliver, and the record of their results. Protocol §9.

An endpoint is leased to one worker at a time, so that its messages arrive in order. If a worker dies, its lease
expires, and messages whose delivery it had not recorded are delivered again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from clearwindow.core.clock import wire_time
from clearwindow.events import outbox
from clearwindow.events.models import Event, EventType
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.webhooks import fan_out, rules, store
from clearwindow.webhooks.endpoints import secret_context
from clearwindow.webhooks.models import (
    Answer,
    BatchResult,
    Claim,
    DisabledReason,
    Endpoint,
    EndpointStatus,
    Outcome,
    OwedMessage,
)
from clearwindow.webhooks.signatures import Signer, SigningKeys

_TIMEOUTS_IN_A_LEASE: Final = 6
PER_ENDPOINT: Final = 100
"""The most messages that are posted to an endpoint before their results are recorded."""
BYTES_PER_ENDPOINT: Final = 1024 * 1024
"""The most bytes of these messages, as the database stores them. The first message may be larger."""

_DISABLED: Final = {
    Outcome.DISABLED_AS_GONE: DisabledReason.GONE,
    Outcome.DISABLED_AS_FAILING: DisabledReason.FAILING,
}


def lease(runtime: Runtime) -> timedelta:
    """Returns how long a claimed endpoint is leased. If its process dies, another may claim it after this time."""
    return timedelta(seconds=_TIMEOUTS_IN_A_LEASE * runtime.calls.webhook_timeout_seconds)


def claim(runtime: Runtime, limit: int) -> list[Claim]:
    """Leases up to ``limit`` endpoints that may be posted to now, with their first messages."""
    with runtime.transaction() as tx:
        now = tx.now()
        return store.claim(
            tx,
            tx.new_id(),
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
    """Returns the body of a message. It is the same for every attempt."""
    timestamp = wire_time(message.created_at)
    return f'{{"type":{json.dumps(message.type)},"timestamp":"{timestamp}","data":{message.payload}}}'.encode()


def finish(runtime: Runtime, claimed: Claim, answers: Sequence[Answer], chance: float) -> None:
    """Ends the lease and records the answers to the first messages of the claim, one for each message.

    If the lease was lost, nothing is recorded: the new holder delivers and records. If the owner changed the
    endpoint meanwhile, perhaps its address, the attempts are recorded but do not count as its failures.
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
        result = rules.after_batch(endpoint.failures, endpoint.failing_since, answers, tx.now(), chance)
        store.record_answers(tx, claimed, answers)
        if result.outcome in _DISABLED:
            fan_out.complete(tx)
        store.return_endpoint(tx, claimed, result, _DISABLED.get(result.outcome))
        _record_event(tx, endpoint, result)


def _record_event(tx: Transaction, endpoint: Endpoint, result: BatchResult) -> None:
    payload: dict[str, object] = {"webhookEndpointId": str(endpoint.id), "url": rules.without_query(endpoint.url)}
    if result.outcome is Outcome.RECOVERED:
        kind = EventType.WEBHOOK_ENDPOINT_RECOVERED
        payload["failingSince"] = wire_time(endpoint.failing_since) if endpoint.failing_since else None
    elif result.outcome in _DISABLED:
        kind = EventType.WEBHOOK_ENDPOINT_DISABLED
        payload["reason"] = _DISABLED[result.outcome]
        payload["failingSince"] = wire_time(result.failing_since) if result.failing_since else None
    else:
        return
    outbox.record(tx, [Event(kind, endpoint.enterprise_id, endpoint.id, payload)])
