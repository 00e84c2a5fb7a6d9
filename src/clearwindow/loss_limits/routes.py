"""Routes about a client's own limits of loss. They are ours, beside the wire contract."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import Answer, JsonBody, ServerRuntime
from clearwindow.api.schema import replay_headers
from clearwindow.core.ids import NIL, parse_uuid
from clearwindow.identity.guards import NETWORK_V1, CallingMember, member_router
from clearwindow.loss_limits import schemas, service
from clearwindow.signing.models import Operation
from clearwindow.signing.schemas import CHANGE_ERRORS, signed_change

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
        " refused: the partner learns the connection and the currency, not the limit. Must be signed if the"
        " client's Go Account requires intent."
    ),
    responses=may_raise(
        "not_a_client",
        ("connection_unknown", 404),
        "currency_twice",
        "currency_unknown",
        *CHANGE_ERRORS,
        ("nonce_used", 400),
        ("text_already_used", 400),
    ),
)
def change_limits(
    runtime: ServerRuntime, member: CallingMember, connection_id: str, body: JsonBody[schemas.LossLimitsRequest]
) -> Answer[schemas.LossLimitsAnswer]:
    path_ids = {"enterpriseId": member.enterprise_id, "connectionId": connection_id}
    request = signed_change(Operation.LOSS_LIMITS_CHANGE, body, path_ids)
    known, asked = parse_uuid(connection_id) or NIL, body.model.to_model()
    limits, replayed = service.change(runtime, member, known, asked, request)
    return Answer(schemas.limits_answer(limits), headers=replay_headers(replayed=replayed))
