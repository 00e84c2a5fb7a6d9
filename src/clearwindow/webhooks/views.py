"""Reads of webhook endpoints, their deliveries and attempts. Protocol §9."""

from __future__ import annotations

from uuid import UUID

from clearwindow.core.errors import NotFoundError
from clearwindow.identity.models import Member
from clearwindow.postgres.paging import Listing, Slice
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.webhooks import store
from clearwindow.webhooks.models import (
    Attempt,
    AttemptFilter,
    Delivery,
    DeliveryFilter,
    Endpoint,
    EndpointFilter,
    EndpointWithKeys,
)


def endpoint_of(runtime: Runtime, member: Member, endpoint_id: UUID | None) -> EndpointWithKeys:
    with runtime.transaction() as tx:
        return with_keys(tx, _known(tx, member, endpoint_id))


def endpoints_of(runtime: Runtime, member: Member, part: Slice) -> Listing[EndpointWithKeys]:
    """Returns the endpoints of the enterprise, oldest first."""
    with runtime.transaction() as tx:
        page = store.list_endpoints(tx, member.enterprise_id, part)
        keys = store.valid_secrets(tx, [endpoint.id for endpoint in page.items])
        shown = [
            EndpointWithKeys(endpoint, [secret.public_key for secret in keys[endpoint.id]])
            for endpoint in page.items
        ]
        return page.of(shown)


def deliveries_of(
    runtime: Runtime, member: Member, endpoint_id: UUID | None, wanted: DeliveryFilter, part: Slice
) -> Listing[Delivery]:
    """Returns the deliveries to the endpoint, newest first."""
    with runtime.transaction() as tx:
        endpoint = _known(tx, member, endpoint_id)
        return store.list_deliveries(tx, endpoint, wanted, part)


def attempts_of(
    runtime: Runtime, member: Member, endpoint_id: UUID | None, wanted: AttemptFilter, part: Slice
) -> Listing[Attempt]:
    """Returns every attempt to deliver to the endpoint, newest first."""
    with runtime.transaction() as tx:
        endpoint = _known(tx, member, endpoint_id)
        return store.list_attempts(tx, endpoint, wanted, part)


def all_endpoints(runtime: Runtime, wanted: EndpointFilter, part: Slice) -> Listing[Endpoint]:
    """Returns a page of everybody's endpoints, for operators."""
    with runtime.transaction() as tx:
        return store.search_endpoints(tx, wanted, part)


def with_keys(tx: Transaction, endpoint: Endpoint) -> EndpointWithKeys:
    secrets = store.valid_secrets(tx, [endpoint.id])[endpoint.id]
    return EndpointWithKeys(endpoint, [secret.public_key for secret in secrets])


def required(endpoint: Endpoint | None) -> Endpoint:
    """Another enterprise's endpoint is answered as one that does not exist."""
    if endpoint is None:
        raise NotFoundError("webhook_endpoint_unknown", "the enterprise has no webhook endpoint with this id")
    return endpoint


def _known(tx: Transaction, member: Member, endpoint_id: UUID | None) -> Endpoint:
    return required(store.find_endpoint(tx, member.enterprise_id, endpoint_id) if endpoint_id else None)
