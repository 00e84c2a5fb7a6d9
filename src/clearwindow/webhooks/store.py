"""Reads and writes of webhook endpoints, their secrets, deliveries and attempts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.types.json import Json, Jsonb

from clearwindow.events.models import Event
from clearwindow.postgres.paging import NEWEST_FIRST, OLDEST_FIRST, Listing, Order, Slice, keyset_page
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries
from clearwindow.webhooks.models import (
    Answer,
    Attempt,
    AttemptFilter,
    BatchResult,
    Claim,
    Delivery,
    DeliveryFilter,
    DisabledReason,
    Endpoint,
    EndpointFilter,
    EndpointStatus,
    EventOutcome,
    OwedMessage,
    Secret,
    SeenEvent,
)

sql: Final = Queries("clearwindow.webhooks")
_LAST_POSITION_FIRST: Final = Order({"position": int})
_LAST_ATTEMPT_FIRST: Final = Order({"started_at": datetime, "position": int, "number": int})


def insert_event(tx: Transaction, event_id: UUID, event: Event) -> None:
    values = {"id": event_id, "enterprise_id": event.enterprise_id, "type": str(event.type)}
    payload = Jsonb(dict(event.payload))
    tx.run(sql["insert_event"], **values, subject_id=event.subject_id, payload=payload, now=tx.now())


def insert_endpoint(tx: Transaction, endpoint: Endpoint) -> None:
    tx.run(
        sql["insert_endpoint"],
        id=endpoint.id,
        enterprise_id=endpoint.enterprise_id,
        url=endpoint.url,
        event_types=endpoint.event_types,
        description=endpoint.description,
        created_by=endpoint.created_by,
        now=endpoint.created_at,
    )


def count_endpoints(tx: Transaction, enterprise_id: str) -> int:
    return tx.scalars(int, sql["count_endpoints"], enterprise_id=enterprise_id)[0]


def find_endpoint(tx: Transaction, enterprise_id: str, endpoint_id: UUID) -> Endpoint | None:
    return tx.first(Endpoint, sql["find_endpoint"], id=endpoint_id, enterprise_id=enterprise_id)


def lock_endpoint(tx: Transaction, enterprise_id: str, endpoint_id: UUID) -> Endpoint | None:
    return tx.first(Endpoint, sql["lock_endpoint"], id=endpoint_id, enterprise_id=enterprise_id)


def list_endpoints(tx: Transaction, enterprise_id: str, part: Slice) -> Listing[Endpoint]:
    values = {"enterprise_id": enterprise_id}
    return keyset_page(tx, Endpoint, sql["list_endpoints"], values, OLDEST_FIRST, part)


def search_endpoints(tx: Transaction, wanted: EndpointFilter, part: Slice) -> Listing[Endpoint]:
    return keyset_page(tx, Endpoint, sql["search_endpoints"], asdict(wanted), NEWEST_FIRST, part)


def update_endpoint(tx: Transaction, endpoint: Endpoint) -> None:
    tx.run(
        sql["update_endpoint"],
        id=endpoint.id,
        url=endpoint.url,
        event_types=endpoint.event_types,
        description=endpoint.description,
        status=endpoint.status,
        disabled_reason=endpoint.disabled_reason,
        now=endpoint.updated_at,
    )


def delete_endpoint(tx: Transaction, endpoint_id: UUID) -> None:
    tx.run(sql["delete_endpoint"], id=endpoint_id, now=tx.now())
    tx.run(sql["drop_all_owed"], endpoint_id=endpoint_id, now=tx.now())


def insert_secret(tx: Transaction, secret: Secret) -> None:
    tx.run(
        sql["insert_secret"],
        id=secret.id,
        endpoint_id=secret.endpoint_id,
        encrypted_keys=secret.encrypted_keys,
        public_key=secret.public_key,
        now=secret.created_at,
    )


def retire_secrets(tx: Transaction, endpoint_id: UUID, valid_until: datetime) -> None:
    tx.run(sql["retire_secrets"], endpoint_id=endpoint_id, valid_until=valid_until, now=tx.now())


def valid_secrets(tx: Transaction, endpoint_ids: Collection[UUID]) -> dict[UUID, list[Secret]]:
    """Returns the valid secrets of each endpoint, the newest first."""
    found: dict[UUID, list[Secret]] = {}
    for secret in tx.all(Secret, sql["valid_secrets"], endpoint_ids=list(endpoint_ids), now=tx.now()):
        found.setdefault(secret.endpoint_id, []).append(secret)
    return found


def replay_event(tx: Transaction, endpoint: Endpoint, event_id: UUID) -> bool:
    """Returns False if the enterprise has no such event."""
    for event in find_events(tx, endpoint.enterprise_id, [event_id]):
        values = {"endpoint_id": endpoint.id, "enterprise_id": endpoint.enterprise_id, "event_id": event.id}
        tx.run(sql["insert_replay"], **values, as_client=event.as_client, now=tx.now())
        return True
    return False


def find_events(tx: Transaction, enterprise_id: str, event_ids: Sequence[UUID]) -> list[SeenEvent]:
    """Returns the stored events which the enterprise knows by these ids."""
    return tx.all(SeenEvent, sql["find_seen_events"], enterprise_id=enterprise_id, ids=list(event_ids))


def has_events_to_deliver(tx: Transaction) -> bool:
    return tx.scalars(bool, sql["has_events_to_deliver"])[0]


def fan_out(tx: Transaction, *, events: int, owners: int) -> int:
    """Makes the deliveries of the oldest events that wait for that. Returns the number of these events.

    Until its end, the transaction keeps others from doing the same.
    """
    # A statement of its own: the next one must see what the last holder of the lock has committed.
    tx.run(sql["lock_fan_out"])
    return tx.scalars(int, sql["fan_out"], events=events, owners=owners)[0]


def replay_range(
    tx: Transaction, endpoint: Endpoint, from_at: datetime, until_at: datetime, *, only_missed: bool, limit: int
) -> int:
    """Returns the number of events that will be sent again."""
    return tx.run(
        sql["replay_range"],
        endpoint_id=endpoint.id,
        enterprise_id=endpoint.enterprise_id,
        event_types=endpoint.event_types,
        from_at=from_at,
        until_at=until_at,
        only_missed=only_missed,
        limit=limit,
        now=tx.now(),
    )


def list_deliveries(tx: Transaction, endpoint: Endpoint, wanted: DeliveryFilter, part: Slice) -> Listing[Delivery]:
    values = asdict(wanted) | _of_endpoint(tx, endpoint, wanted.event_ids)
    return keyset_page(tx, Delivery, sql["list_deliveries"], values, _LAST_POSITION_FIRST, part)


def outcomes(tx: Transaction, event_ids: Collection[UUID]) -> list[EventOutcome]:
    """Returns what became of the messages about these events, replayed ones included."""
    return tx.all(EventOutcome, sql["outcomes"], event_ids=list(event_ids))


def list_attempts(tx: Transaction, endpoint: Endpoint, wanted: AttemptFilter, part: Slice) -> Listing[Attempt]:
    values = asdict(wanted) | _of_endpoint(tx, endpoint, wanted.event_ids)
    return keyset_page(tx, Attempt, sql["list_attempts"], values, _LAST_ATTEMPT_FIRST, part)


def _of_endpoint(tx: Transaction, endpoint: Endpoint, seen_ids: Sequence[UUID] | None) -> dict[str, object]:
    """Returns the endpoint and the events of a filter: the stored ids, and those under which they are seen."""
    if seen_ids is None:
        return {"endpoint_id": endpoint.id, "event_ids": None, "seen_ids": None}
    stored = {event.id for event in find_events(tx, endpoint.enterprise_id, seen_ids)}
    return {"endpoint_id": endpoint.id, "event_ids": list(stored), "seen_ids": list(seen_ids)}


def claim(
    tx: Transaction,
    lease_id: UUID,
    *,
    leased_until: datetime,
    owed_after: datetime,
    limit: int,
    per_endpoint: int,
    bytes_per_endpoint: int,
) -> list[Claim]:
    """Leases endpoints that have messages to send and may be posted to now, each with its first messages.

    Messages owed since before ``owed_after`` are too old and are dropped.
    """
    now = tx.now()
    owing = tx.scalars(UUID, sql["list_owing"], now=now)
    if not owing:
        return []
    values = {"ids": owing[: 4 * limit], "lease_id": lease_id, "leased_until": leased_until}
    claimed = tx.all(Endpoint, sql["claim_endpoints"], **values, limit=limit, now=now)
    ids = [endpoint.id for endpoint in claimed]
    tx.run(sql["drop_aged"], endpoint_ids=ids, owed_before=owed_after, now=now)
    messages: dict[UUID, list[OwedMessage]] = {}
    bounds = {"per_endpoint": per_endpoint, "bytes_per_endpoint": bytes_per_endpoint}
    for message in tx.all(OwedMessage, sql["first_messages"], endpoint_ids=ids, **bounds):
        messages.setdefault(message.endpoint_id, []).append(message)
    secrets = valid_secrets(tx, ids)
    return [Claim(endpoint, lease_id, secrets[endpoint.id], messages.get(endpoint.id, [])) for endpoint in claimed]


def lock_leased(tx: Transaction, claim: Claim) -> Endpoint | None:
    """Returns the endpoint as it is now, or None if the lease was lost or the endpoint deleted."""
    return tx.first(Endpoint, sql["lock_leased"], id=claim.endpoint.id, lease_id=claim.lease_id)


def return_endpoint(
    tx: Transaction, claim: Claim, result: BatchResult, disabled_reason: DisabledReason | None
) -> None:
    tx.run(
        sql["return_endpoint"],
        id=claim.endpoint.id,
        failures=result.failures,
        failing_since=result.failing_since,
        retry_at=result.retry_at,
        status=EndpointStatus.DISABLED if disabled_reason else EndpointStatus.ENABLED,
        disabled_reason=disabled_reason,
    )


def give_up_lease(tx: Transaction, claim: Claim) -> None:
    tx.run(sql["give_up_lease"], id=claim.endpoint.id)


def count_owed_endpoints(tx: Transaction) -> int:
    return tx.scalars(int, sql["count_owed_endpoints"], now=tx.now())[0]


def count_events_to_deliver(tx: Transaction) -> int:
    """Returns how many events have no deliveries yet, or 0 in a network without endpoints."""
    return tx.scalars(int, sql["count_events_to_deliver"])[0]


def next_delivery_at(tx: Transaction) -> datetime | None:
    """Returns when the next message can be posted, or the time of the oldest event without deliveries."""
    return tx.scalars(datetime, sql["next_delivery_at"])[0]


def count_leased(tx: Transaction) -> int:
    return tx.scalars(int, sql["count_leased"], now=tx.now())[0]


def record_answers(tx: Transaction, claim: Claim, answers: Sequence[Answer]) -> None:
    """Writes one attempt per answer. The answers belong to the first messages of the claim, in order."""
    tried = zip(claim.messages, answers, strict=False)
    tx.run(
        sql["record_answers"],
        endpoint_id=claim.endpoint.id,
        enterprise_id=claim.endpoint.enterprise_id,
        # One JSON document costs a tenth of seven arrays.
        answers=Json([_attempt(message, answer) for message, answer in tried]),
        now=tx.now(),
    )


def _attempt(message: OwedMessage, answer: Answer) -> dict[str, object]:
    return {
        "position": message.position,
        "number": message.attempts + 1,
        "started_at": answer.started_at.isoformat(),
        "duration_milliseconds": answer.duration_milliseconds,
        "status_code": answer.status_code,
        "problem": answer.problem,
    }


def oldest_attempt_at(tx: Transaction) -> datetime | None:
    return next(iter(tx.scalars(datetime, sql["oldest_attempt_at"])), None)


def prune_attempts(tx: Transaction, *, started_before: datetime, limit: int) -> int:
    """Deletes the oldest attempts of all endpoints. Returns their number."""
    return tx.run(sql["prune_attempts"], started_before=started_before, limit=limit)
