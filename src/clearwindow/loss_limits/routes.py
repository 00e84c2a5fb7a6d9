"""Routes about a client's own limits of loss. They are ours, beside the wire contract."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import JsonBody, ServerRuntime
from clearwindow.core.ids import NIL, parse_uuid
from clearwindow.identity.guards import NETWORK_V1, CallingMember, member_router
from clearwindow.loss_limits import schemas, service

router: Final = member_router("loss limits", NETWORK_V1)
_PATH: Final = "/clients/connections/{connection_id}/loss-limits"


@router.get(
    _PATH,
    operation_id="v1ClientLossLimitsGetRoute",
    summary="Read the limits of loss of a connection",
    description="What a settlement, and all settlements of one UTC day, may take. The partner never sees them.",
    responses=may_raise("not_a_client", ("connection_unknown", 404)),
)
def read_limits(runtime: ServerRuntime, member: CallingMember, connection_id: str) -> schemas.LossLimitsAnswer:
    return schemas.limits_answer(service.limits_of(runtime, member, parse_uuid(connection_id) or NIL))


@router.put(
    _PATH,
    operation_id="v1ClientLossLimitsPutRoute",
    summary="Set limits of loss of a connection",
    description=(
        "A lower limit applies at once, to every settlement that is received afterwards. A higher limit, or null"
        " for none, applies after 24 hours; the answer shows it under `next`. A settlement beyond a limit is"
        " refused: the partner learns the connection and the currency, not the limit."
    ),
    responses=may_raise("not_a_client", ("connection_unknown", 404), "currency_twice", "currency_unknown"),
)
def change_limits(
    runtime: ServerRuntime, member: CallingMember, connection_id: str, body: JsonBody[schemas.LossLimitsRequest]
) -> schemas.LossLimitsAnswer:
    asked = body.model.to_model()
    return schemas.limits_answer(service.change(runtime, member, parse_uuid(connection_id) or NIL, asked))
