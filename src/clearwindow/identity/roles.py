"""What each role may do: the table of operations, and decisions about roles. Pure. Protocol §2."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final, TypeVar
from uuid import UUID

from clearwindow.core.errors import InvalidRequestError, PermissionDeniedError, UnprocessableError
from clearwindow.identity.models import MemberRole, OperatorRole

R = TypeVar("R", OperatorRole, MemberRole)

_VIEWER: Final = "viewer"
_ADMINISTRATOR: Final = "administrator"


@cache
def roles_of_operators() -> Mapping[str, frozenset[OperatorRole]]:
    """Returns which operators may carry out each operation of the operator's API, by its id."""
    return {operation: _whole(OperatorRole, given) for operation, given in _table()["operators"].items()}


@cache
def roles_of_members() -> Mapping[str, frozenset[MemberRole]]:
    """Returns which members may carry out each of their operations, by its id."""
    return {operation: _whole(MemberRole, given) for operation, given in _table()["members"].items()}


@cache
def operations_of_deposit_tokens() -> frozenset[str]:
    """Returns the ids of the operations that a token for deposits alone may carry out."""
    return frozenset(_table()["deposit_tokens"])


def includes(role: R, other: R) -> bool:
    """Returns whether a role may do everything that the other may. Administrators may do all, viewers only read."""
    return role in {other, _ADMINISTRATOR} or other == _VIEWER


def narrowed(holder: R, own: R | None) -> R:
    """Returns the role in which a token acts.

    Args:
        holder: the role of the token's holder now.
        own: the token's own role, which the holder's included when the token was made. None: the holder's.
    """
    if own is None or includes(own, holder):
        return holder
    return own if includes(holder, own) else type(holder)(_VIEWER)


def operator_may(role: OperatorRole, operation: str) -> bool:
    """Returns whether an operator with this role may carry out the operation."""
    return role in roles_of_operators().get(operation, {OperatorRole.ADMINISTRATOR})


def require_operator_role(role: OperatorRole, operation: str) -> None:
    """Checks that an operator with this role may carry out the operation.

    Raises:
        PermissionDeniedError: the role may not.
    """
    require_one_of(role, roles_of_operators().get(operation, {OperatorRole.ADMINISTRATOR}))


def require_member_role(role: MemberRole, operation: str) -> None:
    """Checks that a member with this role may carry out the operation.

    Raises:
        PermissionDeniedError: the role may not.
    """
    require_one_of(role, roles_of_members().get(operation, {MemberRole.ADMINISTRATOR}))


def require_narrower(holder: R, own: R | None) -> None:
    """Checks the own role of a new token.

    Raises:
        InvalidRequestError: its holder's role does not include it.
    """
    if own is not None and not includes(holder, own):
        raise InvalidRequestError(
            "token_role_wider",
            f"role: the token's holder is {holder}, and a token can only narrow that: choose {holder} or viewer",
        )


def require_administrator_left(administrators: Collection[UUID | str], changed: UUID | str) -> None:
    """Checks that another administrator is left if this one is none any more.

    Raises:
        UnprocessableError: it is the last one.
    """
    if set(administrators) <= {changed}:
        raise UnprocessableError(
            "last_administrator", "role: this is the last administrator: make another administrator first"
        )


def require_one_of(role: R, allowed: Collection[R]) -> None:
    """Checks that the role is one of these.

    Raises:
        PermissionDeniedError: it is not.
    """
    if role not in allowed:
        needed = sorted(map(str, allowed))
        raise PermissionDeniedError(
            "role_forbids",
            f"the role {role} may not do this: it needs the role {' or '.join(needed)}",
            {"role": str(role), "neededRoles": needed},
        )


def _whole(kind: type[R], named: Sequence[str]) -> frozenset[R]:
    return frozenset(kind) if _VIEWER in named else frozenset({kind(role) for role in (*named, _ADMINISTRATOR)})


@cache
def _table() -> Mapping[str, Mapping[str, Sequence[str]]]:
    text = files("clearwindow.identity").joinpath("roles.toml").read_text(encoding="utf-8")
    return {
        callers: {operation: [given] if isinstance(given, str) else given for operation, given in rows.items()}
        for callers, rows in tomllib.loads(text).items()
    }
