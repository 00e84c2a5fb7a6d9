"""Webhook endpoints: where an enterprise, as client or as partner, hears of what happens. Protocol §9."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from clearwindow.access.guards import ReadingMember, WritingMember
from clearwindow.http.bodies import read_body
from clearwindow.http.docs import may_answer, takes_body, takes_filters
from clearwindow.http.filters import Page, counted_response, read_filters
from clearwindow.http.wire import json_response
from clearwindow.ids import parse_uuid
from clearwindow.notices import endpoints, wire
from clearwindow.runtime import Runtime

PREFIX: Final = "/api/network/v1/enterprises/{enterprise_id}/webhook-endpoints"
ONE: Final = f"{PREFIX}/{{endpoint_id}}"
router: Final = APIRouter(tags=["webhooks"])


@router.post(
    PREFIX,
    operation_id="v1WebhookEndpointsPostRoute",
    summary="Make a webhook endpoint",
    response_model=wire.NewSecretAnswer,
    responses=may_answer(400, 401, 403, 422, 500),
    openapi_extra=takes_body(wire.NewEndpointRequest),
)
async def create(request: Request, member: WritingMember) -> Response:
    """Events from now on are posted there, signed as Standard Webhooks has it; the secret is shown once."""
    body = await read_body(request, wire.NewEndpointRequest)
    made = await run_in_threadpool(endpoints.create, _runtime(request), member, body.model.wanted())
    return json_response(wire.secret_answer(made))


@router.get(
    PREFIX,
    operation_id="v1WebhookEndpointsGetRoute",
    summary="List the webhook endpoints",
    response_model=wire.EndpointList,
    responses=may_answer(400, 401, 403, 500),
    openapi_extra=takes_filters(Page),
)
async def list_all(request: Request, member: ReadingMember) -> Response:
    """The oldest first."""
    page = await read_filters(request, Page)
    found = await run_in_threadpool(
        endpoints.all_of, _runtime(request), member, limit=page.limit, offset=page.offset
    )
    return counted_response(wire.endpoint_list(found.items), found.total)


@router.get(
    ONE,
    operation_id="v1WebhookEndpointGetRoute",
    summary="One webhook endpoint",
    response_model=wire.EndpointAnswer,
    responses=may_answer(400, 401, 403, 404, 500),
)
async def get(request: Request, endpoint_id: str, member: ReadingMember) -> Response:
    """Tells how it is doing, and the public keys that its messages are signed for."""
    shown = await run_in_threadpool(endpoints.one, _runtime(request), member, parse_uuid(endpoint_id))
    return json_response(wire.endpoint_answer(shown))


@router.patch(
    ONE,
    operation_id="v1WebhookEndpointPatchRoute",
    summary="Change a webhook endpoint",
    response_model=wire.EndpointAnswer,
    responses=may_answer(400, 401, 403, 404, 500),
    openapi_extra=takes_body(wire.EndpointChangeRequest),
)
async def change(request: Request, endpoint_id: str, member: WritingMember) -> Response:
    """Enabling one that was disabled makes it hear of what happens from then on; what it missed can be replayed."""
    body = await read_body(request, wire.EndpointChangeRequest)
    shown = await run_in_threadpool(
        endpoints.change, _runtime(request), member, parse_uuid(endpoint_id), body.model.changes()
    )
    return json_response(wire.endpoint_answer(shown))


@router.delete(
    ONE,
    operation_id="v1WebhookEndpointDeleteRoute",
    summary="Delete a webhook endpoint",
    status_code=204,
    responses=may_answer(400, 401, 403, 404, 500),
)
async def delete(request: Request, endpoint_id: str, member: WritingMember) -> Response:
    """Nothing more is posted to it; what it was still owed is dropped."""
    await run_in_threadpool(endpoints.delete, _runtime(request), member, parse_uuid(endpoint_id))
    return Response(status_code=204)


@router.post(
    f"{ONE}/rotate-secret",
    operation_id="v1WebhookEndpointRotateSecretPostRoute",
    summary="Make a new secret",
    response_model=wire.NewSecretAnswer,
    responses=may_answer(400, 401, 403, 404, 500),
)
async def rotate_secret(request: Request, endpoint_id: str, member: WritingMember) -> Response:
    """For 24 hours messages carry signatures of the old secret, too, so that none is lost to the change."""
    made = await run_in_threadpool(endpoints.rotate_secret, _runtime(request), member, parse_uuid(endpoint_id))
    return json_response(wire.secret_answer(made))


@router.post(
    f"{ONE}/test",
    operation_id="v1WebhookEndpointTestPostRoute",
    summary="Send a test event",
    response_model=wire.TestAnswer,
    responses=may_answer(400, 401, 403, 404, 409, 500),
)
async def send_test(request: Request, endpoint_id: str, member: WritingMember) -> Response:
    """It goes the way of every event, and its attempts can be looked at."""
    event_id = await run_in_threadpool(endpoints.send_test, _runtime(request), member, parse_uuid(endpoint_id))
    return json_response(wire.TestAnswer(event_id=str(event_id)))


@router.post(
    f"{ONE}/replay",
    operation_id="v1WebhookEndpointReplayPostRoute",
    summary="Send events again",
    response_model=wire.ReplayAnswer,
    responses=may_answer(400, 401, 403, 404, 409, 422, 500),
    openapi_extra=takes_body(wire.ReplayRequest),
)
async def replay(request: Request, endpoint_id: str, member: WritingMember) -> Response:
    """One event, or a range of time; each under the id it had, after what is owed already."""
    body = await read_body(request, wire.ReplayRequest)
    replayed = await run_in_threadpool(
        endpoints.replay, _runtime(request), member, parse_uuid(endpoint_id), body.model.asked()
    )
    return json_response(wire.ReplayAnswer(replayed=replayed))


@router.get(
    f"{ONE}/deliveries",
    operation_id="v1WebhookEndpointDeliveriesGetRoute",
    summary="What an endpoint was and is owed",
    response_model=wire.DeliveryList,
    responses=may_answer(400, 401, 403, 404, 500),
    openapi_extra=takes_filters(wire.DeliveryFilters),
)
async def list_deliveries(request: Request, endpoint_id: str, member: ReadingMember) -> Response:
    """The latest first."""
    wanted = await read_filters(request, wire.DeliveryFilters)
    found = await run_in_threadpool(
        endpoints.deliveries,
        _runtime(request),
        member,
        parse_uuid(endpoint_id),
        statuses=wanted.statuses,
        event_ids=wanted.event_ids,
        limit=wanted.limit,
        offset=wanted.offset,
    )
    return counted_response(wire.delivery_list(found.items), found.total)


@router.get(
    f"{ONE}/attempts",
    operation_id="v1WebhookEndpointAttemptsGetRoute",
    summary="Every try to deliver to an endpoint",
    response_model=wire.AttemptList,
    responses=may_answer(400, 401, 403, 404, 500),
    openapi_extra=takes_filters(wire.AttemptFilters),
)
async def list_attempts(request: Request, endpoint_id: str, member: ReadingMember) -> Response:
    """The latest first, with what the endpoint answered or why there was no answer."""
    wanted = await read_filters(request, wire.AttemptFilters)
    found = await run_in_threadpool(
        endpoints.attempts,
        _runtime(request),
        member,
        parse_uuid(endpoint_id),
        succeeded=wanted.succeeded,
        event_ids=wanted.event_ids,
        limit=wanted.limit,
        offset=wanted.offset,
    )
    return counted_response(wire.attempt_list(found.items), found.total)


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime
