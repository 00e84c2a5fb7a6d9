"""Who a token's holder is in one request, and in which role. Pure. Protocol §2."""

from __future__ import annotations

from clearwindow.core.errors import NotAuthenticatedError
from clearwindow.identity import roles
from clearwindow.identity.models import Member, MemberRole, Operator, OperatorRole, Token


def operator_of(token: Token, request_id: str) -> Operator:
    """Returns the operator whose token it is.

    Raises:
        NotAuthenticatedError: it is a member's.
    """
    if token.operator_id is None or token.operator_name is None or token.operator_role is None:
        raise NotAuthenticatedError("not_an_operator", "this API needs an operator's token")
    own = None if token.role is None else OperatorRole(token.role)
    return Operator(
        token.operator_id,
        token.operator_name,
        request_id,
        roles.narrowed(token.operator_role, own),
        token.made_by,
        program=token.program,
        deposit_token_id=token.id if token.deposits_proposal_id is not None else None,
    )


def member_of(token: Token, enterprise_id: str, request_id: str) -> Member:
    """Returns the member of this enterprise whose token it is."""
    if token.user_id is None or token.member_role is None:
        raise LookupError("a token of an enterprise has a user, who is its member")
    own = None if token.role is None else MemberRole(token.role)
    return Member(
        enterprise_id,
        token.user_id,
        request_id,
        roles.narrowed(token.member_role, own),
        token.may_use_custodian_key,
        token.made_by,
        program=token.program,
    )
