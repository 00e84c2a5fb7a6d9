"""Routes of settlements: staging (version 2), settling at once (version 1), the texts to sign, and the lists."""

from __future__ import annotations

from typing import Any, Final

from clearwindow.api.bodies import Body
from clearwindow.api.docs import Problem, may_raise
from clearwindow.api.routing import Answer, Filters, JsonBody, Query, ServerRuntime, counted, paged, works_on
from clearwindow.api.schema import replay_headers, warning_headers
from clearwindow.core.error_registry import documentation_of
from clearwindow.core.ids import parse_uuid
from clearwindow.core.text import present
from clearwindow.core.work import Work
from clearwindow.custody import intent
from clearwindow.identity.guards import NETWORK_V1, NETWORK_V2, CallingMember, member_router
from clearwindow.identity.models import Member
from clearwindow.postgres.paging import Slice
from clearwindow.runtime import Runtime
from clearwindow.settlements import funding, immediate, preview, rules, schemas, staging, views, withdrawal
from clearwindow.settlements.models import SettlementState
from clearwindow.settlements.preview_schemas import (
    PreviewAnswer,
    PreviewOptions,
    PreviewSettlementRequest,
    preview_answer,
)
from clearwindow.settlements.transfers.schemas import (
    MaskedTransfersAnswer,
    PartnerTransferFilters,
    SettlementTransfersAnswer,
    TransferFilters,
    WholeSettlementFilters,
    settlement_transfers_answer,
)
from clearwindow.signing.models import Operation
from clearwindow.signing.schemas import SIGNATURE_ERRORS, SigningPayload, signed_request, signing_payload

router: Final = member_router("settlements")
_NOT_COVERED: Final = 401
_SETTLE_ERRORS: Final = may_raise(
    *schemas.SETTLING_ERRORS,
    "cutoff_in_future",
    "disputes_enabled",
    ("paused", 403),
    ("loss_limit_exceeded", 403),
    "settlement_external_id_reserved",
    "base_units_78_digits",
    "settlement_not_covered",
    ("settlement_rejected", 401),
    models={_NOT_COVERED: schemas.NotExecutedSettlementAnswer | Problem},
)


@router.post(
    f"{NETWORK_V2}/partners/settlements",
    operation_id="v2PartnerSettlementsPostRoute",
    summary="Stage a settlement",
    responses=may_raise(
        *schemas.SETTLING_ERRORS,
        "cutoff_in_future",
        "disputes_not_enabled",
        ("paused", 422),
        ("loss_limit_exceeded", 422),
        "settlement_external_id_reserved",
        ("liabilities_exceed_balance", 422),
    ),
)
@works_on(Work.SETTLEMENT)
def stage_settlement(
    runtime: ServerRuntime, member: CallingMember, body: JsonBody[schemas.StageSettlementRequest]
) -> Answer[schemas.StagedSettlementAnswer]:
    """Stages one signed settlement for connected clients, who may dispute it until its window ends.

    One transaction creates the settlement with a transfer for each amount, assigns closed disputes of earlier
    settlements to it, holds the most that each connection can lose, notifies the owners and queues the end of the
    window. If a connection does not cover its part, nothing is written and the error names every shortfall. The
    same request again gets the same answer, marked with ``Idempotent-Replayed``.
    """
    signed = signed_request(Operation.SETTLEMENT_STAGE, body, {"enterpriseId": member.enterprise_id})
    staged = staging.stage_settlement(runtime, member, body.model.to_model(), signed, schemas.staged_answer)
    headers = replay_headers(replayed=staged.replayed) | warning_headers(staged.warnings)
    return Answer(staged.body, headers=headers)


