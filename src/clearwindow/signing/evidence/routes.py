"""Routes of evidence: what an enterprise has signed, for itself and for operators."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import Answer, Filters, ServerRuntime, paged
from clearwindow.core.ids import NIL, parse_uuid
from clearwindow.identity.guards import NETWORK_V1, CallingMember, member_router, operator_router
from clearwindow.signing.evidence import schemas, views

router: Final = member_router("signed requests", NETWORK_V1)
operators_router: Final = operator_router("history")


@router.get(
    "/signed-requests",
    operation_id="v1SignedRequestsGetRoute",
    summary="List what the enterprise has signed",
)
def list_own(
    runtime: ServerRuntime, member: CallingMember, filters: Filters[schemas.EvidenceFilters]
) -> Answer[schemas.SignedRequestsAnswer]:
    """Every accepted signed request of the enterprise, newest first, without payloads.

    A request that was signed anew is there with each of its texts. Requests that were refused are not there, nor
    those that an earlier version accepted, which kept no evidence.
    """
    page = views.list_evidence(runtime, filters.filter(member.enterprise_id))
    return paged(schemas.signed_requests_answer(page.items), page, filters)


@router.get(
    "/signed-requests/{signed_request_id}",
    operation_id="v1SignedRequestGetRoute",
    summary="Get one signed request with its payload",
    responses=may_raise("signed_request_unknown"),
)
def get_own(runtime: ServerRuntime, member: CallingMember, signed_request_id: str) -> schemas.SignedRequestAnswer:
    """Another enterprise's signed request is answered as one that does not exist."""
    known = parse_uuid(signed_request_id) or NIL
    return schemas.signed_request_answer(views.get(runtime, known, member.enterprise_id))


@operators_router.get("/signed-requests", summary="List what enterprises have signed")
def list_signed_requests(
    runtime: ServerRuntime, filters: Filters[schemas.OperatorEvidenceFilters]
) -> Answer[schemas.SignedRequestsAnswer]:
    """Newest first, without payloads. ``enterpriseId``: of the enterprise that signed."""
    page = views.list_evidence(runtime, filters.filter(filters.enterprise_id))
    return paged(schemas.signed_requests_answer(page.items), page, filters)


@operators_router.get(
    "/signed-requests/{signed_request_id}",
    summary="Get one signed request of an enterprise with its payload",
    responses=may_raise("signed_request_unknown"),
)
def get_signed_request(runtime: ServerRuntime, signed_request_id: str) -> schemas.SignedRequestAnswer:
    known = parse_uuid(signed_request_id) or NIL
    return schemas.signed_request_answer(views.get(runtime, known, None))
