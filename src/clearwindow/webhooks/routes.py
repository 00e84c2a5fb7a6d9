"""Routes of webhook endpoints, to which clients and partners get events. Protocol §9."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import ErrorName, may_raise
from clearwindow.api.filters import CursorPage
from clearwindow.api.routing import (
    Answer,
    Filters,
    JsonBody,
    NoContent,
    OptionalJsonBody,
    ServerRuntime,
    paged,
)
from clearwindow.api.schema import replay_headers
from clearwindow.core.ids import parse_uuid
from clearwindow.identity.guards import NETWORK_V1, CallingMember, member_router
from clearwindow.signing.models import Operation
from clearwindow.signing.schemas import CHANGE_ERRORS, signed_change
from clearwindow.webhooks import endpoints, schemas, views

_SIGNABLE: Final[tuple[ErrorName, ...]] = (*CHANGE_ERRORS, ("nonce_used", 409), ("text_already_used", 409))
"""The errors of a change that is signed if the enterprise's Go Account requires intent."""

router: Final = member_router("webhooks", f"{NETWORK_V1}/webhook-endpoints")


@router.post(
    "",
    operation_id="v1WebhookEndpointsPostRoute",
    summary="Create a webhook endpoint",
    responses=may_raise("webhook_url_refused", "too_many_webhook_endpoints", *_SIGNABLE),
)
def create(
    runtime: ServerRuntime, enterprise_id: str, member: CallingMember, body: JsonBody[schemas.NewEndpointRequest]
) -> schemas.NewSecretAnswer:
    """Events are posted to it from now on, signed as in Standard Webhooks. Only this answer has the secret.

    Must be signed if the enterprise's Go Account requires intent.
    """
    request = signed_change(Operation.WEBHOOK_ENDPOINT_CREATE, body, {"enterpriseId": enterprise_id})
    made = endpoints.create(runtime, member, body.model.to_model(), request)
    return schemas.secret_answer(made)


@router.get(
    "",
    operation_id="v1WebhookEndpointsGetRoute",
    summary="List the webhook endpoints",
)
def list_all(
    runtime: ServerRuntime, member: CallingMember, filters: Filters[CursorPage]
) -> Answer[schemas.EndpointList]:
    """The oldest is first."""
    found = views.endpoints_of(runtime, member, filters.slice)
    return paged(schemas.endpoint_list(found.items), found, filters)


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
    responses=may_raise("webhook_endpoint_unknown", "webhook_url_refused", *_SIGNABLE),
)
def change(
    runtime: ServerRuntime,
    enterprise_id: str,
    endpoint_id: str,
    member: CallingMember,
    body: JsonBody[schemas.EndpointChangeRequest],
) -> Answer[schemas.EndpointAnswer]:
    """A disabled endpoint that is enabled gets the events from then on. Replay sends the events that it missed.

    Must be signed if the enterprise's Go Account requires intent.
    """
    request = signed_change(Operation.WEBHOOK_ENDPOINT_UPDATE, body, _ids(enterprise_id, endpoint_id))
    known, changes = parse_uuid(endpoint_id), body.model.changes()
    shown, replayed = endpoints.change(runtime, member, known, changes, request)
    return Answer(schemas.endpoint_answer(shown), headers=replay_headers(replayed=replayed))


@router.delete(
    "/{endpoint_id}",
    operation_id="v1WebhookEndpointDeleteRoute",
    summary="Delete a webhook endpoint",
    status_code=204,
    responses=may_raise("webhook_endpoint_unknown", *_SIGNABLE),
)
def delete(
    runtime: ServerRuntime,
    enterprise_id: str,
    endpoint_id: str,
    member: CallingMember,
    body: OptionalJsonBody[schemas.EndpointActRequest],
) -> NoContent:
    """Nothing more is posted to it. Messages that were not delivered are dropped.

    Must be signed if the enterprise's Go Account requires intent; else the body may be missing.
    """
    request = signed_change(Operation.WEBHOOK_ENDPOINT_DELETE, body, _ids(enterprise_id, endpoint_id))
    endpoints.delete(runtime, member, parse_uuid(endpoint_id), request)
    return NoContent()


@router.post(
    "/{endpoint_id}/rotate-secret",
    operation_id="v1WebhookEndpointRotateSecretPostRoute",
    summary="Rotate the secret of an endpoint",
    responses=may_raise("webhook_endpoint_unknown", *_SIGNABLE),
)
def rotate_secret(
    runtime: ServerRuntime,
    enterprise_id: str,
    endpoint_id: str,
    member: CallingMember,
    body: OptionalJsonBody[schemas.EndpointActRequest],
) -> schemas.NewSecretAnswer:
    """For 24 hours, messages have a signature of the old secret, too, so that no message is lost.

    Must be signed if the enterprise's Go Account requires intent; else the body may be missing.
    """
    request = signed_change(Operation.WEBHOOK_ENDPOINT_ROTATE_SECRET, body, _ids(enterprise_id, endpoint_id))
    made = endpoints.rotate_secret(runtime, member, parse_uuid(endpoint_id), request)
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
    found = views.deliveries_of(runtime, member, parse_uuid(endpoint_id), wanted.to_model(), wanted.slice)
    return paged(schemas.delivery_list(found.items), found, wanted)


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
    found = views.attempts_of(runtime, member, parse_uuid(endpoint_id), wanted.to_model(), wanted.slice)
    return paged(schemas.attempt_list(found.items), found, wanted)


def _ids(enterprise_id: str, endpoint_id: str) -> dict[str, str]:
    return {"enterpriseId": enterprise_id, "endpointId": endpoint_id}