@router.post(
    f"{NETWORK_V2}/partners/settlements/preview",
    operation_id="v2PartnerSettlementsPreviewPostRoute",
    summary="See what staging a settlement would do",
    responses=may_raise(
        "not_a_partner",
        ("partner_inactive", 403),
        "disputes_not_enabled",
        "too_many_connections",
        "too_many_amounts",
        "amounts_missing",
        "amounts_not_flat",
        "connection_with_itself",
    ),
)
@works_on(Work.SETTLEMENT)
def preview_settlement(
    runtime: ServerRuntime,
    member: CallingMember,
    body: JsonBody[PreviewSettlementRequest],
    options: Query[PreviewOptions],
) -> Answer[PreviewAnswer]:
    """Takes the body of a settlement to stage, unsigned. Writes nothing, and waits for no lock.

    What staging would refuse is in ``refusals``, all of it at once: the answer is 200 then, too. The page has the
    balances that would change. Staging may find other balances, closures and pauses a moment later.
    """
    page = Slice(options.limit, options.offset)
    found = preview.preview_settlement(runtime, member, body.model.to_model(), page)
    return counted(preview_answer(found), found.funds.balances.total if found.funds else 0)


@router.get(
    f"{NETWORK_V1}/partners/settlements-signing",
    operation_id="v1PartnerSettlementSigningGetRoute",
    summary="Get the exact text to sign for a settlement",
    responses=may_raise("not_a_partner", "payload_impossible", unused=(409,)),
)
@works_on(Work.SETTLEMENT)
def settlement_payload_of_get(
    runtime: ServerRuntime,
    member: CallingMember,
    body: JsonBody[schemas.SettlementSigningRequest],
    options: Query[schemas.SettlementSigningOptions],
) -> SigningPayload:
    """Takes the fields as a JSON body on the GET."""
    return _payload(runtime, member, body, options)


@router.post(
    f"{NETWORK_V1}/partners/settlements-signing",
    operation_id="v1PartnerSettlementsSigningPostRoute",
    summary="Get the exact text to sign for a settlement",
    responses=may_raise("not_a_partner", "payload_impossible", unused=(409,)),
)
@works_on(Work.SETTLEMENT)
def settlement_payload_of_post(
    runtime: ServerRuntime,
    member: CallingMember,
    body: JsonBody[schemas.SettlementSigningRequest],
    options: Query[schemas.SettlementSigningOptions],
) -> SigningPayload:
    """Does the same, for callers that cannot send a body with a GET."""
    return _payload(runtime, member, body, options)


def _payload(
    runtime: Runtime,
    member: Member,
    body: Body[schemas.SettlementSigningRequest],
    options: schemas.SettlementSigningOptions,
) -> SigningPayload:
    partner = staging.require_partner(runtime, member)
    operation, unit = rules.to_sign(partner, options.asked)
    ids = {"enterpriseId": member.enterprise_id}
    fields = intent.fields_to_sign(runtime, member, body.fields, operation, ids, options, unit)
    return signing_payload(body, ids, fields)


@router.get(
    f"{NETWORK_V1}/partners/settlements",
    operation_id="v1PartnerSettlementsGetRoute",
    summary="List the partner's settlements",
    responses=may_raise("not_a_partner"),
)
def list_for_partner(
    runtime: ServerRuntime, member: CallingMember, filters: Filters[schemas.PartnerSettlementFilters]
) -> Answer[schemas.SettlementsAnswer]:
    """Newest first."""
    page = views.list_for_partner(runtime, member, filters.to_model())
    return paged(schemas.settlements_answer(page.items), page, filters)


@router.get(
    f"{NETWORK_V1}/partners/settlements/{{settlement_id}}",
    operation_id="v1PartnerSettlementGetRoute",
    summary="Get one settlement of the partner, with its transfers",
    responses=may_raise("not_a_partner", "settlement_not_found"),
)
def get_for_partner(
    runtime: ServerRuntime,
    settlement_id: str,
    member: CallingMember,
    filters: Filters[PartnerTransferFilters],
) -> Answer[schemas.SettlementAnswer]:
    """The page has transfers. All disputes are in every page."""
    detail = views.get_for_partner(runtime, member, parse_uuid(settlement_id), filters.to_model())
    return counted(schemas.settlement_answer(detail), detail.transfer_count)


