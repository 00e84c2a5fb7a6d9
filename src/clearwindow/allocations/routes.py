"""Routes of allocations and deallocations, and of the second user's decision about them."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

from clearwindow.allocations import approval, partner_decision, schemas, submission, views
from clearwindow.allocations.models import AllocationType, Decision
from clearwindow.api.bodies import Body
from clearwindow.api.docs import ErrorName, Problem, may_raise
from clearwindow.api.routing import Answer, Filters, JsonBody, Query, ServerRuntime, paged, works_on
from clearwindow.api.schema import replay_headers
from clearwindow.approvals.schemas import DecisionRequest
from clearwindow.core.ids import NIL, parse_uuid
from clearwindow.core.money import AmountUnit
from clearwindow.core.work import Work
from clearwindow.custody import intent
from clearwindow.identity.guards import NETWORK_V1, CallingMember, member_router
from clearwindow.identity.models import Member
from clearwindow.runtime import Runtime
from clearwindow.signing.models import Operation
from clearwindow.signing.schemas import (
    SIGNATURE_ERRORS,
    S,
    SigningOptions,
    SigningPayload,
    signed_request,
    signing_payload,
)

router: Final = member_router("allocations", NETWORK_V1)
approval_router: Final = member_router("approvals", NETWORK_V1)

_DECISION_ERRORS: Final = may_raise(
    "not_a_partner",
    "allocation_unknown",
    "reject_reason_without_rejection",
    *SIGNATURE_ERRORS,
    ("nonce_used", 409),
    ("text_already_used", 409),
    "allocation_differs",
    "allocation_decided",
    "approval_pending",
    ("paused", 422),
    "base_units_78_digits",
)
_SUBMITS: Final = {
    AllocationType.ALLOCATION: Operation.ALLOCATION,
    AllocationType.DEALLOCATION: Operation.DEALLOCATION,
}
_DECIDES: Final = {
    AllocationType.ALLOCATION: Operation.ALLOCATION_DECIDE,
    AllocationType.DEALLOCATION: Operation.DEALLOCATION_DECIDE,
}
_TO_SIGN: Final = may_raise("not_a_client", ("connection_unknown", 404), "payload_impossible")
_TO_SIGN_BACK: Final = _TO_SIGN | may_raise(unused=(422,))


def _submitting(record: type[BaseModel], *refusals: ErrorName) -> dict[int | str, dict[str, Any]]:
    """Returns the answers of a client's request other than 200.

    Args:
        record: the body of the answers 500 and 502, while the partner has not answered.
        refusals: further reasons why a record of this kind may be released.
    """
    return may_raise(
        "not_a_client",
        ("connection_unknown", 404),
        "currency_not_supported",
        "client_external_id_taken",
        "allocation_external_id_key",
        *SIGNATURE_ERRORS,
        ("nonce_used", 400),
        ("text_already_used", 400),
        ("paused", 422),
        "base_units_78_digits",
        "insufficient_funds",
        "connection_not_initialized",
        "partner_refused",
        *refusals,
        models={422: schemas.RefusedAllocation | Problem, 500: record | Problem, 502: record | Problem},
    )


@router.post(
    "/clients/connections/{connection_id}/allocations",
    operation_id="V1ClientAllocationsPostRoute",
    summary="Allocate funds to a partner, with a signed request",
    description=(
        "Reserves funds of the client's Go Account and asks the partner. If the partner accepts, the funds are"
        " cleared to the connection. If it refuses, they are released (422, with the record). If it decides later,"
        " they stay reserved. If it fails or is late, they stay reserved and the record is `retriable` (502, with"
        " the record): send the same request again to ask the partner again. 500 with the record says that another"
        " request is asking it at this moment."
    ),
    responses=_submitting(
        schemas.SubmittedAllocation,
        "partner_not_licensed",
        "client_inactive",
        ("partner_inactive", 422),
        "connection_inactive",
        "approval_rejected",
    ),
)
@works_on(Work.WAITS_FOR_PARTNER)
def allocate(
    runtime: ServerRuntime, member: CallingMember, connection_id: str, body: JsonBody[schemas.AllocationRequest]
) -> Answer[schemas.SubmittedAllocation]:
    """Moves funds from the client's Go Account to its network account at the partner.

    If the funds do not suffice, the answer is 422 with the released allocation. The same request again returns the
    same allocation.
    """
    return _submit(runtime, member, connection_id, AllocationType.ALLOCATION, body)


@router.post(
    "/clients/connections/{connection_id}/deallocations",
    operation_id="V1ClientDeallocationsPostRoute",
    summary="Take funds back from a partner, with a signed request",
    description=(
        "Reserves funds of the connection, asks the partner, and clears them to the client's Go Account. The"
        " answers are those of an allocation. Funds can be taken back from an inactive connection, too."
    ),
    responses=_submitting(schemas.SubmittedDeallocation),
)
@works_on(Work.WAITS_FOR_PARTNER)
def deallocate(
    runtime: ServerRuntime, member: CallingMember, connection_id: str, body: JsonBody[schemas.AllocationRequest]
) -> Answer[schemas.SubmittedDeallocation]:
    """Moves funds that no settlement holds back to the client's Go Account, also from an inactive connection."""
    return _submit(runtime, member, connection_id, AllocationType.DEALLOCATION, body)


