"""Routes about what can be moved now. They are ours, beside the wire contract."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import ServerRuntime
from clearwindow.core.ids import NIL, parse_uuid
from clearwindow.identity.guards import NETWORK_V1, CallingMember, member_router
from clearwindow.liquidity.movable import schemas, views

router: Final = member_router("liquidity", NETWORK_V1)


@router.get(
    "/clients/connections/{connection_id}/movable-funds",
    operation_id="v1ClientMovableFundsGetRoute",
    summary="See how much can be allocated to a connection and taken back from it, and why not more",
    responses=may_raise("not_a_client", ("connection_unknown", 404)),
)
def movable_of_connection(
    runtime: ServerRuntime, member: CallingMember, connection_id: str
) -> schemas.OfConnectionAnswer:
    """Answers the largest amounts that are accepted at this moment, and one base unit more is refused."""
    return schemas.connection_answer(views.of_connection(runtime, member, parse_uuid(connection_id) or NIL))


@router.get(
    "/go-accounts/{go_account_id}/movable-funds",
    operation_id="v1GoAccountMovableFundsGetRoute",
    summary="See how much can be withdrawn from a Go Account, and why not more",
    responses=may_raise("go_account_unknown"),
)
def movable_of_account(
    runtime: ServerRuntime, member: CallingMember, go_account_id: str
) -> schemas.OfAccountAnswer:
    """Answers for each currency the largest amount that an operator can withdraw at this moment."""
    return schemas.account_answer(views.of_account(runtime, member, go_account_id))