@router.get(
    f"{NETWORK_V1}/partners/settlements/{{settlement_id}}/transfers",
    operation_id="v1PartnerSettlementTransfersGetRoute",
    summary="List all transfers of one settlement",
    responses=may_raise("not_a_partner", "settlement_not_found"),
)
def list_transfers_for_partner(
    runtime: ServerRuntime, settlement_id: str, member: CallingMember, filters: Filters[WholeSettlementFilters]
) -> Answer[SettlementTransfersAnswer]:
    """Sorted by connection, with cursors and exports. Clients have theirs in ``…/clients/settlementTransfers``."""
    page, accounts = views.list_transfers(
        runtime, member, parse_uuid(settlement_id), filters.to_model(), filters.slice
    )
    return paged(settlement_transfers_answer(page.items, accounts), page, filters)


@router.post(
    f"{NETWORK_V1}/partners/settlements/{{settlement_id}}/withdraw",
    operation_id="v1PartnerSettlementWithdrawPostRoute",
    summary="Take back a settlement inside its dispute window",
    responses=may_raise(
        "not_a_partner",
        "settlement_not_found",
        *SIGNATURE_ERRORS,
        ("nonce_used", 409),
        ("text_already_used", 409),
        "settlement_state",
        "settlement_withdrawn",
        "withdrawal_window_over",
    ),
)
def withdraw_settlement(
    runtime: ServerRuntime,
    settlement_id: str,
    member: CallingMember,
    body: JsonBody[schemas.WithdrawSettlementRequest],
) -> Answer[schemas.WithdrawnSettlementAnswer]:
    """None of the settlement's own transfers runs, and what is held for them is available again.

    If it has taken no closed disputes, it is ``rejected`` at once. If it has, it stays ``pending`` and completes
    with their transfers alone. Disputes of its own amounts end with it. Its ``externalId`` stays used.
    """
    ids = {"enterpriseId": member.enterprise_id, "settlementId": settlement_id}
    signed = signed_request(Operation.SETTLEMENT_WITHDRAW, body, ids)
    done = withdrawal.withdraw(runtime, member, parse_uuid(settlement_id), body.model.reason, signed)
    answer = schemas.WithdrawnSettlementAnswer(
        settlement=schemas.settlement_output(done.settlement, disputed=done.disputed)
    )
    return Answer(answer, headers=replay_headers(replayed=done.replayed))


@router.get(
    f"{NETWORK_V1}/clients/settlements",
    operation_id="v1ClientSettlementsGetRoute",
    summary="List the settlements on the client's connections",
    responses=may_raise("not_a_client", unused=(404,)),
)
def list_for_client(
    runtime: ServerRuntime, member: CallingMember, filters: Filters[schemas.ClientSettlementFilters]
) -> Answer[schemas.ClientSettlementsAnswer]:
    """Newest first. Other clients' parts of a settlement are left out."""
    page = views.list_for_client(runtime, member, filters.to_model())
    return paged(schemas.client_settlements_answer(page.items), page, filters)


@router.get(
    f"{NETWORK_V1}/clients/settlements/{{settlement_id}}",
    operation_id="v1ClientSettlementGetRoute",
    summary="Get the client's own part of one settlement",
    responses=may_raise("not_a_client", "settlement_not_found"),
)
def get_for_client(
    runtime: ServerRuntime, settlement_id: str, member: CallingMember, filters: Filters[TransferFilters]
) -> Answer[schemas.ClientSettlementAnswer]:
    """The page has transfers. All disputes are in every page."""
    detail = views.get_for_client(runtime, member, parse_uuid(settlement_id), filters.to_model())
    return counted(schemas.client_settlement_answer(detail), detail.transfer_count)


