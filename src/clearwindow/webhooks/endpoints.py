"""What an enterprise does with its webhook endpoints: create, change, delete, test and replay. Protocol §9."""

from __future__ import annotations

import secrets as randomness
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from clearwindow.core.clock import wire_time
from clearwindow.core.errors import ConflictError, InvalidRequestError, NotFoundError, UnprocessableError
from clearwindow.custody import changes as signed_changes
from clearwindow.events import outbox
from clearwindow.events.models import Event, EventType
from clearwindow.identity import audit, enterprises
from clearwindow.identity.models import Member
from clearwindow.outbound.addresses import AddressRefusedError, require_callable
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.signing import nonces
from clearwindow.signing.models import SignedRequest
from clearwindow.webhooks import fan_out, store
from clearwindow.webhooks.models import (
    DisabledReason,
    Endpoint,
    EndpointChange,
    EndpointStatus,
    EndpointWithKeys,
    EndpointWithSecret,
    NewEndpoint,
    Secret,
    TimeRange,
)
from clearwindow.webhooks.rules import changed_fields, without_query
from clearwindow.webhooks.signatures import KEY_BYTES, SigningKeys
from clearwindow.webhooks.views import required, with_keys

MAX_ENDPOINTS: Final = 50
"""The most endpoints of one enterprise."""

MAX_REPLAYED: Final = 10_000
"""The most events that one request can replay."""

OVERLAP: Final = timedelta(hours=24)
"""After a rotation, messages are signed with the old secret, too, for this time."""


Replayed = bool


