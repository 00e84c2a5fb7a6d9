"""Routes of an enterprise's own Go Accounts. They are ours, beside the wire contract."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import Answer, JsonBody, ServerRuntime
from clearwindow.api.schema import replay_headers
from clearwindow.custody import intent
from clearwindow.custody.schemas import OwnGoAccountAnswer, RequireIntentRequest, own_go_account_answer
from clearwindow.identity.guards import NETWORK_V1, CallingMember, member_router
from clearwindow.signing.models import Operation
from clearwindow.signing.schemas import SIGNATURE_ERRORS, signed_request

router: Final = member_router("accounts", NETWORK_V1)


@router.post(
    "/go-accounts/{go_account_id}/require-intent",
    operation_id="v1GoAccountRequireIntentPostRoute",
    summary="Require that signed texts say what they are for",
    description=(
        "From then on, a payload of this Go Account's keys must have operation, enterpriseId, the ids of the path"
        " and expiresAt. The payload of this request must have them, whatever the account requires. The enterprise"
        " gets an event. Only operators turn it off again, and none alone."
    ),
    responses=may_raise("go_account_unknown", *SIGNATURE_ERRORS, ("nonce_used", 409), ("text_already_used", 409)),
)
def require_intent(
    runtime: ServerRuntime,
    enterprise_id: str,
    go_account_id: str,
    member: CallingMember,
    body: JsonBody[RequireIntentRequest],
) -> Answer[OwnGoAccountAnswer]:
    path_ids = {"enterpriseId": enterprise_id, "goAccountId": go_account_id}
    signed = signed_request(Operation.ACCOUNT_REQUIRE_INTENT, body, path_ids)
    account, replayed = intent.turn_intent_on(runtime, member, go_account_id, signed)
    return Answer(own_go_account_answer(account), headers=replay_headers(replayed=replayed))
