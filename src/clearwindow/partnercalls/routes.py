"""The operator's view of calls to partners, and the public keys that partners check them with."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from clearwindow.access.guards import ActingOperator
from clearwindow.http.bodies import read_body
from clearwindow.http.docs import may_answer, takes_body, takes_filters
from clearwindow.http.filters import Page, counted_response, read_filters
from clearwindow.http.wire import json_response
from clearwindow.partnercalls import keys, reading, wire

operator_router: Final = APIRouter(prefix="/api/operator/v1", tags=["operator: calls to partners"])
public_router: Final = APIRouter(tags=["calls to partners"])

_KEYS_MAX_AGE_SECONDS: Final = 300


@public_router.get(
    "/.well-known/jwks.json",
    operation_id="partnerCallKeySet",
    summary="The public keys that calls to partners are signed with",
    description="A JSON Web Key Set, for everybody. A key that was replaced stays in it for a day. A partner that "
    "meets a key id it does not know reads the set again.",
    response_model=wire.JsonWebKeySet,
)
async def key_set(request: Request) -> Response:
    shown = await run_in_threadpool(keys.shown_keys, request.app.state.runtime)
    headers = {"Cache-Control": f"public, max-age={_KEYS_MAX_AGE_SECONDS}"}
    return json_response(wire.key_set(shown), headers=headers)


@operator_router.get(
    "/partner-call-keys",
    operation_id="listPartnerCallKeys",
    summary="List the keys that calls to partners are or were signed with",
    description="The newest first. Only the key without `retiredAt` signs.",
    response_model=wire.CallKeyList,
    responses=may_answer(401),
)
async def list_keys(request: Request, actor: ActingOperator) -> Response:  # noqa: ARG001 - guards
    return json_response(wire.key_list(await run_in_threadpool(keys.all_keys, request.app.state.runtime)))


@operator_router.post(
    "/partner-call-keys",
    operation_id="rotatePartnerCallKey",
    summary="Sign calls to partners with a new key from now on",
    description="The key before it stays in the public key set for a day. The same `reference` again answers with "
    "the key that it made.",
    response_model=wire.CallKeyAnswer,
    responses=may_answer(400, 401),
    openapi_extra=takes_body(wire.RotationRequest),
)
async def rotate_key(request: Request, actor: ActingOperator) -> Response:
    body = await read_body(request, wire.RotationRequest)
    made = await run_in_threadpool(keys.rotate, request.app.state.runtime, actor, body.model.reference)
    return json_response(wire.key_answer(made))


@operator_router.get(
    "/partner-endpoints",
    operation_id="listPartnerEndpoints",
    summary="See how partners' endpoints answer, and what they are owed",
    description="Partners that have a callback address, those that are owed most first. While a circuit is `open`, "
    "nothing is sent before `openUntil`; then one call tries it.",
    response_model=wire.StandingList,
    responses=may_answer(400, 401),
    openapi_extra=takes_filters(Page),
)
async def list_endpoints(request: Request, actor: ActingOperator) -> Response:  # noqa: ARG001 - guards
    filters = await read_filters(request, Page)
    runtime, page = request.app.state.runtime, {"limit": filters.limit, "offset": filters.offset}
    found = await run_in_threadpool(reading.standings, runtime, **page)
    return counted_response(wire.standing_list(found.items, runtime.clock.now()), found.total)


@operator_router.get(
    "/partner-calls",
    operation_id="listPartnerCalls",
    summary="List the calls that partners were or are owed",
    description="The newest first; `owed=true` gives those that have not been answered. What a call carries is "
    "not shown.",
    response_model=wire.CallList,
    responses=may_answer(400, 401),
    openapi_extra=takes_filters(wire.CallFilters),
)
async def list_calls(request: Request, actor: ActingOperator) -> Response:  # noqa: ARG001 - guards
    filters = await read_filters(request, wire.CallFilters)
    found = await run_in_threadpool(reading.calls, request.app.state.runtime, filters)
    return counted_response(wire.call_list(found.items), found.total)
