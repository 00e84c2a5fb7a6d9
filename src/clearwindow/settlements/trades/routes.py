"""The text to sign for a trade. No trade is recorded."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import JsonBody, ServerRuntime
from clearwindow.identity.guards import NETWORK_V1, CallingMember, member_router
from clearwindow.settlements.trades import schemas, service
from clearwindow.signing.schemas import SigningPayload, signing_payload

router: Final = member_router("trades", NETWORK_V1)


@router.get(
    "/partners/trades/signing",
    operation_id="v1PartnerTradesSigningGetRoute",
    summary="Get the exact text to sign for a trade",
    responses=may_raise(
        "not_a_partner", ("connection_unknown", 400), "currency_unmapped", "amount_unfit", "payload_impossible"
    ),
)
def trade_to_sign(
    runtime: ServerRuntime, member: CallingMember, body: JsonBody[schemas.TradeToSign]
) -> SigningPayload:
    """Takes the trade, or the correction of an earlier one, as a JSON body on the GET. Nothing is recorded."""
    service.require_reportable(runtime, member, body.model.trade.to_model())
    return signing_payload(body, {"enterpriseId": member.enterprise_id})
