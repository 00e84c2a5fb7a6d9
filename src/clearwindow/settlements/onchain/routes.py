"""Routes of on-chain settlement. Protocol §7."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import Answer, JsonBody, Query, ServerRuntime, works_on
from clearwindow.api.schema import replay_headers
from clearwindow.core.work import Work
from clearwindow.custody import intent
from clearwindow.identity.guards import NETWORK_V1, CallingMember, member_router
from clearwindow.settlements.onchain import deposits, initiation, schemas
from clearwindow.settlements.schemas import SETTLING_ERRORS
from clearwindow.signing.models import Operation, SignedRequest
from clearwindow.signing.schemas import (
    SIGNATURE_ERRORS,
    SigningOptions,
    SigningPayload,
    signed_request,
    signing_payload,
)

router: Final = member_router("on-chain settlement", f"{NETWORK_V1}/partners/settlements/onchain")


@router.post(
    "",
    operation_id="v1PartnerOnChainSettlementPostRoute",
    summary="Start a settlement on chain",
    status_code=202,
    responses=may_raise(
        *SETTLING_ERRORS,
        "onchain_not_enabled",
        ("paused", 403),
        ("loss_limit_exceeded", 403),
        ("liabilities_exceed_balance", 400),
    )
    | {200: {"model": schemas.OnchainSettlementAnswer}},
)
@works_on(Work.SETTLEMENT)
def initiate(
    runtime: ServerRuntime, member: CallingMember, body: JsonBody[schemas.OnchainSettlementRequest]
) -> Answer[schemas.OnchainSettlementAnswer]:
    """Settles by transactions on the chain: first what clients lose, then what they gain.

    Amounts are base units, even if the partner's other amounts are not; currencies have the partner's names. All
    losses are held at once. If a connection does not cover its part, nothing is written and the error 400 names
    every shortfall. Gains are paid once the deposits with the same externalId are confirmed and cover them. There
    is no dispute window. The same request again gets the same answer while the settlement is pending (202), makes
    a failed settlement pending, and gets the ended settlement afterwards (200). All these answers are marked with
    ``Idempotent-Replayed``.
    """
    signed = signed_request(Operation.SETTLEMENT_ONCHAIN, body, {"enterpriseId": member.enterprise_id})
    answer = initiation.initiate(runtime, member, body.model.to_model(), signed, schemas.answer_text)
    return Answer(answer.body, answer.status, replay_headers(replayed=answer.replayed))


@router.post(
    "/deposits",
    operation_id="v1PartnerExtDepositsPostRoute",
    summary="Submit the transactions that fund a settlement's gains",
    status_code=201,
    responses=may_raise(
        "not_a_partner",
        ("partner_inactive", 403),
        "onchain_not_enabled",
        *SIGNATURE_ERRORS,
        ("text_already_used", 409),
        ("paused", 403),
        "currency_unmapped",
        "deposit_twice",
        "deposit_taken",
        "settlement_not_found",
        "settlement_differs",
        "settlement_offchain",
        "settlement_ended",
    ),
)
def submit_deposits(
    runtime: ServerRuntime, member: CallingMember, body: JsonBody[schemas.DepositsRequest]
) -> Answer[schemas.DepositsAnswer]:
    """Before or after the settlement itself. ``settlementId`` in the answer is the id that it has or will have.

    The same transaction and currency again for the same settlement is the same deposit; for another settlement it
    is refused with 409. Confirmed deposits are held on the partner's Go Account for the settlement.
    """
    model = body.model
    path_ids = {"enterpriseId": member.enterprise_id}
    # There is no nonce: each transaction counts once.
    signed = SignedRequest(Operation.SETTLEMENT_DEPOSITS, model.payload, model.signature, "", body.fields, path_ids)
    submitted = deposits.submit(runtime, member, model.to_model(), signed)
    answer = schemas.deposits_answer(submitted.deposits)
    return Answer(answer, status=201, headers=replay_headers(replayed=submitted.replayed))


@router.get(
    "/deposits/signing",
    operation_id="v1PartnerExtDepositsSigningGetRoute",
    summary="Get the exact text to sign for deposits",
    responses=may_raise(
        "not_a_partner", ("partner_inactive", 403), "onchain_not_enabled", "payload_impossible", unused=(404, 409)
    ),
)
def deposits_payload(
    runtime: ServerRuntime,
    member: CallingMember,
    body: JsonBody[schemas.DepositFields],
    options: Query[SigningOptions],
) -> SigningPayload:
    """Takes the fields as a JSON body on the GET."""
    deposits.require_onchain_partner(runtime, member)
    ids = {"enterpriseId": member.enterprise_id}
    fields = intent.fields_to_sign(runtime, member, body.fields, Operation.SETTLEMENT_DEPOSITS, ids, options)
    return signing_payload(body, ids, fields)
