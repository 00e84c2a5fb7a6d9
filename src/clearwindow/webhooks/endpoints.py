"""What an enterprise does with its webhook endpoints. Protocol §9."""

from __future__ import annotations

import secrets as randomness
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

from clearwindow.access import service as access
from clearwindow.access.values import Member
from clearwindow.audit import service as audit
from clearwindow.clock import wire_time
from clearwindow.database.listing import Listing
from clearwindow.database.pool import Transaction
from clearwindow.errors import ConflictError, InvalidRequestError, NotFoundError, UnprocessableError
from clearwindow.notices import store
from clearwindow.notices.signatures import KEY_BYTES, SigningKeys
from clearwindow.notices.values import Event, EventType
from clearwindow.notices.webhooks import (
    Attempt,
    Delivery,
    DisabledReason,
    Endpoint,
    EndpointStatus,
    Secret,
)
from clearwindow.outgoing.addresses import AddressRefusedError, require_callable
from clearwindow.runtime import Runtime

MAX_ENDPOINTS: Final = 50
"""Of one enterprise."""

MAX_REPLAYED: Final = 10_000
"""Events that one request may have sent again."""

OVERLAP: Final = timedelta(hours=24)
"""How long messages are signed with the old secret, too, after a new one was made."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an endpoint is to be; ``event_types`` of None: all that are not opt-in."""

    url: str
    event_types: list[str] | None
    description: str | None


@dataclass(frozen=True, slots=True)
class TimeRange:
    """What happened from ``from_at`` on and before ``until_at``, or now; perhaps only what was not delivered."""

    from_at: datetime
    until_at: datetime | None
    only_missed: bool


@dataclass(frozen=True, slots=True)
class WithSecret:
    """An endpoint and the secret that was just made for it, to be shown this once."""

    endpoint: Endpoint
    public_key: bytes
    keys: SigningKeys = field(repr=False)


@dataclass(frozen=True, slots=True)
class WithPublicKeys:
    """An endpoint and the public keys that its messages are signed for, the latest first."""

    endpoint: Endpoint
    public_keys: list[bytes]


def create(runtime: Runtime, member: Member, wanted: Wanted) -> WithSecret:
    """Makes an endpoint; from the next event on it hears."""
    _require_url(runtime, wanted.url)
    with runtime.transaction() as tx:
        access.lock_enterprise(tx, member.enterprise_id)
        if store.count_endpoints(tx, member.enterprise_id) >= MAX_ENDPOINTS:
            raise UnprocessableError(
                "too_many_webhook_endpoints",
                f"an enterprise has at most {MAX_ENDPOINTS} webhook endpoints: delete one first",
                {"limitEndpoints": MAX_ENDPOINTS},
            )
        now = tx.now()
        endpoint = Endpoint(
            id=runtime.ids.new(),
            enterprise_id=member.enterprise_id,
            url=wanted.url,
            event_types=wanted.event_types,
            description=wanted.description,
            status=EndpointStatus.ENABLED,
            disabled_reason=None,
            failures=0,
            failing_since=None,
            retry_at=None,
            created_by=member.user_id,
            created_at=now,
            updated_at=now,
        )
        store.insert_endpoint(tx, endpoint)
        made = _new_secret(runtime, tx, endpoint)
        audit.record(tx, member, "webhook_endpoint.created", endpoint.id, url=place(wanted.url))
        return made


def change(
    runtime: Runtime, member: Member, endpoint_id: UUID | None, changes: Mapping[str, object]
) -> WithPublicKeys:
    """Changes what ``changes`` names (url, event_types, description, enabled); an enabled one starts anew."""
    if isinstance(changes.get("url"), str):
        _require_url(runtime, str(changes["url"]))
    with runtime.transaction() as tx:
        before = _locked(tx, member, endpoint_id)
        named = dict(changes)
        enabled = named.pop("enabled", None)
        after = replace(before, **named)  # type: ignore[arg-type]  # the request's model has checked them
        if enabled is False:
            after = replace(after, status=EndpointStatus.DISABLED, disabled_reason=DisabledReason.ASKED)
        elif enabled is True:
            after = replace(after, status=EndpointStatus.ENABLED, disabled_reason=None)
        if after != before:
            after = replace(after, updated_at=tx.now())
            store.update_endpoint(tx, after)
            named = dict(changes) | ({"url": place(after.url)} if "url" in changes else {})
            audit.record(tx, member, "webhook_endpoint.changed", after.id, **named)
        return _shown(tx, store.find_endpoint(tx, member.enterprise_id, after.id) or after)