def _submit(
    runtime: Runtime,
    member: Member,
    connection_id: str,
    kind: AllocationType,
    body: Body[schemas.AllocationRequest],
) -> Answer[Any]:
    asked = body.model.to_model(kind, parse_uuid(connection_id) or NIL)
    signed = signed_request(_SUBMITS[kind], body, _path_ids(member, connection_id))
    outcome = submission.submit(runtime, member, asked, signed)
    headers = replay_headers(replayed=outcome.replayed)
    if schemas.is_refused(outcome):
        return Answer(schemas.refused(outcome, member.request_id), status=422, headers=headers)
    return Answer(schemas.submitted(outcome), status=schemas.status_of(outcome), headers=headers)


@router.put(
    "/partners/allocations",
    operation_id="v1PartnerAllocationsPutRoute",
    summary="Clear or release a reserved allocation, with a signed request",
    description=(
        "For a partner that decides later. `cleared` moves the reserved funds to the connection, `released` gives"
        " them back. Every id and the amount must match the allocation. The same decision again changes nothing. A"
        " different decision is refused."
    ),
    responses=_DECISION_ERRORS,
)
def decide_allocation(
    runtime: ServerRuntime, member: CallingMember, body: JsonBody[schemas.AllocationDecisionRequest]
) -> Answer[schemas.DecidedAllocation]:
    headers = _decide(runtime, member, body, body.model.to_model())
    return Answer(schemas.DecidedAllocation.model_validate(body.model.echo()), headers=headers)


@router.put(
    "/partners/deallocations",
    operation_id="V1PartnerDeallocationsPutRoute",
    summary="Clear or release a reserved deallocation, with a signed request",
    description=(
        "For a partner that decides later. `cleared` moves the reserved funds back to the client's Go Account,"
        " `released` leaves them in the connection. Every id and the amount must match the deallocation. The same"
        " decision again changes nothing. A different decision is refused."
    ),
    responses=_DECISION_ERRORS,
)
def decide_deallocation(
    runtime: ServerRuntime, member: CallingMember, body: JsonBody[schemas.DeallocationDecisionRequest]
) -> Answer[schemas.DecidedDeallocation]:
    headers = _decide(runtime, member, body, body.model.to_model())
    return Answer(schemas.DecidedDeallocation.model_validate(body.model.echo()), headers=headers)


def _decide(runtime: Runtime, member: Member, body: Body[S], decision: Decision) -> dict[str, str]:
    signed = signed_request(_DECIDES[decision.type], body, {"enterpriseId": member.enterprise_id})
    new = partner_decision.decide(runtime, member, decision, signed)
    return replay_headers(replayed=not new)


@router.get(
    "/clients/connections/{connection_id}/allocations/signing",
    operation_id="v1ClientAllocationsSigningGetRoute",
    summary="Get the exact text to sign for an allocation",
    responses=_TO_SIGN,
)
def allocation_to_sign(
    runtime: ServerRuntime,
    member: CallingMember,
    connection_id: str,
    body: JsonBody[schemas.AllocationToSign],
    options: Query[SigningOptions],
) -> SigningPayload:
    """The fields are the JSON body of the GET."""
    return _to_sign(runtime, member, connection_id, body, options, AllocationType.ALLOCATION)


@router.post(
    "/clients/connections/{connection_id}/allocations/signing",
    operation_id="v1ClientAllocationsSigningPostRoute",
    summary="Get the exact text to sign for an allocation",
    responses=_TO_SIGN,
)
def allocation_to_sign_by_post(
    runtime: ServerRuntime,
    member: CallingMember,
    connection_id: str,
    body: JsonBody[schemas.AllocationToSign],
    options: Query[SigningOptions],
) -> SigningPayload:
    """For clients that cannot send a body with a GET."""
    return _to_sign(runtime, member, connection_id, body, options, AllocationType.ALLOCATION)


@router.get(
    "/clients/connections/{connection_id}/deallocations/signing",
    operation_id="V1ClientDeallocationsSigningGetRoute",
    summary="Get the exact text to sign for a deallocation",
    responses=_TO_SIGN_BACK,
)
def deallocation_to_sign(
    runtime: ServerRuntime,
    member: CallingMember,
    connection_id: str,
    body: JsonBody[schemas.AllocationToSign],
    options: Query[SigningOptions],
) -> SigningPayload:
    """The fields are the JSON body of the GET."""
    return _to_sign(runtime, member, connection_id, body, options, AllocationType.DEALLOCATION)