@router.get(
    f"{NETWORK_V1}/clients/settlementTransfers",
    operation_id="v1ClientSettlementTransfersGetRoute",
    summary="List the client's transfers in all settlements",
    responses=may_raise("not_a_client", unused=(404,)),
)
def list_transfers_for_client(
    runtime: ServerRuntime, member: CallingMember, filters: Filters[schemas.ClientTransferFilters]
) -> Answer[MaskedTransfersAnswer]:
    """Sorted by when their settlements last changed, newest first. Other parties are not named.

    The adjusted transfers of a closed dispute are listed once a settlement has taken them over.
    """
    found = views.list_transfers_for_client(runtime, member, filters.to_model())
    return paged(schemas.masked_transfers_answer(found), found.page, filters)


@router.post(
    f"{NETWORK_V1}/partners/settlements",
    operation_id="v1PartnerSettlementsPostRoute",
    summary="Settle at once",
    responses=_SETTLE_ERRORS,
)
@works_on(Work.SETTLEMENT)
def settle(
    runtime: ServerRuntime, member: CallingMember, body: JsonBody[schemas.SettleAtOnceRequest]
) -> Answer[schemas.ExecutedSettlementAnswer]:
    """Executes all of one signed settlement, or nothing of it, in the transaction that creates it.

    For partners without a dispute window. If a connection or the partner's own account does not cover its part, the
    answer is 401 with the ``failed`` settlement, its reason, and every shortfall in ``details``. Nothing has moved
    and nothing is held. The same request again tries it again, if a new request would be allowed now. Otherwise it
    gets the failed settlement as it is, and once that has completed, the same answer; both are marked with
    ``Idempotent-Replayed``.
    """
    return _settle(runtime, member, body)


@router.post(
    f"{NETWORK_V1}/partners/settlements/nonReconciled",
    operation_id="v1PartnerSettlementsNonReconciledPostRoute",
    summary="Settle at once (the former name)",
    responses=_SETTLE_ERRORS,
    deprecated=True,
)
@works_on(Work.SETTLEMENT)
def settle_non_reconciled(
    runtime: ServerRuntime, member: CallingMember, body: JsonBody[schemas.SettleAtOnceRequest]
) -> Answer[schemas.ExecutedSettlementAnswer]:
    """Does the same as ``POST …/partners/settlements``. A request sent to one may be repeated at the other."""
    return _settle(runtime, member, body)


def _settle(runtime: Runtime, member: Member, body: Body[schemas.SettleAtOnceRequest]) -> Answer[Any]:
    signed = signed_request(Operation.SETTLEMENT_IMMEDIATE, body, {"enterpriseId": member.enterprise_id})
    outcome = immediate.settle_at_once(runtime, member, body.model.to_model(), signed)
    headers = replay_headers(replayed=outcome.replayed) | warning_headers(outcome.warnings)
    settlement = schemas.settlement_output(outcome.settlement, disputed=False)
    if outcome.settlement.state is SettlementState.COMPLETED:
        return Answer(schemas.ExecutedSettlementAnswer(settlement=settlement), headers=headers)
    rejected = outcome.settlement.state is SettlementState.REJECTED
    name = "settlement_rejected" if rejected else "settlement_not_covered"
    not_executed = schemas.NotExecutedSettlementAnswer.model_validate(
        present(
            settlement=settlement,
            name=name,
            request_id=member.request_id,
            documentation=documentation_of(name),
            details=None if outcome.replayed else _details(outcome),
        )
    )
    return Answer(not_executed, status=_NOT_COVERED, headers=headers)


def _details(outcome: immediate.Outcome) -> dict[str, object]:
    return {
        "shortfalls": list(outcome.connection_shortfalls),
        "shortfallCount": len(outcome.connection_shortfalls),
        "partnerShortfalls": funding.partner_shortfalls(outcome.partner_gaps),
    }
