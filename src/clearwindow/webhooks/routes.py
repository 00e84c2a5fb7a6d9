"""Routes of webhook endpoints, to which clients and partners get events. Protocol §9."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.filters import Page
from clearwindow.api.routing import Answer, Filters, JsonBody, NoContent, ServerRuntime, counted
from clearwindow.core.ids import parse_uuid
from clearwindow.identity.guards import NETWORK_V1, CallingMember, member_router
from clearwindow.webhooks import endpoints, schemas, views

router: Final = member_router("webhooks", f"{NETWORK_V1}/webhook-endpoints")


@router.post(
    "",
    operation_id="v1WebhookEndpointsPostRoute",
    summary="Create a webhook endpoint",
    responses=may_raise("webhook_url_refused", "too_many_webhook_endpoints"),
)
def create(
    runtime: ServerRuntime, member: CallingMember, body: JsonBody[schemas.NewEndpointRequest]
) -> schemas.NewSecretAnswer:
    """Events are posted to it from now on, signed as in Standard Webhooks. Only this answer has the secret."""
    made = endpoints.create(runtime, member, body.model.to_model())
    return schemas.secret_answer(made)


@router.get(
    "",
    operation_id="v1WebhookEndpointsGetRoute",
    summary="List the webhook endpoints",
)
def list_all(runtime: ServerRuntime, member: CallingMember, page: Filters[Page]) -> Answer[schemas.EndpointList]:
    """The oldest is first."""
    found = views.endpoints_of(runtime, member, limit=page.limit, offset=page.offset)
    return counted(schemas.endpoint_list(found.items), found.total)


@router.get(
    "/{endpoint_id}",
    operation_id="v1WebhookEndpointGetRoute",
    summary="Get one webhook endpoint",
    responses=may_raise("webhook_endpoint_unknown"),
)
def get(runtime: ServerRuntime, endpoint_id: str, member: CallingMember) -> schemas.EndpointAnswer:
    """Returns its state and the public keys that verify its messages."""
    shown = views.endpoint_of(runtime, member, parse_uuid(endpoint_id))
    return schemas.endpoint_answer(shown)


@router.patch(
    "/{endpoint_id}",
    operation_id="v1WebhookEndpointPatchRoute",
    summary="Change a webhook endpoint",
    responses=may_raise("webhook_endpoint_unknown", "webhook_url_refused"),
)
def change(
    runtime: ServerRuntime, endpoint_id: str, member: CallingMember, body: JsonBody[schemas.EndpointChangeRequest]
) -> schemas.EndpointAnswer:
    """A disabled endpoint that is enabled gets the events from then on. Replay sends the events that it missed."""
    shown = endpoints.change(runtime, member, parse_uuid(endpoint_id), body.model.changes())
    return schemas.endpoint_answer(shown)


@router.delete(
    "/{endpoint_id}",
    operation_id="v1WebhookEndpointDeleteRoute",
    summary="Delete a webhook endpoint",
    status_code=204,
    responses=may_raise("webhook_endpoint_unknown"),
)
def delete(runtime: ServerRuntime, endpoint_id: str, member: CallingMember) -> NoContent:
    """Nothing more is posted to it. Messages that were not delivered are dropped."""
    endpoints.delete(runtime, member, parse_uuid(endpoint_id))
    return NoContent()


@router.post(
    "/{endpoint_id}/rotate-secret",
    operation_id="v1WebhookEndpointRotateSecretPostRoute",
    summary="Rotate the secret of an endpoint",
    responses=may_raise("webhook_endpoint_unknown"),
)
def rotate_secret(runtime: ServerRuntime, endpoint_id: str, member: CallingMember) -> schemas.NewSecretAnswer:
    """For 24 hours, messages have a signature of the old secret, too, so that no message is lost."""
    made = endpoints.rotate_secret(runtime, member, parse_uuid(endpoint_id))
    return schemas.secret_answer(made)


@router.post(
    "/{endpoint_id}/test",
    operation_id="v1WebhookEndpointTestPostRoute",
    summary="Send a test event",
    responses=may_raise("webhook_endpoint_unknown", "webhook_endpoint_disabled"),
)
def send_test(runtime: ServerRuntime, endpoint_id: str, member: CallingMember) -> schemas.TestAnswer:
    """The event is delivered like any other, and its attempts can be listed."""
    event_id = endpoints.send_test(runtime, member, parse_uuid(endpoint_id))
    return schemas.TestAnswer(event_id=str(event_id))


@router.post(
    "/{endpoint_id}/replay",
    operation_id="v1WebhookEndpointReplayPostRoute",
    summary="Replay events",
    responses=may_raise(
        "webhook_endpoint_unknown", "webhook_endpoint_disabled", "event_unknown", "too_many_events"
    ),
)
def replay(
    runtime: ServerRuntime, endpoint_id: str, member: CallingMember, body: JsonBody[schemas.ReplayRequest]
) -> schemas.ReplayAnswer:
    """Sends one event or a range of time again. Events keep their ids and follow the messages that still wait."""
    replayed = endpoints.replay(runtime, member, parse_uuid(endpoint_id), body.model.to_model())
    return schemas.ReplayAnswer(replayed=replayed)


@router.get(
    "/{endpoint_id}/deliveries",
    operation_id="v1WebhookEndpointDeliveriesGetRoute",
    summary="List the deliveries to an endpoint",
    responses=may_raise("webhook_endpoint_unknown"),
)
def list_deliveries(
    runtime: ServerRuntime, endpoint_id: str, member: CallingMember, wanted: Filters[schemas.DeliveryFilters]
) -> Answer[schemas.DeliveryList]:
    """The newest is first."""
    page = {"limit": wanted.limit, "offset": wanted.offset}
    found = views.deliveries_of(runtime, member, parse_uuid(endpoint_id), wanted.to_model(), **page)
    return counted(schemas.delivery_list(found.items), found.total)


@router.get(
    "/{endpoint_id}/attempts",
    operation_id="v1WebhookEndpointAttemptsGetRoute",
    summary="List the attempts to deliver to an endpoint",
    responses=may_raise("webhook_endpoint_unknown"),
)
def list_attempts(
    runtime: ServerRuntime, endpoint_id: str, member: CallingMember, wanted: Filters[schemas.AttemptFilters]
) -> Answer[schemas.AttemptList]:
    """The newest is first. Each has the answer of the endpoint, or why there was none."""
    page = {"limit": wanted.limit, "offset": wanted.offset}
    found = views.attempts_of(runtime, member, parse_uuid(endpoint_id), wanted.to_model(), **page)
    return counted(schemas.attempt_list(found.items), found.total)