@router.post(
    "/clients/connections/{connection_id}/deallocations/signing",
    operation_id="V1ClientDeallocationsSigningPostRoute",
    summary="Get the exact text to sign for a deallocation",
    responses=_TO_SIGN_BACK,
)
def deallocation_to_sign_by_post(
    runtime: ServerRuntime,
    member: CallingMember,
    connection_id: str,
    body: JsonBody[schemas.AllocationToSign],
    options: Query[SigningOptions],
) -> SigningPayload:
    """For clients that cannot send a body with a GET."""
    return _to_sign(runtime, member, connection_id, body, options, AllocationType.DEALLOCATION)


def _to_sign(
    runtime: Runtime,
    member: Member,
    connection_id: str,
    body: Body[schemas.AllocationToSign],
    options: SigningOptions,
    kind: AllocationType,
) -> SigningPayload:
    known = parse_uuid(connection_id) or NIL
    submission.require_connection(runtime, member, known)
    ids, unit = _path_ids(member, connection_id), AmountUnit.BASE
    fields = intent.fields_to_sign(runtime, member, body.fields, _SUBMITS[kind], ids, options, unit)
    return signing_payload(body, ids, fields)


def _path_ids(member: Member, connection_id: str) -> dict[str, str]:
    return {"enterpriseId": member.enterprise_id, "connectionId": connection_id}


@router.get(
    "/clients/allocations",
    operation_id="v1ClientAllocationsGetRoute",
    summary="List the client's allocations and deallocations",
    responses=may_raise("not_a_client", unused=(404,)),
)
def list_client_allocations(
    runtime: ServerRuntime, member: CallingMember, filters: Filters[schemas.ClientAllocationFilters]
) -> Answer[schemas.AllocationList]:
    """The list has the allocations on all connections of the client."""
    found = views.client_allocations(runtime, member, filters.to_model(), filters.slice)
    return paged(schemas.client_list(found.items), found, filters)


@router.get(
    "/clients/allocations/{allocation_id}",
    operation_id="v1ClientAllocationGetRoute",
    summary="Get one of the client's allocations",
    responses=may_raise("not_a_client", "allocation_unknown"),
)
def client_allocation(
    runtime: ServerRuntime, member: CallingMember, allocation_id: str
) -> schemas.AllocationAnswer:
    """Another client's allocation is answered as one that does not exist."""
    known = parse_uuid(allocation_id) or NIL
    return schemas.client_answer(views.allocation_of_client(runtime, member, known))


@router.get(
    "/partners/allocations",
    operation_id="v1PartnerAllocationsGetRoute",
    summary="List the allocations to the partner, in its own names and unit",
    responses=may_raise("not_a_partner", unused=(404,)),
)
def list_partner_allocations(
    runtime: ServerRuntime, member: CallingMember, filters: Filters[schemas.PartnerAllocationFilters]
) -> Answer[schemas.AllocationList]:
    """The list has the allocations on all connections to the partner."""
    wanted = filters.to_model()
    found, currencies = views.partner_allocations(runtime, member, wanted, filters.slice)
    return paged(schemas.partner_list(found.items, currencies), found, filters)


@router.get(
    "/partners/allocations/{allocation_id}",
    operation_id="v1PartnerAllocationGetRoute",
    summary="Get one of the allocations to the partner",
    responses=may_raise("not_a_partner", "allocation_unknown"),
)
def partner_allocation(
    runtime: ServerRuntime, member: CallingMember, allocation_id: str
) -> schemas.AllocationAnswer:
    """An allocation to another partner is answered as one that does not exist."""
    known = parse_uuid(allocation_id) or NIL
    found, currencies = views.allocation_of_partner(runtime, member, known)
    return schemas.partner_answer(found, currencies)


@approval_router.put(
    "/clients/pending-approvals/{approval_id}",
    operation_id="v1ClientPendingApprovalPutRoute",
    summary="Approve or reject a pending approval",
    description=(
        "Only another user than the one who made the request may approve it. The user who made the request may"
        " reject it. An approved allocation continues as if it had needed no approval. A rejected allocation is"
        " released and its funds are available again. The same decision again by the same user changes nothing."
    ),
    responses=may_raise(
        "not_a_client",
        "approval_unknown",
        "own_approval",
        "token_of_a_program",
        "approval_decided",
        "threshold_changed",
        ("paused", 422),
        "base_units_78_digits",
    ),
)
@works_on(Work.WAITS_FOR_PARTNER)
def decide_approval(
    runtime: ServerRuntime, member: CallingMember, approval_id: str, body: JsonBody[DecisionRequest]
) -> Answer[schemas.DecidedApproval]:
    known, asked = parse_uuid(approval_id) or NIL, body.model
    outcome = approval.decide(runtime, member, known, asked.status, asked.notes)
    return Answer(schemas.decided_approval(outcome), headers=replay_headers(replayed=outcome.replayed))
