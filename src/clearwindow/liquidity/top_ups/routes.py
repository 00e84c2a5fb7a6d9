"""Routes of top-ups. They are ours, beside the wire contract."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import Query, ServerRuntime
from clearwindow.identity.guards import NETWORK_V1, CallingMember, member_router
from clearwindow.liquidity.top_ups import schemas, views

router: Final = member_router("liquidity", NETWORK_V1)


@router.get(
    "/partners/top-ups",
    operation_id="v1PartnerTopUpsGetRoute",
    summary="See what must be topped up on the partner's account, and by when",
    responses=may_raise("not_a_partner"),
)
def top_ups_of_partner(
    runtime: ServerRuntime, member: CallingMember, asked: Query[schemas.TopUpQuery]
) -> schemas.TopUpsAnswer:
    """Answers what each open settlement lacks, in the order in which they execute, with disputes as they stand.

    With `worstCase=true`, every client disputes what it would lose, as long as it can.
    """
    return schemas.top_ups_answer(views.of_partner(runtime, member, worst_case=bool(asked.worst_case)))
