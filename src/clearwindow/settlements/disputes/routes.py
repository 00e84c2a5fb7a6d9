"""Routes of disputes: a client raises, retracts and closes them; both sides list them."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import Answer, Filters, JsonBody, ServerRuntime, paged
from clearwindow.api.schema import replay_headers
from clearwindow.core.ids import parse_uuid
from clearwindow.identity.guards import NETWORK_V1, CallingMember, member_router
from clearwindow.settlements.disputes import closures, schemas, service, views
from clearwindow.settlements.disputes.models import DisputeResult
from clearwindow.signing.models import Operation
from clearwindow.signing.schemas import SIGNATURE_ERRORS, signed_request

router: Final = member_router("disputes", NETWORK_V1)


@router.post(
    "/clients/settlements/{settlement_id}/disputes",
    operation_id="createClientSettlementDispute",
    summary="Raise a dispute",
    responses=may_raise(
        "not_a_client",
        "settlement_not_found",
        *SIGNATURE_ERRORS,
        ("nonce_used", 409),
        ("text_already_used", 409),
        "currency_twice",
        "currency_unknown",
        "dispute_exists",
        "dispute_window_over",
        "nothing_to_dispute",
        ("settlement_rejected", 422),
    ),
)
def raise_dispute(
    runtime: ServerRuntime,
    enterprise_id: str,
    settlement_id: str,
    member: CallingMember,
    body: JsonBody[schemas.RaiseDisputeRequest],
) -> Answer[schemas.DisputeAnswer]:
    """Disputes one settlement on one connection, inside the dispute window."""
    path_ids = {"enterpriseId": enterprise_id, "settlementId": settlement_id}
    signed = signed_request(Operation.DISPUTE_RAISE, body, path_ids)
    asked = body.model.to_model()
    return _answer(service.raise_dispute(runtime, member, parse_uuid(settlement_id), asked, signed))


@router.put(
    "/clients/settlements/disputes/{dispute_id}",
    operation_id="updateClientSettlementDispute",
    summary="Retract a dispute, or reverse the retraction",
    responses=may_raise(
        "not_a_client",
        "dispute_not_found",
        "connection_differs",
        *SIGNATURE_ERRORS,
        ("nonce_used", 409),
        ("text_already_used", 409),
        "currency_twice",
        "currency_unknown",
        "dispute_unchanged",
        "dispute_window_over",
        ("settlement_rejected", 422),
    ),
)
def update_dispute(
    runtime: ServerRuntime,
    enterprise_id: str,
    dispute_id: str,
    member: CallingMember,
    body: JsonBody[schemas.UpdateDisputeRequest],
) -> Answer[schemas.DisputeAnswer]:
    """Inside the dispute window only. The transfers of a retracted dispute run as usual."""
    path_ids = {"enterpriseId": enterprise_id, "disputeId": dispute_id}
    signed = signed_request(Operation.DISPUTE_UPDATE, body, path_ids)
    asked = body.model.to_model()
    return _answer(service.update_dispute(runtime, member, parse_uuid(dispute_id), asked, signed))


@router.post(
    "/clients/settlements/disputes/{dispute_id}/close",
    operation_id="V1ClientSettlementDisputeClosurePostRoute",
    summary="Close a dispute that was wrong",
    responses=may_raise(
        "not_a_client",
        "dispute_not_found",
        *SIGNATURE_ERRORS,
        ("nonce_used", 409),
        ("text_already_used", 409),
        "dispute_closed",
        "dispute_retracted",
        "dispute_window_open",
        "settlement_finalising",
        ("settlement_rejected", 422),
        "adjustment_not_covered",
        "adjustment_not_covered_by_counterparty",
    ),
)
def close_dispute(
    runtime: ServerRuntime,
    enterprise_id: str,
    dispute_id: str,
    member: CallingMember,
    body: JsonBody[schemas.CloseDisputeRequest],
) -> Answer[schemas.ClosureAnswer]:
    """After the window. The original transfers run with the partner's next settlement after the approval."""
    path_ids = {"enterpriseId": enterprise_id, "disputeId": dispute_id}
    signed = signed_request(Operation.DISPUTE_CLOSE, body, path_ids)
    notes = body.model.notes
    closure, replayed = closures.close_by_client(runtime, member, parse_uuid(dispute_id), notes, signed)
    answer = schemas.ClosureAnswer(dispute_closure=schemas.closure_output(closure))
    return Answer(answer, headers=replay_headers(replayed=replayed))


@router.get(
    "/clients/settlement/disputes",
    operation_id="listClientSettlementDisputes",
    summary="List the client's disputes",
    responses=may_raise("not_a_client", unused=(404, 409, 422)),
)
def list_for_client(
    runtime: ServerRuntime, member: CallingMember, filters: Filters[schemas.ClientDisputeFilters]
) -> Answer[schemas.DisputesAnswer]:
    """Retracted disputes too. A dispute that has a closure is listed with it."""
    page = views.list_for_client(runtime, member, filters.to_model())
    return paged(schemas.disputes_answer(page.items), page, filters)


@router.get(
    "/partners/settlement/disputes",
    operation_id="listPartnerSettlementDisputes",
    summary="List the disputes of the partner's settlements",
    responses=may_raise("not_a_partner", unused=(404, 409, 422)),
)
def list_for_partner(
    runtime: ServerRuntime, member: CallingMember, filters: Filters[schemas.PartnerDisputeFilters]
) -> Answer[schemas.DisputesAnswer]:
    """Retracted disputes only with ``showRetracted``."""
    page = views.list_for_partner(runtime, member, filters.to_model())
    return paged(schemas.disputes_answer(page.items), page, filters)


def _answer(result: DisputeResult) -> Answer[schemas.DisputeAnswer]:
    answer = schemas.DisputeAnswer(dispute=schemas.dispute_output(result))
    return Answer(answer, headers=replay_headers(replayed=result.replayed))
