"""Routes of standing top-ups. They are ours, beside the wire contract."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import Answer, Filters, JsonBody, NoContent, ServerRuntime, paged
from clearwindow.api.schema import replay_headers
from clearwindow.core.ids import NIL, parse_uuid
from clearwindow.identity.guards import NETWORK_V1, CallingMember, member_router
from clearwindow.signing.models import Operation
from clearwindow.signing.schemas import SIGNATURE_ERRORS, signed_request
from clearwindow.standing_top_ups import instructions, schemas

router: Final = member_router("liquidity", NETWORK_V1)


@router.post(
    "/go-accounts/{go_account_id}/standing-top-ups",
    operation_id="v1StandingTopUpsPostRoute",
    summary="Top the partner's account up from this Go Account whenever a settlement is short",
    description=(
        "When a settlement would be short, exactly what is missing comes from this Go Account, in the transaction"
        " that executes it, up to `perSettlement`. If that does not cover every currency, nothing comes. Signed by"
        " a key of this Go Account. A currency has one such instruction; it ends when it is revoked."
    ),
    responses=may_raise(
        "not_a_partner",
        "go_account_unknown",
        "standing_top_up_from_itself",
        "currency_unknown",
        "standing_top_up_exists",
        *SIGNATURE_ERRORS,
        ("nonce_used", 409),
        ("text_already_used", 409),
    ),
)
def create_standing_top_up(
    runtime: ServerRuntime,
    enterprise_id: str,
    go_account_id: str,
    member: CallingMember,
    body: JsonBody[schemas.StandingTopUpRequest],
) -> Answer[schemas.StandingTopUpAnswer]:
    path_ids = {"enterpriseId": enterprise_id, "goAccountId": go_account_id}
    request = signed_request(Operation.STANDING_TOP_UP_CREATE, body, path_ids)
    made, replayed = instructions.instruct(runtime, member, body.model.to_model(go_account_id), request)
    return Answer(schemas.standing_top_up_answer(made), headers=replay_headers(replayed=replayed))


@router.get(
    "/partners/standing-top-ups",
    operation_id="v1StandingTopUpsGetRoute",
    summary="List the partner's standing top-ups",
    responses=may_raise("not_a_partner"),
)
def list_standing_top_ups(
    runtime: ServerRuntime, member: CallingMember, filters: Filters[schemas.StandingTopUpFilters]
) -> Answer[schemas.StandingTopUpsAnswer]:
    """Newest first, revoked ones too."""
    found = instructions.list_of(runtime, member, filters.to_model(), filters.slice)
    return paged(schemas.standing_top_ups_answer(found.items), found, filters)


@router.delete(
    "/partners/standing-top-ups/{standing_top_up_id}",
    operation_id="v1StandingTopUpDeleteRoute",
    summary="Revoke a standing top-up",
    status_code=204,
    responses=may_raise("not_a_partner", "standing_top_up_unknown"),
)
def revoke_standing_top_up(runtime: ServerRuntime, member: CallingMember, standing_top_up_id: str) -> NoContent:
    """No execution that begins later uses it. It needs no signature, because it can only keep money where it is."""
    instructions.revoke(runtime, member, parse_uuid(standing_top_up_id) or NIL)
    return NoContent()