def delete(runtime: Runtime, member: Member, endpoint_id: UUID | None) -> None:
    """Deletes the endpoint; what it is owed is dropped."""
    with runtime.transaction() as tx:
        endpoint = _locked(tx, member, endpoint_id)
        store.delete_endpoint(tx, endpoint.id)
        audit.record(tx, member, "webhook_endpoint.deleted", endpoint.id, url=place(endpoint.url))


def rotate_secret(runtime: Runtime, member: Member, endpoint_id: UUID | None) -> WithSecret:
    """Makes a new secret; for a while messages are signed with the old one, too."""
    with runtime.transaction() as tx:
        endpoint = _locked(tx, member, endpoint_id)
        store.retire_secrets(tx, endpoint.id, tx.now() + OVERLAP)
        made = _new_secret(runtime, tx, endpoint)
        audit.record(tx, member, "webhook_endpoint.secret_rotated", endpoint.id)
        return made


def send_test(runtime: Runtime, member: Member, endpoint_id: UUID | None) -> UUID:
    """Owes the endpoint an event that says nothing; gives the event's id."""
    with runtime.transaction() as tx:
        endpoint = _locked(tx, member, endpoint_id)
        if endpoint.status != EndpointStatus.ENABLED:
            raise _disabled()
        event_id = runtime.ids.new()
        payload = {"webhookEndpointId": str(endpoint.id), "sentBy": member.user_id}
        event = Event(EventType.WEBHOOK_ENDPOINT_TEST, member.enterprise_id, endpoint.id, payload)
        store.insert_event(tx, event_id, event)
        return event_id


def replay(runtime: Runtime, member: Member, endpoint_id: UUID | None, asked: UUID | TimeRange) -> int:
    """Owes the endpoint again, after what it is owed already and under their own ids; gives how many events.

    Args:
        runtime: what every use case is handed.
        member: who asks.
        endpoint_id: of the endpoint.
        asked: one event by its id, or all of a range of time that are not owed already.
    """
    with runtime.transaction() as tx:
        endpoint = _locked(tx, member, endpoint_id)
        if endpoint.status != EndpointStatus.ENABLED:
            raise _disabled()
        if isinstance(asked, UUID):
            owed, told = _replay_event(tx, endpoint, asked), {"eventId": str(asked)}
        else:
            until_at = asked.until_at or tx.now()
            owed = _replay_range(tx, endpoint, asked, until_at)
            told = {"from": wire_time(asked.from_at), "until": wire_time(until_at)}
        audit.record(tx, member, "webhook_endpoint.replayed", endpoint.id, **told, events=owed)
        return owed


def one(runtime: Runtime, member: Member, endpoint_id: UUID | None) -> WithPublicKeys:
    with runtime.transaction() as tx:
        return _shown(tx, _known(tx, member, endpoint_id))


def all_of(runtime: Runtime, member: Member, *, limit: int, offset: int) -> Listing[WithPublicKeys]:
    with runtime.transaction() as tx:
        page = store.list_endpoints(tx, member.enterprise_id, limit=limit, offset=offset)
        keys = store.valid_secrets(tx, [endpoint.id for endpoint in page.items])
        shown = [
            WithPublicKeys(endpoint, [secret.public_key for secret in keys[endpoint.id]]) for endpoint in page.items
        ]
        return Listing(shown, page.total)


