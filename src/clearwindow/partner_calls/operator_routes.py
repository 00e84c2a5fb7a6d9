"""Routes for operators about calls to partners, and the public keys that verify these calls."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from clearwindow.api.filters import CursorPage
from clearwindow.api.routing import Answer, Filters, JsonBody, Route, ServerRuntime, paged
from clearwindow.identity.guards import ActingOperator, operator_router
from clearwindow.partner_calls import keys, schemas, views

router: Final = operator_router("calls to partners")
public_router: Final = APIRouter(tags=["calls to partners"], route_class=Route)

_KEYS_MAX_AGE_SECONDS: Final = int(keys.SHOWN_BEFORE_USE.total_seconds())


@public_router.get(
    "/.well-known/jwks.json",
    operation_id="partnerCallKeySet",
    summary="Get the public keys that verify calls to partners",
    description=(
        "A JSON Web Key Set, public. A replaced key stays in the set for a day. If a partner gets a key id that it"
        " does not know, it reads the set again."
    ),
)
def key_set(runtime: ServerRuntime) -> Answer[schemas.JsonWebKeySet]:
    shown = keys.shown_keys(runtime)
    headers = {"Cache-Control": f"public, max-age={_KEYS_MAX_AGE_SECONDS}"}
    return Answer(schemas.key_set(shown), headers=headers)


@router.get(
    "/partner-call-keys",
    operation_id="listPartnerCallKeys",
    summary="List the keys that sign or signed calls to partners",
    description="The newest is first. A key signs until its `retiredAt`, then the next key signs.",
)
def list_keys(runtime: ServerRuntime, actor: ActingOperator) -> schemas.CallKeyList:  # noqa: ARG001 - guards
    return schemas.key_list(keys.all_keys(runtime))


@router.post(
    "/partner-call-keys",
    operation_id="rotatePartnerCallKey",
    summary="Rotate the key that signs calls to partners",
    description=(
        "The new key is in the public key set at once and signs in five minutes, when every partner's copy of the"
        " set has it. The previous key stays in the set for a day longer. The same `reference` again returns the"
        " same key."
    ),
)
def rotate_key(
    runtime: ServerRuntime, actor: ActingOperator, body: JsonBody[schemas.RotationRequest]
) -> schemas.CallKeyAnswer:
    made = keys.rotate(runtime, actor, body.model.reference)
    return schemas.key_answer(made)


@router.get(
    "/partner-endpoints",
    operation_id="listPartnerEndpoints",
    summary="List the endpoints of partners, with their failures and owed calls",
    description=(
        "Partners that have a callback address, most owed calls first. While a circuit is `open`, nothing is sent"
        " before `openUntil`. Then one trial call is made."
    ),
)
def list_endpoints(runtime: ServerRuntime, filters: Filters[CursorPage]) -> Answer[schemas.StandingList]:
    found, now = views.standings(runtime, filters.slice)
    return paged(schemas.standing_list(found.items, now), found, filters)


@router.get(
    "/partner-calls",
    operation_id="listPartnerCalls",
    summary="List the calls to partners",
    description="The newest is first. `owed=true` lists those that have no answer yet. The list has no bodies.",
)
def list_calls(runtime: ServerRuntime, filters: Filters[schemas.CallFilters]) -> Answer[schemas.CallList]:
    found = views.calls(runtime, filters.to_model(), filters.slice)
    return paged(schemas.call_list(found.items), found, filters)
