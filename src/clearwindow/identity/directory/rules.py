"""Decides who may see and revoke tokens, and who may be removed. Pure. Protocol §2."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from clearwindow.core.errors import ConflictError, PermissionDeniedError, UnprocessableError
from clearwindow.identity import roles
from clearwindow.identity.models import (
    BOOTSTRAP_OPERATOR,
    Member,
    MemberRole,
    Operator,
    OperatorRecord,
    OperatorRole,
    Token,
)


def sees_token(actor: Member | Operator, token: Token) -> bool:
    """Returns whether the caller may know of the token.

    Operators know of all, administrators of an enterprise of all its users', other members of their own.
    """
    if isinstance(actor, Operator):
        return True
    own = token.user_id == actor.user_id or actor.role is MemberRole.ADMINISTRATOR
    return token.enterprise_id == actor.enterprise_id and own


def require_may_revoke(actor: Member | Operator, token: Token) -> None:
    """Lets everybody who sees a token revoke it; an operator's only itself and administrators.

    Raises:
        PermissionDeniedError: it is another operator's, and the caller is no administrator; or a member's, and the
            caller may only read.
    """
    if not isinstance(actor, Operator) or token.operator_id == actor.operator_id:
        return
    if token.operator_id is None:
        roles.require_one_of(actor.role, {OperatorRole.OPERATOR, OperatorRole.APPROVER, OperatorRole.ADMINISTRATOR})
        return
    if actor.role is not OperatorRole.ADMINISTRATOR:
        raise PermissionDeniedError(
            "token_of_another_operator",
            "only its operator and administrators revoke an operator's token: ask an administrator",
        )


def require_removable(operator: OperatorRecord, administrators: Collection[UUID]) -> None:
    """Keeps the network from losing its last administrator.

    Raises:
        ConflictError: it is the operator of the token in the settings.
        UnprocessableError: it is the last administrator.
    """
    if operator.name == BOOTSTRAP_OPERATOR:
        raise ConflictError(
            "operator_of_settings",
            "this operator stands for the token in the settings: take the token out of the settings",
        )
    if set(administrators) == {operator.id}:
        raise UnprocessableError(
            "last_administrator", "the last administrator cannot be removed: make another one first"
        )