def deliveries(
    runtime: Runtime,
    member: Member,
    endpoint_id: UUID | None,
    *,
    statuses: Sequence[str] | None,
    event_ids: Sequence[UUID] | None,
    limit: int,
    offset: int,
) -> Listing[Delivery]:
    """What the endpoint was and is owed, the latest first."""
    with runtime.transaction() as tx:
        endpoint = _known(tx, member, endpoint_id)
        return store.list_deliveries(
            tx, endpoint.id, statuses=statuses, event_ids=event_ids, limit=limit, offset=offset
        )


def attempts(
    runtime: Runtime,
    member: Member,
    endpoint_id: UUID | None,
    *,
    succeeded: bool | None,
    event_ids: Sequence[UUID] | None,
    limit: int,
    offset: int,
) -> Listing[Attempt]:
    """Every try to deliver to the endpoint, the latest first."""
    with runtime.transaction() as tx:
        endpoint = _known(tx, member, endpoint_id)
        return store.list_attempts(
            tx, endpoint.id, succeeded=succeeded, event_ids=event_ids, limit=limit, offset=offset
        )


def place(url: str) -> str:
    """An address without its query, which may hold a password of the receiver's."""
    return urlunsplit(urlsplit(url)._replace(query=""))


def secret_context(secret_id: UUID) -> str:
    """What the sealed keys of a secret are bound to."""
    return f"webhook-secret:{secret_id}"


def _require_url(runtime: Runtime, url: str) -> None:
    try:
        require_callable(url, allow_private=runtime.outgoing.allow_private, query=True)
    except AddressRefusedError as error:
        raise InvalidRequestError("webhook_url_refused", f"url: {error}") from None


def _new_secret(runtime: Runtime, tx: Transaction, endpoint: Endpoint) -> WithSecret:
    keys = SigningKeys(randomness.token_bytes(KEY_BYTES), randomness.token_bytes(KEY_BYTES))
    secret_id, public_key = runtime.ids.new(), keys.public_key()
    sealed = runtime.vault.encrypt(keys.to_bytes(), context=secret_context(secret_id))
    store.insert_secret(tx, Secret(secret_id, endpoint.id, sealed, public_key, tx.now(), None))
    return WithSecret(endpoint, public_key, keys)


def _shown(tx: Transaction, endpoint: Endpoint) -> WithPublicKeys:
    secrets = store.valid_secrets(tx, [endpoint.id])[endpoint.id]
    return WithPublicKeys(endpoint, [secret.public_key for secret in secrets])


def _known(tx: Transaction, member: Member, endpoint_id: UUID | None) -> Endpoint:
    found = store.find_endpoint(tx, member.enterprise_id, endpoint_id) if endpoint_id else None
    return _required(found)


def _locked(tx: Transaction, member: Member, endpoint_id: UUID | None) -> Endpoint:
    found = store.lock_endpoint(tx, member.enterprise_id, endpoint_id) if endpoint_id else None
    return _required(found)


def _required(endpoint: Endpoint | None) -> Endpoint:
    if endpoint is None:
        raise NotFoundError("webhook_endpoint_unknown", "the enterprise has no webhook endpoint with this id")
    return endpoint


def _replay_event(tx: Transaction, endpoint: Endpoint, event_id: UUID) -> int:
    if not store.replay_event(tx, endpoint, event_id):
        raise NotFoundError("event_unknown", "eventId: the enterprise has no event with this id")
    return 1


def _replay_range(tx: Transaction, endpoint: Endpoint, asked: TimeRange, until_at: datetime) -> int:
    owed = store.replay_range(
        tx, endpoint, asked.from_at, until_at, only_missed=asked.only_missed, limit=MAX_REPLAYED + 1
    )
    if owed > MAX_REPLAYED:
        raise UnprocessableError(
            "too_many_events",
            f"the range has more than {MAX_REPLAYED} events: replay it in shorter ranges",
            {"limitEvents": MAX_REPLAYED},
        )
    return owed


def _disabled() -> ConflictError:
    return ConflictError(
        "webhook_endpoint_disabled", "the webhook endpoint is disabled: enable it first, then send this again"
    )