def create(
    runtime: Runtime, member: Member, wanted: NewEndpoint, request: SignedRequest | None
) -> EndpointWithSecret:
    """Creates an endpoint. It receives the events that are recorded from now on."""
    _require_url(runtime, wanted.url)
    request = signed_changes.require_match(request)
    with runtime.transaction() as tx:
        enterprises.lock_enterprise(tx, member.enterprise_id)
        if store.count_endpoints(tx, member.enterprise_id) >= MAX_ENDPOINTS:
            raise UnprocessableError(
                "too_many_webhook_endpoints",
                f"an enterprise has at most {MAX_ENDPOINTS} webhook endpoints: delete one first",
                {"limitEndpoints": MAX_ENDPOINTS},
            )
        endpoint_id, now = tx.new_id(), tx.now()
        _accept_once(tx, member, request, endpoint_id)
        endpoint = Endpoint(
            id=endpoint_id,
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
        fan_out.complete(tx)
        store.insert_endpoint(tx, endpoint)
        made = _new_secret(tx, endpoint)
        audit.record(tx, member, "webhook_endpoint.created", endpoint.id, url=without_query(wanted.url))
        _tell(tx, member, endpoint, EndpointChange.CREATED)
        return made


def change(
    runtime: Runtime,
    member: Member,
    endpoint_id: UUID | None,
    changes: Mapping[str, object],
    request: SignedRequest | None,
) -> tuple[EndpointWithKeys, Replayed]:
    """Changes the fields in ``changes`` (url, event_types, description, enabled) and resets the failures."""
    if isinstance(changes.get("url"), str):
        _require_url(runtime, str(changes["url"]))
    request = signed_changes.require_match(request)
    with runtime.transaction() as tx:
        before = _locked(tx, member, endpoint_id)
        if not _accept(tx, member, request, before.id):
            return with_keys(tx, before), True
        named = dict(changes)
        enabled = named.pop("enabled", None)
        after = replace(before, **named)  # type: ignore[arg-type]  # the request's schema has checked them
        if enabled is False:
            after = replace(after, status=EndpointStatus.DISABLED, disabled_reason=DisabledReason.ASKED)
        elif enabled is True:
            after = replace(after, status=EndpointStatus.ENABLED, disabled_reason=None)
        if after != before:
            after = replace(after, updated_at=tx.now())
            fan_out.complete(tx)
            store.update_endpoint(tx, after)
            named = dict(changes) | ({"url": without_query(after.url)} if "url" in changes else {})
            audit.record(tx, member, "webhook_endpoint.changed", after.id, **named)
            _tell(tx, member, after, EndpointChange.CHANGED, changedFields=changed_fields(before, after))
        return with_keys(tx, store.find_endpoint(tx, member.enterprise_id, after.id) or after), False


def delete(runtime: Runtime, member: Member, endpoint_id: UUID | None, request: SignedRequest | None) -> None:
    """Deletes the endpoint and drops the messages that were not delivered. A signed request may be repeated."""
    request = signed_changes.require_match(request)
    with runtime.transaction() as tx:
        found = store.lock_endpoint(tx, member.enterprise_id, endpoint_id) if endpoint_id else None
        # Looked up without the endpoint, which went with the first request.
        if (
            found is None
            and request
            and endpoint_id
            and nonces.is_repeat(tx, member.enterprise_id, request, endpoint_id)
        ):
            return
        endpoint = required(found)
        if not _accept(tx, member, request, endpoint.id):
            return
        store.delete_endpoint(tx, endpoint.id)
        audit.record(tx, member, "webhook_endpoint.deleted", endpoint.id, url=without_query(endpoint.url))
        _tell(tx, member, endpoint, EndpointChange.DELETED)


def rotate_secret(
    runtime: Runtime, member: Member, endpoint_id: UUID | None, request: SignedRequest | None
) -> EndpointWithSecret:
    """Makes a new secret. During ``OVERLAP``, messages are signed with the old secret, too."""
    request = signed_changes.require_match(request)
    with runtime.transaction() as tx:
        endpoint = _locked(tx, member, endpoint_id)
        _accept_once(tx, member, request, endpoint.id)
        store.retire_secrets(tx, endpoint.id, tx.now() + OVERLAP)
        made = _new_secret(tx, endpoint)
        audit.record(tx, member, "webhook_endpoint.secret_rotated", endpoint.id)
        _tell(tx, member, endpoint, EndpointChange.SECRET_ROTATED)
        return made


def send_test(runtime: Runtime, member: Member, endpoint_id: UUID | None) -> UUID:
    """Records a test event for the endpoint. Returns the id of the event."""
    with runtime.transaction() as tx:
        endpoint = _locked(tx, member, endpoint_id)
        if endpoint.status != EndpointStatus.ENABLED:
            raise _disabled()
        event_id = tx.new_id()
        payload = {"webhookEndpointId": str(endpoint.id), "sentBy": member.user_id}
        event = Event(EventType.WEBHOOK_ENDPOINT_TEST, member.enterprise_id, endpoint.id, payload)
        store.insert_event(tx, event_id, event)
        return event_id


def replay(runtime: Runtime, member: Member, endpoint_id: UUID | None, asked: UUID | TimeRange) -> int:
    """Sends events to the endpoint again, under their own ids and after the messages that still wait.

    Args:
        runtime: what every use case gets.
        member: who requests it.
        endpoint_id: the endpoint.
        asked: the id of one event, or a range of time without the events that still wait.

    Returns:
        The number of events.
    """
    with runtime.transaction() as tx:
        endpoint = _locked(tx, member, endpoint_id)
        if endpoint.status != EndpointStatus.ENABLED:
            raise _disabled()
        fan_out.complete(tx)
        if isinstance(asked, UUID):
            owed, request = _replay_event(tx, endpoint, asked), {"eventId": str(asked)}
        else:
            until_at = asked.until_at or tx.now()
            owed = _replay_range(tx, endpoint, asked, until_at)
            request = {"from": wire_time(asked.from_at), "until": wire_time(until_at)}
        audit.record(tx, member, "webhook_endpoint.replayed", endpoint.id, **request, events=owed)
        return owed


def secret_context(secret_id: UUID) -> str:
    """Returns the context that the encrypted keys of a secret are bound to."""
    return f"webhook-secret:{secret_id}"


def _accept(tx: Transaction, member: Member, request: SignedRequest | None, endpoint_id: UUID) -> bool:
    account_id = signed_changes.default_account(tx, member.enterprise_id)
    return signed_changes.accept(tx, member.enterprise_id, account_id, request, endpoint_id, ConflictError)


def _accept_once(tx: Transaction, member: Member, request: SignedRequest | None, endpoint_id: UUID) -> None:
    account_id = signed_changes.default_account(tx, member.enterprise_id)
    signed_changes.accept_once(tx, member.enterprise_id, account_id, request, endpoint_id, ConflictError)


def _tell(tx: Transaction, member: Member, endpoint: Endpoint, done: EndpointChange, **more: object) -> None:
    """Records the change for the enterprise's other endpoints, so that its other users learn of it."""
    payload = {
        "webhookEndpointId": str(endpoint.id),
        "url": without_query(endpoint.url),
        "change": done,
        "changedBy": member.user_id,
        **more,
    }
    event = Event(EventType.WEBHOOK_ENDPOINT_CHANGED, endpoint.enterprise_id, endpoint.id, payload)
    outbox.record(tx, [event])


def _require_url(runtime: Runtime, url: str) -> None:
    try:
        require_callable(url, allow_private=runtime.outgoing.allow_private, query=True)
    except AddressRefusedError as error:
        raise InvalidRequestError("webhook_url_refused", f"url: {error}") from None


def _new_secret(tx: Transaction, endpoint: Endpoint) -> EndpointWithSecret:
    keys = SigningKeys(randomness.token_bytes(KEY_BYTES), randomness.token_bytes(KEY_BYTES))
    secret_id, public_key = tx.new_id(), keys.public_key()
    sealed = tx.vault.encrypt(keys.to_bytes(), context=secret_context(secret_id))
    store.insert_secret(tx, Secret(secret_id, endpoint.id, sealed, public_key, tx.now(), None))
    return EndpointWithSecret(endpoint, public_key, keys)


def _locked(tx: Transaction, member: Member, endpoint_id: UUID | None) -> Endpoint:
    found = store.lock_endpoint(tx, member.enterprise_id, endpoint_id) if endpoint_id else None
    return required(found)


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
            f"the range has more than {MAX_REPLAYED} events: replay shorter ranges",
            {"limitEvents": MAX_REPLAYED},
        )
    return owed


def _disabled() -> ConflictError:
    return ConflictError(
        "webhook_endpoint_disabled", "the webhook endpoint is disabled: enable it, then send this request again"
    )
